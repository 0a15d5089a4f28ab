package server_test

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/server"
)

var linkPattern = regexp.MustCompile(`^<(/v2/[^>]*)>; rel="next"$`)

// walk follows Link from page to page.
func (r *rig) walk(path string, page func(body []byte) int) {
	r.t.Helper()
	for range 100 {
		a := r.want(200, "", r.do("GET", path, nil))
		n := page(a.body)
		link := a.Header.Get("Link")
		if link == "" {
			return
		}
		m := linkPattern.FindStringSubmatch(link)
		if m == nil || n == 0 {
			r.t.Fatalf("link %q after %d entries", link, n)
		}
		path = m[1]
	}
	r.t.Fatal("the pages do not end")
}

func TestTagPages(t *testing.T) {
	r := newRig(t, nil, server.Options{PageSize: 7})
	want := []string{}
	for i := range 20 {
		tag := fmt.Sprintf("v%02d", i)
		want = append(want, tag)
		r.push("a/b", tag, manifest("x"))
	}
	for _, n := range []string{"", "?n=1", "?n=6", "?n=7", "?n=20", "?n=99999999"} {
		got, sizes := []string{}, []int{}
		r.walk("/v2/a/b/tags/list"+n, func(body []byte) int {
			page := decode[struct {
				Name string
				Tags []string
			}](t, body)
			if page.Name != "a/b" {
				t.Errorf("name %q", page.Name)
			}
			got, sizes = append(got, page.Tags...), append(sizes, len(page.Tags))
			return len(page.Tags)
		})
		if !slices.Equal(got, want) || slices.Max(sizes) > 7 {
			t.Errorf("%s: got %q in pages of %v", n, got, sizes)
		}
	}
	a := r.want(200, "", r.do("GET", "/v2/a/b/tags/list?n=0", nil))
	if string(a.body) != `{"name":"a/b","tags":[]}` || a.Header.Get("Link") != "" || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("n=0: %s %v", a.body, a.Header)
	}
	a = r.want(200, "", r.do("GET", "/v2/a/b/tags/list?last=v17", nil))
	if string(a.body) != `{"name":"a/b","tags":["v18","v19"]}` {
		t.Errorf("after v17: %s", a.body)
	}
	r.want(400, "PAGINATION_NUMBER_INVALID", r.do("GET", "/v2/a/b/tags/list?n=-1", nil))
	r.want(404, oci.ErrNameUnknown, r.do("GET", "/v2/none/tags/list", nil))
}

func TestCatalogPages(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	want := []string{"a", "a/b", "b", "c"}
	for _, name := range want {
		r.push(name, "v1", manifest("x"))
	}
	got := []string{}
	r.walk("/v2/_catalog?n=3", func(body []byte) int {
		page := decode[struct{ Repositories []string }](t, body)
		got = append(got, page.Repositories...)
		return len(page.Repositories)
	})
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestReferrers(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	subject := r.push("a", "v1", manifest("subject"))
	want := map[string]string{}
	for i := range 25 {
		kind := "application/x-even"
		if i%2 == 1 {
			kind = "application/x-odd+json"
		}
		d := r.push("a", fmt.Sprintf("r%d", i), fmt.Sprintf(
			`{"schemaVersion":2,"artifactType":%q,"subject":{"digest":%q,"size":1},"annotations":{"i":"%d"}}`, kind, subject, i))
		want[d.String()] = kind
	}
	tests := []struct {
		query, filter string
		count         int
	}{
		{"", "", 25},
		{"?n=4", "", 25},
		{"?artifactType=" + url.QueryEscape("application/x-odd+json"), "artifactType", 12},
		{"?n=5&artifactType=" + url.QueryEscape("application/x-odd+json"), "artifactType", 12},
		{"?artifactType=other", "artifactType", 0},
	}
	for _, tt := range tests {
		path := "/v2/a/referrers/" + subject.String() + tt.query
		a := r.want(200, "", r.do("GET", path, nil))
		if a.Header.Get("Content-Type") != oci.MediaTypeImageIndex || a.Header.Get("Oci-Filters-Applied") != tt.filter {
			t.Errorf("%s: header %v", tt.query, a.Header)
		}
		seen := map[string]bool{}
		r.walk(path, func(body []byte) int {
			page := decode[struct {
				SchemaVersion int
				MediaType     string
				Manifests     []oci.Descriptor
			}](t, body)
			if page.SchemaVersion != 2 || page.MediaType != oci.MediaTypeImageIndex || page.Manifests == nil {
				t.Errorf("not an index: %s", body)
			}
			for _, d := range page.Manifests {
				if seen[d.Digest.String()] || want[d.Digest.String()] != d.ArtifactType || len(d.Annotations) != 1 {
					t.Errorf("got %+v", d)
				}
				seen[d.Digest.String()] = true
			}
			return len(page.Manifests)
		})
		if len(seen) != tt.count {
			t.Errorf("%s: %d referrers, want %d", tt.query, len(seen), tt.count)
		}
	}
	r.want(200, "", r.do("GET", "/v2/none/referrers/"+subject.String(), nil))
	r.want(400, oci.ErrDigestInvalid, r.do("GET", "/v2/a/referrers/v1", nil))
}

// A page stays small enough for clients that read it as a manifest.
func TestReferrersOfManyBytes(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	subject := r.push("a", "v1", manifest("subject"))
	for i := range 5 {
		r.push("a", fmt.Sprintf("r%d", i), fmt.Sprintf(`{"schemaVersion":2,"subject":{"digest":%q,"size":1},"annotations":{"i":"%d%s"}}`,
			subject, i, strings.Repeat("x", 1<<20)))
	}
	total := 0
	r.walk("/v2/a/referrers/"+subject.String(), func(body []byte) int {
		if len(body) > 4<<20 {
			t.Errorf("a page of %d bytes", len(body))
		}
		n := len(decode[struct{ Manifests []oci.Descriptor }](t, body).Manifests)
		total += n
		return n
	})
	if total != 5 {
		t.Errorf("%d referrers", total)
	}
}
