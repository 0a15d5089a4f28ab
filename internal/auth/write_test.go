package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/auth"
)

// fileIs checks a file's text and mode.
func fileIs(t *testing.T, path, want string) {
	t.Helper()
	data, err := os.ReadFile(path)
	info, serr := os.Lstat(path)
	if err != nil || serr != nil || string(data) != want {
		t.Errorf("%s is %q, %v, want %q", path, data, err, want)
		return
	}
	if info.Mode() != 0o600 {
		t.Errorf("%s has mode %v, want 0600", path, info.Mode())
	}
}

// nothingElse checks that no temporary or lock file stays.
func nothingElse(t *testing.T, dir string, want int) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != want {
		t.Errorf("%s has %v, %v, want %d files", dir, files, err, want)
	}
}

func TestKeepAndForget(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "containers")
	k := auth.Keeper{Path: filepath.Join(dir, "auth.json")}
	a, ns := key(t, "a.example"), key(t, "a.example/ns")
	for _, at := range []auth.Key{a, ns} {
		if where, err := k.Keep(t.Context(), at, auth.Credential{Username: "u", Password: "p"}); err != nil || where != k.Path {
			t.Fatalf("kept in %q, %v", where, err)
		}
	}
	fileIs(t, k.Path, "{\n\t\"auths\": {\n\t\t\"a.example\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t},\n\t\t\"a.example/ns\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}\n")
	nothingElse(t, dir, 1)
	if c, err := k.Known(t.Context(), ns); err != nil || c.Username != "u" {
		t.Errorf("known: %v, %v", c, err)
	}
	if c, err := k.Known(t.Context(), key(t, "a.example/ns/x")); err != nil || !c.IsZero() {
		t.Errorf("known of a path below: %v, %v", c, err)
	}
	if where, err := k.Forget(t.Context(), a); err != nil || where != k.Path {
		t.Errorf("forgotten in %q, %v", where, err)
	}
	if _, err := k.Forget(t.Context(), a); !errors.Is(err, auth.ErrNotLoggedIn) {
		t.Errorf("forgotten twice: %v", err)
	}
	if keys, err := k.ForgetAll(t.Context()); err != nil || len(keys) != 1 || keys[0] != "a.example/ns" {
		t.Errorf("forgotten: %v, %v", keys, err)
	}
	none := auth.Keeper{Path: filepath.Join(dir, "absent")}
	if _, err := none.Forget(t.Context(), a); !errors.Is(err, auth.ErrNotLoggedIn) {
		t.Errorf("a file that is not there: %v", err)
	}
	nothingElse(t, dir, 1)
}

func TestLinksStay(t *testing.T) {
	dir := t.TempDir()
	plain, link, dangling := filepath.Join(dir, "real"), filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	if err := errors.Join(os.WriteFile(plain, []byte(`{"x":1}`), 0o644), os.Symlink("real", link), os.Symlink("link2", dangling), os.Symlink("made", filepath.Join(dir, "link2"))); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, dangling} {
		if _, err := (auth.Keeper{Path: path}).Keep(t.Context(), key(t, "a"), auth.Credential{Username: "u", Password: "p"}); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v", path, err)
		}
	}
	fileIs(t, plain, "{\n\t\"x\": 1,\n\t\"auths\": {\n\t\t\"a\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}\n")
	fileIs(t, filepath.Join(dir, "made"), "{\n\t\"auths\": {\n\t\t\"a\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}\n")
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	if _, err := (auth.Keeper{Path: filepath.Join(dir, "loop")}).Keep(t.Context(), key(t, "a"), auth.Credential{Username: "u"}); err == nil {
		t.Error("a loop of links was written")
	}
}

// Logins at the same time wait for each other, so that each is there in the end.
func TestConcurrentLogins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.json")
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			at := auth.Key{Host: fmt.Sprintf("r%d.example", i)}
			if _, err := (auth.Keeper{Path: path}).Keep(t.Context(), at, auth.Credential{Username: "u", Password: "p"}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	d, err := auth.ReadDocument(path)
	if err != nil || len(d.Keys()) != 40 {
		t.Errorf("%d logins of 40 are there, %v", len(d.Keys()), err)
	}
}

func TestBrokenFilesStay(t *testing.T) {
	for _, text := range []string{`{"auths":{`, `{"r.example":{"auth":"dTpw"}}`} {
		path := filepath.Join(t.TempDir(), "auth.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		k := auth.Keeper{Path: path}
		_, err := k.Keep(t.Context(), key(t, "a"), auth.Credential{Username: "u", Password: "p"})
		_, err2 := k.Forget(t.Context(), key(t, "r.example"))
		_, err3 := k.ForgetAll(t.Context())
		if err == nil || err2 == nil || err3 == nil {
			t.Errorf("%s was changed: %v, %v, %v", text, err, err2, err3)
		}
		fileIs(t, path, text)
	}
}

// keychain is a credential helper that keeps what it is told.
type keychain struct {
	kept  map[string]string // "name server": JSON of the answer
	calls []string
}

func (k *keychain) run(_ context.Context, c auth.HelperCall) ([]byte, error) {
	k.calls = append(k.calls, c.Name+" "+c.Action+" "+c.Input)
	switch c.Action {
	case "get":
		if answer, ok := k.kept[c.Name+" "+c.Input]; ok {
			return []byte(answer), nil
		}
		return []byte("credentials not found in native keychain\n"), errors.New("exit status 1")
	case "store":
		var in struct{ ServerURL, Username, Secret string }
		if err := json.Unmarshal([]byte(c.Input), &in); err != nil {
			return nil, err
		}
		k.kept[c.Name+" "+in.ServerURL] = c.Input
	case "erase":
		delete(k.kept, c.Name+" "+c.Input)
	}
	return nil, nil
}

func TestHelpersKeepLogins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.json")
	if err := os.WriteFile(path, []byte(`{"auths":{"own.example":{"auth":"b2xkOm9sZA=="}},"credHelpers":{"own.example":"one"},"credsStore":"all"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	chain := &keychain{kept: map[string]string{}}
	k := auth.Keeper{Path: path, Run: chain.run}
	for at, c := range map[string]auth.Credential{"own.example": {Username: "u", Password: `p"w`}, "docker.io": {IdentityToken: "refresh"}} {
		if where, err := k.Keep(t.Context(), key(t, at), c); err != nil || !strings.HasPrefix(where, "docker-credential-") {
			t.Errorf("%s kept in %q, %v", at, where, err)
		}
		s, err := auth.Load(auth.Options{File: path, Run: chain.run})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.For(t.Context(), at, "x/y"); err != nil || got != c {
			t.Errorf("%s: what was kept is not found: %v, %v", at, got, err)
		}
	}
	const want = "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {}\n\t},\n\t\"credHelpers\": {\n\t\t\"own.example\": \"one\"\n\t},\n\t\"credsStore\": \"all\"\n}\n"
	fileIs(t, path, want)
	if _, err := k.Keep(t.Context(), key(t, "plain.example/ns"), auth.Credential{Username: "u", Password: "p"}); err != nil || len(chain.kept) != 2 {
		t.Errorf("a path below a registry was given to the helper: %v, %v", chain.calls, err)
	}
	if where, err := k.Forget(t.Context(), key(t, "own.example")); err != nil || where != "docker-credential-one" || len(chain.kept) != 1 {
		t.Errorf("forgotten in %q, %v", where, err)
	}
	if _, err := k.Forget(t.Context(), key(t, "own.example")); !errors.Is(err, auth.ErrNotLoggedIn) {
		t.Errorf("forgotten twice: %v", err)
	}
	if keys, err := k.ForgetAll(t.Context()); err != nil || len(keys) != 2 || len(chain.kept) != 0 {
		t.Errorf("forgotten: %v, %v; the helper has %v", keys, err, chain.kept)
	}
	fileIs(t, path, "{\n\t\"auths\": {},\n\t\"credHelpers\": {\n\t\t\"own.example\": \"one\"\n\t},\n\t\"credsStore\": \"all\"\n}\n")
}

// A login is kept where it is looked for, also where a file has two names of one
// registry; ten files, because maps have no order.
func TestHelperOfTwoNames(t *testing.T) {
	for range 10 {
		path := filepath.Join(t.TempDir(), "auth.json")
		const text = `{"credHelpers":{"https://index.docker.io/v1/":"two","index.docker.io":"one","docker.io":"zero"}}`
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		chain := &keychain{kept: map[string]string{}}
		login := auth.Credential{Username: "u", Password: "p"}
		if where, err := (auth.Keeper{Path: path, Run: chain.run}).Keep(t.Context(), key(t, "docker.io"), login); err != nil || where != "docker-credential-zero" {
			t.Fatalf("kept in %q, %v", where, err)
		}
		s, err := auth.Load(auth.Options{File: path, Run: chain.run})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.For(t.Context(), "docker.io", "x/y"); err != nil || got != login {
			t.Fatalf("what was kept is not found: %v, %v", got, err)
		}
	}
}

func TestHelpersThatFail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.json")
	const text = `{"credHelpers":{"a.example":"one","b.example":"../x","a.example/ns":"one"}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	k := auth.Keeper{Path: path, Run: func(context.Context, auth.HelperCall) ([]byte, error) {
		return []byte("locked"), errors.New("exit status 1")
	}}
	for at, want := range map[string]string{"a.example": "locked", "b.example": "not the name", "a.example/ns": "whole registry"} {
		_, err := k.Keep(t.Context(), key(t, at), auth.Credential{Username: "u", Password: "geheim"})
		if w, ok := errors.AsType[auth.Warning](err); !ok || w.Key != at || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v, want %q", at, err, want)
		}
	}
	fileIs(t, path, text)
}

func TestWriteNew(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(in("original"), []byte("o"), 0o644), os.Link(in("original"), in("hard")), os.Symlink("original", in("soft")), os.WriteFile(in("old"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		force bool
		want  error
	}{
		{"original", true, auth.ErrSameFile},
		{"hard", true, auth.ErrSameFile},
		{"soft", true, auth.ErrSameFile},
		{"old", false, auth.ErrExists},
		{"old", true, nil},
		{"new", false, nil},
		{"none/new", false, fs.ErrNotExist},
	} {
		err := auth.WriteNew(in(c.name), []byte("n"), c.force, in("missing"), in("original"))
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s, force %v: %v, want %v", c.name, c.force, err, c.want)
		}
	}
	fileIs(t, in("old"), "n")
	fileIs(t, in("new"), "n")
	if data, err := os.ReadFile(in("original")); err != nil || string(data) != "o" {
		t.Errorf("the original is %q, %v", data, err)
	}
	if err := auth.WriteNew(dir, nil, true); err == nil {
		t.Error("a directory was written")
	}
}

func TestDefaultFile(t *testing.T) {
	h := newHome(t)
	if _, err := auth.DefaultFile(h.options()); err == nil {
		t.Error("XDG_RUNTIME_DIR names what is not there, and it was taken")
	}
	if err := os.Mkdir(h.env["XDG_RUNTIME_DIR"], 0o700); err != nil {
		t.Fatal(err)
	}
	check := func(want string, change func(*auth.Options)) {
		t.Helper()
		o := h.options()
		change(&o)
		if got, err := auth.DefaultFile(o); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	check(filepath.Join(h.dir, "run/containers/auth.json"), func(*auth.Options) {})
	check(filepath.Join(h.dir, ".config/containers/auth.json"), func(o *auth.Options) { o.GOOS = "darwin" })
	h.env["REGISTRY_AUTH_FILE"] = "/named"
	check("/named", func(*auth.Options) {})
	check("/flag", func(o *auth.Options) { o.File = "/flag" })
}

func TestOnlyPlainFilesAreReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	socket, err := net.Listen("unix", path)
	if err != nil {
		t.Skip(err)
	}
	defer socket.Close()
	_, kept := auth.Keeper{Path: path}.Keep(t.Context(), key(t, "a.example"), auth.Credential{Username: "u", Password: "p"})
	for what, err := range map[string]error{"keep": kept, "rewrite": auth.Rewrite(path, []byte("x")), "write": auth.WriteNew(path, []byte("x"), true)} {
		if err == nil || !strings.Contains(err.Error(), "this is not a plain file") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().IsRegular() {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
}

func TestALoginAgainClosesTheFile(t *testing.T) {
	k := auth.Keeper{Path: filepath.Join(t.TempDir(), "auth.json")}
	for range 2 {
		if _, err := k.Keep(t.Context(), key(t, "a.example"), auth.Credential{Username: "u", Password: "p"}); err != nil {
			t.Fatal(err)
		}
		fileIs(t, k.Path, "{\n\t\"auths\": {\n\t\t\"a.example\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}\n")
		if err := os.Chmod(k.Path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
