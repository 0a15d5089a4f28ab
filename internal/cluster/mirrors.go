// Package cluster makes what a cluster is configured with after mirroring:
// mirror sets, as objects and as the text that "adm release mirror" prints
// (oc.md 12.4). It is pure: the same input gives the same bytes, in the same
// order, because reordered mirror sets make nodes restart services for nothing.
package cluster

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// MirrorSource says where the images of a repository are found besides.
type MirrorSource struct {
	Mirrors []string `json:"mirrors"` // repositories, tried in this order
	Source  string   `json:"source"`  // the repository that image references name
}

// MirrorSources says of each source repository that its images are in all the
// mirrors. Tags and digests are dropped, sources are put in order, mirrors keep
// the order given, and nothing is there twice. Without mirrors the result is empty.
func MirrorSources(sources, mirrors []ref.Ref) []MirrorSource {
	names := repositories(mirrors)
	if len(names) == 0 {
		return nil
	}
	var out []MirrorSource
	for _, source := range slices.Sorted(slices.Values(repositories(sources))) {
		out = append(out, MirrorSource{Mirrors: slices.Clone(names), Source: source})
	}
	return out
}

// Merge makes one list of several: a source that is in more than one has the
// mirrors of all, those of the first list first.
func Merge(lists ...[]MirrorSource) []MirrorSource {
	var out []MirrorSource
	places := map[string]int{} // of sources in out
	for _, m := range slices.Concat(lists...) {
		at, had := places[m.Source]
		if !had {
			places[m.Source] = len(out)
			out = append(out, MirrorSource{Mirrors: slices.Clone(m.Mirrors), Source: m.Source})
			continue
		}
		for _, mirror := range m.Mirrors {
			if !slices.Contains(out[at].Mirrors, mirror) {
				out[at].Mirrors = append(out[at].Mirrors, mirror)
			}
		}
	}
	slices.SortFunc(out, func(a, b MirrorSource) int { return strings.Compare(a.Source, b.Source) })
	return out
}

// repositories returns the repositories of refs once each, in their order.
func repositories(refs []ref.Ref) []string {
	var out []string
	for _, r := range refs {
		if name := r.Repository().String(); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// Kind is the kind of object that redirects references by digest.
type Kind int

// The kinds of --print-mirror-instructions.
const (
	ICSP Kind = iota // ImageContentSourcePolicy, up to OpenShift 4.12 the only one
	IDMS             // ImageDigestMirrorSet
	None             // nothing is printed
)

// ParseKind reads the value of --print-mirror-instructions; "" is icsp.
func ParseKind(s string) (Kind, error) {
	switch s {
	case "", "icsp":
		return ICSP, nil
	case "idms":
		return IDMS, nil
	case "none":
		return None, nil
	}
	return None, fmt.Errorf("--print-mirror-instructions must be one of icsp, idms, none, not %.100q", s)
}

// names are what the kinds differ in.
type names struct {
	apiVersion, kind, field string // of the object
	section                 string // of install-config.yaml
}

func (k Kind) names() names {
	if k == IDMS {
		return names{"config.openshift.io/v1", "ImageDigestMirrorSet", "imageDigestMirrors", "imageDigestSources"}
	}
	return names{"operator.openshift.io/v1alpha1", "ImageContentSourcePolicy", "repositoryDigestMirrors", "imageContentSources"}
}

// article is the kind with what stands before it in a sentence.
func (k Kind) article() string { return "an " + k.names().kind }

// Object is the object of a kind as a YAML document for "oc apply". The name is
// made valid by ObjectName.
func (k Kind) Object(name string, sources []MirrorSource) []byte {
	n := k.names()
	return document(map[string]any{
		"apiVersion": n.apiVersion,
		"kind":       n.kind,
		"metadata":   map[string]string{"name": ObjectName(name)},
		"spec":       map[string]any{n.field: sources},
	})
}

// InstallConfig is the section of install-config.yaml that says the same.
func (k Kind) InstallConfig(sources []MirrorSource) []byte {
	return document(map[string]any{k.names().section: sources})
}

// document prints YAML with sorted keys, two spaces of indent, and lists not
// indented below their key.
func document(v any) []byte {
	out, err := yaml.Marshal(v)
	if err != nil {
		panic(err) // maps of strings can always be printed
	}
	return out
}

// File is a file to write, by its base name.
type File struct {
	Name    string
	Content []byte
}

// Files are the objects of all kinds, named for a release or a mirror, and the
// sections of install-config.yaml. Without sources there are none.
func Files(name string, sources []MirrorSource) []File {
	if len(sources) == 0 {
		return nil
	}
	return []File{
		{"imageContentSourcePolicy.yaml", ICSP.Object(name, sources)},
		{"imageDigestMirrorSet.yaml", IDMS.Object(name, sources)},
		{"install-config-imageContentSources.yaml", ICSP.InstallConfig(sources)},
		{"install-config-imageDigestSources.yaml", IDMS.InstallConfig(sources)},
	}
}

// maxName is the longest name of an object (RFC 1123, as Kubernetes has it).
const maxName = 253

// ObjectName makes a valid object name of any text: lower-case letters, digits,
// dashes and dots, where each part between dots begins and ends with a letter
// or digit. Different texts may become one name.
func ObjectName(s string) string {
	s = strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') || r == '.' {
			return r
		}
		return '-'
	}, strings.ToLower(s))
	s = s[:min(len(s), maxName)]
	var parts []string
	for part := range strings.SplitSeq(s, ".") {
		if part = strings.Trim(part, "-"); part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return "mirror"
	}
	return strings.Join(parts, ".")
}
