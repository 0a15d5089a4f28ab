package remote

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// missingAtOnce bounds the goroutines that ask for blobs; how many requests go
// out at once is the host's limit.
const missingAtOnce = 16

// Missing implements repo.Sink, with one HEAD for each different blob.
func (r *Repo) Missing(ctx context.Context, blobs []oci.Descriptor) ([]oci.Descriptor, error) {
	absent := make([]bool, len(blobs))
	first := map[oci.Digest]int{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(missingAtOnce)
	for i, d := range blobs {
		if _, asked := first[d.Digest]; asked {
			continue
		}
		first[d.Digest] = i
		group.Go(func() (err error) {
			absent[i], err = r.lacks(ctx, d.Digest)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var out []oci.Descriptor
	for _, d := range blobs {
		if absent[first[d.Digest]] {
			out = append(out, d)
		}
	}
	return out, nil
}

func (r *Repo) lacks(ctx context.Context, d oci.Digest) (bool, error) {
	err := r.host.do(ctx, r.blobCall(http.MethodHead, d), nil)
	if err == nil {
		return false, nil
	}
	if e, ok := asError(err); ok && e.Status == http.StatusNotFound {
		return true, nil
	}
	return false, err
}

// PutManifest implements repo.Sink. For one tag that is one request: a
// registry that answers a push by tag with the right digest has it by digest,
// too. Digests other than the canonical are pushed by digest, with the tags as
// parameters (spec 1.1.1, Pushing Manifests), because a registry would hash a
// push by tag in its own way.
func (r *Repo) PutManifest(ctx context.Context, desc oci.Descriptor, body []byte, tags ...string) error {
	if err := desc.Digest.Check(body); err != nil {
		return r.corrupt(desc.Digest, err.Error())
	}
	for _, tag := range tags {
		if err := oci.CheckTag(tag); err != nil {
			return err
		}
	}
	p := manifestPut{r, desc, body}
	listed, err := p.putAll(ctx, tags)
	if err != nil || listed || !bytes.Contains(body, []byte(`"subject"`)) {
		return err
	}
	return p.refer(ctx)
}

// putAll pushes by digest, by tags, or both. It reports whether the registry
// has listed the manifest among its subject's referrers.
func (p manifestPut) putAll(ctx context.Context, tags []string) (listed bool, err error) {
	canonical := p.desc.Digest.Algorithm() == oci.Canonical
	if len(tags) == 0 || !canonical {
		done, err := p.put(ctx, p.desc.Digest.String(), tags)
		if err != nil {
			return false, err
		}
		listed = done.subject
		tags = slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return slices.Contains(done.tags, tag) })
	}
	for i, tag := range tags {
		done, err := p.put(ctx, tag, nil)
		if err != nil && !p.tagged(ctx, tag, err) {
			return listed, err
		}
		listed = listed || done.subject
		if i == 0 && err == nil && !done.byDigest && canonical {
			if _, err := p.put(ctx, p.desc.Digest.String(), nil); err != nil {
				return listed, err
			}
		}
	}
	return listed, nil
}

// manifestPut is a manifest on its way into a repository.
type manifestPut struct {
	r    *Repo
	desc oci.Descriptor
	body []byte
}

// putAnswer is what a registry said of a manifest that it took.
type putAnswer struct {
	byDigest bool     // it answered with our digest
	tags     []string // it set these, too
	subject  bool     // it keeps the list of referrers itself
}

// put makes one push, to a tag or a digest, and another where the answer is
// known to pass.
func (p manifestPut) put(ctx context.Context, target string, tags []string) (putAnswer, error) {
	for try := 1; ; try++ {
		answer, err := p.putOnce(ctx, target, tags)
		e, answered := asError(err)
		if !answered || try == maxTries || !passing(e) {
			return answer, err
		}
		if err := p.r.host.backoff(ctx, try, err); err != nil {
			return answer, err
		}
	}
}

// passing recognises refusals of good manifests that pass. Artifactory calls
// one invalid now and then when several are pushed at once (jib issue 3021).
// docker-registry, on a disk, finds the link of a blob empty, and so its digest
// invalid, while somebody else pushes that blob again.
func passing(e *Error) bool {
	return e.has(oci.ErrManifestInvalid) && isArtifactory(e.hdr) && !overwrites(e) ||
		e.has(oci.ErrDigestInvalid) && e.has(oci.ErrManifestBlobUnknown)
}

// overwrites recognises Artifactory's way to say that a tag may not be
// replaced: MANIFEST_INVALID around an "HTTP 403" (kaniko issue 1095).
func overwrites(e *Error) bool {
	for _, c := range e.Codes {
		if strings.Contains(c.Message+string(c.Detail), "403") {
			return true
		}
	}
	return false
}

func (p manifestPut) putOnce(ctx context.Context, target string, tags []string) (answer putAnswer, err error) {
	c := call{
		method: http.MethodPut, path: p.r.path + "/manifests/" + target, scope: push(p.r.path),
		header: http.Header{"Content-Type": {p.desc.MediaType}}, body: p.body,
		ok: []int{http.StatusCreated, http.StatusOK, http.StatusAccepted, http.StatusNoContent}, missing: oci.ErrNameUnknown,
	}
	if len(tags) > 0 {
		c.query = url.Values{"tag": tags}
	}
	err = p.r.host.do(ctx, c, func(resp *http.Response) error {
		answer, err = p.read(resp, target)
		return err
	})
	return answer, p.explain(ctx, err)
}

// read checks what the registry says that it has taken.
func (p manifestPut) read(resp *http.Response, target string) (putAnswer, error) {
	told, err := oci.ParseDigest(resp.Header.Get("Docker-Content-Digest"))
	if err == nil && told != p.desc.Digest && told.Algorithm() == p.desc.Digest.Algorithm() {
		return putAnswer{}, p.r.mistaken(p.desc.Digest, told)
	}
	return putAnswer{
		byDigest: told == p.desc.Digest || target == p.desc.Digest.String(),
		tags:     resp.Header.Values("OCI-Tag"),
		subject:  resp.Header.Get("OCI-Subject") != "",
	}, nil
}

// explain gives the registries' ways to say that something the manifest needs
// is not there one meaning, and none else: it must not pass for a missing
// manifest.
func (p manifestPut) explain(ctx context.Context, err error) error {
	e, ok := asError(err)
	if !ok {
		return err
	}
	if errors.Is(err, ErrNoDigestPush) {
		p.r.host.internal.Store(true)
		e.mean(ErrNoDigestPush)
		return err
	}
	unknown := e.has(oci.ErrManifestBlobUnknown, oci.ErrBlobUnknown, oci.ErrManifestUnknown) ||
		e.has("NOT_FOUND") && oci.IsIndex(p.desc.MediaType) && p.r.said(e) != NoProject // Harbor, of an index's child
	if unknown && (e.Status == http.StatusBadRequest || e.Status == http.StatusNotFound) {
		e.mean(oci.ErrManifestBlobUnknown)
	}
	return p.r.explainPush(ctx, err)
}

// tagged reports whether a refused push of a tag does not matter, because the
// tag points there already: registries with immutable tags, or without the
// right to overwrite, refuse also what changes nothing.
func (p manifestPut) tagged(ctx context.Context, tag string, err error) bool {
	e, ok := asError(err)
	if !ok || e.Status == http.StatusNotFound || retryStatus(e.Status) || errors.Is(err, oci.ErrManifestBlobUnknown) {
		return false
	}
	d, err := p.r.Resolve(ctx, repo.ByTag(tag))
	return err == nil && d.Digest == p.desc.Digest
}
