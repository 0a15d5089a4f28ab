// Package signature verifies the OpenPGP signatures of OpenShift releases and
// finds them in signature stores (oc.md 11, Signature lookup). A signature is a
// signed message that says "this digest is that image"; it is believed only
// where a key verifies the whole of it and the digest is the one asked for.
package signature

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// MaxSize is the largest signature in bytes (oc.md 11).
const MaxSize = 50 << 10

// maxMessage is the most bytes that one may unpack to. Real ones have 1 KiB.
const maxMessage = 256 << 10

// What can be wrong with a signature. Errors of Verify wrap one of these.
var (
	// ErrOtherRelease: it is genuine, and about another image.
	ErrOtherRelease = errors.New("it is a genuine signature of another release")
	// ErrAltered: the text or the signature was changed after signing.
	ErrAltered = errors.New("it was altered or damaged: the signature does not fit the text")
	// ErrUnknownKey: none of the keys made it.
	ErrUnknownKey = errors.New("it was made with a key that is not known")
	// ErrKeyExpired: the key that made it is past its time.
	ErrKeyExpired = errors.New("the key that it was made with has expired")
	// ErrKeyRevoked: the owner has withdrawn the key.
	ErrKeyRevoked = errors.New("the key that it was made with was revoked")
	// ErrKeyUnfit: the key may not or should not sign: too weak, or for other uses.
	ErrKeyUnfit = errors.New("the key that it was made with is not fit to sign releases")
	// ErrWeak: it rests on a hash that can be forged, so that it proves nothing.
	ErrWeak = errors.New("it is too weak to prove anything")
	// ErrExpired: the signature itself is past its time.
	ErrExpired = errors.New("the signature has expired")
	// ErrFuture: it says that it was made later than now.
	ErrFuture = errors.New("it was made in the future: is the clock of this machine right?")
	// ErrTruncated: the end is missing.
	ErrTruncated = errors.New("the file is truncated: its end is missing")
	// ErrTooLarge: it is larger than a signature can be.
	ErrTooLarge = errors.New("it is too large for a signature")
	// ErrNotSigned: an OpenPGP message, without signature.
	ErrNotSigned = errors.New("it is an OpenPGP message without a signature")
	// ErrNotOpenPGP: something else altogether.
	ErrNotOpenPGP = errors.New("it is no OpenPGP message")
	// ErrNotStatement: signed, and not about an image.
	ErrNotStatement = errors.New("what is signed is no statement about an image")
)

// Signature is a verified signature.
type Signature struct {
	Body        []byte // as it was found
	Digest      oci.Digest
	Reference   string // how the signer calls the image; nothing is compared with it
	Made        time.Time
	Fingerprint string // of the key, in upper-case hex
	Owner       string // the name in the key
	// Trusted tells that the key does not rest on the payload's own word.
	Trusted bool
}

// By says who signed.
func (s *Signature) By() string {
	if s.Owner == "" {
		return s.Fingerprint
	}
	return s.Owner + ", " + s.Fingerprint
}

// clock tells the time.
type clock = func() time.Time

// Verify returns what a signature says, if a key of keys made it, if it is
// valid now, and if it is about want. One valid signature is enough: oc asks
// for one of each ring in the payload, but a payload's word about further keys
// adds nothing to a key that is trusted without it, and takes nothing away.
// Trusted keys are asked first, so that no key of a payload can stand in for one.
func Verify(body []byte, want oci.Digest, keys Keys, now func() time.Time) (*Signature, error) {
	defer keys.use()()
	s, text, err := open(body, keys.trusted, now)
	if err == nil {
		s.Trusted = true
	} else if errors.Is(err, ErrUnknownKey) && len(keys.own) > 0 {
		s, text, err = open(body, keys.own, now)
	}
	if err != nil {
		return nil, err
	}
	said, err := parseStatement(text)
	if err != nil {
		return nil, err
	}
	if said.Digest != want {
		return nil, fmt.Errorf("%w: of %s (%s)", ErrOtherRelease, said.Digest, said.Reference)
	}
	s.Digest, s.Reference = said.Digest, said.Reference
	return s, nil
}

// open reads a signed message to its end, and only then asks whether the
// signature is valid: before, nothing has been verified.
func open(body []byte, keys openpgp.EntityList, now clock) (*Signature, []byte, error) {
	if err := shape(body); err != nil {
		return nil, nil, err
	}
	message, err := openpgp.ReadMessage(bytes.NewReader(body), keys, nil, config(now))
	if err != nil {
		return nil, nil, unreadable(err)
	}
	if !message.IsSigned {
		return nil, nil, ErrNotSigned
	}
	text, err := io.ReadAll(message.UnverifiedBody)
	switch {
	case err != nil:
		return nil, nil, unreadable(err)
	case message.SignatureError != nil:
		return nil, nil, refused(message, now())
	case message.Signature == nil || message.SignedBy == nil:
		return nil, nil, ErrNotSigned
	}
	if err := current(message.SignedBy, now()); err != nil {
		return nil, nil, err
	}
	key := message.SignedBy.Entity
	return &Signature{
		Body: body, Made: message.Signature.CreationTime.UTC(), Fingerprint: fingerprint(key), Owner: owner(key),
	}, text, nil
}

// shape refuses what is no binary OpenPGP message at first sight.
func shape(body []byte) error {
	switch {
	case len(body) == 0:
		return fmt.Errorf("%w: it is empty", ErrTruncated)
	case len(body) > MaxSize:
		return fmt.Errorf("%w: it has over %d bytes", ErrTooLarge, MaxSize)
	case body[0]&0x80 == 0: // the first bit of every packet
		return fmt.Errorf("%w: it begins with %.20q", ErrNotOpenPGP, body[:min(20, len(body))])
	}
	return nil
}

// current refuses a key that has expired or was revoked since it signed: a
// thief can date signatures back. oc looks at neither.
func current(key *openpgp.Key, now time.Time) error {
	if _, err := key.Entity.VerifyPrimaryKey(now, nil); err != nil {
		return badKey(key, err)
	}
	for _, sub := range key.Entity.Subkeys {
		if sub.PublicKey != key.PublicKey {
			continue
		}
		if _, err := sub.Verify(now, nil); err != nil {
			return badKey(key, err)
		}
	}
	return nil
}

func badKey(key *openpgp.Key, err error) error {
	switch {
	case errors.Is(err, pgperrors.ErrKeyExpired):
		return fmt.Errorf("%w: %s", ErrKeyExpired, fingerprint(key.Entity))
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return fmt.Errorf("%w: %s", ErrKeyRevoked, fingerprint(key.Entity))
	}
	return fmt.Errorf("%w: %s: %w", ErrKeyUnfit, fingerprint(key.Entity), err)
}

// unreadable says what is wrong with a message that cannot be read.
func unreadable(err error) error {
	_, unsupported := errors.AsType[pgperrors.UnsupportedError](err)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrTruncated
	case errors.Is(err, pgperrors.ErrMessageTooLarge):
		return fmt.Errorf("%w: unpacked it has over %d bytes", ErrTooLarge, maxMessage)
	case errors.Is(err, pgperrors.ErrKeyIncorrect):
		return fmt.Errorf("%w: it is encrypted", ErrNotSigned)
	case unsupported:
		return fmt.Errorf("%w that is understood: %w", ErrNotOpenPGP, err)
	}
	return fmt.Errorf("%w (%w)", ErrAltered, err)
}

// refused says why a message that was read has no valid signature.
func refused(message *openpgp.MessageDetails, now time.Time) error {
	err := message.SignatureError
	chosen := message.SelectedCandidate
	if chosen == nil {
		return unreadable(err)
	}
	key := chosen.SignedBy
	if key == nil && chosen.SignedByEntity != nil {
		key = &openpgp.Key{Entity: chosen.SignedByEntity, PublicKey: chosen.SignedByEntity.PrimaryKey}
	}
	_, weak := errors.AsType[pgperrors.WeakAlgorithmError](err)
	_, structure := errors.AsType[pgperrors.StructuralError](err)
	switch {
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return fmt.Errorf("%w: %016X", ErrUnknownKey, chosen.IssuerKeyId)
	case errors.Is(err, pgperrors.ErrSignatureExpired) && chosen.CorrespondingSig.CreationTime.After(now):
		return fmt.Errorf("%w: on %s", ErrFuture, chosen.CorrespondingSig.CreationTime.UTC().Format(time.DateOnly))
	case errors.Is(err, pgperrors.ErrSignatureExpired):
		return ErrExpired
	case key != nil && (errors.Is(err, pgperrors.ErrKeyExpired) || errors.Is(err, pgperrors.ErrKeyRevoked) || weak || structure && chosen.SignedBy == nil):
		return badKey(key, err)
	case chosen.CorrespondingSig != nil && (*packet.Config)(nil).RejectMessageHashAlgorithm(chosen.CorrespondingSig.Hash):
		return fmt.Errorf("%w: %w", ErrWeak, err)
	}
	return fmt.Errorf("%w (%w)", ErrAltered, err)
}
