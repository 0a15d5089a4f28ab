package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
	"github.com/airbridge-dev/airbridge/internal/testkit/signer"
)

// commands are what the scripts can say. Those that make content take the
// environment variable of a registry and set others with digests.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"registry": cmdRegistry, // registry VAR [user:password]: starts one, VAR=host:port
	"image":    cmdImage,    // image VAR repository tag [seed]: pushes an image, DIGEST_tag
	"list":     cmdList,     // list VAR repository tag [seed]: pushes a two-platform list, DIGEST_tag
	"release":  cmdRelease,  // release VAR version: pushes a release as quay.io has it, RELEASE=ref, COMPONENT=digest
	"same":     cmdSame,     // same VAR1/repo:tag VAR2/repo:tag: the digests are equal
	"has":      cmdHas,      // [!] has VAR repository tag|digest
	"exits":    cmdExits,    // exits CODE program args...: runs it, requires the exit code
	"requests": cmdRequests, // requests VAR: writes the requests since the last call to the file "requests"
	"start":    cmdStart,    // start VAR program args...: runs a server until the script ends, VAR=its address
	"forget":   cmdForget,   // forget VAR repository digest: deletes a manifest
	"break":    cmdBreak,    // break FILE: flips a byte in the middle
	"chop":     cmdChop,     // chop FILE: cuts the second half off
	"secure":   cmdSecure,   // secure VAR FILE: starts a registry with TLS, its authority in FILE
	"tokens":   cmdTokens,   // tokens VAR: starts a registry with a token service
	"readers":  cmdReaders,  // readers VAR: starts a registry where reader:pw may pull and writer:pw may push
	"strict":   cmdStrict,   // strict VAR: starts a registry that takes no list without all of its images
	"crowd":    cmdCrowd,    // crowd VAR: starts a registry that counts requests at once
	"peak":     cmdPeak,     // peak VAR N: it never served more than N at once
	"offer":    cmdOffer,    // offer VAR channel arch version image|status: an update service has a release or fails, VAR=its URL
	"save":     cmdSave,     // save VAR channel arch FILE: the update service's answer
	"asked":    cmdAsked,    // asked VAR: writes what the update service was asked since the last call to the file "asked"
	"multi":    cmdMulti,    // multi VAR version: pushes a release of two platforms, MULTI=ref
	"attach":   cmdAttach,   // attach VAR repository tag|digest: signs it as cosign does, SIG and BUNDLE
	"referred": cmdReferred, // [!] referred VAR repository tag: BUNDLE is listed as its referrer
	"profile":  cmdProfile,  // profile VAR PRODUCT [existing...]: starts a model of a registry product, accounts pusher:pw and reader:pw
	"account":  cmdAccount,  // account FILE HOST user[:password]: a credentials file, by default with the password of profiles
}

// raceOptions lets a program that was built with the race detector end at once;
// else each waits for a second, in case another thread still has a race to tell.
const raceOptions = "atexit_sleep_ms=10"

// setup gives each script a home of its own and no credentials of ours.
func setup(env *testscript.Env) error {
	home := env.WorkDir + "/home"
	env.Setenv("HOME", home)
	env.Setenv("XDG_RUNTIME_DIR", home)
	env.Setenv("TMPDIR", env.WorkDir+"/tmp")
	env.Setenv("GORACE", raceOptions)
	env.Values["registries"] = map[string]*fakeRegistry{}
	env.Values["services"] = map[string]*updateService{}
	env.Values["crowds"] = map[string]*crowd{}
	env.Values["signers"] = map[string]*signer.Signer{}
	return os.MkdirAll(home, 0o755)
}

// fakeRegistry is our own server over memory, with a record of its requests.
type fakeRegistry struct {
	reg  repo.Registry
	addr string
	log  chan string
}

func cmdRegistry(ts *testscript.TestScript, _ bool, args []string) {
	f, handler := newRegistry(args[0])
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(args) > 1 && !authorized(r, args[1]) {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(oci.EncodeErrors(oci.ErrUnauthorized.With("authentication required")))
			return
		}
		handler.ServeHTTP(w, r)
	}))
	ts.Defer(srv.Close)
	serveAs(ts, f, srv)
}

// newRegistry makes a registry in memory, and a handler that serves it and
// records the requests.
func newRegistry(name string) (*fakeRegistry, http.Handler) {
	f := &fakeRegistry{log: make(chan string, 100000)}
	f.reg = registry.New(name, cas.Mem(), kv.Mem(), registry.Options{Now: time.Now})
	handler := server.New(f.reg, server.Options{Now: time.Now})
	return f, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.log <- r.Method + " " + r.URL.RequestURI()
		handler.ServeHTTP(w, r)
	})
}

// serveAs makes a started server known to the script by its registry's name.
func serveAs(ts *testscript.TestScript, f *fakeRegistry, srv *httptest.Server) {
	f.addr = srv.Listener.Addr().String()
	registries(ts)[f.reg.Name()] = f
	ts.Setenv(f.reg.Name(), f.addr)
}

func authorized(r *http.Request, login string) bool {
	user, password, _ := r.BasicAuth()
	return user+":"+password == login
}

func registries(ts *testscript.TestScript) map[string]*fakeRegistry {
	return ts.Value("registries").(map[string]*fakeRegistry)
}

func open(ts *testscript.TestScript, name, path string) repo.Repo {
	f := registries(ts)[name]
	if f == nil {
		ts.Fatalf("no registry %s", name)
	}
	rp, err := f.reg.Repo(path)
	ts.Check(err)
	return rp
}

func seeded(args []string) *sample.Maker {
	seed := uint64(1)
	if len(args) > 3 {
		_, _ = fmt.Sscan(args[3], &seed)
	}
	return sample.New(seed)
}

func newImage(m *sample.Maker, p oci.Platform) *sample.Image {
	return sample.NewImage(sample.ImageSpec{Platform: p, Layers: []sample.Blob{m.Layer(20000), m.Layer(40000)}})
}

func push(ts *testscript.TestScript, im *sample.Image, args []string) {
	ts.Check(im.Push(context.Background(), open(ts, args[0], args[1]), args[2]))
	ts.Setenv("DIGEST_"+args[2], im.Desc.Digest.String())
	for i, child := range im.Children {
		ts.Setenv(fmt.Sprintf("CHILD%d_%s", i, args[2]), child.Desc.Digest.String())
	}
}

func cmdImage(ts *testscript.TestScript, _ bool, args []string) {
	push(ts, newImage(seeded(args), sample.AMD64), args)
}

func cmdList(ts *testscript.TestScript, _ bool, args []string) {
	m := seeded(args)
	push(ts, sample.NewIndex(sample.Docker, newImage(m, sample.AMD64), newImage(m, sample.ARM64)), args)
}

func cmdRelease(ts *testscript.TestScript, _ bool, args []string) {
	f := registries(ts)[args[0]]
	r := sample.New(3).Release(sample.ReleaseSpec{Version: args[1], Repository: f.addr + "/openshift-release-dev/ocp-v4.0-art-dev"})
	ts.Check(r.Push(context.Background(), open(ts, args[0], "openshift-release-dev/ocp-release"), open(ts, args[0], "openshift-release-dev/ocp-v4.0-art-dev")))
	ts.Setenv("RELEASE", f.addr+"/openshift-release-dev/ocp-release:"+r.Tag())
	ts.Setenv("RELEASE_DIGEST", r.Image.Desc.Digest.String())
	ts.Setenv("RELEASE_TAG", r.Tag())
	ts.Setenv("COMPONENT", r.Components[1].Image.Desc.Digest.String())
}

// digestOf reads VAR/repo:tag.
func digestOf(ts *testscript.TestScript, at string) oci.Digest {
	name, rest, _ := strings.Cut(at, "/")
	path, tag, _ := strings.Cut(rest, ":")
	desc, _, err := open(ts, name, path).Manifest(context.Background(), repo.ByTag(tag))
	ts.Check(err)
	return desc.Digest
}

func cmdSame(ts *testscript.TestScript, _ bool, args []string) {
	if a, b := digestOf(ts, args[0]), digestOf(ts, args[1]); a != b {
		ts.Fatalf("%s is %s, but %s is %s", args[0], a, args[1], b)
	}
}

func cmdHas(ts *testscript.TestScript, neg bool, args []string) {
	t := repo.ByTag(args[2])
	if d, err := oci.ParseDigest(args[2]); err == nil {
		t = repo.ByDigest(d)
	}
	_, _, err := open(ts, args[0], args[1]).Manifest(context.Background(), t)
	if (err == nil) == neg {
		ts.Fatalf("%s/%s %s: %v", args[0], args[1], args[2], err)
	}
}

func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // testscript returns it bare
		code = exit.ExitCode()
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s (%v)", code, args[0], err)
	}
}

func cmdRequests(ts *testscript.TestScript, _ bool, args []string) {
	log := registries(ts)[args[0]].log
	var out bytes.Buffer
	for len(log) > 0 {
		out.WriteString(<-log + "\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs("requests"), out.Bytes(), 0o600))
}

// cmdStart takes the address from what the server says once it serves: a port
// chosen before could be somebody else's by then, and who listens need not have
// its store yet.
func cmdStart(ts *testscript.TestScript, _ bool, args []string) {
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	cmd := exec.Command(path, append(args[2:], "--addr", "127.0.0.1:0")...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "GORACE=" + raceOptions}
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() })
	addr, said := servedAt(stderr)
	if addr == "" {
		ts.Fatalf("%s does not serve: %s", args[1], said)
	}
	ts.Setenv(args[0], addr)
}

// servedAt reads what a server says until that is its address, and leaves a
// goroutine behind that reads on, lest the server block on a full pipe.
func servedAt(stderr io.Reader) (addr, said string) {
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if _, addr, ok := strings.Cut(lines.Text(), "on http://"); ok {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return addr, said
		}
		said += lines.Text() + "\n"
	}
	return "", said
}

func cmdBreak(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		data, err := os.ReadFile(ts.MkAbs(name))
		ts.Check(err)
		data[len(data)/2] ^= 0x40
		ts.Check(os.WriteFile(ts.MkAbs(name), data, 0o600))
	}
}

func cmdChop(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.Truncate(ts.MkAbs(args[0]), 100))
}

func cmdForget(ts *testscript.TestScript, _ bool, args []string) {
	d, err := oci.ParseDigest(args[2])
	ts.Check(err)
	ts.Check(open(ts, args[0], args[1]).DeleteManifest(context.Background(), d))
}
