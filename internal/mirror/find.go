package mirror

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	img "github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// OpReadImage is the Op of the errors of Finder.
const OpReadImage = "reading image"

// Finder finds images of a release at a place where they can be read: in the
// release image's own repository, which is where mirrors and media have them,
// then where the mirror rules say, then where the release says. TLS is verified
// at each place alike, and each host gets its own credentials; oc trusts mirrors
// without a look (oc.md 16). It may be used from many goroutines.
type Finder struct {
	regs   *Registries
	rules  cluster.MirrorRules
	beside ref.Ref // repository of the release image, zero for none
	// hit and missed tell whether images were found beside the release image.
	hit, missed atomic.Bool
}

// NewFinder returns a Finder that knows no release image yet.
func NewFinder(regs *Registries, rules cluster.MirrorRules) *Finder {
	return &Finder{regs: regs, rules: rules}
}

// Found is an image at the place where it can be read.
type Found struct {
	At     ref.Ref
	Target repo.Target
	// Source reads it. The manifest, which was read to find it, is not read again.
	Source repo.Source
}

// NowhereError says that an image could be read at none of several places.
type NowhereError struct {
	Image ref.Ref
	Tried []error // one for each place, each naming it
}

// Error implements error.
func (e *NowhereError) Error() string {
	texts := make([]string, len(e.Tried))
	for i, err := range e.Tried {
		texts[i] = err.Error()
	}
	return fmt.Sprintf("%s %s: it can be read at none of %d places: %s", OpReadImage, e.Image, len(e.Tried), strings.Join(texts, "; "))
}

// Unwrap returns what went wrong at each place.
func (e *NowhereError) Unwrap() []error { return e.Tried }

// Find returns the first place that has the image. The error is that of the
// only place there is, or a *NowhereError.
func (f *Finder) Find(ctx context.Context, at ref.Ref) (Found, error) {
	if at.Tag == "" && at.Digest.IsZero() {
		return Found{}, fmt.Errorf("%s: name the image with its tag or digest", at)
	}
	places := f.places(at)
	nowhere := &NowhereError{Image: at}
	for _, place := range places {
		found, err := f.look(ctx, place)
		f.learn(place, err)
		if err == nil {
			return found, nil
		}
		if ctx.Err() != nil || len(places) == 1 {
			return Found{}, &repo.Error{Op: OpReadImage, Side: repo.SideSource, Ref: place.String(), Err: err}
		}
		nowhere.Tried = append(nowhere.Tried, &placeError{place.Repository(), err})
	}
	return Found{}, nowhere
}

// placeError is what went wrong at one place of several.
type placeError struct {
	at  ref.Ref // repository
	err error
}

func (e *placeError) Error() string { return e.at.String() + ": " + e.err.Error() }
func (e *placeError) Unwrap() error { return e.err }

// places returns where to look, best first. A registry that lacked one image
// beside the release is asked last for the others.
func (f *Finder) places(at ref.Ref) []ref.Ref {
	places := f.rules.Candidates(at)
	if f.beside.IsZero() || at.Digest.IsZero() {
		return places
	}
	beside := f.beside.WithDigest(at.Digest)
	for _, p := range places {
		if p.Canonical() == beside.Canonical() {
			return places
		}
	}
	if f.missed.Load() && !f.hit.Load() {
		return append(places, beside)
	}
	return append([]ref.Ref{beside}, places...)
}

// learn remembers whether the release image's repository has other images.
func (f *Finder) learn(place ref.Ref, err error) {
	if f.beside.Scheme != ref.Registry || place.Repository() != f.beside {
		return
	}
	if err == nil {
		f.hit.Store(true)
	} else if oci.IsNotFound(err) {
		f.missed.Store(true)
	}
}

func (f *Finder) look(ctx context.Context, place ref.Ref) (Found, error) {
	rp, err := openSource(ctx, f.regs, place)
	if err != nil {
		return Found{}, err
	}
	target := repo.Target{Tag: place.Tag, Digest: place.Digest}
	desc, body, err := rp.Manifest(ctx, target)
	if err != nil {
		return Found{}, err
	}
	return Found{At: place, Target: target, Source: &readOnce{rp, target, desc, body}}, nil
}

// readOnce is a source of which one manifest is known.
type readOnce struct {
	repo.Source
	target repo.Target
	desc   oci.Descriptor
	body   []byte
}

// Manifest implements repo.Source.
func (s *readOnce) Manifest(ctx context.Context, t repo.Target) (oci.Descriptor, []byte, error) {
	if t == s.target {
		return s.desc, s.body, nil
	}
	return s.Source.Manifest(ctx, t)
}

// Release reads a release image, from a list the image that pick chooses. From
// then on images are looked for in its repository first, on a medium in the one
// that has them. The error is about the source.
func (f *Finder) Release(ctx context.Context, from ref.Ref, pick img.Pick) (*release.Contents, error) {
	found, err := f.Find(ctx, from)
	if err != nil {
		if e, ok := errors.AsType[*repo.Error](err); ok {
			e.Op = OpReadRelease
		}
		return nil, err
	}
	c, err := release.ReadContents(ctx, found.Source, found.Target, pick)
	if err != nil {
		return nil, &repo.Error{Op: OpReadRelease, Side: repo.SideSource, Ref: found.At.String(), Err: err}
	}
	f.beside = found.At.Repository()
	if f.beside.Scheme == ref.File {
		f.beside = onMedium(ctx, f.regs, c.Payload, f.beside)
	}
	return c, nil
}
