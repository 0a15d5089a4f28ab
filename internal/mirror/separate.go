package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
)

// ErrNoRelease says that a repository was given for release images, and that
// there is none among the images.
var ErrNoRelease = errors.New("none of the images is a release image that comes with its components")

// separate sends the release images among the mappings to a repository of their
// own, if one is given. They keep their tags.
func separate(all []plan.Mapping, to ref.Ref) error {
	if to.IsZero() {
		return nil
	}
	moved := false
	for i, m := range all {
		if !m.Last {
			continue
		}
		if len(m.Destinations) != 1 {
			return fmt.Errorf("%s goes to %d places, and there is one repository for release images: copy to one place at a time", m.Source, len(m.Destinations))
		}
		d := m.Destinations[0]
		if d.Scheme != to.Scheme {
			return fmt.Errorf("release images cannot go to %s while their components go to %s: name the same kind of place for both", to, d.Repository())
		}
		all[i].Destinations, moved = []ref.Ref{to.WithTag(d.Tag)}, true
	}
	if !moved {
		return fmt.Errorf("--release-image-repository: %w", ErrNoRelease)
	}
	return nil
}

// Shared returns the first repository of a registry that is to get a release
// image together with its components. The Update Service, which looks at all
// images of a repository for releases, cannot work with such a one (oc.md W21).
func Shared(wishes []Wish) (ref.Ref, bool) {
	releases, components := map[string]bool{}, map[ref.Ref]bool{}
	for _, w := range wishes {
		if w.Last {
			releases[w.Release] = true
		}
	}
	for _, w := range wishes {
		for _, d := range w.Destinations {
			if !w.Last && releases[w.Release] {
				components[d.Repository()] = true
			}
		}
	}
	for _, w := range wishes {
		for _, d := range w.Destinations {
			if w.Last && d.Scheme == ref.Registry && components[d.Repository()] {
				return d.Repository(), true
			}
		}
	}
	return ref.Ref{}, false
}

// componentsTo returns the repository to which the components of a release go
// whose i-th destination is given: that repository if it is among them.
func componentsTo(wishes []Wish, image Wish, i int) ref.Ref {
	own := image.Destinations[i].Repository()
	var first ref.Ref
	for _, w := range wishes {
		if w.Last || w.Release != image.Release {
			continue
		}
		for _, d := range w.Destinations {
			if d.Repository() == own {
				return own
			}
		}
		if first.IsZero() && i < len(w.Destinations) {
			first = w.Destinations[i].Repository()
		}
	}
	return first
}

// onMedium returns the repository of a medium that has a release's components:
// that of the release image, unless they are in another one only.
func onMedium(ctx context.Context, regs *Registries, p *release.Payload, own ref.Ref) ref.Ref {
	if len(p.Components) == 0 || hasComponent(ctx, regs, own, p.Components[0]) {
		return own
	}
	place, err := regs.Place(own, Reading)
	if err != nil {
		return own
	}
	reg, err := regs.Find(ctx, place.Registry)
	if err != nil {
		return own
	}
	for name, err := range reg.Repositories(ctx, "") {
		if err != nil {
			break
		}
		if other := (ref.Ref{Scheme: ref.File, Path: name}); hasComponent(ctx, regs, other, p.Components[0]) {
			return other
		}
	}
	return own
}

func hasComponent(ctx context.Context, regs *Registries, at ref.Ref, c release.Component) bool {
	has, _ := repositoryHas(ctx, regs, at, c.From.Digest)
	return has
}
