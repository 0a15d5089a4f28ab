package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
)

// cmdProfile starts a model of a real registry product, with the accounts
// pusher:pw and reader:pw, and what exists in it: projects, organisations or
// repositories.
func cmdProfile(ts *testscript.TestScript, _ bool, args []string) {
	o, err := flaky.Profile(args[1], args[2:]...)
	ts.Check(err)
	f, _ := newRegistry(args[0])
	o.Backend = f.reg
	o.Seen = func(r *http.Request) { f.log <- r.Method + " " + r.URL.RequestURI() }
	srv := flaky.Run(o)
	ts.Defer(srv.Stop)
	f.addr = srv.Addr
	registries(ts)[args[0]] = f
	ts.Setenv(args[0], f.addr)
}

// cmdAccount writes a credentials file for one account.
func cmdAccount(ts *testscript.TestScript, _ bool, args []string) {
	user, password, given := strings.Cut(args[2], ":")
	if !given {
		password = flaky.Password
	}
	login := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	text := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, args[1], login)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
