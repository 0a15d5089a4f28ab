package signature_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/signature"
	"github.com/airbridge-dev/airbridge/internal/testkit/signer"
)

var (
	release = oci.FromBytes([]byte("the release image"))
	other   = oci.FromBytes([]byte("another release image"))
)

// at returns a clock that stands so long after the keys were made.
func at(after time.Duration) func() time.Time {
	return func() time.Time { return signer.Made.Add(after) }
}

const day = 24 * time.Hour

var soon = at(30 * day)

func given(t *testing.T, signers ...*signer.Signer) signature.Keys {
	t.Helper()
	var keys signature.Keys
	for _, s := range signers {
		var err error
		if keys, err = keys.Give(s.Public()); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

func TestVerify(t *testing.T) {
	good, stranger := signer.New("good"), signer.New("stranger")
	short := signer.NewFor("short", 10*day)
	revoked := signer.New("revoked")
	revoked.Revoke()
	text := signer.Statement(release)
	replace := func(from, to string) []byte {
		return good.SignText(bytes.Replace(text, []byte(from), []byte(to), 1), signer.Made.Add(day), 0)
	}
	keys := given(t, good, short, revoked)
	genuine := good.Sign(release)
	for name, c := range map[string]struct {
		body []byte
		now  func() time.Time
		want error
		text string // in the error
	}{
		"genuine":                {body: genuine},
		"another release":        {body: good.Sign(other), want: signature.ErrOtherRelease, text: other.String()},
		"unknown key":            {body: stranger.Sign(release), want: signature.ErrUnknownKey},
		"expired key":            {body: short.Sign(release), want: signature.ErrKeyExpired, text: short.Fingerprint()},
		"key not expired yet":    {body: short.Sign(release), now: at(9 * day)},
		"revoked key":            {body: revoked.Sign(release), want: signature.ErrKeyRevoked, text: revoked.Fingerprint()},
		"expired signature":      {body: good.SignText(text, signer.Made.Add(day), day), want: signature.ErrExpired},
		"signature still valid":  {body: good.SignText(text, signer.Made.Add(day), 100*day)},
		"from the future":        {body: good.SignText(text, signer.Made.Add(40*day), 0), want: signature.ErrFuture, text: "clock"},
		"empty file":             {body: nil, want: signature.ErrTruncated},
		"a web page":             {body: []byte("<html>log in</html>"), want: signature.ErrNotOpenPGP, text: "<html>"},
		"armored":                {body: []byte("-----BEGIN PGP MESSAGE-----\n"), want: signature.ErrNotOpenPGP},
		"too large":              {body: append(slices.Clone(genuine), make([]byte, signature.MaxSize)...), want: signature.ErrTooLarge},
		"a bomb":                 {body: good.SignText(make([]byte, 1<<20), signer.Made.Add(day), 0), want: signature.ErrTooLarge},
		"a key":                  {body: good.Binary(), want: signature.ErrAltered},
		"not signed":             {body: []byte("\xcb\x0bb\x00\x00\x00\x00\x00hello"), want: signature.ErrNotSigned},
		"other type":             {body: replace("atomic container signature", "atomic"), want: signature.ErrNotStatement, text: "atomic"},
		"no reference":           {body: replace("quay.io/openshift-release-dev/ocp-release:sample", ""), want: signature.ErrNotStatement},
		"unknown field":          {body: replace(`"optional":{`, `"optional":{"more":1,`), want: signature.ErrNotStatement, text: "more"},
		"unknown critical field": {body: replace(`"image":{`, `"image":{"only-on":"mondays",`), want: signature.ErrNotStatement},
		"bad digest":             {body: replace("sha256:", "sha256:zz"), want: signature.ErrNotStatement},
		"two statements":         {body: good.SignText(slices.Concat(text, text), signer.Made.Add(day), 0), want: signature.ErrNotStatement},
		"no JSON":                {body: good.SignText([]byte("yes"), signer.Made.Add(day), 0), want: signature.ErrNotStatement},
	} {
		t.Run(name, func(t *testing.T) {
			if c.now == nil {
				c.now = soon
			}
			s, err := signature.Verify(c.body, release, keys, c.now)
			if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %q does not say %q", err, c.text)
			}
			if err == nil && (!s.Trusted || s.Digest != release || !bytes.Equal(s.Body, c.body) || s.Owner == "") {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// TestVerifyReadsToTheEnd: every cut is told as such, and no byte can be
// changed without notice. Some bytes at the very end mean nothing, and some of
// the packets' frames may be written in several ways.
func TestVerifyReadsToTheEnd(t *testing.T) {
	good := signer.New("good")
	keys := given(t, good)
	body := good.Sign(release)
	for n := range body {
		if _, err := signature.Verify(body[:n], release, keys, soon); !errors.Is(err, signature.ErrTruncated) {
			t.Errorf("cut to %d of %d bytes: %v", n, len(body), err)
		}
	}
	text := signer.Statement(release)
	plain := uncompressed(t, body)
	start := bytes.Index(plain, text)
	for i := range text {
		altered := slices.Clone(plain)
		altered[start+i] ^= 1
		if _, err := signature.Verify(altered, release, keys, soon); !errors.Is(err, signature.ErrAltered) {
			t.Errorf("byte %d of the text changed: %v", i, err)
		}
	}
	for i := range body {
		altered := slices.Clone(body)
		altered[i] ^= 0x10
		if s, err := signature.Verify(altered, release, keys, soon); err == nil && s.Digest != release {
			t.Errorf("byte %d changed: accepted for %s", i, s.Digest)
		}
	}
}

// uncompressed takes the message out of its compressed packet.
func uncompressed(t *testing.T, body []byte) []byte {
	t.Helper()
	i := bytes.IndexByte(body[1:], 1) + 2 // after the algorithm
	for ; i < len(body); i++ {
		var b bytes.Buffer
		if _, err := b.ReadFrom(flate.NewReader(bytes.NewReader(body[i:]))); err == nil && bytes.Contains(b.Bytes(), []byte("critical")) {
			return b.Bytes()
		}
	}
	return body
}

func TestSelfSigned(t *testing.T) {
	given, own := signer.New("given"), signer.New("own")
	var keys signature.Keys
	keys, err := keys.Carry(own.Public())
	if err != nil || keys.Trusted() || keys.Empty() {
		t.Fatalf("a payload's key: %v, trusted %v", err, keys.Trusted())
	}
	s, err := signature.Verify(own.Sign(release), release, keys, soon)
	if err != nil || s.Trusted {
		t.Errorf("self-signed: %+v, %v", s, err)
	}
	if keys, err = keys.Give(given.Binary()); err != nil || !keys.Trusted() {
		t.Fatal(err)
	}
	if s, err := signature.Verify(given.Sign(release), release, keys, soon); err != nil || !s.Trusted {
		t.Errorf("of the given key: %+v, %v", s, err)
	}
	if s, err := signature.Verify(own.Sign(release), release, keys, soon); err != nil || s.Trusted {
		t.Errorf("self-signed beside a given key: %+v, %v", s, err)
	}
	// The user's word on a key goes before the payload's.
	if keys, err = keys.Give(own.Public()); err != nil {
		t.Fatal(err)
	}
	if s, err := signature.Verify(own.Sign(release), release, keys, soon); err != nil || !s.Trusted {
		t.Errorf("of a key given and carried: %+v, %v", s, err)
	}
}

func TestKeyRings(t *testing.T) {
	a, b := signer.New("a"), signer.New("b")
	for name, c := range map[string]struct {
		ring []byte
		want string // in the error
	}{
		"armored":           {ring: a.Public()},
		"binary":            {ring: a.Binary()},
		"two blocks":        {ring: slices.Concat([]byte("# keys of ours\n"), b.Public(), []byte("\nand\n"), a.Public())},
		"two binary":        {ring: slices.Concat(b.Binary(), a.Binary())},
		"private":           {ring: a.Private(), want: "private key " + a.Fingerprint()},
		"empty":             {ring: nil, want: "no OpenPGP key"},
		"no key":            {ring: []byte("ssh-ed25519 AAAA"), want: "no OpenPGP key"},
		"a signature":       {ring: []byte("-----BEGIN PGP SIGNATURE-----\n\niHUE\n-----END PGP SIGNATURE-----\n"), want: "PGP SIGNATURE"},
		"armor cut short":   {ring: a.Public()[:100], want: "reading"},
		"larger than rings": {ring: make([]byte, signature.MaxRing+1), want: "over"},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := signature.Keys{}.Give(c.ring)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("error %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := signature.Verify(a.Sign(release), release, keys, soon); err != nil {
				t.Error(err)
			}
		})
	}
}

// data returns a file of the real inputs.
func data(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("AIRBRIDGE_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Skip("no real inputs: ", err)
	}
	return content
}

// realRelease is what the real signature is about.
var realRelease = oci.MustDigest("sha256:0da6316466d60a3a4535d5fed3589feb0391989982fba59d47d4c729912d6363")

func TestRealSignature(t *testing.T) {
	body := data(t, "signatures/4.15.0-x86_64-signature-1")
	keys, err := signature.Keys{}.Carry(data(t, "keys/redhat-release.asc"))
	if err != nil || !keys.Trusted() {
		t.Fatalf("Red Hat's keys: %v, trusted %v", err, keys.Trusted())
	}
	now := func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	_, err = signature.Verify(body, release, keys, now)
	if !errors.Is(err, signature.ErrOtherRelease) {
		t.Fatalf("for another release: %v", err)
	}
	s, err := signature.Verify(body, realRelease, keys, now)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Trusted || s.Fingerprint != "567E347AD0044ADE55BA8A5F199E2F91FD431D51" || !strings.Contains(s.By(), "release key 2") {
		t.Errorf("signed by %s", s.By())
	}
	for n := range body {
		if _, err := signature.Verify(body[:n], realRelease, keys, now); !errors.Is(err, signature.ErrTruncated) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	good := signer.New("good")
	keys, err := signature.Keys{}.Give(good.Public())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.Sign(release))
	f.Add(good.Sign(other))
	f.Add([]byte("\xa3\x01\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := signature.Verify(body, release, keys, soon)
		if err == nil && (s.Digest != release || !s.Trusted) {
			t.Errorf("accepted %+v", s)
		}
	})
}

func FuzzKeys(f *testing.F) {
	good := signer.New("good")
	f.Add(good.Public())
	f.Add(good.Binary())
	f.Fuzz(func(t *testing.T, ring []byte) {
		keys, err := signature.Keys{}.Give(ring)
		if err == nil && !keys.Trusted() {
			t.Error("no error and no key")
		}
	})
}

// gpg --digest-algo SHA1 made this one: it fits its text, and proves nothing.
func TestWeakHashIsNotCalledAltered(t *testing.T) {
	var parts [2][]byte
	for i, name := range []string{"sha1.asc", "sha1.sig"} {
		var err error
		if parts[i], err = os.ReadFile(filepath.Join("testdata", name)); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := signature.Keys{}.Give(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signature.Verify(parts[1], release, keys, at(3650*day)); !errors.Is(err, signature.ErrWeak) || !strings.Contains(err.Error(), "SHA-1") {
		t.Error(err)
	}
}
