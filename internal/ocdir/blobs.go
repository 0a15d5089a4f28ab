package ocdir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// blobs is the cas.Store: the content of all repositories together, and what
// is staged. What is committed stays on the stage until a fact says which
// repository it belongs to.
type blobs struct {
	fs    fsys.FS
	tree  *tree
	write *writer // nil where the directory is open for reading
}

var errReadOnly = oci.ErrUnsupported.With("the directory is open for reading only")

func unknown(d oci.Digest) error { return oci.ErrBlobUnknown.With("no blob " + d.String()) }

// Stat implements cas.Store.
func (b *blobs) Stat(ctx context.Context, d oci.Digest) (int64, error) {
	if b.write != nil {
		defer b.write.still()()
		size, err := b.write.stage.Stat(ctx, d)
		if !errors.Is(err, oci.ErrBlobUnknown) {
			return size, err
		}
	}
	_, info, err := b.tree.find(ctx, d)
	if absent(err) {
		return 0, unknown(d)
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Open implements cas.Store.
func (b *blobs) Open(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	if b.write != nil {
		defer b.write.still()()
		r, err := b.write.stage.Open(ctx, d, offset)
		if !errors.Is(err, oci.ErrBlobUnknown) {
			return r, err
		}
	}
	a, _, err := b.tree.find(ctx, d)
	if absent(err) {
		return nil, unknown(d)
	}
	if err != nil {
		return nil, err
	}
	f, err := b.fs.Open(a.path(d))
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Create implements cas.Store.
func (b *blobs) Create(ctx context.Context, id, algorithm string) (cas.Writer, error) {
	if b.write == nil {
		return nil, errReadOnly
	}
	w, err := b.write.stage.Create(ctx, id, algorithm)
	if err != nil {
		return nil, err
	}
	return incoming{w, b.write.stage}, nil
}

// Resume implements cas.Store.
func (b *blobs) Resume(ctx context.Context, id string) (cas.Writer, error) {
	if b.write == nil {
		return nil, errReadOnly
	}
	w, err := b.write.stage.Resume(ctx, id)
	if err != nil {
		return nil, err
	}
	return incoming{w, b.write.stage}, nil
}

// Sync implements cas.Store.
func (b *blobs) Sync(ctx context.Context) error {
	if b.write == nil {
		return nil
	}
	return b.write.stage.Sync(ctx)
}

// Delete implements cas.Store: the blob goes from all repositories.
func (b *blobs) Delete(ctx context.Context, d oci.Digest) error {
	if b.write == nil {
		return errReadOnly
	}
	return b.write.drop(ctx, d)
}

// Recheck implements cas.Rechecker. Files of this process are not hashed again.
// One good copy in any repository is enough; without one all are removed.
func (b *blobs) Recheck(ctx context.Context, d oci.Digest) error {
	if b.write == nil {
		return errReadOnly
	}
	err := b.write.stage.verify(ctx, d)
	if !errors.Is(err, oci.ErrBlobUnknown) {
		return err
	}
	_, err = b.write.source(ctx, d)
	switch {
	case absent(err):
		return unknown(d)
	case errors.Is(err, oci.ErrDigestInvalid):
		wrong := &repo.CorruptError{Where: b.fs.Root(), Digest: d, Reason: err.Error()}
		return errors.Join(wrong, b.write.removeWrong(ctx, d))
	}
	return err
}

// Walk implements cas.Store.
func (b *blobs) Walk(ctx context.Context) iter.Seq2[cas.Blob, error] {
	return func(yield func(cas.Blob, error) bool) {
		done, err := b.staged(ctx, yield)
		if err == nil && !done {
			err = b.walk(ctx, yield)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(cas.Blob{}, err)
		}
	}
}

// staged yields what is staged and in no repository.
func (b *blobs) staged(ctx context.Context, yield func(cas.Blob, error) bool) (done bool, err error) {
	if err := b.tree.scan(ctx); err != nil || b.write == nil {
		return false, err
	}
	for blob, err := range b.write.stage.Walk(ctx) {
		if err != nil {
			return false, err
		}
		if _, _, err := b.tree.recall(blob.Digest); absent(err) && !yield(blob, nil) {
			return true, nil
		}
	}
	return false, nil
}

func (b *blobs) walk(ctx context.Context, yield func(cas.Blob, error) bool) error {
	for _, d := range b.tree.digestsSeen() {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, info, err := b.tree.recall(d)
		if absent(err) {
			continue
		}
		if err != nil {
			return err
		}
		if !yield(cas.Blob{Digest: d, Size: info.Size(), ModTime: info.ModTime()}, nil) {
			return errStopped
		}
	}
	return nil
}

// Partials implements cas.Store.
func (b *blobs) Partials(ctx context.Context) iter.Seq2[cas.Partial, error] {
	if b.write == nil {
		return func(func(cas.Partial, error) bool) {}
	}
	return b.write.stage.Partials(ctx)
}

// DeletePartial implements cas.Store.
func (b *blobs) DeletePartial(ctx context.Context, id string) error {
	if b.write == nil {
		return errReadOnly
	}
	return b.write.stage.DeletePartial(ctx, id)
}

// Limits implements cas.Store.
func (b *blobs) Limits() cas.Limits {
	if l, ok := b.fs.(fsys.Limited); ok {
		return cas.Limits{LargestBlob: l.Limits().LargestFile, Names: l.Limits().Names}
	}
	return cas.Limits{}
}

// Free implements cas.Store.
func (b *blobs) Free(context.Context) (int64, error) {
	free, err := b.fs.Free()
	if err != nil {
		return 0, fmt.Errorf("free space of %s: %w", b.fs.Root(), err)
	}
	return free, nil
}
