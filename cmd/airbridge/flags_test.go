package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// cmdSecure makes a registry that speaks TLS with an authority of its own,
// which is written to the file named.
func cmdSecure(ts *testscript.TestScript, _ bool, args []string) {
	f, handler := newRegistry(args[0])
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it are what it is for
	srv.StartTLS()
	ts.Defer(srv.Close)
	serveAs(ts, f, srv)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), ca, 0o600))
}

// cmdTokens makes a registry whose logins are tokens, from a service at the
// same address. It issues one to anybody, and the scopes asked for are among
// the requests.
func cmdTokens(ts *testscript.TestScript, _ bool, args []string) {
	f, handler := newRegistry(args[0])
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			f.log <- "token " + strings.Join(r.URL.Query()["scope"], " ")
			_ = json.NewEncoder(w).Encode(map[string]any{"token": strings.Join(r.URL.Query()["scope"], " "), "expires_in": 300})
		case !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "):
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(oci.EncodeErrors(oci.ErrUnauthorized.With("a token is needed")))
		default:
			handler.ServeHTTP(w, r)
		}
	}))
	ts.Defer(srv.Close)
	serveAs(ts, f, srv)
}

// cmdStrict makes a registry that takes a list only with all of its images, as
// most do.
func cmdStrict(ts *testscript.TestScript, _ bool, args []string) {
	f, handler := newRegistry(args[0])
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.Method == http.MethodPut && lacksChild(f.reg, r, body) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write(oci.EncodeErrors(oci.ErrManifestBlobUnknown.With("blob unknown to registry")))
			return
		}
		handler.ServeHTTP(w, r)
	}))
	ts.Defer(srv.Close)
	serveAs(ts, f, srv)
}

// lacksChild reports whether a request brings a list of which the repository
// does not have every image.
func lacksChild(reg repo.Registry, r *http.Request, body []byte) bool {
	path, _, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	m, err := oci.ParseManifest(r.Header.Get("Content-Type"), body)
	if !found || err != nil || !m.IsIndex() {
		return false
	}
	rp, err := reg.Repo(path)
	for i := 0; err == nil && i < len(m.Manifests); i++ {
		_, err = rp.Resolve(r.Context(), repo.ByDigest(m.Manifests[i].Digest))
	}
	return err != nil
}

// crowd counts the requests that are served at once.
type crowd struct {
	mu        sync.Mutex
	now, peak int
}

func (c *crowd) enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now++
	c.peak = max(c.peak, c.now)
}

func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now--
}

// cmdCrowd makes a registry that counts how many requests it serves at once.
// Each takes a moment before it is answered, so that a client which may send
// more of them does.
func cmdCrowd(ts *testscript.TestScript, _ bool, args []string) {
	f, handler := newRegistry(args[0])
	c := &crowd{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.enter()
		time.Sleep(5 * time.Millisecond)
		c.leave()
		handler.ServeHTTP(w, r)
	}))
	ts.Defer(srv.Close)
	serveAs(ts, f, srv)
	crowds(ts)[args[0]] = c
}

func crowds(ts *testscript.TestScript) map[string]*crowd {
	return ts.Value("crowds").(map[string]*crowd)
}

// cmdPeak requires that the registry never served more requests at once than
// the number, and some at all.
func cmdPeak(ts *testscript.TestScript, _ bool, args []string) {
	c := crowds(ts)[args[0]]
	c.mu.Lock()
	defer c.mu.Unlock()
	most, err := strconv.Atoi(args[1])
	ts.Check(err)
	if c.peak == 0 || c.peak > most {
		ts.Fatalf("%s served %d requests at once, want 1 to %d", args[0], c.peak, most)
	}
}

// cmdMulti pushes a release whose release image is a list of two platforms.
func cmdMulti(ts *testscript.TestScript, _ bool, args []string) {
	f := registries(ts)[args[0]]
	spec := sample.ReleaseSpec{Version: args[1], Repository: f.addr + "/openshift-release-dev/ocp-v4.0-art-dev"}
	releases, components := open(ts, args[0], "openshift-release-dev/ocp-release"), open(ts, args[0], "openshift-release-dev/ocp-v4.0-art-dev")
	m := sample.New(5)
	amd := m.Release(spec)
	spec.Platform = sample.ARM64
	arm := m.Release(spec)
	ts.Check(amd.Push(context.Background(), releases, components))
	ts.Check(arm.Push(context.Background(), releases, components))
	list := sample.NewIndex(sample.Docker, amd.Image, arm.Image)
	ts.Check(list.Push(context.Background(), releases, args[1]+"-multi"))
	ts.Setenv("MULTI", f.addr+"/openshift-release-dev/ocp-release:"+args[1]+"-multi")
	ts.Setenv("MULTI_DIGEST", list.Desc.Digest.String())
}
