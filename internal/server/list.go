package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// page is which part of a list a request asks for.
type page struct {
	last string // only what comes after it
	n    int    // at most so many
}

// parsePage reads n and last (spec.md, Listing Tags). Without n, or with one
// over the limit, a page is as long as the limit.
func (s *server) parsePage(query url.Values) (page, error) {
	p := page{last: query.Get("last"), n: s.opts.PageSize}
	if v := query.Get("n"); v != "" {
		n, ok := parseNumber(v)
		if !ok {
			return p, &statusError{
				http.StatusBadRequest,
				oci.Code("PAGINATION_NUMBER_INVALID").With(fmt.Sprintf("%.50q is not a number of entries", v)),
			}
		}
		p.n = int(min(n, int64(p.n)))
	}
	return p, nil
}

// take reads one page of a list, and whether there is more.
func take(list iter.Seq2[string, error], n int) (items []string, more bool, err error) {
	items = []string{}
	if n == 0 {
		return items, false, nil
	}
	for item, err := range list {
		if err != nil {
			return nil, false, err
		}
		if len(items) == n {
			return items, true, nil
		}
		items = append(items, item)
	}
	return items, false, nil
}

// link names the next page (RFC 8288). query has what must stay the same.
func (c *call) link(query url.Values, n int, last string) {
	query.Set("n", fmt.Sprint(n))
	query.Set("last", last)
	c.Header().Set("Link", "<"+c.req.URL.EscapedPath()+"?"+query.Encode()+`>; rel="next"`)
}

// catalog lists the repositories: not of the specification, but of every
// registry.
func (s *server) catalog(c *call) error {
	p, err := s.parsePage(c.req.URL.Query())
	if err != nil {
		return err
	}
	names, more, err := take(s.reg.Repositories(c.ctx(), p.last), p.n)
	if err != nil {
		return err
	}
	if more {
		c.link(url.Values{}, p.n, names[len(names)-1])
	}
	return c.encode("application/json", struct {
		Repositories []string `json:"repositories"`
	}{names})
}

// tags lists the tags of a repository.
func (s *server) tags(c *call) error {
	p, err := s.parsePage(c.req.URL.Query())
	if err != nil {
		return err
	}
	tags, more, err := take(c.repo.Tags(c.ctx(), p.last), p.n)
	if err != nil {
		return err
	}
	if more {
		c.link(url.Values{}, p.n, tags[len(tags)-1])
	}
	return c.encode("application/json", struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{c.repo.Name(), tags})
}

// referrers lists what has the digest as its subject, as an index (spec.md,
// Listing Referrers). No referrers, and no repository, is an empty list.
func (s *server) referrers(c *call) error {
	subject, err := oci.ParseDigest(c.ref)
	if err != nil {
		return err
	}
	query := c.req.URL.Query()
	p, err := s.parsePage(query)
	if err != nil {
		return err
	}
	filter := query.Get("artifactType")
	found, err := collect(c.repo.Referrers(c.ctx(), subject), p.last, filter)
	if err != nil {
		return err
	}
	keep := url.Values{}
	if filter != "" {
		c.Header().Set("OCI-Filters-Applied", "artifactType")
		keep.Set("artifactType", filter)
	}
	if shown := fit(found, p.n); shown < len(found) {
		found = found[:shown]
		if shown > 0 {
			c.link(keep, p.n, found[shown-1].Digest.String())
		}
	}
	return c.encode(oci.MediaTypeImageIndex, struct {
		SchemaVersion int              `json:"schemaVersion"`
		MediaType     string           `json:"mediaType"`
		Manifests     []oci.Descriptor `json:"manifests"`
	}{2, oci.MediaTypeImageIndex, found})
}

// collect returns the referrers of an artifact type, if one is given, after a
// digest, in the order of their digests: the contract has none.
func collect(list iter.Seq2[oci.Descriptor, error], after, artifactType string) ([]oci.Descriptor, error) {
	found := []oci.Descriptor{}
	for d, err := range list {
		if errors.Is(err, oci.ErrNameUnknown) {
			break
		}
		if err != nil {
			return nil, err
		}
		if d.Digest.String() > after && (artifactType == "" || d.ArtifactType == artifactType) {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b oci.Descriptor) int { return strings.Compare(a.Digest.String(), b.Digest.String()) })
	return found, nil
}

// maxReferrers bounds the body of one answer, in bytes: clients refuse a
// manifest over 4 MiB (spec.md, Pushing Manifests), and this is read as one.
const maxReferrers = 2 << 20

// fit returns how many of the descriptors make one page: at most n, and no
// more than the body's bound, but always one where n is not 0.
func fit(found []oci.Descriptor, n int) int {
	size := 0
	for i, d := range found {
		size += 300 // type, digest and punctuation
		for k, v := range d.Annotations {
			size += len(k) + len(v) + 6
		}
		if i == n || i > 0 && size > maxReferrers {
			return i
		}
	}
	return len(found)
}

func (c *call) encode(contentType string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.body(contentType, body)
}
