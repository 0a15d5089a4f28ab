package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Repo implements repo.Repo.
type Repo struct {
	registry *Registry
	host     *host
	name     string
	path     string // the name in the registry's API
}

var _ repo.Repo = (*Repo)(nil)

// Name implements repo.Repo.
func (r *Repo) Name() string { return r.name }

func (r *Repo) String() string { return r.registry.name + "/" + r.name }

// integrityTries is how often content is fetched that is not what its digest says: once more, in case it
// was the way here.
const integrityTries = 2

func (r *Repo) manifestCall(method string, t repo.Target) call {
	return call{
		method: method, path: r.path + "/manifests/" + t.String(), scope: pull(r.path),
		header: http.Header{"Accept": {strings.Join(oci.ManifestTypes, ", ")}},
		ok:     []int{http.StatusOK}, missing: oci.ErrManifestUnknown, checked: !t.Digest.IsZero(),
	}
}

// Resolve implements repo.Source with HEAD, and with GET where a registry does
// not answer that with a digest.
func (r *Repo) Resolve(ctx context.Context, t repo.Target) (oci.Descriptor, error) {
	var d oci.Descriptor
	err := r.host.do(ctx, r.manifestCall(http.MethodHead, t), func(resp *http.Response) error {
		var err error
		d, err = r.headDescriptor(resp, t)
		return err
	})
	if e, ok := asError(err); ok && e.Status == http.StatusMethodNotAllowed || err == nil && d.Digest.IsZero() {
		d, _, err = r.Manifest(ctx, t)
	}
	return d, err
}

// headDescriptor reads the descriptor that an answer's headers make; without a
// digest header it is the one asked for, or none.
func (r *Repo) headDescriptor(resp *http.Response, t repo.Target) (oci.Descriptor, error) {
	d := oci.Descriptor{MediaType: mediaType(resp), Digest: t.Digest, Size: resp.ContentLength}
	header := resp.Header.Get("Docker-Content-Digest")
	if header == "" {
		return d, nil
	}
	told, err := oci.ParseDigest(header)
	if err != nil {
		return d, nil //nolint:nilerr // as good as no header: the content decides
	}
	if !t.Digest.IsZero() && told != t.Digest && told.Algorithm() == t.Digest.Algorithm() {
		return d, r.corrupt(t.Digest, "the registry answered with "+told.String())
	}
	if t.Digest.IsZero() {
		d.Digest = told
	}
	return d, nil
}

func (r *Repo) corrupt(d oci.Digest, reason string) error {
	return &repo.CorruptError{Where: r.String(), Digest: d, Reason: reason}
}

// mistaken says that the registry made something else of what it was sent,
// which was verified: no source is to blame.
func (r *Repo) mistaken(sent, took oci.Digest) error {
	return oci.ErrDigestInvalid.With(fmt.Sprintf("%s took %s as %s", r, sent, took))
}

// mediaType is an answer's Content-Type without parameters.
func mediaType(resp *http.Response) string {
	t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// Manifest implements repo.Source.
func (r *Repo) Manifest(ctx context.Context, t repo.Target) (oci.Descriptor, []byte, error) {
	for try := 1; ; try++ {
		resp, body, err := r.host.fetch(ctx, r.manifestCall(http.MethodGet, t), oci.MaxManifestSize) //nolint:bodyclose // fetch has closed it
		if err != nil {
			return oci.Descriptor{}, nil, err
		}
		d, err := r.checkManifest(resp, body, t)
		if err == nil {
			return d, body, nil
		}
		if try == integrityTries {
			return oci.Descriptor{}, nil, err
		}
	}
}

// checkManifest verifies a manifest against the digest asked for or else told,
// and gives it the media type that it was served with or else has inside.
func (r *Repo) checkManifest(resp *http.Response, body []byte, t repo.Target) (oci.Descriptor, error) {
	d, err := r.headDescriptor(resp, t)
	if err != nil {
		return d, err
	}
	if d.Digest.IsZero() {
		d.Digest = oci.FromBytes(body)
	}
	if err := d.Digest.Check(body); err != nil {
		return d, r.corrupt(d.Digest, err.Error())
	}
	d.Size = int64(len(body))
	if d.MediaType, err = manifestType(d.MediaType, body); err != nil {
		return d, requestError(resp.Request, err)
	}
	return d, nil
}

// manifestType is the media type that a manifest was served with, or where that
// says nothing the one it has inside. Manifests of types unknown here may hold
// anything; what a web page's type is on, is none.
func manifestType(served string, body []byte) (string, error) {
	m, err := oci.ParseManifest(served, body)
	if err == nil {
		return m.MediaType, nil
	}
	generic := served == "" || strings.HasPrefix(served, "text/") || served == oci.MediaTypeOctetStream || served == "application/json"
	if generic || oci.IsManifest(served) || !json.Valid(body) {
		return "", err
	}
	return served, nil
}

// StatBlob implements repo.Source.
func (r *Repo) StatBlob(ctx context.Context, d oci.Digest) (oci.Descriptor, error) {
	out := oci.Descriptor{MediaType: oci.MediaTypeOctetStream, Digest: d, Size: -1}
	err := r.host.do(ctx, r.blobCall(http.MethodHead, d), func(resp *http.Response) error {
		out.Size = resp.ContentLength
		return nil
	})
	return out, err
}

func (r *Repo) blobCall(method string, d oci.Digest) call {
	return call{
		method: method, path: r.path + "/blobs/" + d.String(), scope: pull(r.path),
		ok: []int{http.StatusOK}, missing: oci.ErrBlobUnknown, checked: true,
	}
}

// Tags implements repo.Source.
func (r *Repo) Tags(ctx context.Context, after string) iter.Seq2[string, error] {
	return r.host.list(ctx, r.tagsCall(), after, func(l listAnswer) []*string { return l.Tags })
}

func (r *Repo) tagsCall() call {
	return call{
		method: http.MethodGet, path: r.path + "/tags/list", query: url.Values{"n": {pageSize}},
		scope: pull(r.path), ok: []int{http.StatusOK}, missing: oci.ErrNameUnknown,
	}
}

// TagsWithin implements repo.TagLister.
func (r *Repo) TagsWithin(ctx context.Context, requests int) (tags []string, whole bool, err error) {
	whole, err = r.host.pagesWithin(ctx, r.tagsCall(), requests, func(body []byte) error {
		var page listAnswer
		if err := json.Unmarshal(body, &page); err != nil {
			return fmt.Errorf("the list is not valid JSON: %w", err)
		}
		tags = appendNames(tags, page.Tags, "")
		return nil
	})
	return tags, whole, err
}
