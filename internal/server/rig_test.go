package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/server"
)

// rig is a server on loopback over a fake, with its access log as events.
type rig struct {
	t      *testing.T
	fake   *fake
	addr   string // host:port
	access chan server.Access
}

// newRig starts a server. reg nil is the fake itself.
func newRig(t *testing.T, reg repo.Registry, o server.Options) *rig {
	t.Helper()
	if reg == nil {
		reg = newFake()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	access := make(chan server.Access, 10000)
	o.Access = func(a server.Access) { access <- a }
	r := newServed(t, server.New(reg, o))
	r.fake, _ = reg.(*fake)
	r.access = access
	return r
}

// newServed starts a server for any handler.
func newServed(t *testing.T, h http.Handler) *rig {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = server.HTTPServer(h)
	srv.Start()
	t.Cleanup(srv.Close)
	return &rig{t: t, addr: srv.Listener.Addr().String()}
}

// in is the rig for a subtest.
func (r *rig) in(t *testing.T) *rig {
	sub := *r
	sub.t = t
	return &sub
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body []byte
	err  error // of reading the body
}

// do sends a request; header has names and values in turn.
func (r *rig) do(method, path string, body io.Reader, header ...string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.addr+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := answer{Response: resp}
	a.body, a.err = io.ReadAll(resp.Body)
	return a
}

// want does a request, checks its status and, for an error, its code.
func (r *rig) want(status int, code oci.Code, a answer) answer {
	r.t.Helper()
	if a.StatusCode != status {
		r.t.Fatalf("%s %s: got %s, want %d\n%s", a.Request.Method, a.Request.URL, a.Status, status, a.body)
	}
	if code == "" || a.Request.Method == http.MethodHead {
		return a
	}
	errs := oci.DecodeErrors(a.body)
	if len(errs) != 1 || errs[0].Code != code || errs[0].Message == "" || a.Header.Get("Content-Type") != "application/json" {
		r.t.Fatalf("%s %s: got body %q (%s), want one error %s", a.Request.Method, a.Request.URL,
			a.body, a.Header.Get("Content-Type"), code)
	}
	return a
}

// push puts a manifest under a tag and returns its digest.
func (r *rig) push(repository, tag, body string) oci.Digest {
	r.t.Helper()
	a := r.do("PUT", "/v2/"+repository+"/manifests/"+tag, strings.NewReader(body), "Content-Type", oci.MediaTypeImageManifest)
	r.want(201, "", a)
	return oci.MustDigest(a.Header.Get("Docker-Content-Digest"))
}

// start opens an upload session and returns its place.
func (r *rig) start(repository string) string {
	r.t.Helper()
	return r.want(202, "", r.do("POST", "/v2/"+repository+"/blobs/uploads/", nil)).Header.Get("Location")
}

// next returns the next finished request of a method.
func (r *rig) next(method string) server.Access {
	for a := range r.access {
		if a.Method == method {
			return a
		}
	}
	panic("unreachable")
}

func decode[T any](t *testing.T, body []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return v
}

// manifest is a manifest without blobs that differs by its note.
func manifest(note string) string {
	return `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageManifest + `","annotations":{"note":"` + note + `"}}`
}

// noise is content of n bytes in which no two pieces are alike.
func noise(n int) []byte {
	out := make([]byte, n)
	x := uint32(2463534242)
	for i := range out {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		out[i] = byte(x)
	}
	return out
}
