package mirror_test

import (
	"cmp"
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

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/signature"
	"github.com/airbridge-dev/airbridge/internal/testkit/signer"
)

var (
	signedImage = oci.FromBytes([]byte("a release image"))
	signedList  = oci.FromBytes([]byte("a list of release images"))
)

// told is what an observer was told.
type told struct {
	mu          sync.Mutex
	warns, info []string
}

func (o *told) observer() mirror.Observer {
	add := func(list *[]string) func(string, ...any) {
		return func(format string, args ...any) {
			o.mu.Lock()
			defer o.mu.Unlock()
			*list = append(*list, fmt.Sprintf(format, args...))
		}
	}
	return mirror.Observer{Warn: add(&o.warns), Info: add(&o.info)}
}

// signatureStore serves signatures by "HEX/NUMBER".
func signatureStore(t *testing.T, bodies map[string][]byte) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.Replace(strings.TrimPrefix(r.URL.Path, "/sha256="), "/signature-", "/", 1)
		if body, ok := bodies[key]; ok {
			_, _ = w.Write(body)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func payloadWith(store string, rings ...[]byte) *release.Payload {
	p := &release.Payload{Version: "4.14.3", Digest: signedImage}
	p.Verification = release.Verification{File: "keys.yaml", Rings: map[string][]byte{}, Stores: []string{store}}
	for i, ring := range rings {
		name := fmt.Sprintf("verifier-public-key-%d", i)
		p.Verification.Keys = append(p.Verification.Keys, name)
		p.Verification.Rings[name] = ring
	}
	return p
}

func verifier(t *testing.T, policy mirror.Policy, given ...*signer.Signer) mirror.Verifier {
	t.Helper()
	v := mirror.Verifier{Policy: policy, Fetch: signature.Options{
		Transport: &http.Transport{}, UserAgent: "test", Request: time.Minute, All: time.Minute,
		Now: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) },
	}}
	for _, s := range given {
		var err error
		if v.Given, err = v.Given.Give(s.Public()); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

var (
	anywhere = ref.MustParse("mirror.example.com/ocp/release:4.14.3-x86_64")
	official = ref.MustParse("quay.io/openshift-release-dev/ocp-release:4.14.3-x86_64")
)

// TestVerifyPolicies: what each policy makes of each case.
func TestVerifyPolicies(t *testing.T) {
	maker, own := signer.New("maker"), signer.New("own")
	unsigned := signatureStore(t, nil)
	byOwn := signatureStore(t, map[string][]byte{signedImage.Hex() + "/1": own.Sign(signedImage)})
	byMaker := signatureStore(t, map[string][]byte{signedImage.Hex() + "/1": maker.Sign(signedImage)})
	bad := signatureStore(t, map[string][]byte{signedImage.Hex() + "/1": maker.Sign(signedList)})
	usual, warn, require := mirror.VerifyUsual, mirror.VerifyWarn, mirror.VerifyRequire
	for name, c := range map[string]struct {
		policy mirror.Policy
		store  string
		given  bool // the maker's key
		none   bool // the payload has no key
		from   ref.Ref
		err    error
		warns  string
		maps   int
	}{
		"genuine":                         {policy: usual, store: byMaker, given: true, maps: 1},
		"genuine, required":               {policy: require, store: byMaker, given: true, maps: 1},
		"unsigned, no key to trust":       {policy: usual, store: unsigned, warns: "it is not signed"},
		"unsigned, required":              {policy: require, store: unsigned, err: signature.ErrUnsigned},
		"unsigned, trusted key":           {policy: usual, store: unsigned, given: true, err: signature.ErrUnsigned},
		"unsigned, trusted key, warn":     {policy: warn, store: unsigned, given: true, warns: "it is not signed"},
		"self-signed":                     {policy: usual, store: byOwn, warns: "self-signed", maps: 1},
		"self-signed, required":           {policy: require, store: byOwn, err: mirror.ErrSelfSigned},
		"self-signed, another key given":  {policy: usual, store: byOwn, given: true, err: mirror.ErrSelfSigned},
		"self-signed, as Red Hat's":       {policy: usual, store: byOwn, from: official, err: mirror.ErrSelfSigned},
		"self-signed, as Red Hat's, warn": {policy: warn, store: byOwn, from: official, warns: "self-signed", maps: 1},
		"bad":                             {policy: usual, store: bad, given: true, err: signature.ErrOtherRelease},
		"bad, warn":                       {policy: warn, store: bad, given: true, warns: "genuine signature of another release"},
		"no keys":                         {policy: usual, store: byMaker, none: true, warns: "no keys"},
		"no keys, required":               {policy: require, store: byMaker, none: true, err: mirror.ErrNoKeys},
		"no keys, as Red Hat's":           {policy: usual, store: byMaker, none: true, from: official, err: mirror.ErrNoKeys},
		"off":                             {policy: mirror.VerifyOff, store: bad, given: true},
	} {
		t.Run(name, func(t *testing.T) {
			v, p := verifier(t, c.policy), payloadWith(c.store, own.Public())
			if c.given {
				v = verifier(t, c.policy, maker)
			}
			if c.none {
				p = payloadWith(c.store)
			}
			if c.from.IsZero() {
				c.from = anywhere
			}
			o := &told{}
			verified, err := v.Release(t.Context(), p, c.from, o.observer())
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if e, ok := errors.AsType[*mirror.UnverifiedError](err); err != nil && (!ok || e.Digest != signedImage) {
				t.Errorf("error %T", err)
			}
			if warns := strings.Join(o.warns, "\n"); (warns == "") != (c.warns == "") || !strings.Contains(warns, c.warns) {
				t.Errorf("warnings %q, want %q", warns, c.warns)
			}
			if n := len(verified.ConfigMaps()); n != c.maps {
				t.Errorf("%d config maps, want %d", n, c.maps)
			}
		})
	}
}

// TestVerifyLists: the digest that was asked for counts; that of an image in
// the list is looked at besides.
func TestVerifyLists(t *testing.T) {
	maker := signer.New("maker")
	list, image := maker.Sign(signedList), maker.Sign(signedImage)
	for name, c := range map[string]struct {
		bodies map[string][]byte
		err    error
		warns  int
		maps   int
	}{
		"both":              {bodies: map[string][]byte{signedList.Hex() + "/1": list, signedImage.Hex() + "/1": image}, maps: 2},
		"the list":          {bodies: map[string][]byte{signedList.Hex() + "/1": list}, maps: 1},
		"the image":         {bodies: map[string][]byte{signedImage.Hex() + "/1": image}, err: signature.ErrUnsigned},
		"and a bad image's": {bodies: map[string][]byte{signedList.Hex() + "/1": list, signedImage.Hex() + "/1": list}, warns: 1, maps: 1},
	} {
		p := payloadWith(signatureStore(t, c.bodies))
		p.ListDigest = signedList
		o := &told{}
		verified, err := verifier(t, mirror.VerifyUsual, maker).Release(t.Context(), p, anywhere, o.observer())
		if !errors.Is(err, c.err) || len(o.warns) != c.warns || len(verified.ConfigMaps()) != c.maps {
			t.Errorf("%s: %v, warnings %q, %d config maps", name, err, o.warns, len(verified.ConfigMaps()))
		}
		if err == nil && !strings.Contains(strings.Join(o.info, ""), signedList.String()) {
			t.Errorf("%s: info %q", name, o.info)
		}
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := &told{}
	_, err := verifier(t, mirror.VerifyWarn, signer.New("maker")).Release(ctx, payloadWith("http://127.0.0.1:1"), anywhere, o.observer())
	if !errors.Is(err, context.Canceled) || len(o.warns) > 0 {
		t.Errorf("%v, %q", err, o.warns)
	}
}

// TestVerifyMedium: signatures are read from files of ours and of old versions
// of oc, and never through a link.
func TestVerifyMedium(t *testing.T) {
	maker, own := signer.New("maker"), signer.New("own")
	good := cluster.SignatureMap(signedImage, [][]byte{maker.Sign(signedImage)})
	write := func(name string, content []byte) func(dir string) {
		return func(dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	ofOther := cluster.SignatureMap(signedList, [][]byte{maker.Sign(signedList)})
	for name, c := range map[string]struct {
		put  []func(dir string)
		err  error
		text string // of the error or of the warning
	}{
		"genuine":               {put: []func(string){write(good.Name, good.Content)}},
		"old":                   {put: []func(string){write(cluster.SignatureStem(signedImage)+".yaml", good.Content)}},
		"renamed":               {put: []func(string){write("signature-of-ours.json", good.Content)}},
		"among others":          {put: []func(string){write(ofOther.Name, ofOther.Content), write("signature-x.json", []byte("{")), write(good.Name, good.Content)}},
		"of another":            {put: []func(string){write(good.Name, ofOther.Content)}, err: errors.ErrUnsupported, text: "it holds signatures of " + signedList.String()},
		"cut":                   {put: []func(string){write(good.Name, good.Content[:100])}, err: errors.ErrUnsupported, text: "no signature config map"},
		"statement of another":  {put: []func(string){write(good.Name, cluster.SignatureMap(signedImage, [][]byte{maker.Sign(signedList)}).Content)}, err: signature.ErrOtherRelease},
		"self-signed":           {put: []func(string){write(good.Name, cluster.SignatureMap(signedImage, [][]byte{own.Sign(signedImage)}).Content)}, err: mirror.ErrSelfSigned},
		"a link":                {put: []func(string){func(dir string) { _ = os.Symlink(os.DevNull, filepath.Join(dir, good.Name)) }}, err: errors.ErrUnsupported, text: "no regular file"},
		"missing":               {text: "has no signature of it"},
		"only of other version": {put: []func(string){write(ofOther.Name, ofOther.Content)}, text: "has no signature of it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, put := range c.put {
				put(dir)
			}
			v := verifier(t, mirror.VerifyUsual, maker)
			v.Dirs = []string{filepath.Join(dir, "nothing"), dir}
			o := &told{}
			verified, err := v.Medium(payloadWith("http://127.0.0.1:1", own.Public()), o.observer())
			if (err == nil) != (c.err == nil) || c.err != nil && !errors.Is(c.err, errors.ErrUnsupported) && !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			said := fmt.Sprint(err, o.warns)
			if !strings.Contains(said, c.text) || (c.err == nil && c.text == "") != (len(verified.ConfigMaps()) == 1) {
				t.Errorf("said %s, %d config maps", said, len(verified.ConfigMaps()))
			}
		})
	}
}

// TestVerifyReal: Red Hat's key in a payload decides, without --key.
func TestVerifyReal(t *testing.T) {
	dir := os.Getenv("AIRBRIDGE_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	ring, err := os.ReadFile(filepath.Join(dir, "keys", "redhat-release.asc"))
	if err != nil {
		t.Skip("no real inputs: ", err)
	}
	body, err := os.ReadFile(filepath.Join(dir, "signatures", "4.15.0-x86_64-signature-1"))
	if err != nil {
		t.Skip("no real inputs: ", err)
	}
	genuine := oci.MustDigest("sha256:0da6316466d60a3a4535d5fed3589feb0391989982fba59d47d4c729912d6363")
	p := payloadWith(signatureStore(t, map[string][]byte{genuine.Hex() + "/1": body, signedImage.Hex() + "/1": body}), ring)
	p.Digest = genuine
	o := &told{}
	verified, err := verifier(t, mirror.VerifyUsual).Release(t.Context(), p, anywhere, o.observer())
	if err != nil || len(o.warns) > 0 || len(verified.ConfigMaps()) != 1 || !strings.Contains(strings.Join(o.info, "\n"), "release key 2") {
		t.Errorf("%v, %q, %q", err, o.warns, o.info)
	}
	p.Digest = signedImage
	if _, err := verifier(t, mirror.VerifyUsual).Release(t.Context(), p, anywhere, o.observer()); !errors.Is(err, signature.ErrOtherRelease) {
		t.Errorf("for another release: %v", err)
	}
}

// A kept signature that is refused says more than stores that do not know it;
// one that a store refuses says more than it.
func TestVerifyTellsWhatIsWrongWithTheKept(t *testing.T) {
	maker, stranger := signer.New("maker"), signer.New("stranger")
	dir := t.TempDir()
	file := cluster.SignatureMap(signedImage, [][]byte{stranger.Sign(signedImage)})
	if err := os.WriteFile(filepath.Join(dir, file.Name), file.Content, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := signatureStore(t, map[string][]byte{signedImage.Hex() + "/1": maker.Sign(signedList)})
	good := signatureStore(t, map[string][]byte{signedImage.Hex() + "/1": maker.Sign(signedImage)})
	for store, want := range map[string]error{
		"http://127.0.0.1:1": signature.ErrUnknownKey, signatureStore(t, nil): signature.ErrUnknownKey, bad: signature.ErrOtherRelease, good: nil,
	} {
		v := verifier(t, mirror.VerifyRequire, maker)
		v.Dirs = []string{dir}
		o := &told{}
		if _, err := v.Release(t.Context(), payloadWith(store), anywhere, o.observer()); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", store, err, want)
		}
	}
}

// Whoever can put a self-signed file on a medium does not hide a genuine one.
func TestVerifyMediumLooksPastTheSelfSigned(t *testing.T) {
	maker, own := signer.New("maker"), signer.New("own")
	dir := t.TempDir()
	for name, s := range map[string]*signer.Signer{"": own, "signature-z.json": maker} {
		file := cluster.SignatureMap(signedImage, [][]byte{s.Sign(signedImage)})
		if err := os.WriteFile(filepath.Join(dir, cmp.Or(name, file.Name)), file.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v := verifier(t, mirror.VerifyRequire, maker)
	v.Dirs = []string{dir}
	o := &told{}
	verified, err := v.Medium(payloadWith("", own.Public()), o.observer())
	if err != nil || len(verified.ConfigMaps()) != 1 || !strings.Contains(strings.Join(o.info, ""), "maker") {
		t.Errorf("%v, info %q, warnings %q", err, o.info, o.warns)
	}
}
