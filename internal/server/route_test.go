package server

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRoute(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0", 64)
	tests := []struct {
		path string
		want route
	}{
		{"/v2", route{kind: routePing}},
		{"/v2/", route{kind: routePing}},
		{"/v2/_catalog", route{kind: routeCatalog}},
		{"/v2/a/tags/list", route{routeTags, "a", ""}},
		{"/v2/a/b/tags/list", route{routeTags, "a/b", ""}},
		{"/v2/a/manifests/v1", route{routeManifest, "a", "v1"}},
		{"/v2/a/manifests/" + digest, route{routeManifest, "a", digest}},
		{"/v2/a/manifests/sha256%3A" + strings.Repeat("0", 64), route{routeManifest, "a", digest}},
		{"/v2/a/blobs/" + digest, route{routeBlob, "a", digest}},
		{"/v2/a/referrers/" + digest, route{routeReferrers, "a", digest}},
		{"/v2/a/blobs/uploads/", route{routeUploads, "a", ""}},
		{"/v2/a/blobs/uploads", route{routeUploads, "a", ""}},
		{"/v2/a/blobs/uploads/id", route{routeUpload, "a", "id"}},
		{"/v2/blobs/uploads/blobs/uploads/id", route{routeUpload, "blobs/uploads", "id"}},
		{"/v2/a/blobs/uploads/manifests/v1", route{routeManifest, "a/blobs/uploads", "v1"}},
		{"/v2/a/tags/list/manifests/list", route{routeManifest, "a/tags/list", "list"}},
		{"/v2/a/manifests/tags/list", route{routeTags, "a/manifests", ""}},
		{"/v2/a//manifests/v1", route{routeManifest, "a/", "v1"}}, // a name that no registry takes
		{"/v2//manifests/v1", route{}},
		{"/v2/manifests/v1", route{}},
		{"/v2/a/manifests/", route{}},
		{"/v2/a/blobs/", route{}},
		{"/v2/a/referrers/", route{}},
		{"/v2/a/tags", route{}},
		{"/v2/a/uploads/id", route{}},
		{"/v2/blobs/uploads/id", route{}},
		{"/v2x/", route{}},
		{"/v1/", route{}},
		{"/", route{}},
		{"", route{}},
		{"/v2/a%2Fb/manifests/v1", route{}},
		{"/v2/a%2fb/manifests/v1", route{}},
	}
	for _, tt := range tests {
		u, err := url.Parse("http://host" + tt.path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseRoute(u)
		if (err != nil) != (tt.want.kind == routeNone) {
			t.Errorf("%s: error %v", tt.path, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(route{})); diff != "" {
			t.Errorf("%s: %s", tt.path, diff)
		}
	}
}

// A route that is found is made of the address and nothing else.
func FuzzParseRoute(f *testing.F) {
	for _, s := range []string{"/v2/", "/v2/a/b/manifests/v1", "/v2/a/blobs/uploads/x", "/v2/../../etc/passwd", "/v2/a%2fb/tags/list", "/v2/a/blobs/uploads"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.Parse("http://host" + s)
		if err != nil {
			return
		}
		rt, err := parseRoute(u)
		if err != nil {
			return
		}
		words := [kinds]string{
			routeManifest: "/manifests/", routeBlob: "/blobs/", routeReferrers: "/referrers/",
			routeTags: "/tags/list", routeUpload: "/blobs/uploads/", routeUploads: "/blobs/uploads",
		}
		if w := words[rt.kind]; w != "" && strings.TrimSuffix(u.Path, "/") != strings.TrimSuffix("/v2/"+rt.name+w+rt.ref, "/") {
			t.Errorf("%q became %+v", u.Path, rt)
		}
	})
}

func BenchmarkParseRoute(b *testing.B) {
	u, _ := url.Parse("http://host/v2/openshift/release-images/manifests/4.12.0-x86_64")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseRoute(u); err != nil {
			b.Fatal(err)
		}
	}
}

// Nothing is allocated for an address: it is read for every request.
func TestParseRouteAllocatesNothing(t *testing.T) {
	u, _ := url.Parse("http://host/v2/openshift/release-images/manifests/4.12.0-x86_64")
	if n := testing.AllocsPerRun(100, func() { _, _ = parseRoute(u) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
