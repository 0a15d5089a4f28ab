package mirror

import (
	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// The releases (see plan.Mapping) that make the index image wait for all other
// images without being held back by those that fail: a catalog of which
// one image is gone for good still serves the others.
const (
	waveRelated = "related images"
	waveIndex   = "index image"
)

// CatalogWishes says what is to be copied for a catalog. Its index image comes
// last, so that a cluster does not offer operators before they are there.
func CatalogWishes(names catalog.Names) []Wish {
	wishes := make([]Wish, 0, len(names.Images)+1)
	add := func(n catalog.Name, last bool, release string) {
		if n.Source == n.Destination {
			return // it is there already
		}
		wishes = append(wishes, Wish{Mapping: plan.Mapping{Source: n.Source, Destinations: []ref.Ref{n.Destination}, Last: last, Release: release}})
	}
	for _, n := range names.Images {
		add(n, false, waveRelated)
	}
	add(names.Index, true, waveIndex)
	return wishes
}
