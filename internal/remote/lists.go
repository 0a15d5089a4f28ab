package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// pageSize is asked for in lists; some registries refuse more (peers.md 3).
const pageSize = "1000"

// Bounds of lists: bytes of a page, and pages.
const (
	maxPage  = 32 << 20
	maxPages = 100_000
)

// listAnswer is a page of tags or of repositories; registries put nulls in.
type listAnswer struct {
	Tags         []*string `json:"tags"`
	Repositories []*string `json:"repositories"`
}

// list yields the names after the given one. Everything is read before the
// first is yielded, because the order in which registries list, and what
// "last" means to them, is their own.
func (h *host) list(ctx context.Context, c call, after string, pick func(listAnswer) []*string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var names []string
		err := h.pages(ctx, c, func(body []byte) error {
			var page listAnswer
			if err := json.Unmarshal(body, &page); err != nil {
				return fmt.Errorf("the list is not valid JSON: %w", err)
			}
			names = appendNames(names, pick(page), after)
			return nil
		})
		if err != nil {
			yield("", err)
			return
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if !yield(name, nil) {
				return
			}
		}
	}
}

// appendNames leaves out nulls (Nexus) and digests (Artifactory).
func appendNames(names []string, page []*string, after string) []string {
	for _, name := range page {
		if name != nil && *name > after && !strings.Contains(*name, ":") {
			names = append(names, *name)
		}
	}
	return names
}

// pages reads a list page by page (spec, Listing Tags: the Link header).
func (h *host) pages(ctx context.Context, c call, use func([]byte) error) error {
	whole, err := h.pagesWithin(ctx, c, maxPages, use)
	if err == nil && !whole {
		err = fmt.Errorf("%s %s: more than %d pages", c.method, h.name, maxPages)
	}
	return err
}

// pagesWithin reads at most so many pages, and tells whether these are all.
func (h *host) pagesWithin(ctx context.Context, c call, most int, use func([]byte) error) (whole bool, err error) {
	seen := map[string]bool{}
	for range most {
		resp, body, err := h.fetch(ctx, c, maxPage) //nolint:bodyclose // fetch has closed it
		if err != nil {
			return false, err
		}
		if err := use(body); err != nil {
			return false, &Error{Method: c.method, URL: redact(resp.Request.URL), cause: err}
		}
		next, err := nextPage(resp)
		if err != nil || next == nil {
			return err == nil, err
		}
		if seen[next.String()] {
			return false, &Error{Method: c.method, URL: redact(next), cause: errors.New("the list goes round in circles")}
		}
		seen[next.String()] = true
		c.at = next
	}
	return false, nil
}

// nextPage reads the Link header with rel="next" (RFC 8288); only the path and
// query of it count, because it is the same list of the same registry.
func nextPage(resp *http.Response) (*url.URL, error) {
	for _, line := range resp.Header.Values("Link") {
		target, params, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "<"), ">")
		if !ok || !strings.Contains(strings.ReplaceAll(params, `"`, ""), "rel=next") {
			continue
		}
		next, err := resp.Request.URL.Parse(target)
		if err != nil {
			return nil, fmt.Errorf("the list's next page is no URL: %w", err)
		}
		next.Scheme, next.Host, next.User = resp.Request.URL.Scheme, resp.Request.URL.Host, nil
		return next, nil
	}
	return nil, nil
}

// fetch makes a call and reads its whole answer, which may have limit bytes.
func (h *host) fetch(ctx context.Context, c call, limit int64) (*http.Response, []byte, error) {
	var body []byte
	var answer *http.Response
	err := h.do(ctx, c, func(resp *http.Response) error {
		var err error
		answer = resp
		if body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1)); err != nil {
			return requestError(resp.Request, err)
		}
		if int64(len(body)) > limit {
			return requestError(resp.Request, oci.ErrSizeInvalid.With(fmt.Sprintf("answer is longer than %d bytes", limit)))
		}
		return nil
	})
	return answer, body, err
}
