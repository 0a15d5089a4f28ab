package signature

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// redHat are the fingerprints of the keys that sign OpenShift releases, which
// every payload since 4.1 carries in one ring: the release key 2, and the beta
// key 2 for release candidates. https://access.redhat.com/security/team/key
// has both; a payload is believed only where its key has one of these
// fingerprints.
var redHat = [...]string{
	"567E347AD0044ADE55BA8A5F199E2F91FD431D51", // Red Hat, Inc. (release key 2)
	"B08B659EE86AF623BC90E8DB938A80CAF21541EB", // Red Hat, Inc. (beta key 2)
}

// Limits of a key ring, which comes from a file or a payload.
const (
	MaxRing = 1 << 20 // bytes, and of what armor becomes
	maxKeys = 200
)

// Keys are what signatures are verified with. The zero value has none. They may
// be used from many goroutines.
type Keys struct {
	trusted openpgp.EntityList
	own     openpgp.EntityList // what only the payload vouches for
	// inUse is held while a key is used: keys remember what they found out
	// about themselves, and copies of Keys share them. nil while there are none.
	inUse *sync.Mutex
}

// use reserves the keys; the function it returns lets them go.
func (k Keys) use() (done func()) {
	if k.inUse == nil {
		return func() {}
	}
	k.inUse.Lock()
	return k.inUse.Unlock
}

// shared returns k with a lock for its keys.
func (k Keys) shared() Keys {
	if k.inUse == nil {
		k.inUse = &sync.Mutex{}
	}
	return k
}

// Trusted reports whether there is a key that does not rest on the payload's
// own word: one of Red Hat's, or one that the user gave.
func (k Keys) Trusted() bool { return len(k.trusted) > 0 }

// Empty reports whether there is no key at all.
func (k Keys) Empty() bool { return len(k.trusted)+len(k.own) == 0 }

// Give adds keys that the user trusts, from an armored or binary OpenPGP ring.
// A ring without a usable key is an error, and so is a private key, which has
// no business here. A key given twice counts as given first.
func (k Keys) Give(ring []byte) (Keys, error) {
	k = k.shared()
	keys, err := readRing(ring)
	switch {
	case err != nil:
		return k, err
	case len(keys) == 0:
		return k, errors.New("it has no OpenPGP public key")
	}
	for _, key := range keys {
		if isPrivate(key) {
			return k, fmt.Errorf("it has the private key %s: give the public one (gpg --armor --export)", fingerprint(key))
		}
	}
	k.trusted = merge(k.trusted, keys)
	return k, nil
}

// Carry adds the keys that a payload carries. Those with a built-in fingerprint
// become trusted. What cannot be read adds nothing: an error tells of it.
func (k Keys) Carry(ring []byte) (Keys, error) {
	k = k.shared()
	keys, err := readRing(ring)
	for _, key := range keys {
		if slices.Contains(redHat[:], fingerprint(key)) {
			k.trusted = merge(k.trusted, openpgp.EntityList{key})
		} else {
			k.own = merge(k.own, openpgp.EntityList{key})
		}
	}
	return k, err
}

// merge adds keys that are not there yet, in a list of its own.
func merge(list, more openpgp.EntityList) openpgp.EntityList {
	list = slices.Clone(list)
	for _, key := range more {
		same := func(other *openpgp.Entity) bool { return fingerprint(other) == fingerprint(key) }
		if !slices.ContainsFunc(list, same) {
			list = append(list, key)
		}
	}
	return list
}

func isPrivate(key *openpgp.Entity) bool {
	return key.PrivateKey != nil ||
		slices.ContainsFunc(key.Subkeys, func(s openpgp.Subkey) bool { return s.PrivateKey != nil })
}

// fingerprint is that of the primary key, in the form people compare.
func fingerprint(key *openpgp.Entity) string {
	return strings.ToUpper(hex.EncodeToString(key.PrimaryKey.Fingerprint))
}

// owner is the name in a key. It is what the key says of itself.
func owner(key *openpgp.Entity) string {
	var names []string
	for name := range key.Identities {
		names = append(names, name)
	}
	if len(names) == 0 {
		return ""
	}
	return printable(slices.Min(names))
}

// readRing reads all keys of a ring. Keys of a kind that cannot be read are
// passed over, as gpg does.
func readRing(ring []byte) (openpgp.EntityList, error) {
	if len(ring) > MaxRing {
		return nil, fmt.Errorf("the key ring has over %d bytes", MaxRing)
	}
	parts, err := dearmor(ring)
	if err != nil {
		return nil, err
	}
	var out openpgp.EntityList
	for _, part := range parts {
		keys, err := readEntities(part)
		if err != nil {
			return nil, fmt.Errorf("reading OpenPGP keys: %w", err)
		}
		out = append(out, keys...)
	}
	if len(out) > maxKeys {
		return nil, fmt.Errorf("the key ring has over %d keys", maxKeys)
	}
	return out, nil
}

func readEntities(ring []byte) (openpgp.EntityList, error) {
	if len(ring) == 0 || ring[0]&0x80 == 0 { // the first bit of every packet
		return nil, errors.New("this is no OpenPGP key")
	}
	return openpgp.ReadKeyRing(bytes.NewReader(ring))
}

// armorBegin begins an armored block. A file may have several.
var armorBegin = []byte("-----BEGIN PGP ")

// dearmor returns the content of each armored block, or the ring itself where
// it is binary.
func dearmor(ring []byte) ([][]byte, error) {
	if !bytes.Contains(ring, armorBegin) {
		return [][]byte{ring}, nil
	}
	var out [][]byte
	for i := bytes.Index(ring, armorBegin); i >= 0; {
		next := bytes.Index(ring[i+1:], armorBegin)
		end := len(ring)
		if next >= 0 {
			next += i + 1
			end = next
		}
		block, err := dearmorOne(ring[i:end])
		if err != nil {
			return nil, fmt.Errorf("reading armored OpenPGP keys: %w", err)
		}
		out = append(out, block)
		i = next
	}
	return out, nil
}

func dearmorOne(text []byte) ([]byte, error) {
	block, err := armor.Decode(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if block.Type != openpgp.PublicKeyType && block.Type != openpgp.PrivateKeyType {
		return nil, fmt.Errorf("this is a %.60q", block.Type)
	}
	return io.ReadAll(block.Body)
}

// config is how messages and keys are checked at a time.
func config(at clock) *packet.Config {
	limit := int64(maxMessage)
	return &packet.Config{Time: at, MaxDecompressedMessageSize: &limit}
}
