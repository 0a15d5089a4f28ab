package cas

import (
	"context"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// CopyChecker is the optional power of a Store that may hold a blob in several
// files, of which Open reads one.
type CopyChecker interface {
	// CheckCopies hashes the files that Open does not read and that are not the
	// same file by another name, and tells of each that is damaged. The error
	// is of looking for them, not of their content.
	CheckCopies(ctx context.Context, damaged func(d oci.Digest, reason string)) error
}
