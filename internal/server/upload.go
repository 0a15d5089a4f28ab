package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// uploader returns the repository's power to take uploads, or an error that
// matches oci.ErrUnsupported.
func (c *call) uploader() (repo.Uploader, error) {
	if u, ok := c.repo.(repo.Uploader); ok {
		return u, nil
	}
	return nil, oci.ErrUnsupported.With("this registry takes no uploads")
}

// startUpload answers POST: a mount, a whole blob, or a new session (spec.md,
// Pushing blobs). A mount that cannot be had becomes a session, not an error.
func (s *server) startUpload(c *call) error {
	up, err := c.uploader()
	if err != nil {
		return err
	}
	query := c.req.URL.Query()
	mount, whole, algorithm, err := parseStart(query.Get("mount"), query.Get("digest"), query.Get("digest-algorithm"))
	if err != nil {
		return err
	}
	if !mount.IsZero() {
		if _, err := up.Mount(c.ctx(), mount, query.Get("from")); err == nil {
			return c.created("blobs", mount)
		} else if !canSendInstead(err) {
			return err
		}
	}
	u, err := up.StartUpload(c.ctx(), algorithm)
	if err != nil {
		return err
	}
	if !whole.IsZero() {
		return s.wholeUpload(c, u, whole)
	}
	return c.suspend(u, http.StatusAccepted)
}

// parseStart checks the parameters of a POST, and picks the hash to count with.
func parseStart(mountText, wholeText, algorithm string) (mount, whole oci.Digest, alg string, err error) {
	if mountText != "" {
		if mount, err = oci.ParseDigest(mountText); err != nil {
			return
		}
		alg = mount.Algorithm()
	}
	if wholeText != "" {
		if whole, err = oci.ParseDigest(wholeText); err != nil {
			return
		}
		alg = whole.Algorithm()
	}
	if algorithm != "" {
		alg = algorithm
		_, err = oci.NewHash(algorithm)
	}
	return
}

// canSendInstead reports whether a failed mount only means that the client has
// to send the bytes.
func canSendInstead(err error) bool {
	return oci.IsNotFound(err) || errors.Is(err, oci.ErrDenied) || errors.Is(err, oci.ErrUnauthorized) ||
		errors.Is(err, oci.ErrUnsupported) || errors.Is(err, oci.ErrNameInvalid)
}

// wholeUpload takes a blob in the POST itself. Nobody knows the session's id
// yet, so nobody could go on with it: what is not whole is forgotten.
func (s *server) wholeUpload(c *call, u repo.Upload, d oci.Digest) error {
	if _, err := s.receive(c, u, -1); err != nil {
		return errors.Join(err, u.Abort())
	}
	if err := u.Commit(c.ctx(), d); err != nil {
		return err
	}
	return c.created("blobs", d)
}

// resume takes up the session that a request names.
func (c *call) resume() (repo.Upload, error) {
	up, err := c.uploader()
	if err != nil {
		return nil, err
	}
	return up.ResumeUpload(c.ctx(), c.ref)
}

// statusUpload answers GET: how far the session is.
func (s *server) statusUpload(c *call) error {
	u, err := c.resume()
	if err != nil {
		return err
	}
	return c.suspend(u, http.StatusNoContent)
}

// cancelUpload answers DELETE.
func (s *server) cancelUpload(c *call) error {
	u, err := c.resume()
	if err != nil {
		return err
	}
	if err := u.Abort(); err != nil {
		return err
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

// patchUpload takes a chunk, or a stream without a length. Whatever came in
// stays, also when the client is gone: it may ask and go on from there.
func (s *server) patchUpload(c *call) error {
	u, err := c.resume()
	if err != nil {
		return err
	}
	if err := s.chunk(c, u); err != nil {
		c.place(u)
		return errors.Join(err, u.Suspend())
	}
	return c.suspend(u, http.StatusAccepted)
}

// putUpload takes the last bytes, which may be all of them, and commits.
func (s *server) putUpload(c *call) error {
	d, err := oci.ParseDigest(c.req.URL.Query().Get("digest"))
	if err != nil {
		return err
	}
	u, err := c.resume()
	if err != nil {
		return err
	}
	if err := s.chunk(c, u); err != nil {
		c.place(u)
		return errors.Join(err, u.Suspend())
	}
	if err := u.Commit(c.ctx(), d); err != nil {
		return err
	}
	return c.created("blobs", d)
}

// chunk appends the body to a session. A Content-Range must start where the
// session is, else the answer is 416 and says where that is.
func (s *server) chunk(c *call, u repo.Upload) error {
	v := c.req.Header.Get("Content-Range")
	if v == "" {
		_, err := s.receive(c, u, -1)
		return err
	}
	first, last, ok := contentRange(v)
	if !ok {
		return oci.ErrBlobUploadInvalid.With(fmt.Sprintf("%.50q is not a content range", v))
	}
	if first != u.Offset() {
		return oci.ErrRangeInvalid.With(fmt.Sprintf("chunk starts at %d, the upload is at %d", first, u.Offset()))
	}
	want := last - first + 1
	if n := c.req.ContentLength; n >= 0 && n != want {
		return oci.ErrSizeInvalid.With(fmt.Sprintf("content range has %d bytes, the request %d", want, n))
	}
	n, err := s.receive(c, u, want)
	if err != nil {
		return err
	}
	if more, _ := fill(c.source(), make([]byte, 1)); n < want || more > 0 {
		return oci.ErrSizeInvalid.With(fmt.Sprintf("content range has %d bytes, the body %d or more", want, n+int64(more)))
	}
	return nil
}

// receive appends the body, at most limit bytes of it where limit is not
// negative, and returns how many there were. It fills its buffer before it
// writes, because a network hands out small pieces and a store likes large
// ones; what came before a fault is written too.
func (s *server) receive(c *call, u repo.Upload, limit int64) (int64, error) {
	buf := s.buffers.get()
	defer s.buffers.put(buf)
	src := c.source()
	if limit >= 0 {
		src = io.LimitReader(src, limit)
	}
	var total int64
	for {
		n, readErr := fill(src, buf[:])
		k, err := u.Write(buf[:n])
		total += int64(k)
		if err != nil {
			return total, err
		}
		if errors.Is(readErr, io.EOF) {
			return total, nil
		}
		if readErr != nil {
			return total, readErr
		}
	}
}

// fill reads until p is full or the source ends, with io.EOF, or fails.
func fill(src io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = src.Read(p[n:])
		n += k
	}
	return n, err
}

// suspend keeps a session for later, and answers with its place and progress.
func (c *call) suspend(u repo.Upload, status int) error {
	c.place(u)
	if err := u.Suspend(); err != nil {
		return err
	}
	if status != http.StatusNoContent {
		c.Header().Set("Content-Length", "0")
	}
	c.WriteHeader(status)
	return nil
}

// place sets the header fields that say where a session is and how far. An
// empty one says 0-0, as Docker's registry does: the form has no way to say
// "nothing".
func (c *call) place(u repo.Upload) {
	h := c.Header()
	h.Set("Location", "/v2/"+c.repo.Name()+"/blobs/uploads/"+u.ID())
	h.Set("Range", "0-"+strconv.FormatInt(max(u.Offset()-1, 0), 10))
	h.Set("Docker-Upload-UUID", u.ID())
}

// body is a request's body that keeps its deadline ahead while bytes come, and
// says who is to blame when they stop.
type body struct {
	c *call
}

// source returns the body of the request.
func (c *call) source() io.Reader { return body{c} }

// Read implements io.Reader.
func (b body) Read(p []byte) (int, error) {
	if b.c.received == 0 {
		b.c.extendWrite() // for the 100 Continue that the first read may send
	}
	b.c.extendRead()
	n, err := b.c.req.Body.Read(p)
	b.c.received += int64(n)
	if err == nil {
		return n, nil
	}
	b.c.freeRead()
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	return n, &statusError{http.StatusBadRequest, oci.ErrSizeInvalid.Wrap(fmt.Errorf("reading the body: %w", err))}
}
