package remote_test

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
)

func TestLogins(t *testing.T) {
	content, desc := randomBlob(5, 100_000)
	for name, login := range map[string]*flaky.Login{
		"basic":            {User: "u", Password: "p:w"},
		"bearer":           {User: "u", Password: "p:w", Bearer: true},
		"bearer runs out":  {User: "u", Password: "p:w", Bearer: true, Uses: 1},
		"no delete":        {User: "u", Password: "p:w", Bearer: true, NoDelete: true},
		"public":           {Bearer: true, Anonymous: true},
		"short-lived":      {User: "u", Password: "p:w", Bearer: true, ExpiresIn: 1},
		"without lifetime": {User: "u", Password: "p:w", Bearer: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, flaky.Options{Login: login})
			if login.Anonymous {
				r.preload(t, "a/b", content, "v1")
			} else {
				pushImage(t, mustRepo(t, r.registry, "a/b"), [][]byte{content}, "v1")
			}
			if got, err := readBlob(t, mustRepo(t, r.registry, "a/b"), desc.Digest, 0); err != nil || len(got) != len(content) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
			if _, err := mustRepo(t, r.registry, "a/b").Resolve(t.Context(), repo.ByTag("v1")); err != nil {
				t.Error(err)
			}
		})
	}
}

// One token serves many requests at once, and a token to push serves pulls.
func TestTokensAreShared(t *testing.T) {
	login := &flaky.Login{User: "u", Password: "p", Bearer: true, ExpiresIn: 300}
	r := newRig(t, flaky.Options{Login: login})
	p := mustRepo(t, r.registry, "a")
	pushImage(t, p, nil, "v1")
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, err := p.Resolve(t.Context(), repo.ByTag("v1")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := login.Tokens(); len(got) != 1 {
		t.Errorf("tokens for %q, want one", got)
	}
	_ = r.Sleep(t.Context(), 5*time.Minute)
	if _, err := p.Resolve(t.Context(), repo.ByTag("v1")); err != nil {
		t.Error(err)
	}
	if got := login.Tokens(); len(got) != 2 {
		t.Errorf("tokens for %q after the first ran out, want two", got)
	}
}

func TestMountScopes(t *testing.T) {
	for _, single := range []bool{false, true} {
		login := &flaky.Login{User: "u", Password: "p", Bearer: true, OneScope: single}
		r := newRig(t, flaky.Options{Login: login}, func(o *remote.Options) { o.SkipMultipleScopes = single })
		content, desc := randomBlob(6, 1000)
		pushImage(t, mustRepo(t, r.registry, "from"), [][]byte{content})
		if _, err := mustRepo(t, r.registry, "to").PutBlob(t.Context(), desc, opener(content), "from"); err != nil {
			t.Errorf("one scope %t: %v", single, err)
		}
		both := slices.Contains(login.Tokens(), "repository:to:pull,push repository:from:pull")
		if both == single {
			t.Errorf("one scope %t: tokens for %q", single, login.Tokens())
		}
	}
}

// A registry whose tokens need "delete" says so, and gets to be asked for it.
func TestDeleteScope(t *testing.T) {
	login := &flaky.Login{User: "u", Password: "p", Bearer: true}
	r := newRig(t, flaky.Options{Login: login})
	p := mustRepo(t, r.registry, "a")
	image, _ := pushImage(t, p, nil, "v1")
	if err := p.DeleteManifest(t.Context(), image.Digest); err != nil {
		t.Errorf("%v; tokens for %q", err, login.Tokens())
	}
}

func TestIdentityToken(t *testing.T) {
	login := &flaky.Login{Bearer: true, Identity: "refresh"}
	r := newRig(t, flaky.Options{Login: login}, func(o *remote.Options) {
		o.Credentials = helperStore(t, "<token>", "refresh")
	})
	pushImage(t, mustRepo(t, r.registry, "a"), nil, "v1")
}

// A refused login is told as such once, with what is known about the cause.
func TestRefusedLogin(t *testing.T) {
	for _, bearer := range []bool{false, true} {
		r := newRig(t, flaky.Options{Login: &flaky.Login{User: "u", Password: "right", Bearer: bearer}})
		for name, c := range map[string]struct{ key, secret, want string }{
			"newline":    {r.Addr, "u:right\n", "newline"},
			"wrong":      {r.Addr, "u:wrong", `"` + r.Addr + `"`},
			"other port": {"127.0.0.1:1", "u:right", `"127.0.0.1:1"`},
			"no port":    {"127.0.0.1", "u:right", `"127.0.0.1"`},
		} {
			client := remote.New(remote.Options{Now: r.Now, Sleep: r.Sleep, Insecure: true, Credentials: credentials(t, c.key, c.secret)})
			_, err := mustRepo(t, client.Registry(r.Addr), "a").Resolve(t.Context(), repo.ByTag("v1"))
			if !errors.Is(err, oci.ErrUnauthorized) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "401 Unauthorized") {
				t.Errorf("bearer %t, %s: error %v, want 401 and %s", bearer, name, err, c.want)
			}
			if strings.Contains(err.Error(), "right") || strings.Contains(err.Error(), b64(c.secret)) {
				t.Errorf("%s: the error shows the secret: %v", name, err)
			}
			if err := client.Registry(r.Addr).CanPush(t.Context(), "a"); !errors.Is(err, oci.ErrUnauthorized) {
				t.Errorf("%s: CanPush = %v, want unauthorized", name, err)
			}
		}
		if r.total() != 0 {
			t.Errorf("bearer %t: refused logins were tried again for %s", bearer, r.total())
		}
	}
}

// Nobody but the registry sees credentials: not the host of a redirect, not
// that of an upload's location.
func TestCredentialsStayAtHome(t *testing.T) {
	content, desc := randomBlob(7, 50_000)
	elsewhere := newRig(t, flaky.Options{})
	elsewhere.preload(t, "a", content)
	redirect := flaky.Fault{Method: http.MethodGet, Path: "/blobs/", Do: flaky.Status(307, "Location", elsewhere.URL+"/v2/a/blobs/"+desc.Digest.String())}
	login := &flaky.Login{User: "u", Password: "p", Bearer: true}
	r := newRig(t, flaky.Options{Login: login, Faults: []flaky.Fault{redirect}})
	if got, err := readBlob(t, mustRepo(t, r.registry, "a"), desc.Digest, 0); err != nil || len(got) != len(content) {
		t.Errorf("read %d bytes by a redirect, error %v", len(got), err)
	}
	location := startUpload(t, elsewhere.URL+"/v2/b/blobs/uploads/")
	r.Script.Add(flaky.Fault{Method: http.MethodPost, Do: flaky.Status(202, "Location", location)})
	if _, err := mustRepo(t, r.registry, "b").PutBlob(t.Context(), desc, opener(content), ""); err != nil {
		t.Errorf("upload to another host: %v", err)
	}
	seen := 0
	for _, q := range elsewhere.Requests() {
		if q.Agent == "airbridge" {
			seen++
			if q.Auth != "" {
				t.Errorf("%s %s got %s credentials", q.Method, q.Path, q.Auth)
			}
		}
	}
	if seen < 2 {
		t.Errorf("%d requests went elsewhere, want 2 or more", seen)
	}
}

func startUpload(t *testing.T, target string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	location, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	return location.String()
}

// A registry with https cannot have its credentials sent to a token service
// without.
func TestPlainTokenService(t *testing.T) {
	login := &flaky.Login{User: "u", Password: "p", Bearer: true, Realm: "http://127.0.0.1:1/token"}
	r := newRig(t, flaky.Options{TLS: true, Login: login}, trusting)
	_, err := mustRepo(t, r.registry, "a").Resolve(t.Context(), repo.ByTag("v1"))
	if err == nil || !strings.Contains(err.Error(), "not https") {
		t.Errorf("error %v, want one about https", err)
	}
}

// trusting makes a client trust the certificate of httptest's servers.
func trusting(o *remote.Options) { o.CAs = [][]byte{testCA}; o.Insecure = false }

var testCA = func() []byte {
	s := flaky.Certificate()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s})
}()

func TestTLS(t *testing.T) {
	careful := func(o *remote.Options) { o.Insecure = false }
	for name, test := range map[string]struct {
		tls    bool
		change func(*remote.Options)
		want   string // in the error, "" for success
		warn   string
	}{
		"own authority":           {true, trusting, "", ""},
		"unknown authority":       {true, careful, "certificate", ""},
		"unknown, insecure":       {true, func(*remote.Options) {}, "", "not verified"},
		"plain http":              {false, careful, "does not speak TLS", ""},
		"plain http, insecure":    {false, func(*remote.Options) {}, "", "plain http"},
		"bad authority file":      {true, func(o *remote.Options) { o.CAs = [][]byte{[]byte("x")} }, "no PEM certificate", ""},
		"own authority, insecure": {true, func(o *remote.Options) { o.CAs = [][]byte{testCA} }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			login := &flaky.Login{User: "u", Password: "p"}
			r := newRig(t, flaky.Options{TLS: test.tls, Login: login}, test.change)
			err := r.registry.CanPush(t.Context(), "a")
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
			if test.want != "" && r.total() > 0 {
				t.Errorf("tried again for %s", r.total())
			}
			switch {
			case test.warn == "" && len(r.warnings) > 0:
				t.Errorf("warnings %v, want none", r.warnings)
			case test.warn != "" && (len(r.warnings) != 1 || r.warnings[0].Host != r.Addr || !strings.Contains(r.warnings[0].Message, test.warn)):
				t.Errorf("warnings %v, want one for %s: %s", r.warnings, r.Addr, test.warn)
			}
			for _, q := range r.Requests() {
				if test.want != "" && q.Auth != "" {
					t.Errorf("%s %s got credentials", q.Method, q.Path)
				}
			}
		})
	}
}

// A registry behind a proxy that ends TLS names itself with http.
func TestLocationOfProxiedRegistry(t *testing.T) {
	login := &flaky.Login{User: "u", Password: "p"}
	r := newRig(t, flaky.Options{TLS: true, Login: login}, trusting)
	content, desc := randomBlob(8, 1000)
	session, err := url.Parse(startUploadAs(t, r, "a"))
	if err != nil {
		t.Fatal(err)
	}
	session.Scheme = "http"
	session.Host = r.Addr
	r.Script.Add(flaky.Fault{Method: http.MethodPost, Times: -1, Do: flaky.Status(202, "Location", session.String())})
	if _, err := mustRepo(t, r.registry, "a").PutBlob(t.Context(), desc, opener(content), ""); err != nil {
		t.Error(err)
	}
}

// startUploadAs opens a session past the client and returns its location.
func startUploadAs(t *testing.T, r *rig, name string) string {
	t.Helper()
	up, ok := mustRepo(t, r.Registry, name).(repo.Uploader)
	if !ok {
		t.Fatal("the registry has no upload sessions")
	}
	u, err := up.StartUpload(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	id := u.ID()
	if err := u.Suspend(); err != nil {
		t.Fatal(err)
	}
	return r.URL + "/v2/" + name + "/blobs/uploads/" + id
}

func TestBadEntryMattersWhereItIsNeeded(t *testing.T) {
	r := newRig(t, flaky.Options{Login: &flaky.Login{User: "u", Password: "p"}}, func(o *remote.Options) {
		o.Credentials = storeOf(t, `{"auths":{"127.0.0.1":{"auth":"!"},"other.example":{"auth":"!"}}}`)
	})
	if _, err := mustRepo(t, r.registry, "a").Resolve(t.Context(), repo.ByTag("v1")); !errors.Is(err, oci.ErrUnauthorized) {
		t.Errorf("another host's bad entry: %v, want unauthorized", err)
	}
	bad := remote.New(remote.Options{Now: r.Now, Sleep: r.Sleep, Insecure: true, Credentials: storeOf(t, `{"auths":{"`+r.Addr+`":{"auth":"!"}}}`)})
	_, err := mustRepo(t, bad.Registry(r.Addr), "a").Resolve(t.Context(), repo.ByTag("v1"))
	if w, ok := errors.AsType[auth.Warning](err); !ok || w.Key != r.Addr {
		t.Errorf("own bad entry: %v, want a warning that names it", err)
	}
}
