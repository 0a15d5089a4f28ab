package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"slices"

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

// ListsReferrers implements repo.ReferrersProber. A registry that has the
// referrers API never says 404 for a repository that exists; one that refuses
// this account the list only is taken as one that has none.
func (r *Repo) ListsReferrers(ctx context.Context, subject oci.Digest) (bool, error) {
	_, err := r.listed(ctx, subject)
	e, ok := asError(err)
	switch {
	case ok && noSuchAPI(e.Status):
		r.host.listless.Store(true)
		return false, nil
	case ok && e.Status == http.StatusForbidden:
		return false, nil
	}
	return err == nil, err
}

func (r *Repo) referrers(ctx context.Context, subject oci.Digest) ([]oci.Descriptor, error) {
	if r.host.listless.Load() {
		return r.fallbackReferrers(ctx, subject)
	}
	found, err := r.listed(ctx, subject)
	if e, ok := asError(err); ok && (noSuchAPI(e.Status) || e.Status == http.StatusForbidden) {
		return r.fallbackReferrers(ctx, subject)
	}
	return found, err
}

// maxReferrers bounds what is gathered of a list that comes in pages without end.
const maxReferrers = 10_000

// listed asks the referrers API.
func (r *Repo) listed(ctx context.Context, subject oci.Digest) ([]oci.Descriptor, error) {
	var found []oci.Descriptor
	c := call{
		method: http.MethodGet, path: r.path + "/referrers/" + subject.String(), scope: pull(r.path),
		header: http.Header{"Accept": {oci.MediaTypeImageIndex}}, ok: []int{http.StatusOK}, missing: oci.ErrManifestUnknown,
	}
	err := r.host.pages(ctx, c, func(body []byte) error {
		page, err := readIndex(body)
		found = append(found, page...)
		if err == nil && len(found) > maxReferrers {
			err = fmt.Errorf("there are more than %d referrers", maxReferrers)
		}
		return err
	})
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

// index is the list that a fallback tag points at, with all that it holds.
type index struct {
	SchemaVersion int              `json:"schemaVersion"`
	MediaType     string           `json:"mediaType"`
	Manifests     []oci.Descriptor `json:"manifests"`
}

// refer adds a manifest to the list of its subject's referrers where the
// registry does not keep such lists itself (spec, Pushing Manifests with
// Subject). Lists of one host are changed one at a time, because a registry has
// no way to change one unless nobody else did.
func (p manifestPut) refer(ctx context.Context) error {
	m, err := oci.ParseManifest(p.desc.MediaType, p.body)
	if err != nil || m.Subject == nil {
		return nil // it was taken as it is; what it is about is not known here
	}
	lock := p.r.host.lists
	select {
	case lock <- struct{}{}:
		defer func() { <-lock }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	found, err := p.r.fallbackReferrers(ctx, m.Subject.Digest)
	if err != nil || slices.ContainsFunc(found, func(d oci.Descriptor) bool { return d.Digest == p.desc.Digest }) {
		return err
	}
	d := p.desc.Bare()
	d.ArtifactType, d.Annotations = m.ArtifactType, m.Annotations
	body, err := json.Marshal(index{2, oci.MediaTypeImageIndex, append(found, d)})
	if err != nil {
		return err
	}
	list := manifestPut{p.r, oci.Descriptor{MediaType: oci.MediaTypeImageIndex, Digest: oci.FromBytes(body), Size: int64(len(body))}, body}
	_, err = list.put(ctx, fallbackTag(m.Subject.Digest), nil)
	return err
}
