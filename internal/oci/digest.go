package oci

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"unique"
)

// Digest names content by its hash, as "sha256:<64 hex>" or "sha512:<128 hex>"
// (OCI image-spec, descriptor.md, Digests). Digests are interned: a Digest is
// one word, comparable with == and usable as a map key, and a million
// references to the same content share one string. The zero Digest names
// nothing.
type Digest struct {
	h unique.Handle[string]
}

// The two registered algorithms. Canonical is the one used wherever we choose.
const (
	SHA256    = "sha256"
	SHA512    = "sha512"
	Canonical = SHA256
)

// ParseDigest reads a digest in its text form. It returns an error that
// matches ErrDigestInvalid for an unknown algorithm, a wrong length or
// anything but lower-case hex.
func ParseDigest(s string) (Digest, error) {
	alg, enc, ok := strings.Cut(s, ":")
	want := hexLen(alg)
	if !ok || want == 0 || len(enc) != want || !isLowerHex(enc) {
		return Digest{}, ErrDigestInvalid.With(fmt.Sprintf("%.100q is not a sha256 or sha512 digest", s))
	}
	return Digest{unique.Make(s)}, nil
}

// MustDigest is ParseDigest for literals; it panics on anything malformed.
func MustDigest(s string) Digest {
	d, err := ParseDigest(s)
	if err != nil {
		panic(err)
	}
	return d
}

// FromBytes returns the canonical digest of content held in memory.
func FromBytes(content []byte) Digest {
	sum := sha256.Sum256(content)
	return NewDigest(SHA256, sum[:])
}

// NewDigest returns the digest of an algorithm and its raw sum.
func NewDigest(algorithm string, sum []byte) Digest {
	return Digest{unique.Make(algorithm + ":" + hex.EncodeToString(sum))}
}

// NewHash returns the hash of an algorithm, or an error that matches
// ErrDigestInvalid.
func NewHash(algorithm string) (hash.Hash, error) {
	switch algorithm {
	case SHA256:
		return sha256.New(), nil
	case SHA512:
		return sha512.New(), nil
	}
	return nil, ErrDigestInvalid.With(fmt.Sprintf("unknown digest algorithm %.20q", algorithm))
}

// IsZero reports whether d names nothing.
func (d Digest) IsZero() bool { return d == Digest{} }

// String returns the text form, "" for the zero Digest.
func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return d.h.Value()
}

// Algorithm returns the part before the colon.
func (d Digest) Algorithm() string {
	alg, _, _ := strings.Cut(d.String(), ":")
	return alg
}

// Hex returns the part after the colon.
func (d Digest) Hex() string {
	_, enc, _ := strings.Cut(d.String(), ":")
	return enc
}

// Short returns the algorithm and the first 12 digits, for progress only;
// errors always carry the whole digest.
func (d Digest) Short() string {
	s := d.String()
	if i := strings.IndexByte(s, ':'); i > 0 && len(s) > i+13 {
		return s[:i+13]
	}
	return s
}

// Hash returns a new hash of the digest's algorithm. The zero Digest has the
// canonical one.
func (d Digest) Hash() hash.Hash {
	if d.Algorithm() == SHA512 {
		return sha512.New()
	}
	return sha256.New()
}

// Matches reports whether the sum of h, which must be of the digest's
// algorithm, is the digest's.
func (d Digest) Matches(h hash.Hash) bool {
	return NewDigest(d.Algorithm(), h.Sum(nil)) == d
}

// Check returns an error that matches ErrDigestInvalid unless content has this
// digest.
func (d Digest) Check(content []byte) error {
	h := d.Hash()
	h.Write(content)
	if d.Matches(h) {
		return nil
	}
	return ErrDigestInvalid.With(fmt.Sprintf("content is %s, want %s", NewDigest(d.Algorithm(), h.Sum(nil)), d))
}

// MarshalText and UnmarshalText give the text form in JSON and YAML; an empty
// text is the zero Digest.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Digest{}
		return nil
	}
	parsed, err := ParseDigest(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

func hexLen(algorithm string) int {
	switch algorithm {
	case SHA256:
		return 2 * sha256.Size
	case SHA512:
		return 2 * sha512.Size
	}
	return 0
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
