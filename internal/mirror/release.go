package mirror

import (
	"context"
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// readPlatform is the child that a release, or an index image, of several
// architectures is read from where nothing else is asked for. Which one hardly
// matters: all name the same components, and as a rule have the same catalog.
var readPlatform = oci.Platform{OS: "linux", Architecture: "amd64"}

// OpReadRelease is the Op of the errors of ReadRelease.
const OpReadRelease = "reading release"

// ReadRelease reads the payload of a release image. The error is about the
// source.
func ReadRelease(ctx context.Context, regs *Registries, from ref.Ref) (*release.Payload, error) {
	rp, err := openSource(ctx, regs, from)
	if err != nil {
		return nil, &repo.Error{Op: OpReadRelease, Side: repo.SideSource, Ref: from.String(), Err: err}
	}
	target := repo.Target{Tag: from.Tag, Digest: from.Digest}
	if target == (repo.Target{}) {
		return nil, fmt.Errorf("%s: name the release image with its tag or digest", from)
	}
	p, err := release.Read(ctx, rp, target, readPlatform)
	if err != nil {
		return nil, &repo.Error{Op: OpReadRelease, Side: repo.SideSource, Ref: from.String(), Err: err}
	}
	return p, nil
}

func openSource(ctx context.Context, regs *Registries, from ref.Ref) (repo.Repo, error) {
	place, err := regs.Place(from, Reading)
	if err != nil {
		return nil, err
	}
	reg, err := regs.Find(ctx, place.Registry)
	if err != nil {
		return nil, err
	}
	return reg.Repo(place.Repo)
}

// ReleaseWishes says what is to be copied for a release. Components are read
// beside the release image where they lie there by digest, on a medium or in a
// mirror, and else where the payload says.
func ReleaseWishes(ctx context.Context, regs *Registries, p *release.Payload, from ref.Ref, n release.Naming) ([]Wish, error) {
	mappings, err := release.Targets(p, from, n)
	if err != nil {
		return nil, err
	}
	beside := besides(ctx, regs, p, from)
	wishes := make([]Wish, len(mappings))
	for i, m := range mappings {
		wishes[i] = Wish{Mapping: m}
		if !m.Last {
			wishes[i].Beside = beside
		}
	}
	return wishes, nil
}

// besides returns the repository in which components may lie, the release
// image's own, or on a medium another that has them. A registry is asked for
// one of them, a medium for each.
func besides(ctx context.Context, regs *Registries, p *release.Payload, from ref.Ref) ref.Ref {
	if from.Scheme == ref.File {
		return onMedium(ctx, regs, p, from.Repository())
	}
	if len(p.Components) == 0 || p.Components[0].From.Repository().Canonical() == from.Repository().Canonical() {
		return ref.Ref{}
	}
	if has, _ := repositoryHas(ctx, regs, from, p.Components[0].From.Digest); !has {
		return ref.Ref{}
	}
	return from.Repository()
}

// repositoryHas reports whether a repository has an image.
func repositoryHas(ctx context.Context, regs *Registries, at ref.Ref, digest oci.Digest) (bool, error) {
	has, err := hasImage(ctx, regs, at, repo.ByDigest(digest))
	if err != nil {
		return false, sourceError(at.WithDigest(digest), err)
	}
	return has, nil
}

// hasImage asks a repository for an image. The error is of asking, without the
// name of the image.
func hasImage(ctx context.Context, regs *Registries, at ref.Ref, image repo.Target) (bool, error) {
	rp, err := openSource(ctx, regs, at)
	if err == nil {
		_, err = rp.Resolve(ctx, image)
	}
	if oci.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// MirroredRelease is a release that a copy from a medium brought to a registry
// or to another medium.
type MirroredRelease struct {
	Payload *release.Payload
	From    ref.Ref
	To      ref.Ref // repository of the release image
	// Components is their repository, which may be another.
	Components ref.Ref
}

// ReleasesFromMedia returns the releases among the wishes that were read from a
// directory: what a cluster is then told about them is known from the medium
// alone. Those that cannot be read are the second
// result: one does not keep the others from being found. The error is the
// context's.
func ReleasesFromMedia(ctx context.Context, regs *Registries, wishes []Wish) (found []MirroredRelease, unread []error, err error) {
	for _, w := range wishes {
		if !w.Last || w.Source.Scheme != ref.File {
			continue
		}
		p, err := ReadRelease(ctx, regs, w.Source)
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		if err != nil {
			unread = append(unread, err)
			continue
		}
		for i, d := range w.Destinations {
			if d.Scheme == ref.Registry || d.Scheme == ref.File {
				found = append(found, MirroredRelease{Payload: p, From: w.Source, To: d.Repository(), Components: componentsTo(wishes, w, i)})
			}
		}
	}
	return found, unread, nil
}

// Lines returns the wishes as "SRC DST" lines, which image mirror -f takes. A
// source is named where it would be read: beside the release on its medium.
func Lines(ctx context.Context, regs *Registries, wishes []Wish) string {
	var b strings.Builder
	for _, w := range wishes {
		source := w.Source
		if source.Tag != "" { // as the user named it; oc prints the same
			source = source.WithTag(source.Tag)
		}
		if isBeside(ctx, regs, w) {
			source = w.Beside.WithDigest(w.Source.Digest)
		}
		for _, d := range w.Destinations {
			fmt.Fprintf(&b, "%s %s\n", source, d)
		}
	}
	return b.String()
}

func isBeside(ctx context.Context, regs *Registries, w Wish) bool {
	if w.Beside.IsZero() {
		return false
	}
	has, _ := repositoryHas(ctx, regs, w.Beside, w.Source.Digest)
	return has
}
