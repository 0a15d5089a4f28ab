package cli

import (
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
)

// apart says where the images of a release are found whose release image has a
// repository of its own. It is looked for in that of the components too, where
// earlier releases may be.
func apart(p *release.Payload, from, image, components ref.Ref) []cluster.MirrorSource {
	var own []cluster.MirrorSource
	if source, ok := p.ImageSource(from); ok {
		own = cluster.MirrorSources([]ref.Ref{source}, []ref.Ref{image, components})
	}
	return cluster.Merge(own, cluster.MirrorSources(p.ComponentSources(), []ref.Ref{components}))
}

// warnShared says once what becomes of a release image among its components.
func (s *session) warnShared(wishes []mirror.Wish) {
	if at, ok := mirror.Shared(wishes); ok {
		s.ui.Warn("the release image and its components go to one repository, %s: the OpenShift Update Service reads every image of it to find releases and runs out of memory "+
			"(https://bugzilla.redhat.com/show_bug.cgi?id=1850781); where one is to serve updates from this mirror, add --release-image-repository=%[1]s-images", at)
	}
}

// releaseRepository reads --release-image-repository, which is the same kind of
// place as the components go to.
func releaseRepository(value string, components ref.Scheme) (ref.Ref, error) {
	if value == "" {
		return ref.Ref{}, nil
	}
	r, err := ref.Parse(value)
	if err == nil {
		err = r.RequireRepository()
	}
	switch {
	case err != nil:
		return r, err
	case r != r.Repository():
		return r, fmt.Errorf("--release-image-repository must be a repository without tag or digest: %s", value)
	case r.Scheme != components && components == ref.File:
		return r, fmt.Errorf("--release-image-repository must be in the directory too, as file://openshift/release-images: %s", value)
	case r.Scheme != components:
		return r, fmt.Errorf("--release-image-repository must be in a registry too: %s", value)
	}
	return r, nil
}
