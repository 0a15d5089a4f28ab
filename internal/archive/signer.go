package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Errors of ReadSigner, to be told apart by the caller.
var (
	// ErrLocked is returned for a key that is protected by a passphrase where
	// there is nobody to ask for it.
	ErrLocked = errors.New("protected by a passphrase")
	// ErrNoSigner is returned where a file has no private key that may sign.
	ErrNoSigner = errors.New("no private key capable of signing")
)

// maxKeyFile is far above what a key takes, with pictures and all.
const maxKeyFile = 4 << 20

// Unlock is asked for the passphrase of a private key, by its ID in hex.
type Unlock func(keyID string) (passphrase []byte, err error)

// Signer signs with an OpenPGP private key.
type Signer struct {
	entity *openpgp.Entity
	keyID  uint64 // of the key or subkey that signs
}

// ReadSigner finds the first key in the content of a key file, armored or
// binary, that may sign at the given time. Where that key is protected unlock is
// called, once; a nil unlock makes it ErrLocked.
func ReadSigner(content []byte, at time.Time, unlock Unlock) (*Signer, error) {
	keys, err := readKeys(content)
	if err != nil {
		return nil, err
	}
	for _, entity := range keys {
		if key := signingKey(entity, at); key != nil {
			s := &Signer{entity: entity, keyID: key.KeyId}
			if err := s.unlock(key, unlock); err != nil {
				return nil, err
			}
			return s, nil
		}
	}
	return nil, noSigner(keys)
}

func readKeys(content []byte) (openpgp.EntityList, error) {
	if len(content) > maxKeyFile {
		return nil, fmt.Errorf("not an OpenPGP key: it has %d bytes, more than %d", len(content), maxKeyFile)
	}
	read := openpgp.ReadKeyRing
	if bytes.Contains(content, []byte("-----BEGIN PGP ")) {
		read = openpgp.ReadArmoredKeyRing
	}
	keys, err := read(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("not an OpenPGP key: %w", err)
	}
	return keys, nil
}

// config is for what is done at a point in time.
func config(at time.Time) *packet.Config {
	return &packet.Config{Time: func() time.Time { return at }}
}

// signingKey returns the private key that is best for signing, nil if there is
// none: subkeys are often kept elsewhere than the key that they belong to.
func signingKey(e *openpgp.Entity, at time.Time) *packet.PrivateKey {
	ids := []uint64{0} // what the library finds best
	for _, sub := range e.Subkeys {
		ids = append(ids, sub.PublicKey.KeyId)
	}
	for _, id := range append(ids, e.PrimaryKey.KeyId) {
		key, ok := e.SigningKeyById(at, id, config(at))
		if ok && key.PrivateKey != nil && !key.PrivateKey.Dummy() {
			return key.PrivateKey
		}
	}
	return nil
}

func noSigner(keys openpgp.EntityList) error {
	if len(keys) == 0 {
		return fmt.Errorf("%w: there are no keys in it", ErrNoSigner)
	}
	for _, e := range keys {
		if e.PrivateKey != nil {
			return fmt.Errorf("%w: the key %s has expired, was revoked or is not for signing", ErrNoSigner, e.PrimaryKey.KeyIdString())
		}
	}
	return fmt.Errorf("%w: there are only public keys in it; gpg --export-secret-keys writes private ones", ErrNoSigner)
}

func (s *Signer) unlock(key *packet.PrivateKey, ask Unlock) error {
	if !key.Encrypted {
		return nil
	}
	if ask == nil {
		return fmt.Errorf("the key %s is %w", s.KeyID(), ErrLocked)
	}
	passphrase, err := ask(s.KeyID())
	if err != nil {
		return err
	}
	if err := key.Decrypt(passphrase); err != nil {
		return fmt.Errorf("unlocking the key %s: the passphrase is wrong, or the key damaged", s.KeyID())
	}
	return nil
}

// KeyID returns the ID of the key that signs, in hex.
func (s *Signer) KeyID() string { return fmt.Sprintf("%016X", s.keyID) }

// Sign writes the armored detached signature of a message, made at the given time.
func (s *Signer) Sign(w io.Writer, message []byte, at time.Time) error {
	c := config(at)
	c.SigningKeyId = s.keyID
	params := &openpgp.SignParams{Config: c}
	if err := openpgp.ArmoredDetachSign(w, []*openpgp.Entity{s.entity}, bytes.NewReader(message), params); err != nil {
		return fmt.Errorf("signing with the key %s: %w", s.KeyID(), err)
	}
	_, err := io.WriteString(w, "\n") // the library leaves the last line open
	return err
}
