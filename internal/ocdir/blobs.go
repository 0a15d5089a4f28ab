package ocdir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
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

// locate returns the path and size of a blob, staged ones first.
func (b *blobs) locate(ctx context.Context, d oci.Digest) (string, int64, error) {
	if b.write != nil {
		if s, ok := b.write.stage.stat(d); ok {
			return stagedPath(d), s.size, nil
		}
	}
	a, info, err := b.tree.find(ctx, d)
	if absent(err) {
		return "", 0, unknown(d)
	}
	if err != nil {
		return "", 0, err
	}
	return a.path(d), info.Size(), nil
}

// Stat implements cas.Store.
func (b *blobs) Stat(ctx context.Context, d oci.Digest) (int64, error) {
	_, size, err := b.locate(ctx, d)
	return size, err
}

// Open implements cas.Store. A staged blob may be moved into a repository just
// now, so that one that is gone is looked for again.
func (b *blobs) Open(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	const tries = 3
	for range tries {
		path, _, err := b.locate(ctx, d)
		if err != nil {
			return nil, err
		}
		f, err := b.fs.Open(path)
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
	return nil, unknown(d)
}

// Create implements cas.Store.
func (b *blobs) Create(_ context.Context, id, algorithm string) (cas.Writer, error) {
	if b.write == nil {
		return nil, errReadOnly
	}
	p, err := b.write.stage.create(id, algorithm)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Resume implements cas.Store.
func (b *blobs) Resume(ctx context.Context, id string) (cas.Writer, error) {
	if b.write == nil {
		return nil, errReadOnly
	}
	p, err := b.write.stage.resume(ctx, id)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Sync implements cas.Store.
func (b *blobs) Sync(ctx context.Context) error {
	if b.write == nil {
		return nil
	}
	return b.write.stage.sync(ctx)
}

// Delete implements cas.Store: the blob goes from all repositories.
func (b *blobs) Delete(ctx context.Context, d oci.Digest) error {
	if b.write == nil {
		return errReadOnly
	}
	return b.write.drop(ctx, d)
}

// Recheck hashes content unless this process has done so or has written it.
// The error matches oci.ErrDigestInvalid where every file of that name is
// wrong; staged content is removed then, and what is in a repository is
// replaced by the next commit.
func (b *blobs) Recheck(ctx context.Context, d oci.Digest) error {
	if b.write == nil {
		return errReadOnly
	}
	err := b.write.stage.verify(ctx, d)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err = b.write.source(ctx, d); absent(err) {
		return unknown(d)
	}
	return err
}

// Walk implements cas.Store.
func (b *blobs) Walk(ctx context.Context) iter.Seq2[cas.Blob, error] {
	return func(yield func(cas.Blob, error) bool) {
		if err := b.tree.scan(ctx); err != nil {
			yield(cas.Blob{}, err)
			return
		}
		for _, d := range b.digests() {
			blob, err := b.entry(ctx, d)
			if errors.Is(err, oci.ErrBlobUnknown) {
				continue
			}
			if !yield(blob, err) || err != nil {
				return
			}
		}
	}
}

// digests returns those of all blobs.
func (b *blobs) digests() []oci.Digest {
	out := b.tree.digestsSeen()
	if b.write == nil {
		return out
	}
	for _, d := range b.write.stage.digests() {
		if !b.tree.seen(d) {
			out = append(out, d)
		}
	}
	return out
}

func (b *blobs) entry(ctx context.Context, d oci.Digest) (cas.Blob, error) {
	if err := ctx.Err(); err != nil {
		return cas.Blob{}, err
	}
	path, size, err := b.locate(ctx, d)
	if err != nil {
		return cas.Blob{}, err
	}
	info, err := b.fs.Lstat(path)
	if absent(err) {
		return cas.Blob{}, unknown(d)
	}
	if err != nil {
		return cas.Blob{}, err
	}
	return cas.Blob{Digest: d, Size: size, ModTime: info.ModTime()}, nil
}

// Partials implements cas.Store.
func (b *blobs) Partials(context.Context) iter.Seq2[cas.Partial, error] {
	return func(yield func(cas.Partial, error) bool) {
		if b.write == nil {
			return
		}
		entries, err := b.write.stage.ids()
		if err != nil {
			yield(cas.Partial{}, err)
			return
		}
		for _, e := range entries {
			info, err := b.fs.Lstat(partialDir + "/" + e.Name())
			if absent(err) {
				continue
			}
			if err != nil {
				yield(cas.Partial{}, err)
				return
			}
			id := strings.TrimSuffix(e.Name(), suffix512)
			if !yield(cas.Partial{ID: id, Size: info.Size(), ModTime: info.ModTime()}, nil) {
				return
			}
		}
	}
}

// DeletePartial implements cas.Store.
func (b *blobs) DeletePartial(_ context.Context, id string) error {
	if b.write == nil {
		return errReadOnly
	}
	return b.write.stage.removePartial(id)
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
