package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
)

// buffer is what content is copied through: large enough that calls of the
// system cost little beside hashing, small enough to have many.
type buffer [128 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// newBuffer returns a buffer that goes back with buffers.Put.
func newBuffer() *buffer {
	if b, ok := buffers.Get().(*buffer); ok {
		return b
	}
	return new(buffer)
}

// intake brings one piece of content into the blob store. What an interrupted
// run left of it is gone on with.
type intake struct {
	*Registry
	desc    oci.Descriptor
	content repo.Opener
	where   string // names the content's way in errors
}

// id is that of the content's partial: the same in each run, so that a run
// finds what the one before it left.
func (in *intake) id() string {
	return intakePrefix + in.desc.Digest.Algorithm() + "-" + in.desc.Digest.Hex()
}

// intakePrefix begins the ids of partials that an intake goes on with.
const intakePrefix = "d-"

// Begun returns how many bytes of interrupted transfers lie on the disk: a next
// run goes on with them and needs no more room for them.
func (r *Registry) Begun(ctx context.Context) (bytes int64, err error) {
	for p, err := range r.blobs.Partials(ctx) {
		if err != nil {
			return 0, err
		}
		if strings.HasPrefix(p.ID, intakePrefix) {
			bytes += p.Size
		}
	}
	return bytes, nil
}

// run stores the content. It returns a *repo.CorruptError where it is not what
// the descriptor says; nothing of it is left then. After any other fault what
// was taken is kept for the next run.
func (in *intake) run(ctx context.Context) error {
	w, err := in.blobs.Resume(ctx, in.id())
	if err == nil {
		err = in.take(ctx, w)
		if _, wrong := errors.AsType[*repo.CorruptError](err); !wrong {
			return err
		}
		// What was left over may be what is wrong: begin once more from nothing.
	} else if !errors.Is(err, oci.ErrBlobUploadUnknown) {
		return err
	}
	w, err = in.blobs.Create(ctx, in.id(), in.desc.Digest.Algorithm())
	if err != nil {
		return in.writing(ctx, err)
	}
	return in.take(ctx, w)
}

// take fills w up with what it lacks, and ends it.
func (in *intake) take(ctx context.Context, w cas.Writer) error {
	if err := in.fill(ctx, w); err != nil {
		if _, wrong := errors.AsType[*repo.CorruptError](err); wrong {
			return errors.Join(err, w.Abort())
		}
		return errors.Join(err, w.Suspend())
	}
	err := w.Commit(ctx, in.desc.Digest)
	if errors.Is(err, oci.ErrDigestInvalid) {
		return in.wrong(err.Error())
	}
	return in.writing(ctx, err)
}

// fill copies the content from the offset of w to its end.
func (in *intake) fill(ctx context.Context, w cas.Writer) error {
	if w.Offset() > 0 && w.Offset() == in.desc.Size {
		return nil // all was there before, only the commit was missing
	}
	if w.Offset() > in.desc.Size {
		return in.wrong(fmt.Sprintf("longer than its %d bytes", in.desc.Size))
	}
	if err := in.room(ctx, in.desc.Size-w.Offset()); err != nil {
		return err
	}
	src, err := in.content(ctx, w.Offset())
	if err != nil {
		return err
	}
	return errors.Join(in.pour(ctx, w, src), src.Close())
}

// pour copies src to w, counting.
func (in *intake) pour(ctx context.Context, w cas.Writer, src io.Reader) error {
	buf := newBuffer()
	defer buffers.Put(buf)
	for ctx.Err() == nil {
		n, readErr := src.Read(buf[:])
		if w.Offset()+int64(n) > in.desc.Size {
			return in.wrong(fmt.Sprintf("longer than its %d bytes", in.desc.Size))
		}
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return in.writing(ctx, err)
			}
		}
		if errors.Is(readErr, io.EOF) {
			return in.complete(w.Offset())
		}
		if readErr != nil {
			return readErr
		}
	}
	return ctx.Err()
}

func (in *intake) complete(got int64) error {
	if got < in.desc.Size {
		return in.wrong(fmt.Sprintf("got %d bytes of %d", got, in.desc.Size))
	}
	return nil
}

func (in *intake) wrong(reason string) error {
	return &repo.CorruptError{Where: in.where, Digest: in.desc.Digest, Reason: reason}
}

// writing says that the fault is on our side. A full disk is a *repo.SpaceError.
func (in *intake) writing(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ENOSPC) {
		free, _ := in.Free(ctx) // a figure for the message; the refusal stands without it
		return &repo.SpaceError{Path: in.name, Need: in.desc.Size, Free: free}
	}
	return fmt.Errorf("writing %s to %s: %w", in.desc.Digest, in.name, err)
}
