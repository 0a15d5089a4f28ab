package remote

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// session is an upload under way at the registry (spec, Pushing blobs).
type session struct {
	at       *url.URL // where its next request goes
	minChunk int64    // OCI-Chunk-Min-Length
}

// moved takes over the location that an answer gives. A registry behind a
// proxy that ends TLS often names itself with http; it is reached as before.
func (s *session) moved(resp *http.Response) error {
	location := resp.Header.Get("Location")
	if location == "" {
		if s.at != nil {
			return nil
		}
		return requestError(resp.Request, errors.New("the registry gave no upload location"))
	}
	next, err := resp.Request.URL.Parse(location)
	if err != nil {
		return requestError(resp.Request, errors.New("the registry's upload location is not a URL"))
	}
	from := resp.Request.URL
	if next.Scheme == "http" && from.Scheme == "https" && next.Hostname() == from.Hostname() {
		next.Scheme, next.Host = from.Scheme, from.Host
	}
	next.User, next.Fragment = nil, ""
	s.at = next
	if n := parseCount(resp.Header.Get("OCI-Chunk-Min-Length")); n > 0 {
		s.minChunk = n
	}
	return nil
}

// with returns the session's location with the digest that ends it. The rest
// of the query is the registry's and stays as it is.
func (s *session) with(d oci.Digest) *url.URL {
	u := *s.at
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "digest=" + url.QueryEscape(d.String())
	return &u
}

// cancel is a courtesy: what it fails with changes nothing.
func (r *Repo) cancel(ctx context.Context, s *session) {
	if ctx.Err() != nil {
		return
	}
	c := call{method: http.MethodDelete, at: s.at, scope: push(r.path), ok: []int{http.StatusNoContent, http.StatusAccepted, http.StatusOK}}
	_ = r.host.once(ctx, c, nil)
}
