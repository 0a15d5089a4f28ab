// Package signer makes OpenPGP keys and release signatures for tests: good
// ones, and those with every fault that a verifier has to tell.
package signer

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Made is when all keys are made, unless a test says otherwise.
var Made = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)

// Signer is a key pair.
type Signer struct {
	entity *openpgp.Entity
}

// New makes a key pair that never expires.
func New(name string) *Signer { return NewFor(name, 0) }

// NewFor makes a key pair that expires so long after Made; 0 for never.
func NewFor(name string, lifetime time.Duration) *Signer {
	config := at(Made)
	config.KeyLifetimeSecs = uint32(lifetime / time.Second)
	entity, err := openpgp.NewEntity(name, "test", name+"@example.com", config)
	check(err)
	return &Signer{entity}
}

// at is a configuration in which it is a given time. Messages are compressed,
// as those of the real signer.
func at(t time.Time) *packet.Config {
	return &packet.Config{
		Time: func() time.Time { return t }, Algorithm: packet.PubKeyAlgoEdDSA,
		DefaultCompressionAlgo: packet.CompressionZIP,
	}
}

// Public is the public key, armored.
func (s *Signer) Public() []byte { return armored(openpgp.PublicKeyType, s.Binary()) }

// Binary is the public key, not armored.
func (s *Signer) Binary() []byte {
	var b bytes.Buffer
	check(s.entity.Serialize(&b))
	return b.Bytes()
}

// Private is the private key, armored.
func (s *Signer) Private() []byte {
	var b bytes.Buffer
	check(s.entity.SerializePrivateWithoutSigning(&b, at(Made)))
	return armored(openpgp.PrivateKeyType, b.Bytes())
}

func armored(kind string, content []byte) []byte {
	var b bytes.Buffer
	w, err := armor.Encode(&b, kind, nil)
	check(err)
	_, err = w.Write(content)
	check(err)
	check(w.Close())
	return append(b.Bytes(), '\n')
}

// Fingerprint is that of the key, in upper-case hex.
func (s *Signer) Fingerprint() string { return fmt.Sprintf("%X", s.entity.PrimaryKey.Fingerprint) }

// Revoke withdraws the key, as compromised. It signs all the same, as a thief
// would.
func (s *Signer) Revoke() {
	check(s.entity.Revoke(packet.KeyCompromised, "test", at(Made.Add(time.Hour))))
}

// Sign makes the signature of an image, a day after Made.
func (s *Signer) Sign(d oci.Digest) []byte {
	return s.SignText(Statement(d), Made.AddDate(0, 0, 1), 0)
}

// SignText signs any text at a time, for so long; 0 for ever.
func (s *Signer) SignText(text []byte, when time.Time, lifetime time.Duration) []byte {
	config := at(when)
	config.SigLifetimeSecs = uint32(lifetime / time.Second)
	revocations := s.entity.Revocations
	s.entity.Revocations = nil
	defer func() { s.entity.Revocations = revocations }()
	var b bytes.Buffer
	w, err := openpgp.Sign(&b, []*openpgp.Entity{s.entity}, nil, config)
	check(err)
	_, err = w.Write(text)
	check(err)
	check(w.Close())
	return b.Bytes()
}

// Statement is the text that is signed.
func Statement(d oci.Digest) []byte {
	return fmt.Appendf(nil, `{"critical":{"image":{"docker-manifest-digest":%q},"type":"atomic container signature",`+
		`"identity":{"docker-reference":"quay.io/openshift-release-dev/ocp-release:sample"}},`+
		`"optional":{"creator":"Red Hat OpenShift Signing Authority 0.0.1"}}`, d.String())
}

func check(err error) {
	if err != nil {
		panic(fmt.Sprintf("making a signature for tests: %v", err))
	}
}
