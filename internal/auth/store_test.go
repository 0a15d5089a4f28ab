package auth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/airbridge-dev/airbridge/internal/auth"
)

// home is a user's surroundings.
type home struct {
	t   *testing.T
	dir string
	env map[string]string
	run auth.RunHelper
}

func newHome(t *testing.T) *home {
	dir := t.TempDir()
	return &home{t: t, dir: dir, env: map[string]string{"XDG_RUNTIME_DIR": filepath.Join(dir, "run")}}
}

// write makes a file below the home directory and returns its path.
func (h *home) write(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func (h *home) options() auth.Options {
	return auth.Options{Home: h.dir, GOOS: "linux", UID: 1000, Getenv: func(k string) string { return h.env[k] }, Run: h.run}
}

func (h *home) load() *auth.Store {
	h.t.Helper()
	s, err := auth.Load(h.options())
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// entry is one entry of "auths".
func entry(key, userPassword string) string {
	return fmt.Sprintf("%q:{\"auth\":%q}", key, base64.StdEncoding.EncodeToString([]byte(userPassword)))
}

func auths(entries ...string) string { return `{"auths":{` + strings.Join(entries, ",") + `}}` }

// user returns who would log in, "" for nobody.
func user(t *testing.T, s *auth.Store, host, repository string) string {
	t.Helper()
	c, err := s.For(t.Context(), host, repository)
	if err != nil {
		t.Errorf("For(%s, %s): %v", host, repository, err)
	}
	return c.Username
}

func TestSearchOrder(t *testing.T) {
	files := []string{"run/containers/auth.json", ".config/containers/auth.json", ".docker/config.json", ".dockercfg"}
	text := func(name string) string {
		if name == ".dockercfg" {
			return "{" + entry("r.example", name+":p") + "}"
		}
		return auths(entry("r.example", name+":p"))
	}
	for i := range files {
		h := newHome(t)
		for _, name := range files[i:] {
			h.write(name, text(name))
		}
		if got := user(t, h.load(), "r.example", "a"); got != files[i] {
			t.Errorf("with %v the user is from %s", files[i:], got)
		}
	}
	h := newHome(t)
	for _, name := range files {
		h.write(name, text(name))
	}
	h.env["REGISTRY_AUTH_PREFERENCE"] = "docker"
	if got := user(t, h.load(), "r.example", ""); got != ".docker/config.json" {
		t.Errorf("docker is preferred and the user is from %s", got)
	}
	h.env["REGISTRY_AUTH_FILE"] = h.write("named", auths(entry("other.example", "named:p")))
	if got := user(t, h.load(), "r.example", ""); got != "" {
		t.Errorf("the named file is not the only one: user from %s", got)
	}
	o := h.options()
	o.File = h.write("flag", auths(entry("r.example", "flag:p")))
	s, err := auth.Load(o)
	if err != nil || user(t, s, "r.example", "") != "flag" {
		t.Errorf("the flag's file is not believed: %v", err)
	}
}

func TestPlacesOfTheEnvironment(t *testing.T) {
	h := newHome(t)
	h.env["XDG_CONFIG_HOME"] = filepath.Join(h.dir, "xdg")
	h.env["DOCKER_CONFIG"] = filepath.Join(h.dir, "dock")
	h.write("xdg/containers/auth.json", auths(entry("a.example", "xdg:p")))
	h.write("dock/config.json", auths(entry("a.example", "no:p"), entry("b.example", "dock:p")))
	s := h.load()
	if a, b := user(t, s, "a.example", ""), user(t, s, "b.example", ""); a != "xdg" || b != "dock" {
		t.Errorf("users %q and %q, want xdg and dock: the first file with a key wins, key by key", a, b)
	}
	mac := h.options()
	mac.GOOS = "darwin"
	h.env["XDG_CONFIG_HOME"] = ""
	h.write(".config/containers/auth.json", auths(entry("a.example", "mac:p")))
	if s, err := auth.Load(mac); err != nil || user(t, s, "a.example", "") != "mac" {
		t.Errorf("not the file of macOS: %v", err)
	}
}

func TestNamedFilesMustBeGood(t *testing.T) {
	h := newHome(t)
	bad := h.write("bad", "{")
	absent := filepath.Join(h.dir, "absent")
	for _, c := range []struct{ env, flag, want string }{
		{absent, "", "unable to load REGISTRY_AUTH_FILE: stat " + absent},
		{"", absent, "unable to load --registry-config: stat " + absent},
		{"", bad, "not valid JSON"},
		{bad, "", bad},
	} {
		h.env["REGISTRY_AUTH_FILE"] = c.env
		o := h.options()
		o.File = c.flag
		if _, err := auth.Load(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("file %q, environment %q: %v, want %q", c.flag, c.env, err, c.want)
		}
	}
}

func TestLookup(t *testing.T) {
	h := newHome(t)
	h.write(".docker/config.json", auths(
		entry("r.example", "host:p"), entry("r.example/a", "a:p"), entry("r.example/a/b/c", "abc:p"),
		entry("r.example:5000", "port:p"), entry("https://url.example/v1/", "url:p"), entry("http://both.example", "urlform:p"), entry("both.example", "plain:p"),
		entry("https://index.docker.io/v1/", "hub:p"), entry("docker.io/library/special", "special:p"), entry("UPPER.example", "upper:p"), entry("slash.example/", "slash:p"),
	))
	s := h.load()
	for _, c := range []struct{ host, repository, want string }{
		{"r.example", "", "host"},
		{"r.example", "x", "host"},
		{"r.example", "a", "a"},
		{"r.example", "a/b", "a"},
		{"r.example", "a/b/c", "abc"},
		{"r.example", "a/b/c/d", "abc"},
		{"r.example", "ab", "host"},
		{"r.example:5000", "a", "port"},
		{"r.example:5001", "a", ""},
		{"example", "", ""},
		{"url.example", "x/y", "url"},
		{"both.example", "x", "plain"},
		{"docker.io", "library/x", "hub"},
		{"index.docker.io", "x", "hub"},
		{"registry-1.docker.io", "library/x", "hub"},
		{"docker.io", "special", "special"},
		{"registry-1.docker.io", "library/special", "special"},
		{"upper.example", "x", "upper"},
		{"slash.example", "x", "slash"},
	} {
		if got := user(t, s, c.host, c.repository); got != c.want {
			t.Errorf("For(%s, %s) = %q, want %q", c.host, c.repository, got, c.want)
		}
	}
}

func TestEntries(t *testing.T) {
	h := newHome(t)
	h.write(".docker/config.json", `{"auths":{
		"token.example":{"auth":"PHRva2VuPjo=","identitytoken":"refresh"},
		"fields.example":{"username":"u","password":"p"},
		"colon.example":{"auth":"dTpwOnc="},
		"nul.example":{"auth":"dTpwAA=="}}}`)
	s := h.load()
	for host, want := range map[string]auth.Credential{
		"token.example":  {IdentityToken: "refresh"},
		"fields.example": {Username: "u", Password: "p"},
		"colon.example":  {Username: "u", Password: "p:w"},
		"nul.example":    {Username: "u", Password: "p"},
		"none.example":   {},
	} {
		if got, err := s.For(t.Context(), host, "a"); err != nil || got != want {
			t.Errorf("%s: %v, want another: %v", host, err, got == want)
		}
	}
}

func TestBadEntries(t *testing.T) {
	h := newHome(t)
	path := h.write(".docker/config.json", `{"auths":{"base64.example":{"auth":"geheim!"},"colon.example":{"auth":"Z2VoZWlt"},
		"type.example":"geheim","good.example":{"auth":"dTpw"}},"credHelpers":{"evil.example":"../../bin/sh"}}`)
	h.write(".dockercfg", `{"x": geheim}`)
	s := h.load()
	if got := user(t, s, "good.example", ""); got != "u" {
		t.Errorf("the good entry has user %q", got)
	}
	if n := len(s.Warnings()); n != 5 {
		t.Errorf("%d warnings, want 5: %v", n, s.Warnings())
	}
	for _, host := range []string{"base64.example", "colon.example", "type.example", "evil.example"} {
		_, err := s.For(t.Context(), host, "a")
		if w, ok := errors.AsType[auth.Warning](err); !ok || w.Key != host || w.File != path {
			t.Errorf("For(%s): %v, want a warning naming the key", host, err)
		}
	}
	for _, w := range s.Warnings() {
		if strings.Contains(w.Error(), "geheim") || strings.Contains(w.Error(), "Z2VoZWlt") {
			t.Errorf("the warning shows what is in the file: %v", w)
		}
	}
}

func TestWarningsComeInOrder(t *testing.T) {
	h := newHome(t)
	h.write(".docker/config.json", `{"auths":{"a":{"auth":"!"},"b":{"auth":"!"},"c":{"auth":"!"},"d":{"auth":"!"},"e":{"auth":"!"},"f":{"auth":"!"},
		"g":{"auth":"!"},"h":{"auth":"!"},"i":{"auth":"!"},"j":{"auth":"!"},"k":{"auth":"!"},"l":{"auth":"!"}}}`)
	var keys string
	for _, w := range h.load().Warnings() {
		keys += w.Key
	}
	if keys != "abcdefghijkl" {
		t.Errorf("the warnings are of %s", keys)
	}
}

// helpers answer from a table and count.
type helpers struct {
	answers map[string]string // by "name server": JSON, or "!message" for a failure
	calls   atomic.Int32
}

func (h *helpers) run(_ context.Context, call auth.HelperCall) ([]byte, error) {
	h.calls.Add(1)
	answer, ok := h.answers[call.Name+" "+call.Input]
	if !ok {
		return []byte("credentials not found in native keychain\n"), errors.New("exit status 1")
	}
	if message, failed := strings.CutPrefix(answer, "!"); failed {
		return []byte(message), errors.New("exit status 1")
	}
	return []byte(answer), nil
}

func TestHelpers(t *testing.T) {
	h := newHome(t)
	table := &helpers{answers: map[string]string{
		"one own.example":                 `{"ServerURL":"own.example","Username":"own","Secret":"s"}`,
		"one token.example":               `{"Username":"<token>","Secret":"refresh"}`,
		"one broken.example":              "!no display",
		"one text.example":                "hello",
		"all https://index.docker.io/v1/": `{"Username":"hub","Secret":"s"}`,
		"all listed.example":              "!locked",
		"all silent.example":              "!locked",
	}}
	h.run = table.run
	h.write(".docker/config.json", `{"credsStore":"all","auths":{"listed.example":{},"plain.example":{"auth":"dTpw"}},
		"credHelpers":{"own.example":"one","token.example":"one","broken.example":"one","text.example":"one","absent.example":"one"}}`)
	s := h.load()
	if n := table.calls.Load(); n != 0 {
		t.Errorf("%d helpers ran before they were needed", n)
	}
	for host, want := range map[string]string{"own.example": "own", "docker.io": "hub", "plain.example": "u", "absent.example": "", "nobody.example": ""} {
		if got := user(t, s, host, "a/b"); got != want {
			t.Errorf("%s: user %q, want %q", host, got, want)
		}
	}
	if c, err := s.For(t.Context(), "token.example", ""); err != nil || c.IdentityToken != "refresh" || c.Username != "" {
		t.Errorf("token.example: %v, %v", c, err)
	}
	for host, want := range map[string]string{"broken.example": "no display", "text.example": "not JSON", "listed.example": "locked"} {
		_, err := s.For(t.Context(), host, "a")
		if w, ok := errors.AsType[auth.Warning](err); !ok || w.Key != host || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a warning with %q", host, err, want)
		}
	}
	if got := user(t, s, "silent.example", ""); got != "" || len(s.Warnings()) != 1 {
		t.Errorf("a store that fails for a host it does not list: user %q, warnings %v, want none and one", got, s.Warnings())
	}
}

func TestHelpersAreAskedOnce(t *testing.T) {
	h := newHome(t)
	table := &helpers{answers: map[string]string{"one r.example": `{"Username":"u","Secret":"s"}`}}
	h.run = table.run
	h.write(".docker/config.json", `{"credHelpers":{"r.example":"one"}}`)
	s := h.load()
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if got := user(t, s, "r.example", "a"); got != "u" {
				t.Errorf("user %q", got)
			}
		})
	}
	group.Wait()
	if n := table.calls.Load(); n != 1 {
		t.Errorf("the helper ran %d times", n)
	}
}

// Whoever waits for a helper that another request started has nothing to do with
// the end of that request.
func TestHelperOutlivesWhoeverStartedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		table := &helpers{answers: map[string]string{"one r.example": `{"Username":"u","Secret":"s"}`}}
		first, giveUp := context.WithCancel(t.Context())
		h.run = func(ctx context.Context, call auth.HelperCall) ([]byte, error) {
			if table.calls.Load() == 0 {
				table.calls.Add(1)
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return table.run(ctx, call)
		}
		h.write(".docker/config.json", `{"credHelpers":{"r.example":"one"}}`)
		s := h.load()
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := s.For(first, "r.example", "a"); !errors.Is(err, context.Canceled) {
				t.Errorf("the request that ended: %v", err)
			}
		})
		synctest.Wait()
		for range 20 {
			group.Go(func() {
				if got := user(t, s, "r.example", "a"); got != "u" {
					t.Errorf("user %q", got)
				}
			})
		}
		synctest.Wait()
		giveUp()
		group.Wait()
		if n := table.calls.Load(); n != 2 {
			t.Errorf("the helper ran %d times, want one for whoever gave up and one for the others", n)
		}
	})
}

// The real way to run a helper keeps the server's name out of the arguments.
func TestExec(t *testing.T) {
	h := newHome(t)
	script := "#!/bin/sh\nread server\nprintf '{\"Username\":\"%s\",\"Secret\":\"%s\"}' \"$server\" \"$*\"\n"
	if err := os.Chmod(h.write("docker-credential-script", script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", h.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	h.write(".docker/config.json", `{"credHelpers":{"r.example:5000":"script","x.example":"no-such-helper"}}`)
	s := h.load()
	c, err := s.For(t.Context(), "r.example:5000", "a")
	if err != nil || c.Username != "r.example:5000" || c.Password != "get" {
		t.Errorf("the helper was told %q and run with %q, error %v", c.Username, c.Password, err)
	}
	if _, err := s.For(t.Context(), "x.example", ""); err == nil || !strings.Contains(err.Error(), "docker-credential-no-such-helper") {
		t.Errorf("a helper that is not there: %v", err)
	}
}

func TestCredentialsNeverPrint(t *testing.T) {
	for _, c := range []auth.Credential{{Username: "u", Password: "geheim"}, {IdentityToken: "geheim"}} {
		text, err := json.Marshal(map[string]any{"c": c, "p": &c})
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text = fmt.Appendf(text, verb+verb, c, &c)
			text = fmt.Appendf(text, verb, []auth.Credential{c})
		}
		if strings.Contains(string(text), "geheim") || strings.Contains(string(text), "67656865696d") {
			t.Errorf("a secret shows: %s", text)
		}
	}
}

func TestExplain(t *testing.T) {
	h := newHome(t)
	h.write(".docker/config.json", auths(entry("nl.example", "u:geheim\n"), entry("port.example:5000", "u:p"), entry("bare.example", "u:p"), entry("ok.example/a", "u:p")))
	s := h.load()
	for _, c := range []struct{ host, repository, want string }{
		{"nl.example", "a", "newline"},
		{"port.example", "a", `"port.example:5000"`},
		{"port.example:5001", "a", `"port.example:5000"`},
		{"bare.example:443", "", `"bare.example"`},
		{"ok.example", "a/b", `"ok.example/a"`},
		{"none.example", "a", `no credentials for "none.example/a" in `},
		{"ok.example", "b", `no credentials for "ok.example/b" in `},
	} {
		got := s.Explain(c.host, c.repository)
		if !strings.Contains(got, c.want) || (c.want == "") != (got == "") || strings.Contains(got, "geheim") {
			t.Errorf("Explain(%s, %s) = %q, want %q in it", c.host, c.repository, got, c.want)
		}
	}
}

func TestExplainWithoutFiles(t *testing.T) {
	if got := newHome(t).load().Explain("none.example", "a"); got != "" {
		t.Errorf("without any file: %q", got)
	}
}

// Editors on Windows begin a file with a byte order mark.
func TestByteOrderMark(t *testing.T) {
	h := newHome(t)
	h.write(".docker/config.json", "\ufeff"+auths(entry("a.example", "u:p")))
	if cred, err := h.load().For(t.Context(), "a.example", "b"); err != nil || cred.Username != "u" {
		t.Errorf("user %q, %v", cred.Username, err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{"", "{}", auths(entry("a/b", "u:p")), `{"auths":null}`, `{"auths":{"":{"auth":"dTpw"},"/":{},"https://":{}}}`, `[]`, `{"credHelpers":{"a":""}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h := newHome(t)
		h.write(".docker/config.json", text)
		h.write(".dockercfg", text)
		h.run = (&helpers{}).run
		s := h.load()
		for _, host := range []string{"a", "", "docker.io"} {
			_, _ = s.For(t.Context(), host, "b/c")
			_ = s.Explain(host, "b")
		}
	})
}
