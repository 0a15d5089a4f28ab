package release

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// Diff is what changed from one release to another (oc.md 14, --changes-from).
type Diff struct {
	From, To  *Info
	Images    []TagDiff      // components that differ, by name
	Manifests []ManifestDiff // payload files that differ, by name
}

// TagDiff is a component of two releases. From is nil where it was added, To
// where it was removed.
type TagDiff struct {
	Name     string
	From, To *Tag
}

// ManifestDiff is a payload file of two releases. From is nil where it was
// added, To where it was removed.
type ManifestDiff struct {
	Filename string `json:"filename"`
	From     []byte `json:"from"`
	To       []byte `json:"to"`
}

// Compare says how two releases differ.
func Compare(from, to *Info) *Diff {
	return &Diff{From: from, To: to, Images: compareTags(from, to), Manifests: compareManifests(from, to)}
}

func compareTags(from, to *Info) []TagDiff {
	all := map[string]*TagDiff{}
	at := func(name string) *TagDiff {
		if all[name] == nil {
			all[name] = &TagDiff{Name: name}
		}
		return all[name]
	}
	for n := range from.Tags {
		at(from.Tags[n].Name).From = &from.Tags[n]
	}
	for n := range to.Tags {
		at(to.Tags[n].Name).To = &to.Tags[n]
	}
	var out []TagDiff
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if d := all[name]; d.From == nil || d.To == nil || d.From.Component.From != d.To.Component.From {
			out = append(out, *d)
		}
	}
	return out
}

func compareManifests(from, to *Info) []ManifestDiff {
	names := maps.Clone(from.Manifests)
	if names == nil {
		names = map[string][]byte{}
	}
	maps.Copy(names, to.Manifests)
	var out []ManifestDiff
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a, b := from.Manifests[name], to.Manifests[name]; !bytes.Equal(a, b) {
			out = append(out, ManifestDiff{name, a, b})
		}
	}
	return out
}

// Same reports whether both are one image.
func (d *Diff) Same() bool { return d.From.Root() == d.To.Root() }

// rebuilt reports whether a component of both was made anew of the same source,
// as far as is known.
func (t TagDiff) rebuilt() bool {
	a, b := t.From.Commit(), t.To.Commit()
	return a == "" || b == "" || a == b
}

// MarshalJSON writes the keys of oc; files are in base64.
func (d *Diff) MarshalJSON() ([]byte, error) {
	type tagDiff struct {
		Name string          `json:"name"`
		From json.RawMessage `json:"from"`
		To   json.RawMessage `json:"to"`
	}
	images, manifests := map[string]tagDiff{}, map[string]ManifestDiff{}
	for _, t := range d.Images {
		images[t.Name] = tagDiff{t.Name, t.From.json(), t.To.json()}
	}
	for _, m := range d.Manifests {
		manifests[m.Filename] = m
	}
	return json.Marshal(struct {
		From      *Info                   `json:"from"`
		To        *Info                   `json:"to"`
		Images    map[string]tagDiff      `json:"changedImages"`
		Manifests map[string]ManifestDiff `json:"changedManifests"`
	}{d.From, d.To, images, manifests})
}

// json returns the tag as the payload has it.
func (t *Tag) json() json.RawMessage {
	if t == nil {
		return json.RawMessage("null")
	}
	return t.raw
}
