package remote

import (
	"context"
	"errors"
	"io"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// cursor is verified content that can be gone through again from any offset.
// It verifies from the first byte each time, so that what completes an upload
// has always been hashed as a whole.
type cursor struct {
	desc  oci.Descriptor
	open  repo.Opener
	where string

	src      *repo.Verifier
	cancel   context.CancelFunc
	pos      int64 // of the next byte; -1 where it is not known
	sent     int64 // bytes handed out over all
	reached  int64 // how far the registry is known to have got
	complete bool  // all of it was handed out at least once
}

// seek goes to an offset: by reading on, or from the start again.
func (c *cursor) seek(ctx context.Context, offset int64) error {
	if c.src != nil && c.pos == offset {
		return nil
	}
	c.close()
	ctx, c.cancel = context.WithCancel(ctx)
	src, err := repo.NewVerifier(ctx, c.desc, c.open, c.where)
	if err != nil {
		c.cancel()
		return sourceError{err}
	}
	c.src = src
	if _, err := io.CopyN(io.Discard, src, offset); err != nil {
		return sourceError{err}
	}
	c.pos = offset
	return nil
}

// Read implements io.Reader.
func (c *cursor) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.pos += int64(n)
	c.sent += int64(n)
	if c.pos == c.desc.Size {
		c.complete = true
	}
	return n, err
}

// end checks that there is no more, for content of no bytes and after the last
// chunk.
func (c *cursor) end() error {
	if c.src == nil {
		return nil
	}
	n, err := c.src.Read(make([]byte, 1))
	if n == 0 && errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = io.ErrShortBuffer
	}
	return sourceError{err}
}

// interrupt ends a read under way, whose request has failed. What it was at is
// not known before it has returned.
func (c *cursor) interrupt() {
	if c.cancel != nil {
		c.cancel()
	}
}

func (c *cursor) close() {
	if c.src != nil {
		c.cancel()
		_ = c.src.Close()
		c.src = nil
	}
	c.pos = -1
}
