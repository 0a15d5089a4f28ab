package remote

import (
	"context"
	"net/http"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// DeleteTag implements repo.Sink. Registries older than the specification know
// no deletion by tag: oci.ErrUnsupported.
func (r *Repo) DeleteTag(ctx context.Context, tag string) error {
	err := r.delete(ctx, "/manifests/"+tag, oci.ErrManifestUnknown)
	if e, ok := asError(err); ok && e.Status == http.StatusBadRequest {
		e.mean(oci.ErrUnsupported)
	}
	return err
}

// DeleteManifest implements repo.Sink.
func (r *Repo) DeleteManifest(ctx context.Context, d oci.Digest) error {
	return r.delete(ctx, "/manifests/"+d.String(), oci.ErrManifestUnknown)
}

// DeleteBlob implements repo.Sink.
func (r *Repo) DeleteBlob(ctx context.Context, d oci.Digest) error {
	return r.delete(ctx, "/blobs/"+d.String(), oci.ErrBlobUnknown)
}

// delete removes one thing. Where the answer to a first try was lost, a second
// that finds nothing is a success.
func (r *Repo) delete(ctx context.Context, path string, missing oci.Code) error {
	c := call{
		method: http.MethodDelete, path: r.path + path, scope: push(r.path), missing: missing,
		ok: []int{http.StatusAccepted, http.StatusOK, http.StatusNoContent},
	}
	for try := 1; ; try++ {
		err := r.host.once(ctx, c, nil)
		if try > 1 && oci.IsNotFound(err) {
			return nil
		}
		if err == nil || r.host.giveUp(ctx, try, err) {
			return err
		}
		if err := r.host.backoff(ctx, try, err); err != nil {
			return err
		}
	}
}
