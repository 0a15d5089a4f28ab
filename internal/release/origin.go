package release

import "github.com/airbridge-dev/airbridge/internal/ref"

// origins are the repositories in which the known makers of releases publish
// release images, by that of their components.
var origins = map[ref.Ref]ref.Ref{
	ref.MustParse("quay.io/openshift-release-dev/ocp-v4.0-art-dev"): ref.MustParse("quay.io/openshift-release-dev/ocp-release"),
	ref.MustParse("quay.io/openshift/okd-content"):                  ref.MustParse("quay.io/openshift/okd"),
	ref.MustParse("quay.io/okd/scos-content"):                       ref.MustParse("quay.io/okd/scos-release"),
}

// Sources returns the repositories that the release's images are known by in a
// cluster, each once: that of the release image first, then those of the
// components. from is where the release image was read. Read from a directory
// it tells nothing, since no path is stored on a medium; then the repository is
// that of the components' maker, and left out where this is unknown.
func (p *Payload) Sources(from ref.Ref) []ref.Ref {
	var out []ref.Ref
	seen := map[ref.Ref]bool{}
	add := func(r ref.Ref) {
		if r = r.Repository(); !seen[r] {
			seen[r] = true
			out = append(out, r)
		}
	}
	if from.Scheme == ref.Registry && !from.IsZero() {
		add(from)
	} else if origin, ok := p.origin(); ok {
		add(origin)
	}
	for _, c := range p.Components {
		add(c.From)
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
