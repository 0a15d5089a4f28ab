package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// slowSource is a registry with one image, whose largest blob comes only half
// before it is told to go on.
type slowSource struct {
	addr    string
	image   *sample.Image
	big     oci.Digest
	reached chan struct{} // closed when half of the blob has been sent
	release chan struct{} // closed by letGo

	near  *fakeRegistry // has the index image that names the image, after catalogOf
	layer oci.Digest    // of that

	mu    sync.Mutex
	sent  int64
	half  int64
	asked []string // the Range of each request for the blob
	blobs int      // requests for any blob
}

func newSlowSource(t *testing.T, bytes int64) *slowSource {
	t.Helper()
	m := sample.New(7)
	big := m.Layer(bytes)
	s := &slowSource{
		image: sample.NewImage(sample.ImageSpec{Layers: []sample.Blob{m.Layer(20_000), big}}),
		big:   big.Desc.Digest, half: big.Desc.Size / 2,
		reached: make(chan struct{}), release: make(chan struct{}),
	}
	reg := registry.New("source", cas.Mem(), kv.Mem(), registry.Options{Now: time.Now})
	rp, err := reg.Repo("team/app")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.image.Push(t.Context(), rp, "v1"); err != nil {
		t.Fatal(err)
	}
	next := server.New(reg, server.Options{Now: time.Now})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(next, w, r) }))
	t.Cleanup(srv.Close)
	t.Cleanup(s.letGo)
	s.addr = srv.Listener.Addr().String()
	return s
}

// serve answers a request, holding up what is sent of the blob.
func (s *slowSource) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
		s.note(r)
	}
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, s.big.String()) {
		w = &slowWriter{w, s, r}
	}
	next.ServeHTTP(w, r)
}

func (s *slowSource) note(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs++
	if strings.HasSuffix(r.URL.Path, s.big.String()) {
		s.asked = append(s.asked, r.Header.Get("Range"))
	}
}

// ranges are those of the requests for the blob so far.
func (s *slowSource) ranges() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.asked...)
}

func (s *slowSource) blobRequests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blobs
}

// letGo lets everything through from now on.
func (s *slowSource) letGo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.release:
	default:
		close(s.release)
	}
}

// allow counts what is sent, and reports how much of n lies before the half.
func (s *slowSource) allow(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := min(int64(n), max(s.half-s.sent, 0))
	crosses := s.sent < s.half && s.sent+int64(n) >= s.half
	s.sent += int64(n)
	if crosses {
		defer close(s.reached)
	}
	return int(before)
}

type slowWriter struct {
	http.ResponseWriter
	s *slowSource
	r *http.Request
}

// Unwrap lets the handler set deadlines.
func (w *slowWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements io.Writer.
func (w *slowWriter) Write(p []byte) (int, error) {
	first := w.s.allow(len(p))
	n, err := w.ResponseWriter.Write(p[:first])
	if err != nil || first == len(p) {
		return n, err
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	select {
	case <-w.s.release:
	case <-w.r.Context().Done():
	}
	rest, err := w.ResponseWriter.Write(p[first:])
	return n + rest, err
}

// mirrorTo is the command that mirrors the image into a directory.
func (s *slowSource) mirrorTo(dir string) []string {
	return []string{"image", "mirror", "--insecure", "--dir=" + dir, s.addr + "/team/app:v1", "file://my/app:v1"}
}

// partial is the file in a directory that the blob is written to.
func (s *slowSource) partial(dir string) string {
	return filepath.Join(dir, "airbridge", "partial", "d-"+s.big.Algorithm()+"-"+s.big.Hex())
}

// check requires that a directory holds the image to the byte.
func (s *slowSource) check(t *testing.T, reg repo.Registry) {
	t.Helper()
	rp, err := reg.Repo("my/app")
	if err != nil {
		t.Fatal(err)
	}
	desc, err := rp.Resolve(t.Context(), repo.ByTag("v1"))
	if err != nil || desc.Digest != s.image.Desc.Digest {
		t.Errorf("my/app:v1 is %s, want %s: %v", desc.Digest, s.image.Desc.Digest, err)
	}
}
