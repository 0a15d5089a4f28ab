package server

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// maxTagParams is how many tags one push may name (spec.md asks for ten).
const maxTagParams = 100

// target reads the last part of a manifest's address.
func target(ref string) (repo.Target, error) {
	if strings.IndexByte(ref, ':') >= 0 {
		d, err := oci.ParseDigest(ref)
		return repo.ByDigest(d), err
	}
	return repo.ByTag(ref), oci.CheckTag(ref)
}

// getManifest answers GET and HEAD of a manifest. The repository is always
// asked, for it knows what may be read; only the bytes may come from memory.
func (s *server) getManifest(c *call) error {
	t, err := target(c.ref)
	if err != nil {
		return err
	}
	desc, err := c.repo.Resolve(c.ctx(), t)
	if err != nil {
		return err
	}
	k := key{desc.Digest, desc.MediaType}
	v := s.cache.get(k)
	if v == nil {
		if c.req.Method == http.MethodHead && desc.Size >= 0 && desc.MediaType != "" {
			return c.head(desc)
		}
		if v, err = s.loadManifest(c, desc.Digest); err != nil {
			return err
		}
		s.cache.put(k, v)
	}
	return c.content(v)
}

// loadManifest reads by digest, also where a tag was asked for: the tag may
// move in between, and the answer must be of one piece.
func (s *server) loadManifest(c *call, d oci.Digest) (*content, error) {
	desc, body, err := c.repo.Manifest(c.ctx(), repo.ByDigest(d))
	if err != nil {
		return nil, err
	}
	return newContent(desc, body), nil
}

// content answers GET and HEAD with bytes in memory. It sets the header's
// fields by hand because it is the path that pulls take.
func (c *call) content(v *content) error {
	h := c.Header()
	h["Docker-Content-Digest"] = v.digest
	h["Etag"] = v.etag
	if matches(c.req.Header, v.etag[0]) {
		c.WriteHeader(http.StatusNotModified)
		return nil
	}
	h["Content-Type"] = v.contentType
	h["Content-Length"] = v.length
	c.WriteHeader(http.StatusOK)
	if c.req.Method == http.MethodHead {
		return nil
	}
	_, err := c.Write(v.body)
	return err
}

// head answers HEAD from a descriptor alone.
func (c *call) head(desc oci.Descriptor) error {
	h := c.Header()
	etag := `"` + desc.Digest.String() + `"`
	h.Set("Docker-Content-Digest", desc.Digest.String())
	h.Set("Etag", etag)
	if matches(c.req.Header, etag) {
		c.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", desc.MediaType)
	h.Set("Content-Length", strconv.FormatInt(desc.Size, 10))
	c.WriteHeader(http.StatusOK)
	return nil
}

// putManifest takes a manifest by tag or digest, with further tags as
// parameters (spec.md, Pushing Manifests).
func (s *server) putManifest(c *call) error {
	t, err := target(c.ref)
	if err != nil {
		return err
	}
	tags, err := tagParams(c.req, t)
	if err != nil {
		return err
	}
	body, err := s.readManifest(c)
	if err != nil {
		return err
	}
	m, err := oci.ParseManifest(c.req.Header.Get("Content-Type"), body)
	if err != nil {
		return err
	}
	desc := oci.Descriptor{MediaType: m.MediaType, Digest: t.Digest, Size: int64(len(body))}
	if t.Digest.IsZero() {
		desc.Digest = oci.FromBytes(body)
	} else if err := t.Digest.Check(body); err != nil {
		return err
	}
	if err := c.repo.PutManifest(c.ctx(), desc, body, tags...); err != nil {
		return err
	}
	return c.createdManifest(desc.Digest, m.Subject)
}

// tagParams returns the tags that a push shall set.
func tagParams(r *http.Request, t repo.Target) ([]string, error) {
	tags := r.URL.Query()["tag"]
	if len(tags) > maxTagParams {
		return nil, &statusError{
			http.StatusRequestURITooLong,
			oci.ErrTagInvalid.With(fmt.Sprintf("%d tags in one push, over the limit of %d", len(tags), maxTagParams)),
		}
	}
	for _, tag := range tags {
		if err := oci.CheckTag(tag); err != nil {
			return nil, err
		}
	}
	if t.Tag != "" {
		tags = append([]string{t.Tag}, tags...)
	}
	return tags, nil
}

// readManifest reads a body within the limit, which it knows before the first
// byte where the client says the length.
func (s *server) readManifest(c *call) ([]byte, error) {
	limit := s.opts.MaxManifest
	tooLarge := &statusError{
		http.StatusRequestEntityTooLarge,
		oci.ErrSizeInvalid.With(fmt.Sprintf("manifest is over the limit of %d bytes", limit)),
	}
	if c.req.ContentLength > limit {
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(c.source(), limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, tooLarge
	}
	return body, nil
}

func (c *call) createdManifest(d oci.Digest, subject *oci.Descriptor) error {
	h := c.Header()
	if subject != nil {
		h.Set("OCI-Subject", subject.Digest.String())
	}
	for _, tag := range c.req.URL.Query()["tag"] {
		h.Add("OCI-Tag", tag)
	}
	return c.created("manifests", d)
}

// created answers 201 with the place and digest of what was pushed. The place
// has no host: a client resolves it, whatever proxies lie between.
func (c *call) created(word string, d oci.Digest) error {
	h := c.Header()
	h.Set("Location", "/v2/"+c.repo.Name()+"/"+word+"/"+d.String())
	h.Set("Docker-Content-Digest", d.String())
	h.Set("Content-Length", "0")
	c.WriteHeader(http.StatusCreated)
	return nil
}

// deleteManifest deletes a tag, or a manifest with all its tags.
func (s *server) deleteManifest(c *call) error {
	t, err := target(c.ref)
	if err != nil {
		return err
	}
	if t.Tag != "" {
		err = c.repo.DeleteTag(c.ctx(), t.Tag)
	} else {
		err = c.repo.DeleteManifest(c.ctx(), t.Digest)
	}
	return c.accepted(err)
}

// accepted answers 202 unless something went wrong.
func (c *call) accepted(err error) error {
	if err != nil {
		return err
	}
	c.Header().Set("Content-Length", "0")
	c.WriteHeader(http.StatusAccepted)
	return nil
}
