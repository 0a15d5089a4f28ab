package mirror

import (
	"context"
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// NoComponentsError says that a release's components are not beside its image.
type NoComponentsError struct {
	Release ref.Ref
	Looked  []ref.Ref // repositories
}

// Error implements error.
func (e *NoComponentsError) Error() string {
	return fmt.Sprintf("the components of %s are not in %s", e.Release, join(e.Looked))
}

func join(refs []ref.Ref) string {
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.String()
	}
	return strings.Join(names, ", ")
}

// Mirrored is what a cluster is told of a release in a mirror.
type Mirrored struct {
	Version string
	Sources []cluster.MirrorSource
	// OriginUnknown says that the release image's own repository is not among
	// the sources: the release is of a maker that we do not know.
	OriginUnknown bool
}

// ReadMirrored reads a release image in a mirror and says of which
// repositories it is the mirror. Components are in the release image's
// repository, or in those given. One that is there stands for all of them. Where none is
// it is a *NoComponentsError.
func ReadMirrored(ctx context.Context, regs *Registries, image ref.Ref, repositories []ref.Ref) (Mirrored, error) {
	p, err := ReadRelease(ctx, regs, image)
	if err != nil {
		return Mirrored{}, err
	}
	if len(p.Components) == 0 {
		return Mirrored{}, fmt.Errorf("the release %s has no components", image)
	}
	if len(repositories) == 0 {
		repositories = []ref.Ref{image.Repository()}
	}
	m := Mirrored{Version: p.Version}
	var holding []ref.Ref
	for _, at := range repositories {
		has, err := repositoryHas(ctx, regs, at, p.Components[0].From.Digest)
		if err != nil {
			return m, err
		}
		if has {
			holding = append(holding, at)
		}
	}
	if len(holding) == 0 {
		return m, &NoComponentsError{image, repositories}
	}
	sources := p.Sources(ref.Ref{}) // its origin, not where it was read
	m.OriginUnknown = sources[0] == p.Components[0].From.Repository()
	m.Sources = cluster.MirrorSources(sources, append(holding, image))
	return m, nil
}
