// Package plan has the values that say what a run will do: items, each an
// image pinned to digests, with the manifests and blobs it is made of and the
// places it goes to. A plan is made once, printed, counted, compared and
// executed; it does no I/O.
package plan

import (
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// Place is a repository in a registry. Registry is the key under which the run
// knows it: a host for a remote one, a directory with "file://" before it.
type Place struct {
	Registry string `json:"registry"`
	Repo     string `json:"repository"`
}

// String returns the place as a reference without tag: host/path, file://path.
func (p Place) String() string {
	if len(p.Registry) >= 7 && p.Registry[:7] == "file://" {
		return "file://" + p.Repo
	}
	return p.Registry + "/" + p.Repo
}

// Target is one destination of an item: a place, and the tags that the root
// manifest gets there. Without tags it is pushed by digest alone.
type Target struct {
	Place
	Tags []string `json:"tags,omitempty"`
	// Present says that the destination was seen to hold the image, complete
	// and with these tags, so that there is nothing to do.
	Present bool `json:"present,omitempty"`
	// Untagged says that the repository was seen to have no tags, so that
	// whoever executes the plan need not ask.
	Untagged bool `json:"-"`
}

// Manifest is one manifest of an item, and the blobs it needs.
type Manifest struct {
	oci.Descriptor
	// Blobs are its config and distributable layers.
	Blobs []oci.Descriptor `json:"blobs,omitempty"`
	// Body is the manifest as served, byte for byte.
	Body []byte `json:"-"`
}

// Item is one image: a root manifest and, where that is an index, those of its
// children that go along.
type Item struct {
	// Ref is the source as the user named it.
	Ref ref.Ref `json:"-"`
	// Source is where manifests and blobs are read.
	Source Place `json:"source"`
	// Root is the digest that was pinned when the plan was made.
	Root oci.Digest `json:"digest"`
	// Manifests has children before parents and the root last. It is empty
	// where every target has the image, since then nothing was read.
	Manifests []Manifest `json:"manifests,omitempty"`
	Targets   []Target   `json:"targets"`
	// Last says that the item waits until all others of its release have
	// succeeded: a release image, which must not be found before its components.
	Last bool `json:"last,omitempty"`
	// Release is that of its Mapping.
	Release string `json:"release,omitempty"`
	// Subject is the manifest that this one is attached to: it was not asked
	// for but goes along, as a signature does. Zero for what was asked for.
	Subject oci.Digest `json:"attachedTo,omitzero"`
	// Skipped are the children left out of an index: by a filter, or missing
	// at the source for good.
	Skipped []Skipped `json:"skipped,omitempty"`
}

// Skipped is a child of an index, or a whole image, that does not go along.
type Skipped struct {
	Ref    string     `json:"ref"`
	Digest oci.Digest `json:"digest,omitzero"`
	Why    string     `json:"why"`
}

// Plan is what a run will do.
type Plan struct {
	Items []Item `json:"items"`
	// Skipped are the images that the source has lost and the user allowed to miss.
	Skipped []Skipped `json:"skipped,omitempty"`
}

// Todo reports whether any target of the item still needs work.
func (i *Item) Todo() bool {
	for _, t := range i.Targets {
		if !t.Present {
			return true
		}
	}
	return false
}

// Blobs returns each blob of the item once, in the order of its manifests.
func (i *Item) Blobs() []oci.Descriptor {
	var out []oci.Descriptor
	seen := map[oci.Digest]bool{}
	for _, m := range i.Manifests {
		for _, b := range m.Blobs {
			if !seen[b.Digest] {
				seen[b.Digest] = true
				out = append(out, b)
			}
		}
	}
	return out
}
