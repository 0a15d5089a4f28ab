package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Rechecker is the optional power of a Store whose blobs can be damaged or put
// there by others: a blob that no fact names is hashed again before it is
// believed.
type Rechecker interface {
	// Recheck hashes a blob and makes it durable. One that is not what its name
	// says is removed, and the error is a *repo.CorruptError. A blob that is
	// not there matches oci.ErrBlobUnknown.
	Recheck(ctx context.Context, d oci.Digest) error
}

// Recheck implements Rechecker.
func (s *Files) Recheck(ctx context.Context, d oci.Digest) error {
	if s.isPending(d) {
		return nil // this process hashed it
	}
	err := s.rehash(ctx, d)
	if !errors.Is(err, oci.ErrDigestInvalid) {
		return err
	}
	// Once more, now that nobody can put the right content in its place.
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.pass()
	if err = s.rehash(ctx, d); !errors.Is(err, oci.ErrDigestInvalid) {
		return err
	}
	return errors.Join(&repo.CorruptError{Where: s.fs.Root(), Digest: d, Reason: err.Error()}, s.fs.Remove(blobName(d)))
}

func (s *Files) isPending(d oci.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.pending[d]
	return ok
}

func (s *Files) rehash(ctx context.Context, d oci.Digest) error {
	f, err := s.Open(ctx, d, 0)
	if err != nil {
		return err
	}
	h, err := start(d.Algorithm())
	if err == nil {
		err = h.addAll(ctx, f)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("hashing blob %s: %w", d, err)
	}
	if err := h.check(ctx, d, nil); err != nil {
		return err
	}
	return s.syncFile(blobName(d))
}

// Delete implements Store. A blob that comes back after a power cut is no harm:
// it is whole, and collected again.
func (s *Files) Delete(ctx context.Context, d oci.Digest) error {
	if err := s.take(ctx); err != nil { // no Sync may be moving it
		return err
	}
	defer s.pass()
	if err := s.refused(); err != nil {
		return err
	}
	if p, ok := s.unpend(d); ok {
		defer s.release(p.id)
		return s.fs.Remove(partialName(p.id))
	}
	if d.IsZero() {
		return unknownBlob(d)
	}
	err := s.fs.Remove(blobName(d))
	if errors.Is(err, fs.ErrNotExist) {
		return unknownBlob(d)
	}
	return err
}

func (s *Files) unpend(d oci.Digest) (pending, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pending[d]
	delete(s.pending, d)
	return p, ok
}
