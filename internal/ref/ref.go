// Package ref has image references as values: what the user wrote is parsed
// once, at the edge, and never as text again.
package ref

import (
	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Scheme says what kind of place a reference names.
type Scheme int

// The schemes of the oc commands (oc.md 4.1).
const (
	Registry Scheme = iota // host/path, also written docker://host/path
	File                   // file://path: a repository under --dir
	S3                     // s3://host/region/bucket/path
)

// Ref is a parsed reference: comparable, printable, safe to use as a map key.
type Ref struct {
	Scheme Scheme
	// Host is the registry as written, with its port; "" where none was, and
	// for file references always, because oc keeps what looks like a host out
	// of the path on disk only to print it again: see Label.
	Host string
	// Path is the repository's name below the host or directory.
	Path   string
	Tag    string
	Digest oci.Digest
	// Label is the part of a file reference that looks like a host: printed,
	// but not part of the path on disk (oc.md 4.2).
	Label string
}
