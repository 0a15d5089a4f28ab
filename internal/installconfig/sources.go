package installconfig

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// other is the field that must not be there beside the given one.
func other(key string) string {
	if key == DigestSources {
		return ContentSources
	}
	return DigestSources
}

// key is the field that mirrors are to be in.
func (m *merger) key(f *file) string {
	switch {
	case m.change.Key != "":
		return m.change.Key
	case f.find(DigestSources) != nil && f.find(ContentSources) == nil:
		return DigestSources
	}
	return ContentSources
}

// sources makes the wanted field have the mirrors: under the name it has, by
// giving the other field its name, or as a new field.
func (m *merger) sources(f *file) error {
	if len(m.change.Sources) == 0 {
		return nil
	}
	key := m.key(f)
	e := f.find(key)
	if e == nil {
		e = f.find(other(key))
	}
	if e == nil {
		return m.newSources(f, key)
	}
	have, err := readList(e)
	if err != nil {
		return err
	}
	wanted := m.change.Sources
	if twin := f.find(other(key)); twin != nil && twin != e {
		more, err := readList(twin)
		if err != nil {
			return err
		}
		if dropped := len(more.items) - len(plainItems(more.items)); dropped > 0 {
			m.warn("%s: fields besides source and mirrors of %s were left out", twin.key.Value, count(dropped, "source"))
		}
		wanted = append(more.sources(), wanted...)
	}
	return m.mergeSources(f, e, key, mergeable{have, wanted})
}

// mergeable is what a field has and what it is to have besides.
type mergeable struct {
	have   listed
	wanted []Source
}

func (m *merger) newSources(f *file, key string) error {
	m.result.Defaulted = m.change.Key == ""
	items := addSources(nil, m.change.Sources)
	m.text = f.add(append([]string{key + ":"}, itemLines(items)...)...)
	m.note("%s: %s added", key, count(len(items), "source"))
	return m.wrote(key, items)
}

func (m *merger) mergeSources(f *file, e *entry, key string, l mergeable) error {
	items := addSources(l.have.items, l.wanted)
	lost := dropPolicies(key, items)
	if lost > 0 {
		m.warn("%s has no field sourcePolicy: that of %s was left out", key, count(lost, "source"))
	}
	_, named := f.label(e)
	added, mirrors := len(items)-len(l.have.items), countMirrors(items)-countMirrors(l.have.items)
	switch {
	case l.have.nodes != nil && lost == 0 && named:
		m.text = l.insert(f, e, key)
	case added > 0 || mirrors > 0 || lost > 0 || e.key.Value != key:
		m.text = f.splice(e.first, e.last+1, append([]string{key + ":"}, itemLines(items)...)...)
	}
	if e.key.Value != key {
		m.note("%s became %s", e.key.Value, key)
		m.want[e.key.Value] = nil
	}
	m.noteSources(key, added, mirrors)
	return m.wrote(key, items)
}

func (m *merger) noteSources(key string, added, mirrors int) {
	switch {
	case added > 0:
		m.note("%s: %s added", key, count(added, "source"))
	case mirrors > 0:
		m.note("%s: %s added", key, count(mirrors, "mirror"))
	default:
		m.note("%s: all mirrors were there", key)
	}
}

// otherSources takes away the field that the installer would not have beside
// the wanted one, which has its mirrors by now.
func (m *merger) otherSources(f *file) error {
	if len(m.change.Sources) == 0 {
		return nil
	}
	key := m.key(f)
	e := f.find(other(key))
	if e == nil {
		return nil
	}
	m.text = f.splice(e.first, e.last+1)
	m.want[e.key.Value] = nil
	m.note("%s: moved into %s, since the installer refuses both at once", e.key.Value, key)
	return nil
}

// wrote remembers what the field is to read back as.
func (m *merger) wrote(key string, items []map[string]any) error {
	text := strings.Join(append([]string{key + ":"}, itemLines(items)...), "\n") + "\n"
	var back map[string]any
	if err := yaml.Unmarshal([]byte(text), &back); err != nil {
		return invalid(err)
	}
	m.want[key] = back[key]
	m.result.Sections = append(m.result.Sections, text...)
	return nil
}

// insert returns the text with what is missing put between the lines there are,
// and with the field under the name wanted.
func (l mergeable) insert(f *file, e *entry, key string) string {
	lines := slices.Clone(f.lines)
	lines[e.first] = strings.Replace(lines[e.first], e.key.Value, key, 1)
	behind := map[int][]string{} // lines to put behind the line of that index
	for i, node := range l.have.nodes {
		mirrors := field(node, "mirrors")
		at := mirrors.Content[len(mirrors.Content)-1].Line - 1
		for _, name := range l.missing(i) {
			behind[at] = append(behind[at], strings.Repeat(" ", mirrors.Column-1)+"- "+scalar(name))
		}
	}
	dash := strings.Repeat(" ", e.value.Column-1)
	for _, line := range itemLines(addSources(l.have.items, l.wanted)[len(l.have.items):]) {
		behind[e.last] = append(behind[e.last], dash+line)
	}
	var b strings.Builder
	for i, line := range lines {
		b.WriteString(line)
		for _, more := range behind[i] {
			if s := b.String(); s[len(s)-1] != '\n' {
				b.WriteString(f.eol)
			}
			b.WriteString(more + f.eol)
		}
	}
	return b.String()
}

// missing are the mirrors that item i of the file is to get.
func (l mergeable) missing(i int) []string {
	all := addSources(l.have.items, l.wanted)[i]
	names := mirrorsOf(all)
	return names[len(mirrorsOf(l.have.items[i])):]
}
