package release

import (
	"slices"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// origins are the repositories in which the known makers of releases publish
// release images, by that of their components.
var origins = map[ref.Ref]ref.Ref{
	ref.MustParse("quay.io/openshift-release-dev/ocp-v4.0-art-dev"): ref.MustParse("quay.io/openshift-release-dev/ocp-release"),
	ref.MustParse("quay.io/openshift/okd-content"):                  ref.MustParse("quay.io/openshift/okd"),
	ref.MustParse("quay.io/okd/scos-content"):                       ref.MustParse("quay.io/okd/scos-release"),
}

// Sources returns the repositories that the release's images are known by in a
// cluster, each once: ImageSource first, then ComponentSources.
func (p *Payload) Sources(from ref.Ref) []ref.Ref {
	out := p.ComponentSources()
	if image, ok := p.ImageSource(from); ok {
		out = slices.DeleteFunc(out, func(r ref.Ref) bool { return r == image })
		out = append([]ref.Ref{image}, out...)
	}
	return out
}

// ImageSource returns the repository that the release image is known by in a
// cluster. from is where it was read. Read from a directory it tells nothing,
// since no path is stored on a medium; then the repository is that of the
// components' maker, and ok is false where this is unknown.
func (p *Payload) ImageSource(from ref.Ref) (r ref.Ref, ok bool) {
	if from.Scheme == ref.Registry && !from.IsZero() {
		return from.Repository(), true
	}
	return p.origin()
}

// ComponentSources returns the repositories of the components, each once.
func (p *Payload) ComponentSources() []ref.Ref {
	var out []ref.Ref
	for _, c := range p.Components {
		if r := c.From.Repository(); !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

func (p *Payload) origin() (ref.Ref, bool) {
	for _, c := range p.Components {
		if origin, ok := origins[c.From.Repository()]; ok {
			return origin, true
		}
	}
	return ref.Ref{}, false
}
