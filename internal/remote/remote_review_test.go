package remote_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// handled starts a registry that a test writes itself.
func handled(t *testing.T, h http.HandlerFunc) (addr string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// A location holds rights in its query, also one that cannot be understood.
func TestBadLocationIsNotShown(t *testing.T) {
	at := handled(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		w.Header().Set("Location", "https://user:secret@store.test/%zz?X-Amz-Signature=secret")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	p := mustRepo(t, insecure(at), "a")
	_, err := p.OpenBlob(t.Context(), oci.FromBytes([]byte("x")), 0)
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "307") {
		t.Errorf("error %v", err)
	}
}

// What the registry makes of good content is its own fault: the error must not
// say that the source is corrupt.
func TestTakenAsSomethingElse(t *testing.T) {
	wrong := oci.FromBytes([]byte("something else")).String()
	at := handled(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			w.Header().Set("Location", r.URL.Path+"1")
			w.WriteHeader(http.StatusAccepted)
		case http.MethodPut:
			w.Header().Set("Docker-Content-Digest", wrong)
			w.WriteHeader(http.StatusCreated)
		}
	})
	p := mustRepo(t, insecure(at), "a")
	content, desc := randomBlob(1, 1000)
	_, blobErr := p.PutBlob(t.Context(), desc, opener(content), "")
	body := []byte(`{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageIndex + `","manifests":[]}`)
	manifest := oci.Descriptor{MediaType: oci.MediaTypeImageIndex, Digest: oci.FromBytes(body), Size: int64(len(body))}
	manifestErr := p.PutManifest(t.Context(), manifest, body, "t")
	for what, err := range map[string]error{"blob": blobErr, "manifest": manifestErr} {
		_, corrupt := errors.AsType[*repo.CorruptError](err)
		if corrupt || !errors.Is(err, oci.ErrDigestInvalid) || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// An answer that leads nowhere, because the token service has had enough, is
// let go of, and its connection serves the next request.
func TestRefusedAnswersAreClosed(t *testing.T) {
	var connections, tokens atomic.Int32
	s := httptest.NewUnstartedServer(nil)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v2/":
		case "/token":
			if tokens.Add(1)%2 == 0 {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			_, _ = w.Write([]byte(`{"token":"x"}`))
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+s.URL+`/token",service="s"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(strings.Repeat("no ", 10000)))
		}
	})
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	registry := insecure(strings.TrimPrefix(s.URL, "http://"))
	p := mustRepo(t, registry, "a")
	for range 20 {
		if _, _, err := p.Manifest(t.Context(), repo.ByTag("t")); err == nil {
			t.Error("no error")
		}
	}
	if n := connections.Load(); n > 6 {
		t.Errorf("%d connections", n)
	}
}

// A host that did not answer at first is asked again by the next image
// (oc.md W17 d).
func TestFailedPingIsNotKept(t *testing.T) {
	var down atomic.Bool
	at := handled(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case down.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path != "/v2/":
			w.WriteHeader(http.StatusNotFound)
		}
	})
	c := newClock()
	client := remote.New(remote.Options{Insecure: true, Now: c.Now, Sleep: c.Sleep})
	for _, isDown := range []bool{true, false} {
		down.Store(isDown)
		_, err := mustRepo(t, client.Registry(at), "a").Resolve(t.Context(), repo.ByTag("t"))
		if errors.Is(err, oci.ErrManifestUnknown) == isDown {
			t.Errorf("down %v: %v", isDown, err)
		}
	}
}
