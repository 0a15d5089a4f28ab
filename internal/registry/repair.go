package registry

import (
	"context"
	"errors"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
)

// Repair removes the content that a verification found damaged, after looking
// at it once more, so that it is missing instead of wrong: the next run that
// mirrors the images copies it anew. It returns how many were removed, and
// oci.ErrUnsupported where the blob store cannot do it.
func (r *Registry) Repair(ctx context.Context, damages []Damage) (removed int, err error) {
	if err := r.writable(); err != nil {
		return 0, err
	}
	blobs, ok := r.blobs.(cas.Rechecker)
	if !ok {
		return 0, oci.ErrUnsupported.With("this blob store cannot be repaired")
	}
	for _, d := range damages {
		err := blobs.Recheck(ctx, d.Digest)
		if _, gone := errors.AsType[*repo.CorruptError](err); gone {
			removed++
		} else if err != nil && !errors.Is(err, oci.ErrBlobUnknown) {
			return removed, err
		}
	}
	return removed, nil
}
