package server

import (
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// smallBlob is the largest blob kept in memory, in bytes: configs, signatures,
// attestations. They are many, asked for often, and cost more to open than to
// send.
const smallBlob = 32 << 10

// getBlob answers GET and HEAD of a blob, whole or a range of it (spec.md,
// Pulling blobs; RFC 9110, 13 and 14).
func (s *server) getBlob(c *call) error {
	d, err := oci.ParseDigest(c.ref)
	if err != nil {
		return err
	}
	desc, err := c.repo.StatBlob(c.ctx(), d)
	if err != nil {
		return err
	}
	desc.MediaType = oci.MediaTypeOctetStream
	ranged := c.req.Header.Get("Range") != ""
	c.Header()["Accept-Ranges"] = acceptRanges
	switch {
	case c.req.Method == http.MethodHead:
		return c.head(desc)
	case !ranged && desc.Size <= smallBlob:
		return s.getSmall(c, desc)
	}
	return c.blob(desc)
}

// acceptRanges is a header's value, made once.
var acceptRanges = []string{"bytes"}

// getSmall serves from memory. What goes in there is verified, so that rot on
// the disk is not multiplied.
func (s *server) getSmall(c *call, desc oci.Descriptor) error {
	k := key{desc.Digest, desc.MediaType}
	v := s.cache.get(k)
	if v == nil {
		open := func() (io.ReadCloser, error) { return c.repo.OpenBlob(c.ctx(), desc.Digest, 0) }
		body, err := readVerified(desc, open, c.repo.Name())
		if err != nil {
			return err
		}
		v = newContent(desc, body)
		s.cache.put(k, v)
	}
	return c.content(v)
}

func readVerified(desc oci.Descriptor, open func() (io.ReadCloser, error), where string) ([]byte, error) {
	src, err := open()
	if err != nil {
		return nil, err
	}
	defer src.Close()
	body, err := io.ReadAll(io.LimitReader(src, smallBlob+1))
	if err != nil {
		return nil, err
	}
	if err := desc.Digest.Check(body); err != nil {
		return nil, &repo.CorruptError{Where: where, Digest: desc.Digest, Reason: err.Error()}
	}
	return body, nil
}

// blob sends a blob from its store. The reader is never wrapped, so that a
// plain file stays one on its way to the kernel.
func (c *call) blob(desc oci.Descriptor) error {
	etag := `"` + desc.Digest.String() + `"`
	h := c.Header()
	if matches(c.req.Header, etag) {
		h.Set("Etag", etag)
		c.WriteHeader(http.StatusNotModified)
		return nil
	}
	part, err := rangeOf(c.req.Header, etag, desc.Size)
	if err != nil {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", desc.Size))
		return err
	}
	src, err := c.repo.OpenBlob(c.ctx(), desc.Digest, part.start)
	if err != nil {
		return err
	}
	defer src.Close()
	h.Set("Docker-Content-Digest", desc.Digest.String())
	h.Set("Etag", etag)
	h.Set("Content-Type", oci.MediaTypeOctetStream)
	h.Set("Content-Length", strconv.FormatInt(part.length, 10))
	if part.partial {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", part.start, part.start+part.length-1, desc.Size))
		c.WriteHeader(http.StatusPartialContent)
	} else {
		c.WriteHeader(http.StatusOK)
	}
	return c.send(src, part.length)
}

// deleteBlob takes a blob out of the repository.
func (s *server) deleteBlob(c *call) error {
	d, err := oci.ParseDigest(c.ref)
	if err != nil {
		return err
	}
	return c.accepted(c.repo.DeleteBlob(c.ctx(), d))
}
