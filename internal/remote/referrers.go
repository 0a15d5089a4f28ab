package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Referrers implements repo.Source by the referrers API, and by the fallback
// tag where a registry does not have it (spec, Listing Referrers and
// Unavailable Referrers API).
func (r *Repo) Referrers(ctx context.Context, subject oci.Digest) iter.Seq2[oci.Descriptor, error] {
	return func(yield func(oci.Descriptor, error) bool) {
		found, err := r.referrers(ctx, subject)
		if err != nil {
			yield(oci.Descriptor{}, err)
			return
		}
		for _, d := range found {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (r *Repo) referrers(ctx context.Context, subject oci.Digest) ([]oci.Descriptor, error) {
	var found []oci.Descriptor
	c := call{
		method: http.MethodGet, path: r.path + "/referrers/" + subject.String(), scope: pull(r.path),
		header: http.Header{"Accept": {oci.MediaTypeImageIndex}}, ok: []int{http.StatusOK}, missing: oci.ErrManifestUnknown,
	}
	err := r.host.pages(ctx, c, func(body []byte) error {
		page, err := readIndex(body)
		found = append(found, page...)
		return err
	})
	if e, ok := asError(err); ok && noSuchAPI(e.Status) {
		return r.fallbackReferrers(ctx, subject)
	}
	return found, err
}

// noSuchAPI reports statuses by which registries without the API answer.
func noSuchAPI(status int) bool {
	return status == http.StatusNotFound || status == http.StatusBadRequest ||
		status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented
}

// fallbackTag is the tag of the list of a subject's referrers (spec, Referrers
// Tag Schema).
func fallbackTag(subject oci.Digest) string {
	hex := subject.Hex()
	return subject.Algorithm() + "-" + hex[:min(len(hex), 64)]
}

func (r *Repo) fallbackReferrers(ctx context.Context, subject oci.Digest) ([]oci.Descriptor, error) {
	d, body, err := r.Manifest(ctx, repo.ByTag(fallbackTag(subject)))
	if oci.IsNotFound(err) || err == nil && d.MediaType != oci.MediaTypeImageIndex {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return readIndex(body)
}

func readIndex(body []byte) ([]oci.Descriptor, error) {
	var index struct {
		Manifests []oci.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(body, &index); err != nil {
		return nil, fmt.Errorf("the list of referrers is not valid: %w", err)
	}
	return index.Manifests, nil
}
