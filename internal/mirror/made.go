package mirror

import (
	"bytes"
	"context"
	"io"
	"iter"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// made is a registry with one repository, whose content was made in the run: a
// rebuilt index image. Layers that were taken over are read where they come from.
type made struct {
	name string
	*madeRepo
}

// madeRepo is that repository. It cannot be written from outside, and nothing
// is attached to what it has, because nobody has seen it yet.
type madeRepo struct {
	nothing
	place     plan.Place
	base      repo.Source // of the blobs that it has not made
	manifests map[oci.Digest]plan.Manifest
	blobs     map[oci.Digest][]byte
}

// newMade returns an empty repository over another.
func newMade(at plan.Place, base repo.Source) *madeRepo {
	return &madeRepo{place: at, base: base, manifests: map[oci.Digest]plan.Manifest{}, blobs: map[oci.Digest][]byte{}}
}

// putManifest adds a manifest, children before parents.
func (r *madeRepo) putManifest(mediaType string, body []byte) oci.Digest {
	d := oci.FromBytes(body)
	r.manifests[d] = plan.Manifest{Descriptor: oci.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(body))}, Body: body}
	return d
}

// keep makes a repository known to the run, under its place.
func (r *Registries) keep(content *madeRepo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hosts[content.place.Registry] = &made{content.place.Registry, content}
}

// Name implements repo.Registry.
func (r *made) Name() string { return r.name }

// Repo implements repo.Registry.
func (r *made) Repo(name string) (repo.Repo, error) {
	if name != r.place.Repo {
		return nil, oci.ErrNameUnknown.With(r.name + " has no repository " + name)
	}
	return r.madeRepo, nil
}

// Repositories implements repo.Registry.
func (r *made) Repositories(_ context.Context, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if r.place.Repo > after {
			yield(r.place.Repo, nil)
		}
	}
}

// Name implements repo.Repo.
func (r *madeRepo) Name() string { return r.place.Repo }

// Resolve implements repo.Source.
func (r *madeRepo) Resolve(ctx context.Context, t repo.Target) (oci.Descriptor, error) {
	desc, _, err := r.Manifest(ctx, t)
	return desc, err
}

// Manifest implements repo.Source: there are no tags.
func (r *madeRepo) Manifest(_ context.Context, t repo.Target) (oci.Descriptor, []byte, error) {
	m, ok := r.manifests[t.Digest]
	if !ok {
		return oci.Descriptor{}, nil, oci.ErrManifestUnknown.With(t.String() + " was not made in this run")
	}
	return m.Descriptor, m.Body, nil
}

// StatBlob implements repo.Source.
func (r *madeRepo) StatBlob(ctx context.Context, d oci.Digest) (oci.Descriptor, error) {
	if body, ok := r.blobs[d]; ok {
		return oci.Descriptor{MediaType: oci.MediaTypeOctetStream, Digest: d, Size: int64(len(body))}, nil
	}
	return r.base.StatBlob(ctx, d)
}

// OpenBlob implements repo.Source.
func (r *madeRepo) OpenBlob(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	body, ok := r.blobs[d]
	if !ok {
		return r.base.OpenBlob(ctx, d, offset)
	}
	if offset > int64(len(body)) {
		return nil, oci.ErrRangeInvalid.With("the offset lies behind the end of the blob")
	}
	return io.NopCloser(bytes.NewReader(body[offset:])), nil
}

// ListsReferrers implements repo.ReferrersProber.
func (r *madeRepo) ListsReferrers(context.Context, oci.Digest) (bool, error) { return true, nil }

// nothing is what a repository says that has no tags and no referrers, and
// takes nothing.
type nothing struct{}

var errMade = oci.ErrUnsupported.With("what is made in a run is read and not written")

func (nothing) Tags(context.Context, string) iter.Seq2[string, error] {
	return func(func(string, error) bool) {}
}

func (nothing) Referrers(context.Context, oci.Digest) iter.Seq2[oci.Descriptor, error] {
	return func(func(oci.Descriptor, error) bool) {}
}

func (nothing) Missing(_ context.Context, blobs []oci.Descriptor) ([]oci.Descriptor, error) {
	return blobs, nil
}

func (nothing) PutBlob(context.Context, oci.Descriptor, repo.Opener, string) (repo.Outcome, error) {
	return 0, errMade
}

func (nothing) PutManifest(context.Context, oci.Descriptor, []byte, ...string) error {
	return errMade
}

func (nothing) DeleteTag(context.Context, string) error { return errMade }

func (nothing) DeleteManifest(context.Context, oci.Digest) error { return errMade }

func (nothing) DeleteBlob(context.Context, oci.Digest) error { return errMade }
