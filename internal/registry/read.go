package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Resolve implements repo.Source.
func (p *repository) Resolve(ctx context.Context, t repo.Target) (oci.Descriptor, error) {
	d := t.Digest
	if d.IsZero() {
		if err := oci.CheckTag(t.Tag); err != nil {
			return oci.Descriptor{}, err
		}
		tag, ok, err := lookup[repo.TagFact](ctx, p.reads, repo.TagKey(p.name, t.Tag))
		if err != nil || !ok {
			return oci.Descriptor{}, p.unknown(t, err)
		}
		d = tag.Digest
	}
	m, ok, err := lookup[repo.ManifestFact](ctx, p.reads, repo.ManifestKey(p.name, d))
	if err != nil || !ok {
		return oci.Descriptor{}, p.unknown(t, err)
	}
	return oci.Descriptor{MediaType: m.MediaType, Digest: d, Size: m.Size}, nil
}

func (p *repository) unknown(t repo.Target, err error) error {
	if err != nil {
		return err
	}
	return oci.ErrManifestUnknown.With(fmt.Sprintf("%s has no manifest %s", p.name, t))
}

// Manifest implements repo.Source. What the disk gives is verified: a manifest
// is small, and it decides what everything else is.
func (p *repository) Manifest(ctx context.Context, t repo.Target) (oci.Descriptor, []byte, error) {
	desc, err := p.Resolve(ctx, t)
	if err != nil {
		return oci.Descriptor{}, nil, err
	}
	body, err := p.content(ctx, desc.Digest)
	return desc, body, err
}

// content reads and verifies the bytes of a manifest. Damage, also the absence
// of the bytes, is a *repo.CorruptError.
func (r *Registry) content(ctx context.Context, d oci.Digest) ([]byte, error) {
	src, err := r.blobs.Open(ctx, d, 0)
	if errors.Is(err, oci.ErrBlobUnknown) {
		return nil, r.corrupt(d, "content is missing")
	}
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(src, oci.MaxManifestSize+1))
	if err := errors.Join(err, src.Close()); err != nil {
		return nil, fmt.Errorf("reading manifest %s of %s: %w", d, r.name, err)
	}
	if err := d.Check(body); err != nil {
		return nil, r.corrupt(d, err.Error())
	}
	return body, nil
}

func (r *Registry) corrupt(d oci.Digest, reason string) error {
	return &repo.CorruptError{Where: r.name, Digest: d, Reason: reason}
}

// StatBlob implements repo.Source, by looking up one fact.
func (p *repository) StatBlob(ctx context.Context, d oci.Digest) (oci.Descriptor, error) {
	fact, ok, err := p.visible(ctx, p.reads, d)
	if err != nil {
		return oci.Descriptor{}, err
	}
	if !ok {
		return oci.Descriptor{}, p.noBlob(d)
	}
	return oci.Descriptor{MediaType: oci.MediaTypeOctetStream, Digest: d, Size: fact.Size}, nil
}

// OpenBlob implements repo.Source.
func (p *repository) OpenBlob(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	if _, err := p.StatBlob(ctx, d); err != nil {
		return nil, err
	}
	return p.blobs.Open(ctx, d, offset)
}

func (p *repository) noBlob(d oci.Digest) error {
	return oci.ErrBlobUnknown.With(fmt.Sprintf("%s has no blob %s", p.name, d))
}

// visible returns the fact that lets a blob be read in this repository.
func (p *repository) visible(ctx context.Context, f facts, d oci.Digest) (repo.BlobFact, bool, error) {
	fact, ok, err := lookup[repo.BlobFact](ctx, f, repo.BlobKey(p.name, d))
	return fact, ok && (p.opts.Sparse || p.alive(fact)), err
}

// alive reports whether a blob is held, or its lease has not lapsed.
func (r *Registry) alive(f repo.BlobFact) bool { return f.Held || r.age(f) < r.opts.Lease }

func (r *Registry) age(f repo.BlobFact) time.Duration {
	return r.opts.Now().Sub(time.Unix(f.Time, 0))
}

// Tags implements repo.Source.
func (p *repository) Tags(ctx context.Context, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		there, err := anyFact(ctx, p.reads, repo.ManifestKey(p.name, oci.Digest{}))
		if err == nil && !there {
			err = oci.ErrNameUnknown.With(fmt.Sprintf("%s has no repository %s", p.Registry.name, p.name))
		}
		if err != nil {
			yield("", err)
			return
		}
		prefix := repo.TagKey(p.name, "")
		for e, err := range p.reads.List(ctx, prefix, prefix+after) {
			if !yield(strings.TrimPrefix(e.Key, prefix), err) || err != nil {
				return
			}
		}
	}
}

// Referrers implements repo.Source.
func (p *repository) Referrers(ctx context.Context, subject oci.Digest) iter.Seq2[oci.Descriptor, error] {
	return func(yield func(oci.Descriptor, error) bool) {
		prefix := repo.ReferrerKey(p.name, subject, oci.Digest{})
		for e, err := range p.reads.List(ctx, prefix, "") {
			var desc oci.Descriptor
			if err == nil {
				desc, err = repo.DecodeFact[oci.Descriptor](e.Key, e.Value)
			}
			if !yield(desc, err) || err != nil {
				return
			}
		}
	}
}
