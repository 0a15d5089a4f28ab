package server_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// sink is a connection that costs nothing, so that the handler alone is seen.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header              { return s.header }
func (s *sink) Write(p []byte) (int, error)      { return len(p), nil }
func (s *sink) WriteHeader(int)                  {}
func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// hot returns a handler and the path of a manifest and of a small blob in it.
func hot(tb testing.TB) (h http.Handler, manifestPath, blobPath string) {
	reg := registry.New("memory", cas.Mem(), kv.Mem(), registry.Options{Now: time.Now})
	h = server.New(reg, server.Options{Now: time.Now})
	blob := noise(8000)
	d := oci.FromBytes(blob)
	push := func(method, path string, body []byte) {
		req, err := http.NewRequest(method, path, bytes.NewReader(body))
		if err != nil {
			tb.Fatal(err)
		}
		h.ServeHTTP(&sink{http.Header{}}, req)
	}
	push("POST", "/v2/openshift/release/blobs/uploads/?digest="+d.String(), blob)
	push("PUT", "/v2/openshift/release/manifests/4.12.0-x86_64", []byte(manifest("x")))
	return h, "/v2/openshift/release/manifests/4.12.0-x86_64", "/v2/openshift/release/blobs/" + d.String()
}

// A pull's requests allocate little: every allocation shows in the share of a
// bare handler's speed that is reached.
func TestHotPathAllocations(t *testing.T) {
	h, manifestPath, blobPath := hot(t)
	for path, limit := range map[string]float64{manifestPath: 9, blobPath: 9} {
		req, err := http.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := &sink{http.Header{}}
		n := testing.AllocsPerRun(200, func() { h.ServeHTTP(w, req) })
		if len(w.header["Docker-Content-Digest"]) != 1 || n > limit {
			t.Errorf("%s: %v allocations, want at most %v (header %v)", path, n, limit, w.header)
		}
	}
}

func BenchmarkManifest(b *testing.B) {
	h, path, _ := hot(b)
	benchmark(b, h, path)
}

func BenchmarkSmallBlob(b *testing.B) {
	h, _, path := hot(b)
	benchmark(b, h, path)
}

func benchmark(b *testing.B, h http.Handler, path string) {
	req, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		b.Fatal(err)
	}
	w := &sink{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, req)
	}
}
