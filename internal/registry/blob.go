package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
)

// Missing implements repo.Sink. Besides the fact it asks for the content, so
// that what was lost from a disk is sent again.
func (p *repository) Missing(ctx context.Context, blobs []oci.Descriptor) ([]oci.Descriptor, error) {
	var out []oci.Descriptor
	for _, desc := range blobs {
		there, err := p.has(ctx, desc)
		if err != nil {
			return nil, err
		}
		if !there {
			out = append(out, desc)
		}
	}
	return out, nil
}

func (p *repository) has(ctx context.Context, desc oci.Descriptor) (bool, error) {
	_, ok, err := p.visible(ctx, p.ledger, desc.Digest)
	if err != nil || !ok {
		return false, err
	}
	size, err := p.blobs.Stat(ctx, desc.Digest)
	if errors.Is(err, oci.ErrBlobUnknown) {
		return false, nil
	}
	return err == nil && size == desc.Size, err
}

// PutBlob implements repo.Sink. Content that any repository here holds is not
// read again: the repository gets a lease on it, and that counts as mounted.
func (p *repository) PutBlob(ctx context.Context, desc oci.Descriptor, content repo.Opener, from string) (repo.Outcome, error) {
	if err := p.accepts(desc); err != nil {
		return repo.Sent, err
	}
	outcome, err := p.bring(ctx, desc, content, from)
	if err != nil {
		return outcome, err
	}
	return outcome, p.acknowledge(ctx)
}

// accepts refuses blobs that cannot be stored, before their first byte.
func (p *repository) accepts(desc oci.Descriptor) error {
	if err := p.writable(); err != nil {
		return err
	}
	if desc.Digest.IsZero() {
		return oci.ErrDigestInvalid.With("a blob has no digest")
	}
	if desc.Size < 0 {
		return oci.ErrSizeInvalid.With(fmt.Sprintf("blob %s has a size of %d bytes", desc.Digest, desc.Size))
	}
	if largest := p.Largest(); largest > 0 && desc.Size > largest {
		return oci.ErrSizeInvalid.With(fmt.Sprintf("blob %s has %d bytes, %s holds at most %d a file",
			desc.Digest, desc.Size, p.Registry.name, largest))
	}
	return nil
}

// bring makes the blob store hold a blob and leases it to the repository.
func (p *repository) bring(ctx context.Context, desc oci.Descriptor, content repo.Opener, from string) (repo.Outcome, error) {
	release, err := p.claims.claim(ctx, desc.Digest)
	if err != nil {
		return repo.Sent, err
	}
	defer release()
	outcome, err := p.locate(ctx, desc, from)
	if err != nil {
		return outcome, err
	}
	if outcome == repo.Sent {
		in := &intake{Registry: p.Registry, desc: desc, content: content, where: "content for " + p.String()}
		if err := in.run(ctx); err != nil {
			return outcome, err
		}
	}
	return outcome, p.lease(ctx, desc)
}

// locate finds where a blob can come from: it is present, it can be mounted, or
// it has to be sent. Content that no fact speaks for may be what a crash left,
// and is hashed before it is believed.
func (p *repository) locate(ctx context.Context, desc oci.Descriptor, from string) (repo.Outcome, error) {
	size, err := p.blobs.Stat(ctx, desc.Digest)
	if errors.Is(err, oci.ErrBlobUnknown) {
		return repo.Sent, nil
	}
	if err != nil {
		return repo.Sent, err
	}
	if size == desc.Size {
		if _, ok, err := p.visible(ctx, p.ledger, desc.Digest); ok || err != nil {
			return repo.Present, err
		}
		if _, ok, err := p.elsewhere(ctx, p.ledger, desc.Digest, from); ok || err != nil {
			return repo.Mounted, err
		}
	}
	good, err := p.recheck(ctx, desc.Digest)
	if err != nil || !good || size != desc.Size {
		return repo.Sent, err
	}
	return repo.Mounted, nil
}

// elsewhere looks for a repository that lets a blob be read: in the one named,
// then in all.
func (r *Registry) elsewhere(ctx context.Context, f facts, d oci.Digest, from string) (repo.BlobFact, bool, error) {
	if from != "" {
		fact, ok, err := (&repository{r, from}).visible(ctx, f, d)
		if ok || err != nil {
			return fact, ok, err
		}
	}
	for name, err := range names(ctx, f, repo.BlobPrefix, "") {
		if err != nil {
			return repo.BlobFact{}, false, err
		}
		fact, ok, err := (&repository{r, name}).visible(ctx, f, d)
		if ok || err != nil {
			return fact, ok, err
		}
	}
	return repo.BlobFact{}, false, nil
}

// recheck reports whether the content of a blob is right. Wrong content is gone
// afterwards.
func (r *Registry) recheck(ctx context.Context, d oci.Digest) (bool, error) {
	store, ok := r.blobs.(cas.Rechecker)
	if !ok {
		return true, nil // what cannot rot was verified when it was committed
	}
	err := store.Recheck(ctx, d)
	if errors.Is(err, oci.ErrBlobUnknown) {
		return false, nil
	}
	if _, wrong := errors.AsType[*repo.CorruptError](err); wrong {
		if _, gone := r.blobs.Stat(ctx, d); errors.Is(gone, oci.ErrBlobUnknown) {
			return false, nil
		}
	}
	return err == nil, err
}

// lease notes that a blob may be read here. A lease past its half is begun
// anew, so that one that a push relies on does not lapse under it.
func (p *repository) lease(ctx context.Context, desc oci.Descriptor) error {
	defer p.locks.lock(p.name)()
	fact, ok, err := p.visible(ctx, p.ledger, desc.Digest)
	if err != nil {
		return err
	}
	if ok && fact.Size == desc.Size && (fact.Held || p.age(fact) < p.opts.Lease/2) {
		return nil
	}
	fact = repo.BlobFact{Size: desc.Size, Time: p.opts.Now().Unix(), Held: ok && fact.Held}
	return p.ledger.enqueue(put(repo.BlobKey(p.name, desc.Digest), fact))
}

// DeleteBlob implements repo.Sink: it ends a lease. A blob that a manifest of
// the repository names stays, and the error matches oci.ErrUnsupported.
func (p *repository) DeleteBlob(ctx context.Context, d oci.Digest) error {
	if err := p.writable(); err != nil {
		return err
	}
	if err := p.endLease(ctx, d); err != nil {
		return err
	}
	return p.acknowledge(ctx)
}

func (p *repository) endLease(ctx context.Context, d oci.Digest) error {
	defer p.locks.lock(p.name)()
	fact, ok, err := p.visible(ctx, p.ledger, d)
	if err != nil {
		return err
	}
	if !ok {
		return p.noBlob(d)
	}
	if fact.Held {
		return oci.ErrUnsupported.With(fmt.Sprintf("blob %s is part of a manifest in %s", d, p.name))
	}
	return p.ledger.enqueue(drop(repo.BlobKey(p.name, d)))
}
