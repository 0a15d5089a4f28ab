package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// FileSelection says which files of a payload are wanted, as a cluster would
// read them (oc.md 13.2).
type FileSelection struct {
	// CredentialsRequests wants those objects alone, and of them, unless it is
	// "", those of one provider kind.
	CredentialsRequests bool
	ProviderKind        string
	// Inclusion, if set, leaves out what a cluster will not have.
	Inclusion *Inclusion
}

// PayloadFile is a file of the payload, by its base name.
type PayloadFile struct {
	Name    string
	Content []byte
}

// Files returns the files that are wanted, sorted by name: image-references and
// release-metadata as they are, the manifests as YAML documents. A manifest that
// cannot be read is left out, and unread says why, as oc does it.
func (c *Contents) Files(s FileSelection) (files []PayloadFile, unread []error, err error) {
	objects := map[string][]Object{}
	var all []Object
	for _, name := range slices.Sorted(maps.Keys(c.Manifests)) {
		list, err := ParseObjects(c.Manifests[name])
		if err != nil {
			unread = append(unread, fmt.Errorf("error parsing %s: %w", name, err))
			continue
		}
		objects[name] = list
		all = append(all, list...)
	}
	if s.Inclusion != nil {
		if err := s.Inclusion.ReadGates(c.Version, all); err != nil {
			return nil, unread, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		content, err := s.yaml(objects[name])
		if err != nil {
			return nil, unread, fmt.Errorf("%s: %w", name, err)
		}
		if content != nil {
			files = append(files, PayloadFile{name, content})
		}
	}
	if !s.CredentialsRequests {
		files = append(files, PayloadFile{imageReferences, c.References})
		if c.Metadata.Raw != nil {
			files = append(files, PayloadFile{releaseMetadata, c.Metadata.Raw})
		}
	}
	slices.SortFunc(files, func(a, b PayloadFile) int { return strings.Compare(a.Name, b.Name) })
	return files, unread, nil
}

// yaml returns the objects that are wanted, nil for none.
func (s FileSelection) yaml(objects []Object) ([]byte, error) {
	var out []byte
	for i := range objects {
		if !s.wants(&objects[i]) {
			continue
		}
		body, err := objects[i].YAML()
		if err != nil {
			return nil, err
		}
		out = append(out, body...)
	}
	return out, nil
}

func (s FileSelection) wants(o *Object) bool {
	if s.CredentialsRequests {
		if !o.IsCredentialsRequest() || s.ProviderKind != "" && o.ProviderKind != s.ProviderKind {
			return false
		}
		if len(o.Annotations) == 0 {
			return true // for accounts that are made by hand
		}
	}
	return s.Inclusion == nil || s.Inclusion.Excludes(o) == ""
}
