package remote

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Sizes of chunks in bytes.
const (
	firstChunk = 16 << 20  // after a registry, or a proxy before it, refused more
	leastChunk = 256 << 10 // below that, giving up is better
	wholeChunk = 1 << 62   // all of the content in one PATCH
	// resumeFrom is the size from which a broken upload is worth asking how far
	// it got.
	resumeFrom = 1 << 20
)

// sendChunks sends what the registry lacks in PATCH requests, each of a known
// length, and ends the session with an empty PUT.
func (u *upload) sendChunks(ctx context.Context) error {
	offset := int64(0)
	if u.resumed {
		var err error
		if offset, err = u.status(ctx); err != nil {
			return err
		}
		u.resumed = false
	}
	if err := u.content.seek(ctx, offset); err != nil {
		return err
	}
	for u.content.pos < u.desc.Size {
		if err := u.sendChunk(ctx); err != nil {
			return err
		}
	}
	if err := u.stream(ctx, u.finalCall(), 0, u.finished); err != nil {
		return err
	}
	if u.learned {
		u.r.host.chunk.Store(u.chunk)
	}
	return nil
}

func (u *upload) sendChunk(ctx context.Context) error {
	start := u.content.pos
	n := min(max(u.chunk, u.session.minChunk), u.desc.Size-start)
	c := call{
		method: http.MethodPatch, at: u.session.at, scope: u.scope, bulk: true,
		header:  http.Header{"Content-Type": {oci.MediaTypeOctetStream}},
		ok:      []int{http.StatusAccepted, http.StatusCreated, http.StatusNoContent},
		missing: oci.ErrBlobUploadUnknown,
	}
	if n < u.desc.Size {
		c.header.Set("Content-Range", fmt.Sprintf("%d-%d", start, start+n-1))
	}
	if err := u.stream(ctx, c, n, u.session.moved); err != nil {
		return err
	}
	u.content.reached, u.denied = max(u.content.reached, u.content.pos), false
	return nil
}

// status asks how many bytes the registry has.
func (u *upload) status(ctx context.Context) (int64, error) {
	offset := int64(0)
	c := call{
		method: http.MethodGet, at: u.session.at, scope: u.scope, bulk: true,
		ok: []int{http.StatusNoContent, http.StatusOK, http.StatusAccepted}, missing: oci.ErrBlobUploadUnknown,
	}
	err := u.r.host.exchange(ctx, c, func(resp *http.Response) error {
		_, last, _ := strings.Cut(resp.Header.Get("Range"), "-")
		if n, err := strconv.ParseInt(last, 10, 64); err == nil && n > 0 { // "0-0" is also what an empty upload has
			offset = n + 1
		}
		return u.session.moved(resp)
	})
	if e, ok := asError(err); ok && e.has(oci.ErrBlobUploadInvalid) {
		return 0, heldError{err}
	}
	if err == nil && offset > u.desc.Size {
		return 0, fmt.Errorf("%s: the registry has %d bytes of an upload of %d", u.r, offset, u.desc.Size)
	}
	u.content.reached = max(u.content.reached, offset)
	return offset, err
}
