package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Totals counts what is still to do. Sizes are in bytes; a blob that several
// images of one registry share counts once.
type Totals struct {
	Images    int   `json:"images"`   // asked for
	Present   int   `json:"present"`  // of those
	Attached  int   `json:"attached"` // signatures and the like, to be copied along
	Manifests int   `json:"manifests"`
	Blobs     int   `json:"blobs"`
	Bytes     int64 `json:"bytes"`
}

type held struct {
	registry string
	digest   oci.Digest
}

// Totals counts the whole plan.
func (p *Plan) Totals() Totals {
	t := Totals{}
	seen := map[held]bool{}
	for i := range p.Items {
		p.Items[i].count(&t, seen)
	}
	return t
}

func (i *Item) count(t *Totals, seen map[held]bool) {
	todo := i.Todo()
	switch {
	case i.Subject.IsZero():
		t.Images++
		if !todo {
			t.Present++
		}
	case todo:
		t.Attached++
	}
	if !todo {
		return
	}
	for _, target := range i.Targets {
		if !target.Present {
			i.countInto(t, target.Registry, seen)
		}
	}
}

func (i *Item) countInto(t *Totals, registry string, seen map[held]bool) {
	for _, m := range i.Manifests {
		if k := (held{registry, m.Digest}); !seen[k] {
			seen[k] = true
			t.Manifests++
			t.Bytes += m.Size
		}
	}
	for _, b := range i.Blobs() {
		if k := (held{registry, b.Digest}); !seen[k] {
			seen[k] = true
			t.Blobs++
			t.Bytes += b.Size
		}
	}
}

// BytesInto returns how many bytes the plan brings into one registry at most,
// and the largest blob among them.
func (p *Plan) BytesInto(registry string) (total, largest int64) {
	t := Totals{}
	seen := map[held]bool{}
	for i := range p.Items {
		for _, target := range p.Items[i].Targets {
			if target.Registry == registry && !target.Present {
				p.Items[i].countInto(&t, registry, seen)
			}
		}
		for _, b := range p.Items[i].Blobs() {
			if seen[held{registry, b.Digest}] {
				largest = max(largest, b.Size)
			}
		}
	}
	return t.Bytes, largest
}

// Destinations returns the places that the plan writes to, sorted.
func (p *Plan) Destinations() []Place {
	seen := map[Place]bool{}
	var out []Place
	for _, i := range p.Items {
		for _, t := range i.Targets {
			if !seen[t.Place] {
				seen[t.Place] = true
				out = append(out, t.Place)
			}
		}
	}
	slices.SortFunc(out, ComparePlaces)
	return out
}

// ComparePlaces orders places by registry and repository.
func ComparePlaces(a, b Place) int {
	return cmp.Or(strings.Compare(a.Registry, b.Registry), strings.Compare(a.Repo, b.Repo))
}
