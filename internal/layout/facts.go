package layout

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// Annotations that name the entries of index.json. The first is the
// specification's, where tools put a tag or a whole reference; the second is
// containerd's, always a whole reference.
const (
	annotationRefName   = "org.opencontainers.image.ref.name"
	annotationImageName = "io.containerd.image.name"
)

// builder derives facts.
type builder struct {
	blobs *cas.Files
	name  string // of the repository for what names none
	seen  map[seen]bool
	facts []kv.Change
	count int // manifests
}

// seen is a manifest or blob that a repository has its facts of.
type seen struct {
	name   string
	digest oci.Digest
	blob   bool
}

func (b *builder) put(key string, fact any) {
	b.facts = append(b.facts, kv.Change{Key: key, Value: repo.EncodeFact(fact)})
}

// index derives the facts of all entries of index.json.
func (b *builder) index(ctx context.Context, entries []oci.Descriptor) error {
	for _, desc := range entries {
		if desc.Digest.IsZero() {
			return fmt.Errorf("%s has an entry without a digest", indexFile)
		}
		name, tag := b.named(desc.Annotations)
		if tag != "" {
			b.put(repo.TagKey(name, tag), repo.TagFact{Digest: desc.Digest})
		}
		if err := b.manifest(ctx, name, desc, 0); err != nil {
			return err
		}
	}
	return nil
}

// named returns the repository and tag of an entry. The host of a whole
// reference is left out, as it is for file:// references.
func (b *builder) named(annotations map[string]string) (name, tag string) {
	if r, ok := reference(annotations[annotationImageName]); ok {
		return r.Path, r.Tag
	}
	text := annotations[annotationRefName]
	if oci.CheckTag(text) == nil {
		return b.name, text
	}
	if r, ok := reference(text); ok {
		return r.Path, r.Tag
	}
	return b.name, ""
}

func reference(text string) (ref.Ref, bool) {
	r, err := ref.Parse(text)
	ok := err == nil && r.Scheme == ref.Registry && oci.CheckName(r.Path) == nil &&
		(r.Tag == "" || oci.CheckTag(r.Tag) == nil)
	return r, ok
}

// manifest derives the facts of a manifest and of what it leads to. A child
// that is not there is no fault: indexes may be sparse. One that is damaged
// has its fact, so that reading it tells.
func (b *builder) manifest(ctx context.Context, name string, desc oci.Descriptor, depth int) error {
	if depth > oci.MaxDepth {
		return fmt.Errorf("indexes within indexes are deeper than %d", oci.MaxDepth)
	}
	if b.again(seen{name: name, digest: desc.Digest}) {
		return nil
	}
	if b.count++; b.count > maxManifests {
		return fmt.Errorf("more than %d manifests", maxManifests)
	}
	body, err := b.read(ctx, desc.Digest)
	if depth > 0 && errors.Is(err, oci.ErrBlobUnknown) {
		return nil
	}
	if err != nil && !errors.Is(err, oci.ErrBlobUnknown) {
		return err
	}
	m, err := oci.ParseManifest(desc.MediaType, body)
	if err != nil || desc.Digest.Check(body) != nil {
		m = &oci.Manifest{MediaType: desc.MediaType}
	}
	b.describe(name, desc.Digest, int64(len(body)), m)
	return b.below(ctx, name, m, depth)
}

func (b *builder) again(s seen) bool {
	had := b.seen[s]
	b.seen[s] = true
	return had
}

func (b *builder) read(ctx context.Context, d oci.Digest) ([]byte, error) {
	r, err := blobs{b.blobs}.Open(ctx, d, 0)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(r, oci.MaxManifestSize+1))
	return body, errors.Join(err, r.Close())
}

func (b *builder) describe(name string, d oci.Digest, size int64, m *oci.Manifest) {
	fact := repo.ManifestFact{MediaType: m.MediaType, Size: size, ArtifactType: m.ArtifactType}
	if m.Subject != nil {
		fact.Subject = &m.Subject.Digest
		b.put(repo.ReferrerKey(name, m.Subject.Digest, d), oci.Descriptor{
			MediaType: m.MediaType, Digest: d, Size: size, ArtifactType: m.ArtifactType, Annotations: m.Annotations,
		})
	}
	b.put(repo.ManifestKey(name, d), fact)
}

// below derives the facts of a manifest's blobs and children.
func (b *builder) below(ctx context.Context, name string, m *oci.Manifest, depth int) error {
	for _, blob := range m.Blobs() {
		if b.again(seen{name: name, digest: blob.Digest, blob: true}) {
			continue
		}
		size, err := b.blobs.Stat(ctx, blob.Digest)
		if errors.Is(err, oci.ErrBlobUnknown) || errors.Is(err, fsys.ErrLink) {
			continue
		}
		if err != nil {
			return err
		}
		b.put(repo.BlobKey(name, blob.Digest), repo.BlobFact{Size: size, Held: true})
	}
	for _, child := range m.Manifests {
		if err := b.manifest(ctx, name, child, depth+1); err != nil {
			return err
		}
	}
	return nil
}
