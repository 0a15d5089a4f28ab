package signature_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/signature"
	"github.com/airbridge-dev/airbridge/internal/testkit/signer"
)

// shelf serves signatures as a store does, and remembers who asked for what.
type shelf struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
}

// serve makes a store. answer is called for each number.
func serve(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, n int)) *shelf {
	t.Helper()
	s := &shelf{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r)
		s.mu.Unlock()
		n := 0
		_, _ = fmt.Sscanf(filepath.Base(r.URL.Path), "signature-%d", &n)
		if dir := filepath.Base(filepath.Dir(r.URL.Path)); dir != "sha256="+release.Hex() {
			t.Errorf("asked for %s", r.URL)
		}
		answer(w, r, n)
	}))
	t.Cleanup(s.Close)
	return s
}

// holds is a store with these signatures, nil for one that is broken.
func holds(t *testing.T, bodies ...[]byte) *shelf {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		switch {
		case n > len(bodies):
			http.NotFound(w, r)
		case bodies[n-1] == nil:
			w.WriteHeader(http.StatusInternalServerError)
		default:
			_, _ = w.Write(bodies[n-1])
		}
	})
}

// hanging is a store that never answers.
func hanging(t *testing.T) *shelf {
	t.Helper()
	return serve(t, func(_ http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() })
}

func (s *shelf) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func fetchOptions() signature.Options {
	return signature.Options{Transport: &http.Transport{}, UserAgent: "test", Request: time.Hour, All: time.Hour, Now: soon}
}

func fetch(t *testing.T, keys signature.Keys, stores ...string) (signature.Found, error) {
	t.Helper()
	return signature.Fetch(t.Context(), stores, release, keys, fetchOptions())
}

func TestFetchKeepsAllOfOneStore(t *testing.T) {
	a, b := signer.New("a"), signer.New("b")
	keys := given(t, a, b)
	first, second := a.Sign(release), b.Sign(release)
	store := holds(t, first, []byte("garbage"), nil, second)
	found, err := fetch(t, keys, store.URL+"/some/path/")
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Signatures) != 2 || !found.Trusted() || found.Store != store.URL+"/some/path" {
		t.Errorf("found %+v", found)
	}
	if string(found.Signatures[1].Body) != string(second) || found.Best().Fingerprint != a.Fingerprint() {
		t.Errorf("found %+v", found)
	}
}

func TestFetchEndsAtTheFirst(t *testing.T) {
	good := signer.New("good")
	dead, slow := holds(t), hanging(t)
	dead.Close()
	store := holds(t, good.Sign(release))
	found, err := fetch(t, given(t, good), slow.URL, dead.URL, store.URL)
	if err != nil || found.Store != store.URL {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestFetchStopsAfterNine(t *testing.T) {
	good := signer.New("good")
	store := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { _, _ = w.Write(good.Sign(release)) })
	found, err := fetch(t, given(t, good), store.URL)
	if err != nil || len(found.Signatures) != 9 || len(store.requests()) != 9 {
		t.Errorf("%d signatures, %d requests, %v", len(found.Signatures), len(store.requests()), err)
	}
}

func TestFetchFailures(t *testing.T) {
	good, own := signer.New("good"), signer.New("own")
	dead := holds(t)
	endless := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		chunk := make([]byte, 32<<10)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	around := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { http.Redirect(w, r, r.URL.Path, http.StatusFound) })
	elsewhere := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Location", "file:///etc/passwd")
		w.WriteHeader(http.StatusFound)
	})
	forbidden := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusForbidden) })
	unreachable := &signature.UnreachableError{}
	refused := &signature.RefusedError{}
	cases := map[string]struct {
		stores []string
		is     error // ErrUnsigned, ErrNoStore
		as     any
		text   []string
	}{
		"404 everywhere":      {stores: []string{holds(t).URL, holds(t).URL}, is: signature.ErrUnsigned},
		"no store":            {stores: nil, is: signature.ErrNoStore},
		"nobody there":        {stores: []string{holds(t).URL, dead.URL}, as: &unreachable, text: []string{dead.URL, "refused"}},
		"500":                 {stores: []string{holds(t, nil).URL}, as: &unreachable, text: []string{"500 Internal Server Error"}},
		"a proxy refuses":     {stores: []string{forbidden.URL, holds(t).URL}, as: &unreachable, text: []string{"403 Forbidden"}},
		"around and around":   {stores: []string{around.URL}, as: &unreachable, text: []string{"redirects"}},
		"redirected to files": {stores: []string{elsewhere.URL}, as: &unreachable, text: []string{"file"}},
		"garbage":             {stores: []string{holds(t, []byte("<html>")).URL, dead.URL}, as: &refused, text: []string{"signature-1", "<html>", dead.URL}},
		"endless":             {stores: []string{endless.URL}, as: &refused, is: signature.ErrTooLarge},
		"of another release":  {stores: []string{holds(t, good.Sign(other)).URL}, as: &refused, is: signature.ErrOtherRelease},
		"of a stranger":       {stores: []string{holds(t, own.Sign(release)).URL}, as: &refused, is: signature.ErrUnknownKey},
		"no scheme":           {stores: []string{"example.com/signatures"}, as: &unreachable, text: []string{"no http, https or file"}},
		"files elsewhere":     {stores: []string{"file://fileserver/share"}, as: &unreachable, text: []string{"another machine"}},
		"with credentials":    {stores: []string{"ftp://user:secret@example.com/"}, as: &unreachable, text: []string{"ftp://example.com"}},
	}
	dead.Close() // when no other server can get its port any more
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			found, err := fetch(t, given(t, good), c.stores...)
			if err == nil || len(found.Signatures) > 0 {
				t.Fatalf("found %+v", found)
			}
			if c.is != nil && !errors.Is(err, c.is) || c.as != nil && !errors.As(err, c.as) {
				t.Errorf("error %v (%T)", err, err)
			}
			for _, text := range c.text {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("error %q does not say %q", err, text)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q tells a password", err)
			}
		})
	}
}

func TestFetchAgainAfterACut(t *testing.T) {
	good := signer.New("good")
	var once sync.Once
	store := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n > 1 {
			http.NotFound(w, r)
			return
		}
		cut := false
		once.Do(func() { cut = true })
		if cut {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(good.Sign(release))
	})
	if _, err := fetch(t, given(t, good), store.URL); err != nil {
		t.Error(err)
	}
}

// TestFetchIsBounded: neither a silent store nor one that drips may hold a run.
func TestFetchIsBounded(t *testing.T) {
	drips := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	for name, set := range map[string]func(*signature.Options){
		"a request":  func(o *signature.Options) { o.Request = time.Millisecond },
		"everything": func(o *signature.Options) { o.All = time.Millisecond },
	} {
		o := fetchOptions()
		set(&o)
		_, err := signature.Fetch(t.Context(), []string{hanging(t).URL, drips.URL}, release, given(t, signer.New("good")), o)
		unreachable := &signature.UnreachableError{}
		if !errors.As(err, &unreachable) || len(unreachable.Stores) != 2 || !strings.Contains(err.Error(), "no answer within 1ms") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	store := serve(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
		cancel()
		<-r.Context().Done()
	})
	_, err := signature.Fetch(ctx, []string{store.URL}, release, signature.Keys{}, fetchOptions())
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestFetchSendsNoCredentials(t *testing.T) {
	good := signer.New("good")
	target := holds(t, good.Sign(release))
	address := func(s *shelf) string { return strings.Replace(s.URL, "http://", "http://user:secret@", 1) }
	first := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		http.Redirect(w, r, address(target)+r.URL.Path, http.StatusFound)
	})
	found, err := fetch(t, given(t, good), address(first))
	if err != nil || strings.Contains(found.Store, "secret") {
		t.Fatal(found.Store, err)
	}
	for _, r := range append(first.requests(), target.requests()...) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("%s: sent %v", r.URL, r.Header)
		}
	}
}

func TestFetchFromFiles(t *testing.T) {
	good := signer.New("good")
	dir := t.TempDir()
	sub := filepath.Join(dir, "sha256="+release.Hex())
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	store := "file://" + filepath.ToSlash(dir)
	if _, err := fetch(t, given(t, good), store); !errors.Is(err, signature.ErrUnsigned) {
		t.Errorf("empty: %v", err)
	}
	if err := os.Mkdir(filepath.Join(sub, "signature-1"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := fetch(t, given(t, good), store); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a directory: %v", err)
	}
	_ = os.Remove(filepath.Join(sub, "signature-1"))
	if err := os.WriteFile(filepath.Join(sub, "signature-1"), good.Sign(release), 0o644); err != nil {
		t.Fatal(err)
	}
	if found, err := fetch(t, given(t, good), store); err != nil || len(found.Signatures) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestFetchWaitsForATrustedKey: a signature by a key of the payload's own does
// not end the search while a trusted one may come.
func TestFetchWaitsForATrustedKey(t *testing.T) {
	good, own := signer.New("good"), signer.New("own")
	keys, err := given(t, good).Carry(own.Public())
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan struct{})
	selfSigned := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n > 1 {
			close(seen)
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(own.Sign(release))
	})
	trusted := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		<-seen
		if n > 1 {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(good.Sign(release))
	})
	found, err := fetch(t, keys, selfSigned.URL, trusted.URL)
	if err != nil || !found.Trusted() || found.Store != trusted.URL {
		t.Errorf("found %+v, %v", found, err)
	}
	found, err = fetch(t, keys, holds(t, own.Sign(release)).URL)
	if err != nil || found.Trusted() || len(found.Signatures) != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
}
