package installconfig

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// listed is a list of mirrors as the file has it.
type listed struct {
	items []map[string]any // as decoded, with fields that we do not know
	nodes []*yaml.Node     // nil unless the list is written in plain blocks
}

// readList reads the mirrors of a field.
func readList(e *entry) (listed, error) {
	if e.value.Tag == "!!null" {
		return listed{}, nil
	}
	var l listed
	if err := e.value.Decode(&l.items); err != nil {
		return l, fmt.Errorf("line %d: %s is not a list of sources with their mirrors", e.key.Line, e.key.Value)
	}
	for _, item := range l.items {
		if _, ok := item["source"].(string); !ok || !isMirrors(item["mirrors"]) {
			return l, fmt.Errorf("line %d: an entry of %s has no source, or mirrors that are no list of names", e.key.Line, e.key.Value)
		}
	}
	if isPlain(e.value) {
		l.nodes = e.value.Content
	}
	return l, nil
}

// isMirrors reports whether a value is a list of names, or is not there.
func isMirrors(v any) bool {
	list, ok := v.([]any)
	for _, name := range list {
		if _, isName := name.(string); !isName {
			return false
		}
	}
	return ok || v == nil
}

// isPlain reports whether a list and all in it is written in blocks, one thing
// a line, without anchors, aliases or tags, so that lines can be put between.
func isPlain(list *yaml.Node) bool {
	if list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		return false
	}
	for _, item := range list.Content {
		mirrors := field(item, "mirrors")
		if mirrors == nil || mirrors.Kind != yaml.SequenceNode || len(mirrors.Content) == 0 {
			return false
		}
	}
	return !hasSpecial(list)
}

// hasSpecial reports whether a node or one in it is not the plainest of its kind.
func hasSpecial(n *yaml.Node) bool {
	const special = yaml.FlowStyle | yaml.TaggedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return n.Style&special != 0 || n.Anchor != "" || n.Kind == yaml.AliasNode || n.Tag == "!!merge" ||
		strings.Contains(n.Value, "\n") || slices.ContainsFunc(n.Content, hasSpecial)
}

// field returns the value of a mapping's field, nil if it has none.
func field(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; mapping.Kind == yaml.MappingNode && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// addSources returns items with the wanted sources: mirrors that no item of
// the source has go behind those of its first item.
func addSources(items []map[string]any, wanted []Source) []map[string]any {
	out := make([]map[string]any, len(items))
	for i, item := range items {
		out[i] = maps.Clone(item)
	}
	for _, w := range wanted {
		at := slices.IndexFunc(out, func(item map[string]any) bool { return item["source"] == w.Source })
		if at < 0 && len(w.Mirrors) == 0 {
			continue
		}
		if at < 0 {
			at = len(out)
			out = append(out, map[string]any{"source": w.Source})
		}
		for _, name := range w.Mirrors {
			if !hasMirror(out, w.Source, name) {
				out[at]["mirrors"] = toAny(append(mirrorsOf(out[at]), name))
			}
		}
	}
	return out
}

func hasMirror(items []map[string]any, source, mirror string) bool {
	return slices.ContainsFunc(items, func(item map[string]any) bool {
		return item["source"] == source && slices.Contains(mirrorsOf(item), mirror)
	})
}

func mirrorsOf(item map[string]any) []string {
	list, _ := item["mirrors"].([]any)
	out := make([]string, 0, len(list)+1)
	for _, name := range list {
		if s, ok := name.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func toAny(names []string) []any {
	out := make([]any, len(names))
	for i, name := range names {
		out[i] = name
	}
	return out
}

func countMirrors(items []map[string]any) int {
	n := 0
	for _, item := range items {
		n += len(mirrorsOf(item))
	}
	return n
}

// sources are the items without the fields that we do not know.
func (l listed) sources() []Source {
	var out []Source
	for _, item := range l.items {
		name, _ := item["source"].(string)
		out = append(out, Source{mirrorsOf(item), name})
	}
	return out
}

// plainItems are those items that have no field that we do not know.
func plainItems(items []map[string]any) []map[string]any {
	return slices.DeleteFunc(slices.Clone(items), func(item map[string]any) bool {
		_, mirrors := item["mirrors"]
		return mirrors && len(item) > 2 || !mirrors && len(item) > 1
	})
}

// dropPolicies takes sourcePolicy, which imageDigestSources has in newer
// releases, out of imageContentSources, which never had it.
func dropPolicies(key string, items []map[string]any) int {
	n := 0
	for _, item := range items {
		if _, has := item["sourcePolicy"]; has && key == ContentSources {
			delete(item, "sourcePolicy")
			n++
		}
	}
	return n
}

// scalar prints a name, quoted where YAML would read something else.
func scalar(name string) string {
	out, err := yaml.Marshal(name)
	if err != nil {
		panic(err) // a string can always be printed
	}
	return strings.TrimSuffix(string(out), "\n")
}

// itemLines prints items as "adm release mirror" does (oc.md 12.4).
func itemLines(items []map[string]any) []string {
	if len(items) == 0 {
		return nil
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	if err := enc.Encode(items); err != nil {
		panic(err) // what was decoded can be encoded
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
