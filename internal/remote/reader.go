package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// OpenBlob implements repo.Source. The reader holds one of the host's slots
// until it is closed or read to its end: whoever opens another before that may
// wait for himself where --max-per-registry is 1.
func (r *Repo) OpenBlob(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	s, err := r.host.gate.acquire(ctx, reading)
	if err != nil {
		return nil, err
	}
	b := &blobReader{ctx: ctx, repo: r, digest: d, offset: offset, size: -1, slot: s, from: offset}
	if err := b.mend(nil); err != nil {
		b.release(err)
		return nil, err
	}
	return b, nil
}

// blobReader reads a blob over as many requests as it takes. Every byte read
// is progress and gives it all its tries back.
type blobReader struct {
	ctx    context.Context //nolint:containedctx // a Read has none, and may have to send requests
	repo   *Repo
	digest oci.Digest
	from   int64  // where the slot's work began
	offset int64  // of the next byte
	size   int64  // of the whole blob, -1 while unknown
	url    string // of the last request, for errors
	body   io.ReadCloser
	slot   *slot
	tries  int // since the last progress
}

// Read implements io.Reader.
func (b *blobReader) Read(p []byte) (int, error) {
	for {
		if b.body == nil {
			return 0, errors.New("reading a closed blob")
		}
		n, err := b.body.Read(p)
		b.offset += int64(n)
		if n > 0 {
			b.tries = 0
			b.repo.host.bytes.received.Add(int64(n))
		}
		switch {
		case errors.Is(err, io.EOF) && (b.size < 0 || b.offset >= b.size):
			b.release(nil)
			return n, io.EOF
		case err == nil || n > 0: // a fault comes again with the next Read
			return n, nil
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err := b.mend(b.fault(err)); err != nil {
			b.release(err)
			return 0, err
		}
	}
}

// fault names the request that broke.
func (b *blobReader) fault(err error) error {
	return &Error{Method: http.MethodGet, URL: b.url, cause: fmt.Errorf("after %d bytes: %w", b.offset, err)}
}

// mend opens the blob at the offset, after a fault unless cause is nil.
func (b *blobReader) mend(cause error) error {
	if b.body != nil {
		_ = b.body.Close()
	}
	for {
		if cause != nil {
			b.tries++
			if b.repo.host.giveUp(b.ctx, b.tries, cause) {
				return cause
			}
			if err := b.rest(cause); err != nil {
				return err
			}
		}
		if cause = b.open(); cause == nil {
			return nil
		}
	}
}

// rest waits after a fault, without the slot: the host may have asked for fewer
// requests at once, and only a new slot respects that.
func (b *blobReader) rest(cause error) error {
	b.release(cause)
	if err := b.repo.host.backoff(b.ctx, b.tries, cause); err != nil {
		return err
	}
	s, err := b.repo.host.gate.acquire(b.ctx, reading)
	b.slot, b.from = s, b.offset
	return err
}

// open makes one request for the rest of the blob.
func (b *blobReader) open() error {
	c := b.repo.blobCall(http.MethodGet, b.digest)
	c.bulk = true
	if b.offset > 0 {
		c.header = http.Header{"Range": {fmt.Sprintf("bytes=%d-", b.offset)}}
		c.ok = []int{http.StatusOK, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable}
	}
	resp, err := b.repo.host.send(b.ctx, c)
	if err != nil {
		return err
	}
	b.url = redact(resp.Request.URL)
	if err := b.take(resp); err != nil {
		_ = resp.Body.Close()
		return err
	}
	return nil
}

// take makes an answer the source of the next bytes. Registries may answer a
// range with all of it: then what is known is read past.
func (b *blobReader) take(resp *http.Response) error {
	start, size := int64(0), resp.ContentLength
	switch resp.StatusCode {
	case http.StatusPartialContent:
		start, size = contentRange(resp.Header.Get("Content-Range"))
		if start != b.offset {
			return requestError(resp.Request, fmt.Errorf("asked for bytes from %d and got %q", b.offset, limitText(resp.Header.Get("Content-Range"), 60)))
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return b.takeEnd(resp)
	}
	if b.size >= 0 && size >= 0 && size != b.size {
		return b.repo.corrupt(b.digest, fmt.Sprintf("its size changed from %d to %d bytes", b.size, size))
	}
	if size >= 0 {
		b.size = size
	}
	if _, err := io.CopyN(io.Discard, resp.Body, b.offset-start); err != nil {
		return requestError(resp.Request, fmt.Errorf("reading up to byte %d: %w", b.offset, err))
	}
	b.body = resp.Body
	return nil
}

// takeEnd judges a refused range: at the very end there is nothing to read.
func (b *blobReader) takeEnd(resp *http.Response) error {
	_, size := contentRange(resp.Header.Get("Content-Range"))
	if size >= 0 && b.offset != size {
		return responseError(resp, "")
	}
	drain(resp.Body)
	b.size, b.body = b.offset, http.NoBody
	return nil
}

// contentRange reads "bytes 5-9/10" or "bytes */10"; -1 for what is not told.
func contentRange(s string) (start, size int64) {
	s = strings.TrimPrefix(s, "bytes ")
	span, total, _ := strings.Cut(s, "/")
	first, _, _ := strings.Cut(span, "-")
	return parseCount(first), parseCount(total)
}

func parseCount(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// Close implements io.Closer.
func (b *blobReader) Close() error {
	if b.body != nil {
		_ = b.body.Close()
		b.body = nil
	}
	b.release(nil)
	return nil
}

// release gives the slot back, once.
func (b *blobReader) release(err error) {
	if b.slot == nil {
		return
	}
	if err != nil {
		b.slot.failed(err)
	} else {
		b.slot.done(b.offset - b.from)
	}
	b.slot = nil
}
