package repo

import (
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Side says which end of a transfer an error belongs to.
type Side string

// The two ends.
const (
	SideSource      Side = "source"
	SideDestination Side = "destination"
)

// Error is a failure with its place: what was done, on which side, to which
// reference and digest. It is made once, where all are known, and not wrapped
// in another of its kind.
type Error struct {
	Op     string // gerund: "copying", "reading manifest"
	Side   Side   // "" where there is only one
	Ref    string // reference as the user would write it
	Digest oci.Digest
	Err    error
}

// Error implements error: "copying REF: destination: cause".
func (e *Error) Error() string {
	s := e.Op + " " + e.Ref
	if !e.Digest.IsZero() {
		s += " " + e.Digest.String()
	}
	if e.Side != "" {
		s += ": " + string(e.Side)
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CorruptError says that content is not what its digest or size promises.
type CorruptError struct {
	Where  string // a registry and repository, or a path
	Digest oci.Digest
	Reason string // "content is sha256:…", "got 10 bytes of 20"
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: %s is corrupt: %s", e.Where, e.Digest, e.Reason)
}

// LockedError says that another process writes to a store.
type LockedError struct {
	Path   string
	Holder string // who, as far as it is known: "airbridge serve, pid 12 on host"
}

// Error implements error.
func (e *LockedError) Error() string {
	return fmt.Sprintf("store %s is locked by %s", e.Path, e.Holder)
}

// VersionError says that what lies on a disk was written by a newer airbridge,
// in a way that this one would misread. Nothing was changed then.
type VersionError struct {
	Path   string // of the store, or of the file in it
	Reason string // "its format is version 2, ..."
}

// NewerFormat is the VersionError of a numbered format.
func NewerFormat(path string, found, known int) *VersionError {
	return &VersionError{path, fmt.Sprintf("its format is version %d, and this airbridge reads up to version %d", found, known)}
}

// Error implements error.
func (e *VersionError) Error() string {
	return e.Path + " was written by a newer airbridge: " + e.Reason
}

// SpaceError says that a disk cannot take what is to be written. Sizes are in bytes.
type SpaceError struct {
	Path       string
	Need, Free int64
}

// Error implements error.
func (e *SpaceError) Error() string {
	const gib = 1 << 30
	return fmt.Sprintf("not enough space in %s: %d bytes needed, %d free (%.2f and %.2f GiB)",
		e.Path, e.Need, e.Free, float64(e.Need)/gib, float64(e.Free)/gib)
}
