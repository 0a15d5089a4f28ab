package main

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// loginCommands are for scripts on accounts.
var loginCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// accounts VAR [bearer|open|mute]: a registry with the accounts writer, who
	// may push, and reader, who may not; with a token service; with pulls for
	// everybody; one that takes no pushes from anybody.
	"accounts": cmdAccounts,
	// private FILE...: the files have mode 0600 and are no links.
	"private": cmdPrivate,
	// nowhere TEXT...: no file of the script's directory has the text in it.
	"nowhere": cmdNowhere,
}

// passwords of the accounts. The reader's identity token is "refresh-geheim".
func passwordOf(user string) string {
	return map[string]string{"writer": "w geheim:1", "reader": "r-geheim", "<token>": "refresh-geheim"}[user]
}

// guard is a registry with accounts.
type guard struct {
	kind string
	next http.Handler
}

func cmdAccounts(ts *testscript.TestScript, _ bool, args []string) {
	f, handler := newRegistry(args[0])
	g := &guard{kind: strings.Join(args[1:], ""), next: handler}
	srv := httptest.NewServer(g)
	ts.Defer(srv.Close)
	serveAs(ts, f, srv)
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	user, known := g.user(r)
	switch {
	case r.URL.Path == "/token":
		g.token(w, r)
	case !known && (r.Header.Get("Authorization") != "" || !reading || g.kind != "open"):
		g.refuse(w, r, http.StatusUnauthorized)
	case !reading && g.kind == "mute":
		w.WriteHeader(http.StatusMethodNotAllowed)
	case !reading && user != "writer" && g.kind == "bearer":
		g.refuse(w, r, http.StatusUnauthorized)
	case !reading && user != "writer":
		g.refuse(w, r, http.StatusForbidden)
	case strings.HasPrefix(r.URL.Path, "/v2/secret/") && user != "writer":
		g.refuse(w, r, http.StatusForbidden)
	default:
		g.next.ServeHTTP(w, r)
	}
}

// user returns who a request is from.
func (g *guard) user(r *http.Request) (string, bool) {
	if g.kind == "bearer" {
		user, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer token-of-")
		return user, ok
	}
	user, password, ok := r.BasicAuth()
	return user, ok && password != "" && password == passwordOf(user)
}

func (g *guard) refuse(w http.ResponseWriter, r *http.Request, status int) {
	challenge := `Basic realm="test"`
	if g.kind == "bearer" {
		challenge = `Bearer realm="http://` + r.Host + `/token",service="test"`
	}
	code := oci.ErrDenied
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", challenge)
		code = oci.ErrUnauthorized
	}
	w.WriteHeader(status)
	_, _ = w.Write(oci.EncodeErrors(code.With("no")))
}

// token gives a token to a user, or for an identity token.
func (g *guard) token(w http.ResponseWriter, r *http.Request) {
	user, password, ok := r.BasicAuth()
	if r.Method == http.MethodPost {
		user, password, ok = "reader", passwordOf("reader"), r.PostFormValue("refresh_token") == passwordOf("<token>")
	}
	if !ok || password == "" || password != passwordOf(user) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"token": "token-of-" + user})
}

func cmdPrivate(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		info, err := os.Lstat(ts.MkAbs(name))
		ts.Check(err)
		if info.Mode() != 0o600 {
			ts.Fatalf("%s has mode %v", name, info.Mode())
		}
	}
}

func cmdNowhere(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if slices.ContainsFunc(args, func(s string) bool { return strings.Contains(string(data), s) }) {
			ts.Fatalf("%s has a secret in it", path)
		}
		return err
	}))
}
