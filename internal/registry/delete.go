package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// DeleteTag implements repo.Sink. The manifest stays.
func (p *repository) DeleteTag(ctx context.Context, tag string) error {
	if err := p.writable(); err != nil {
		return err
	}
	if err := p.dropTag(ctx, tag); err != nil {
		return err
	}
	return p.acknowledge(ctx)
}

func (p *repository) dropTag(ctx context.Context, tag string) error {
	defer p.locks.lock(p.name)()
	_, ok, err := lookup[repo.TagFact](ctx, p.ledger, repo.TagKey(p.name, tag))
	if err != nil || !ok {
		return p.unknown(repo.ByTag(tag), err)
	}
	return p.ledger.enqueue(drop(repo.TagKey(p.name, tag)))
}

// DeleteManifest implements repo.Sink. Its tags go with it; blobs that no
// other manifest of the repository names get a lease of now, so that a push
// under way that relies on them is not hurt.
func (p *repository) DeleteManifest(ctx context.Context, d oci.Digest) error {
	if err := p.writable(); err != nil {
		return err
	}
	if err := p.dropManifest(ctx, d); err != nil {
		return err
	}
	return p.acknowledge(ctx)
}

func (p *repository) dropManifest(ctx context.Context, d oci.Digest) error {
	defer p.locks.lock(p.name)()
	fact, ok, err := lookup[repo.ManifestFact](ctx, p.ledger, repo.ManifestKey(p.name, d))
	if err != nil || !ok {
		return p.unknown(repo.ByDigest(d), err)
	}
	changes, err := p.dropTagsOf(ctx, d)
	if err != nil {
		return err
	}
	if fact.Subject != nil {
		changes = append(changes, drop(repo.ReferrerKey(p.name, *fact.Subject, d)))
	}
	changes = append(changes, drop(repo.ManifestKey(p.name, d)))
	freed, err := p.letGo(ctx, d, fact)
	if err != nil {
		return err
	}
	return p.ledger.enqueue(append(changes, freed...)...)
}

func (p *repository) dropTagsOf(ctx context.Context, d oci.Digest) ([]kv.Change, error) {
	var out []kv.Change
	for e, err := range p.ledger.List(ctx, repo.TagKey(p.name, ""), "") {
		if err != nil {
			return nil, err
		}
		tag, err := repo.DecodeFact[repo.TagFact](e.Key, e.Value)
		if err != nil {
			return nil, err
		}
		if tag.Digest == d {
			out = append(out, drop(e.Key))
		}
	}
	return out, nil
}

// letGo returns the changes that end the hold of a manifest on its blobs. One
// whose bytes are damaged can be deleted too; collection finds what it held.
func (p *repository) letGo(ctx context.Context, d oci.Digest, fact repo.ManifestFact) ([]kv.Change, error) {
	blobs, err := p.namedBy(ctx, d, fact)
	if _, damaged := errors.AsType[*repo.CorruptError](err); damaged {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	freed := map[oci.Digest]bool{}
	for _, blob := range blobs {
		freed[blob.Digest] = true
	}
	if err := p.keepNamed(ctx, d, freed); err != nil {
		return nil, err
	}
	return p.leases(ctx, freed)
}

// keepNamed takes out of freed what other manifests than d name.
func (p *repository) keepNamed(ctx context.Context, d oci.Digest, freed map[oci.Digest]bool) error {
	for m, err := range p.manifests(ctx, p.ledger) {
		if err != nil || len(freed) == 0 {
			return err
		}
		if m.digest == d {
			continue
		}
		blobs, err := p.namedBy(ctx, m.digest, m.fact)
		if _, damaged := errors.AsType[*repo.CorruptError](err); damaged {
			clear(freed) // it may have named any of them
			return nil
		}
		if err != nil {
			return err
		}
		for _, blob := range blobs {
			delete(freed, blob.Digest)
		}
	}
	return nil
}

// leases returns the changes that turn held blobs into leases of now.
func (p *repository) leases(ctx context.Context, freed map[oci.Digest]bool) ([]kv.Change, error) {
	var out []kv.Change
	for d := range freed {
		fact, ok, err := lookup[repo.BlobFact](ctx, p.ledger, repo.BlobKey(p.name, d))
		if err != nil {
			return nil, err
		}
		if ok && fact.Held {
			fact.Held, fact.Time = false, p.opts.Now().Unix()
			out = append(out, put(repo.BlobKey(p.name, d), fact))
		}
	}
	return out, nil
}

// namedBy reads a manifest that is in the repository and returns its blobs.
func (p *repository) namedBy(ctx context.Context, d oci.Digest, fact repo.ManifestFact) ([]oci.Descriptor, error) {
	m, body, err := p.read(ctx, d, fact)
	if err != nil {
		return nil, err
	}
	return named(m, body), nil
}

// read reads and parses a manifest. What the store took and cannot parse is a
// *repo.CorruptError.
func (r *Registry) read(ctx context.Context, d oci.Digest, fact repo.ManifestFact) (*oci.Manifest, []byte, error) {
	body, err := r.content(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	m, err := parse(fact.MediaType, body)
	if err != nil {
		return nil, nil, r.corrupt(d, fmt.Sprintf("as %s: %v", fact.MediaType, err))
	}
	return m, body, nil
}
