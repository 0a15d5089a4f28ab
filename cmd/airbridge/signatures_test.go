package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
	"github.com/airbridge-dev/airbridge/internal/testkit/signer"
)

// signatureCommands are what scripts on release signatures say besides.
var signatureCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"signer":       cmdSigner,      // signer NAME [expired|revoked]: makes a key pair, NAME.asc
	"sigstore":     cmdSigStore,    // sigstore VAR: starts a signature store over the directory VAR, VAR=its address
	"sign":         cmdSign,        // sign NAME DIGEST FILE: signs an image
	"signed":       cmdSigned,      // signed VAR version STORE[,STORE] NAME...: pushes a release with these keys and stores, RELEASE, RELEASE_DIGEST
	"signed-multi": cmdSignedMulti, // signed-multi VAR version STORE NAME...: the same of two platforms, MULTI, MULTI_DIGEST, CHILD_DIGEST
}

func signers(ts *testscript.TestScript) map[string]*signer.Signer {
	return ts.Value("signers").(map[string]*signer.Signer)
}

func cmdSigner(ts *testscript.TestScript, _ bool, args []string) {
	s := signer.New(args[0])
	switch {
	case len(args) > 1 && args[1] == "expired":
		s = signer.NewFor(args[0], 10*24*time.Hour)
	case len(args) > 1:
		s.Revoke()
	}
	signers(ts)[args[0]] = s
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".asc"), s.Public(), 0o644))
}

// cmdSigStore serves a directory of the script, so that a script fills and
// changes the store with files. A file "hang" makes it silent, "broken" fail.
func cmdSigStore(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	var mu sync.Mutex
	asked := 0
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked++
		_ = os.WriteFile(filepath.Join(dir, "asked"), fmt.Append(nil, asked, "\n"), 0o644)
		mu.Unlock()
		switch {
		case r.Header.Get("Authorization") != "":
			w.WriteHeader(http.StatusTeapot)
		case has("broken"):
			w.WriteHeader(http.StatusInternalServerError)
		default:
			http.ServeFile(w, r, filepath.Join(dir, filepath.FromSlash(r.URL.Path)))
		}
	}))
	ts.Defer(srv.Close)
	ts.Setenv(args[0], srv.URL)
}

func cmdSign(ts *testscript.TestScript, _ bool, args []string) {
	d, err := oci.ParseDigest(args[1])
	ts.Check(err)
	name := ts.MkAbs(args[2])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
	ts.Check(os.WriteFile(name, signers(ts)[args[0]].Sign(d), 0o644))
}

func signedSpec(ts *testscript.TestScript, args []string) sample.ReleaseSpec {
	spec := sample.ReleaseSpec{
		Version: args[1], Components: 3, Stores: strings.Split(args[2], ","),
		Repository: registries(ts)[args[0]].addr + "/openshift-release-dev/ocp-v4.0-art-dev",
	}
	for _, name := range args[3:] {
		spec.Rings = append(spec.Rings, signers(ts)[name].Public())
	}
	return spec
}

func cmdSigned(ts *testscript.TestScript, _ bool, args []string) {
	r := sample.New(11).Release(signedSpec(ts, args))
	releases, components := open(ts, args[0], "openshift-release-dev/ocp-release"), open(ts, args[0], "openshift-release-dev/ocp-v4.0-art-dev")
	ts.Check(r.Push(context.Background(), releases, components))
	ts.Setenv("RELEASE", registries(ts)[args[0]].addr+"/openshift-release-dev/ocp-release:"+r.Tag())
	setDigest(ts, "RELEASE", r.Image.Desc.Digest)
}

func cmdSignedMulti(ts *testscript.TestScript, _ bool, args []string) {
	m, spec := sample.New(12), signedSpec(ts, args)
	amd := m.Release(spec)
	spec.Platform = sample.ARM64
	arm := m.Release(spec)
	releases, components := open(ts, args[0], "openshift-release-dev/ocp-release"), open(ts, args[0], "openshift-release-dev/ocp-v4.0-art-dev")
	ts.Check(amd.Push(context.Background(), releases, components))
	ts.Check(arm.Push(context.Background(), releases, components))
	list := sample.NewIndex(sample.Docker, amd.Image, arm.Image)
	ts.Check(list.Push(context.Background(), releases, args[1]+"-multi"))
	ts.Setenv("MULTI", registries(ts)[args[0]].addr+"/openshift-release-dev/ocp-release:"+args[1]+"-multi")
	setDigest(ts, "MULTI", list.Desc.Digest)
	setDigest(ts, "CHILD", amd.Image.Desc.Digest)
}

// setDigest sets NAME_DIGEST, NAME_HEX, and NAME_HEX16 as file names have it.
func setDigest(ts *testscript.TestScript, name string, d oci.Digest) {
	ts.Setenv(name+"_DIGEST", d.String())
	ts.Setenv(name+"_HEX", d.Hex())
	ts.Setenv(name+"_HEX16", d.Hex()[:16])
}
