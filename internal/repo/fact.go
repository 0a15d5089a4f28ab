package repo

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Facts are what a local registry knows besides content: small JSON values
// under text keys of a kv.Store. Package registry reads and writes them;
// ocdir and layout derive the same facts from their own directories, so that
// visibility, verifying and serving exist once. Names of repositories have no
// ':' and no '@', which makes each prefix below exact.
//
//	t/<repository>:<tag>               TagFact
//	m/<repository>@<digest>            ManifestFact
//	r/<repository>@<subject>@<digest>  oci.Descriptor with type and annotations
//	b/<repository>@<digest>            BlobFact
const (
	TagPrefix      = "t/"
	ManifestPrefix = "m/"
	ReferrerPrefix = "r/"
	BlobPrefix     = "b/"
)

// TagFact says which manifest a tag points at.
type TagFact struct {
	Digest oci.Digest `json:"digest"`
	Time   int64      `json:"time,omitempty"` // seconds since 1970, for people only
}

// ManifestFact says that a manifest is in a repository. Its bytes are a blob of
// the cas.Store under the digest of the key.
type ManifestFact struct {
	MediaType    string      `json:"mediaType"`
	Size         int64       `json:"size"` // bytes
	ArtifactType string      `json:"artifactType,omitempty"`
	Subject      *oci.Digest `json:"subject,omitempty"`
}

// BlobFact says that a blob may be read in a repository: for as long as a
// manifest of the repository names it (Held), else until the lease that began
// at Time lapses. A view that knows no leases says Held.
type BlobFact struct {
	Size int64 `json:"size"`           // bytes
	Time int64 `json:"time,omitempty"` // seconds since 1970
	Held bool  `json:"held,omitempty"`
}

// TagKey is the key of a TagFact; with tag "" the prefix of all of a repository.
func TagKey(name, tag string) string { return TagPrefix + name + ":" + tag }

// ManifestKey is the key of a ManifestFact; with the zero Digest the prefix of
// all of a repository.
func ManifestKey(name string, d oci.Digest) string { return ManifestPrefix + name + "@" + d.String() }

// BlobKey is the key of a BlobFact; with the zero Digest the prefix of all of a
// repository.
func BlobKey(name string, d oci.Digest) string { return BlobPrefix + name + "@" + d.String() }

// ReferrerKey is the key of the descriptor of a manifest d whose subject is
// given; with a zero d the prefix of all of the subject's referrers.
func ReferrerKey(name string, subject, d oci.Digest) string {
	return ReferrerPrefix + name + "@" + subject.String() + "@" + d.String()
}

// SplitKey takes the key of a fact apart: its prefix ("t/"), the repository,
// and what follows the separator (a tag, a digest, or subject@digest).
func SplitKey(key string) (prefix, name, rest string, ok bool) {
	if len(key) < 2 || key[1] != '/' {
		return "", "", "", false
	}
	i := strings.IndexAny(key, ":@")
	if i < 0 {
		return "", "", "", false
	}
	return key[:2], key[2:i], key[i+1:], true
}

// EncodeFact returns the stored form of one of the values above.
func EncodeFact(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil { // none of the types above can do this
		panic(err)
	}
	return text
}

// DecodeFact reads the stored form of a value. The error names the key.
func DecodeFact[T any](key string, text []byte) (T, error) {
	var value, plain T
	if scan(&plain, text) {
		return plain, nil
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return value, fmt.Errorf("fact %s is malformed: %w", key, err)
	}
	return value, nil
}
