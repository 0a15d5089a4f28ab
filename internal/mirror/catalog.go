package mirror

import (
	"context"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// The releases (see plan.Mapping) that make the index image wait for all other
// images without being held back by those that fail: a catalog of which
// one image is gone for good still serves the others.
const (
	waveRelated = "related images"
	waveIndex   = "index image"
)

// CatalogRun is the mirroring of a catalog.
type CatalogRun struct {
	Names catalog.Names
	// Problems are the documents that could not be read, of what is wanted.
	Problems []catalog.Problem
	// Reduced says that a part of the catalog is wanted. Rebuilt is then the index
	// image with it, which takes the original's place; nil where nothing is copied.
	Reduced bool
	Rebuilt *RebuiltIndex
}

// Mapping is a file for "image mirror -f". It does not have an index image that
// is made in the run: only who has the selection can make it.
func (r *CatalogRun) Mapping() []byte {
	names := r.Names
	if r.Reduced {
		names.Index.Source = names.Index.Destination
	}
	return names.MappingText()
}

// Wishes says what is to be copied. The index image comes last, so that
// a cluster does not offer operators before they are there.
func (r *CatalogRun) Wishes() []Wish {
	var wishes []Wish
	for _, n := range r.Names.Images {
		wishes = append(wishes, nameWish(n, waveRelated))
	}
	if !r.Names.InPlace {
		index := nameWish(r.Names.Index, waveIndex)
		index.Last = true
		if r.Rebuilt != nil {
			index = r.Rebuilt.Instead(index)
		}
		wishes = append(wishes, index)
	}
	return wishes
}

// Reach finds out whether the destination answers: else each image would fail
// for that reason.
func (r *CatalogRun) Reach(ctx context.Context, regs *Registries) error {
	place, err := regs.Place(r.Names.Index.Destination, Writing)
	if err != nil {
		return err
	}
	p := &planner{regs: regs, presence: map[plan.Place]*destination{}}
	if err := p.destination(ctx, place).err; err != nil {
		return &repo.Error{Op: "reading", Side: repo.SideDestination, Ref: place.String(), Err: err}
	}
	return nil
}

func nameWish(n catalog.Name, wave string) Wish {
	return Wish{Mapping: plan.Mapping{Source: n.Source, Destinations: []ref.Ref{n.Destination}, Release: wave}}
}

// Unread says what of a catalog cannot be had because it cannot be read.
func (r *CatalogRun) Unread() *CatalogOutcome {
	names := r.Names
	o := &CatalogOutcome{
		Index: names.Index.Source.String(), Destination: names.Index.Destination.String(),
		Images: len(names.Images) + len(names.Refused) + 1, Missing: []MissingImage{},
	}
	for _, refused := range names.Refused {
		image := refused.Image
		o.Missing = append(o.Missing, MissingImage{Image: image.Ref, Package: image.Package, Bundle: image.Bundle, Why: inOneLine(refused.Err), err: refused.Err})
	}
	for _, p := range r.Problems {
		o.Documents = append(o.Documents, BrokenDocument{p.File, p.Line, p.Package, p.Err.Error()})
	}
	o.Complete = o.complete()
	return o
}

// Copied says what came of the copying: result and err are Copy's, of the
// run's wishes. The result may be nil.
func (r *CatalogRun) Copied(result *Result, err error) *CatalogOutcome {
	o := r.Unread()
	fates := newFates(result, err)
	for i, w := range r.Wishes() {
		name := r.Names.Index
		if i < len(r.Names.Images) {
			name = r.Names.Images[i]
		}
		m, missing := fates.of(w.Source, name)
		if !missing {
			continue
		}
		if w.Made != (plan.Place{}) {
			m.Source = "" // nobody else can copy it
		}
		o.Missing = append(o.Missing, m)
	}
	o.Missing = append(o.Missing, fates.attached...)
	o.Complete = o.complete()
	return o
}

// complete reports whether nothing is missing but what may be.
func (o *CatalogOutcome) complete() bool {
	return len(o.Documents) == 0 && !slices.ContainsFunc(o.Missing, func(m MissingImage) bool { return !m.Gone })
}
