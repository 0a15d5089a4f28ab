package remote_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
)

// listing is a registry that has nothing but lists, in pages of its own order.
func listing(t *testing.T, pages ...string) *remote.Registry {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		var page int
		_, _ = fmt.Sscan(r.URL.Query().Get("page"), &page)
		next := page + 1
		if next == len(pages) && pages[page] == "again" {
			next = 0
		}
		if next < len(pages) {
			w.Header().Set("Link", fmt.Sprintf(`<http://elsewhere.example%s?page=%d&n=1>; rel="next"`, r.URL.Path, next))
		}
		_, _ = fmt.Fprintf(w, `{"tags":[%s],"repositories":[%[1]s]}`, strings.TrimSuffix(pages[page], "again"))
	}))
	t.Cleanup(s.Close)
	return insecure(strings.TrimPrefix(s.URL, "http://"))
}

func TestPagesOfLists(t *testing.T) {
	r := listing(t, `"d","b"`, ``, `"a",null,"c","b"`)
	wantTags(t, mustRepo(t, r, "x"), "a", "b", "c", "d")
	var got []string
	for name, err := range r.Repositories(t.Context(), "b") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, name)
		if name == "c" {
			break
		}
	}
	if !slices.Equal(got, []string{"c"}) {
		t.Errorf("repositories after b, up to c: %q", got)
	}
}

func TestListsInCircles(t *testing.T) {
	for _, err := range mustRepo(t, listing(t, `"a"`, "again"), "x").Tags(t.Context(), "") {
		if err == nil || !strings.Contains(err.Error(), "circles") {
			t.Errorf("error %v, want one about circles", err)
		}
	}
}

// Pages of referrers that never end, and never come again, end in an error.
func TestReferrersWithoutEnd(t *testing.T) {
	entry := fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":1},`, oci.MediaTypeImageManifest, oci.FromBytes([]byte("x")))
	page := `{"manifests":[` + strings.TrimSuffix(strings.Repeat(entry, 3000), ",") + `]}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			w.Header().Set("Link", fmt.Sprintf(`<%s?page=%sx>; rel="next"`, r.URL.Path, r.URL.Query().Get("page")))
			_, _ = fmt.Fprint(w, page)
		}
	}))
	t.Cleanup(s.Close)
	var err error
	for _, err = range mustRepo(t, insecure(strings.TrimPrefix(s.URL, "http://")), "x").Referrers(t.Context(), oci.FromBytes([]byte("subject"))) {
	}
	if err == nil || !strings.Contains(err.Error(), "more than 10000 referrers") {
		t.Errorf("error %v", err)
	}
}

func TestNoCatalog(t *testing.T) {
	r := newRig(t, flaky.Options{Faults: []flaky.Fault{{Path: "_catalog", Do: flaky.Status(404)}}})
	for _, err := range r.registry.Repositories(t.Context(), "") {
		if !strings.Contains(fmt.Sprint(err), "404") || oci.CodeOf(err) != oci.ErrUnsupported {
			t.Errorf("error %v, want unsupported", err)
		}
	}
}

// Referrers are found by the API, or by the tag that we keep where there is none.
func TestReferrers(t *testing.T) {
	for name, faults := range map[string][]flaky.Fault{
		"API": nil,
		"tag": {
			{Path: "/referrers/", Times: -1, Do: flaky.Status(404)},
			{Method: http.MethodPut, Path: "/manifests/", Times: -1, Do: flaky.Header("OCI-Subject", "")},
		},
	} {
		r := newRig(t, flaky.Options{Faults: faults})
		p := mustRepo(t, r.registry, "a")
		subject, _ := pushImage(t, p, nil, "v1")
		for _, n := range []string{"one", "two", "one"} {
			body := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"artifactType":"test/%s","config":%s,"layers":[],"subject":{"mediaType":%q,"digest":%q,"size":%d},"annotations":{"n":%[2]q}}`,
				oci.MediaTypeImageManifest, n, descriptor(oci.MediaTypeImageConfig, []byte(`{"architecture":"amd64","os":"linux"}`)), subject.MediaType, subject.Digest, subject.Size)
			d := oci.Descriptor{MediaType: oci.MediaTypeImageManifest, Digest: oci.FromBytes(body), Size: int64(len(body))}
			if err := p.PutManifest(t.Context(), d, body); err != nil {
				t.Fatal(err)
			}
		}
		var types []string
		for d, err := range p.Referrers(t.Context(), subject.Digest) {
			if err != nil {
				t.Fatal(err)
			}
			types = append(types, d.ArtifactType+d.Annotations["n"])
		}
		slices.Sort(types)
		if want := []string{"test/oneone", "test/twotwo"}; !slices.Equal(types, want) {
			t.Errorf("%s: referrers %q, want %q", name, types, want)
		}
		for d, err := range p.Referrers(t.Context(), oci.FromBytes([]byte("lonely"))) {
			t.Errorf("%s: nobody refers to this, but %v, %v", name, d, err)
		}
	}
}

// A registry's certs.d directory makes it trusted, and nobody else.
func TestCertsDirectory(t *testing.T) {
	r := newRig(t, flaky.Options{TLS: true})
	dir := t.TempDir()
	for _, host := range []string{r.Addr, "other.example"} {
		if err := os.MkdirAll(filepath.Join(dir, host), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: flaky.Certificate()})
	try := func() error {
		c := remote.New(remote.Options{Now: r.Now, Sleep: r.Sleep, CertDirs: []string{dir}})
		return c.Registry(r.Addr).CanPush(t.Context(), "a")
	}
	write(t, filepath.Join(dir, "other.example", "ca.crt"), ca)
	if err := try(); err == nil {
		t.Error("trusted by another host's directory")
	}
	write(t, filepath.Join(dir, r.Addr, "ca.crt"), ca)
	if err := try(); err != nil {
		t.Errorf("not trusted by its own directory: %v", err)
	}
	write(t, filepath.Join(dir, r.Addr, "client.cert"), ca)
	if err := try(); err == nil || !strings.Contains(err.Error(), "client.key") {
		t.Errorf("a client certificate without its key: %v", err)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A proxy is asked for, and used.
func TestProxy(t *testing.T) {
	r := newRig(t, flaky.Options{})
	seen := 0
	c := remote.New(remote.Options{Now: r.Now, Sleep: r.Sleep, Insecure: true, Proxy: func(req *http.Request) (*url.URL, error) {
		seen++
		if req.URL.Host == "registry.example" && req.URL.Scheme == "http" {
			return req.URL.Parse(r.URL)
		}
		return nil, nil
	}})
	_, err := mustRepo(t, c.Registry(r.Addr), "a").Resolve(t.Context(), repo.ByTag("v1"))
	if !oci.IsNotFound(err) || seen == 0 {
		t.Errorf("error %v, proxy asked for %d times", err, seen)
	}
}
