package archive_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/airbridge-dev/airbridge/internal/archive"
	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
)

func at(when time.Time) *packet.Config {
	return &packet.Config{Time: func() time.Time { return when }}
}

// newKey makes a key that is valid for two days from "when".
func newKey(t *testing.T, passphrase string) *openpgp.Entity {
	t.Helper()
	c := at(when)
	c.Algorithm = packet.PubKeyAlgoEdDSA // RSA keys take long to make
	c.KeyLifetimeSecs = 2 * 24 * 3600
	e, err := openpgp.NewEntity("Test", "not for use", "test@example.com", c)
	if err == nil && passphrase != "" {
		err = e.EncryptPrivateKeys([]byte(passphrase), c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func private(t *testing.T, e *openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.SerializePrivateWithoutSigning(&b, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func public(t *testing.T, e *openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func armored(t *testing.T, kind string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var message = []byte("00  oc.tar.gz\n")

// signed returns a signature of the message, an hour after the key was made.
func signed(t *testing.T, s *archive.Signer) []byte {
	t.Helper()
	var sig bytes.Buffer
	if err := s.Sign(&sig, message, when.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(sig.String(), "-----BEGIN PGP SIGNATURE-----\n") || !strings.HasSuffix(sig.String(), "-----END PGP SIGNATURE-----\n") {
		t.Errorf("the signature is %q", sig.String())
	}
	return sig.Bytes()
}

func verify(t *testing.T, key *openpgp.Entity, sig []byte) {
	t.Helper()
	_, _, err := openpgp.VerifyArmoredDetachedSignature(openpgp.EntityList{key}, bytes.NewReader(message), bytes.NewReader(sig), at(when.Add(2*time.Hour)))
	if err != nil {
		t.Error(err)
	}
}

func TestSignWithKeysOfEveryForm(t *testing.T) {
	plain, locked := newKey(t, ""), newKey(t, "open sesame")
	asked := 0
	unlock := func(string) ([]byte, error) { asked++; return []byte("open sesame"), nil }
	for name, c := range map[string]struct {
		key     *openpgp.Entity
		content []byte
	}{
		"binary":            {plain, private(t, plain)},
		"armored":           {plain, armored(t, openpgp.PrivateKeyType, private(t, plain))},
		"text before":       {plain, append([]byte("Our key:\n\n"), armored(t, openpgp.PrivateKeyType, private(t, plain))...)},
		"locked":            {locked, private(t, locked)},
		"public keys first": {plain, append(public(t, locked), private(t, plain)...)},
	} {
		s, err := archive.ReadSigner(c.content, when.Add(time.Hour), unlock)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		verify(t, c.key, signed(t, s))
	}
	if asked != 1 {
		t.Errorf("the passphrase was asked for %d times, not once", asked)
	}
}

// The key that others trust is often kept elsewhere; a subkey signs.
func TestSubkeySignsWhereTheKeyItselfIsAbsent(t *testing.T) {
	e := newKey(t, "")
	c := at(when)
	c.Algorithm = packet.PubKeyAlgoEdDSA
	if err := e.AddSigningSubkey(c); err != nil {
		t.Fatal(err)
	}
	s, err := archive.ReadSigner(private(t, e), when.Add(time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := e.Subkeys[len(e.Subkeys)-1].PublicKey.KeyIdString(); s.KeyID() != want {
		t.Errorf("the key %s signs, not the subkey %s", s.KeyID(), want)
	}
	verify(t, e, signed(t, s))
}

func TestKeysThatCannotSign(t *testing.T) {
	plain, locked := newKey(t, ""), newKey(t, "open sesame")
	broken := errors.New("no terminal")
	soon := when.Add(time.Hour)
	for name, c := range map[string]struct {
		content []byte
		at      time.Time
		unlock  archive.Unlock
		is      error
		says    string
	}{
		"empty":      {nil, soon, nil, archive.ErrNoSigner, "there are no keys in it"},
		"public":     {public(t, plain), soon, nil, archive.ErrNoSigner, "there are only public keys in it; gpg --export-secret-keys"},
		"text":       {[]byte("hello, world\n"), soon, nil, nil, "not an OpenPGP key"},
		"signature":  {armored(t, "PGP SIGNATURE", []byte("x")), soon, nil, nil, "not an OpenPGP key"},
		"cut off":    {private(t, plain)[:100], soon, nil, nil, "not an OpenPGP key"},
		"huge":       {make([]byte, 5<<20), soon, nil, nil, "not an OpenPGP key: it has 5242880 bytes"},
		"expired":    {private(t, plain), when.Add(72 * time.Hour), nil, archive.ErrNoSigner, plain.PrimaryKey.KeyIdString() + " has expired, was revoked"},
		"locked":     {private(t, locked), soon, nil, archive.ErrLocked, "the key " + locked.PrimaryKey.KeyIdString() + " is protected by a passphrase"},
		"wrong word": {private(t, locked), soon, func(string) ([]byte, error) { return []byte("sesame"), nil }, nil, "the passphrase is wrong"},
		"nobody":     {private(t, locked), soon, func(string) ([]byte, error) { return nil, broken }, broken, "no terminal"},
	} {
		s, err := archive.ReadSigner(c.content, c.at, c.unlock)
		if err == nil || s != nil || !strings.Contains(err.Error(), c.says) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, %v, want %q", name, s, err, c.says)
		}
	}
}

// One key of sixteen has an ID that begins with 0, which belongs to its name.
func TestKeyIDsAreNamedInFull(t *testing.T) {
	e := newKey(t, "")
	for e.PrimaryKey.KeyId>>60 != 0 {
		e = newKey(t, "")
	}
	_, err := archive.ReadSigner(private(t, e), when.Add(72*time.Hour), nil)
	if err == nil || !strings.Contains(err.Error(), "the key "+e.PrimaryKey.KeyIdString()+" has expired") {
		t.Errorf("%v, want the key %s", err, e.PrimaryKey.KeyIdString())
	}
	s, err := archive.ReadSigner(private(t, e), when.Add(time.Hour), nil)
	if err != nil || s.KeyID() != e.PrimaryKey.KeyIdString() {
		t.Errorf("%v, %v, want the key %s", s.KeyID(), err, e.PrimaryKey.KeyIdString())
	}
}

// gpg makes keys and reads signatures in its own way, which is what people have.
func TestKeysAndSignaturesOfGPG(t *testing.T) {
	gpg := peer.Need(t, "gpg")
	peer.Need(t, "gpg-agent")
	dir, err := peer.Near()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	run := func(stdin []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), gpg, append([]string{"--homedir", dir, "--batch", "--pinentry-mode", "loopback", "--passphrase", "open sesame"}, args...)...)
		cmd.Stdin = bytes.NewReader(stdin)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %q: %v: %s", args, err, stderr.Bytes())
		}
		return out
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", dir, "--kill", "gpg-agent").Run()
	})
	sign := func(key []byte) {
		t.Helper()
		now := time.Now()
		s, err := archive.ReadSigner(key, now, func(string) ([]byte, error) { return []byte("open sesame"), nil })
		if err != nil {
			t.Fatal(err)
		}
		var sig bytes.Buffer
		if err := s.Sign(&sig, message, now); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, "sig.asc")
		if err := os.WriteFile(name, sig.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		run(message, "--verify", name, "-")
	}
	for _, algorithm := range []string{"rsa2048", "ed25519"} {
		run(nil, "--quick-generate-key", algorithm+" <test@example.com>", algorithm, "sign")
		sign(run(nil, "--armor", "--export-secret-keys", algorithm))
	}
	sign(run(nil, "--export-secret-keys", "ed25519"))
	// The key itself is kept in a safe, and in this file there is a stub of it.
	_, fingerprint, _ := strings.Cut(string(run(nil, "--list-keys", "--with-colons", "ed25519")), "\nfpr:::::::::")
	fingerprint, _, _ = strings.Cut(fingerprint, ":")
	run(nil, "--quick-add-key", fingerprint, "ed25519", "sign")
	sign(run(nil, "--export-secret-subkeys", "ed25519"))
}

func FuzzReadSigner(f *testing.F) {
	f.Add([]byte("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nxVgE\n-----END PGP PRIVATE KEY BLOCK-----\n"))
	f.Add([]byte{0xc5, 0x58, 0x04, 0x65, 0x40, 0xc1, 0x47, 0x1b})
	f.Fuzz(func(t *testing.T, content []byte) {
		if s, err := archive.ReadSigner(content, when, nil); err == nil {
			_ = s.Sign(io.Discard, message, when)
		}
	})
}
