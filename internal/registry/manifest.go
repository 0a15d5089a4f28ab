package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// arrival is a manifest that was checked and may be stored.
type arrival struct {
	desc oci.Descriptor
	body []byte
	read *oci.Manifest
	tags []string
}

// PutManifest implements repo.Sink. Config and layers must be in the
// repository, except layers that are never pushed; the children of an index
// need not (a sparse index). Any media type is taken, its bytes as they are.
func (p *repository) PutManifest(ctx context.Context, desc oci.Descriptor, body []byte, tags ...string) error {
	a, err := p.receive(desc, body, tags)
	if err != nil {
		return err
	}
	if _, err := p.changes(ctx, a); err != nil {
		return err // before anything is written
	}
	if err := p.keep(ctx, a); err != nil {
		return err
	}
	if err := p.record(ctx, a); err != nil {
		return err
	}
	return p.acknowledge(ctx)
}

// receive checks what can be checked without looking anything up.
func (p *repository) receive(desc oci.Descriptor, body []byte, tags []string) (*arrival, error) {
	if err := p.writable(); err != nil {
		return nil, err
	}
	for _, tag := range tags {
		if err := oci.CheckTag(tag); err != nil {
			return nil, err
		}
	}
	if desc.Digest.IsZero() {
		desc.Digest = oci.FromBytes(body)
	} else if err := desc.Digest.Check(body); err != nil {
		return nil, err
	}
	m, err := parse(desc.MediaType, body)
	if err != nil {
		return nil, err
	}
	desc = oci.Descriptor{MediaType: m.MediaType, Digest: desc.Digest, Size: int64(len(body))}
	return &arrival{desc: desc, body: body, read: m, tags: tags}, nil
}

// parse reads a manifest. One of a type that is unknown here may hold anything:
// if it does not read like an image manifest, it names nothing.
func parse(mediaType string, body []byte) (*oci.Manifest, error) {
	m, err := oci.ParseManifest(mediaType, body)
	if err == nil {
		return m, nil
	}
	t, _, typeErr := mime.ParseMediaType(mediaType)
	ours := typeErr != nil || oci.IsManifest(t) || slices.Contains(untold, t)
	if ours || len(body) > oci.MaxManifestSize || !json.Valid(body) {
		return nil, err
	}
	return &oci.Manifest{MediaType: t}, nil
}

// untold are the types that say nothing about a manifest.
var untold = []string{oci.MediaTypeOctetStream, "application/json", "text/plain"}

// named returns the blobs that a manifest names. Those of schema 1 have no
// sizes; its layers are kept alive like any other.
func named(m *oci.Manifest, body []byte) []oci.Descriptor {
	if !oci.IsSchema1(m.MediaType) {
		return m.Blobs()
	}
	var old struct {
		FSLayers []struct {
			BlobSum oci.Digest `json:"blobSum"`
		} `json:"fsLayers"`
	}
	if json.Unmarshal(body, &old) != nil {
		return nil // taken as it is, like any type that cannot be read
	}
	var out []oci.Descriptor
	for _, layer := range old.FSLayers {
		out = append(out, oci.Descriptor{MediaType: oci.MediaTypeDockerLayer, Digest: layer.BlobSum, Size: -1})
	}
	return out
}

// optional reports whether a blob that a manifest names may be absent.
func optional(m *oci.Manifest, blob oci.Descriptor) bool {
	return blob.IsForeign() || oci.IsSchema1(m.MediaType)
}

// keep stores the bytes of a manifest, also again where the disk lost them.
func (r *Registry) keep(ctx context.Context, a *arrival) error {
	release, err := r.claims.claim(ctx, a.desc.Digest)
	if err != nil {
		return err
	}
	defer release()
	_, err = r.content(ctx, a.desc.Digest)
	if err == nil {
		return nil
	}
	if _, damaged := errors.AsType[*repo.CorruptError](err); !damaged {
		return err
	}
	if _, err := r.recheck(ctx, a.desc.Digest); err != nil {
		return err
	}
	in := &intake{Registry: r, desc: a.desc, content: inMemory(a.body), where: r.name}
	return in.run(ctx)
}

func inMemory(content []byte) repo.Opener {
	return func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content[offset:])), nil
	}
}

// record queues the facts of a manifest.
func (p *repository) record(ctx context.Context, a *arrival) error {
	defer p.locks.lock(p.name)()
	changes, err := p.changes(ctx, a)
	if err != nil {
		return err
	}
	return p.ledger.enqueue(changes...)
}

// changes returns what a manifest adds to the facts: the blobs it holds from
// now on, itself, its place among the referrers of its subject, its tags.
func (p *repository) changes(ctx context.Context, a *arrival) ([]kv.Change, error) {
	out, err := p.hold(ctx, a)
	if err != nil {
		return nil, err
	}
	d := a.desc.Digest
	fact := repo.ManifestFact{MediaType: a.desc.MediaType, Size: a.desc.Size, ArtifactType: a.read.ArtifactType}
	if s := a.read.Subject; s != nil && !s.Digest.IsZero() {
		fact.Subject = &s.Digest
		out = append(out, put(repo.ReferrerKey(p.name, s.Digest, d), referrer(a)))
	}
	out = append(out, put(repo.ManifestKey(p.name, d), fact))
	for _, tag := range a.tags {
		out = append(out, put(repo.TagKey(p.name, tag), repo.TagFact{Digest: d, Time: p.opts.Now().Unix()}))
	}
	return out, nil
}

// referrer is the descriptor under which a manifest is found by its subject
// (OCI distribution spec, Listing Referrers).
func referrer(a *arrival) oci.Descriptor {
	desc := a.desc.Bare()
	desc.ArtifactType, desc.Annotations = a.read.ArtifactType, a.read.Annotations
	return desc
}

// hold returns the changes that keep the blobs of a manifest alive, or
// oci.ErrManifestBlobUnknown where one is not in the repository.
func (p *repository) hold(ctx context.Context, a *arrival) ([]kv.Change, error) {
	var out []kv.Change
	for _, blob := range named(a.read, a.body) {
		fact, ok, err := p.visible(ctx, p.ledger, blob.Digest)
		switch {
		case err != nil:
			return nil, err
		case ok && !fact.Held:
			fact.Held = true
			out = append(out, put(repo.BlobKey(p.name, blob.Digest), fact))
		case !ok && !optional(a.read, blob) && !p.opts.Sparse:
			return nil, oci.ErrManifestBlobUnknown.With(fmt.Sprintf(
				"%s has no blob %s, which manifest %s names", p.name, blob.Digest, a.desc.Digest))
		}
	}
	return out, nil
}
