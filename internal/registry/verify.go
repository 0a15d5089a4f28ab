package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
)

// verifiers is how many blobs are hashed at once: enough to keep a disk and
// the processors of a small machine busy.
const verifiers = 3

// Progress is how far a verification has come. Sizes are in bytes.
type Progress struct {
	Blobs, TotalBlobs int
	Bytes, TotalBytes int64
}

// Report is the result of a verification.
type Report struct {
	Blobs     int   // hashed
	Bytes     int64 // of them
	Manifests int   // whose facts were derived again
	Tags      int
	// Unused is content that belongs to no image: what was deleted and not yet
	// collected, or images of which the facts were lost. It is no damage.
	Unused      int
	UnusedBytes int64
	Damages     []Damage // by digest
}

// Damage is content, or what is known of it, that is not as it should be.
type Damage struct {
	Digest oci.Digest
	Reason string
	// Images are those that need the digest: repository:tag, or
	// repository@digest where no tag leads to it. None needs what is left over.
	Images []string
}

// Verify hashes every blob again, derives every fact again from the manifests,
// and says which images each damage hurts. The function, which may be nil, is
// called now and then, once at a time. The error is of reading facts or lists;
// damage to content is in the Report.
func (r *Registry) Verify(ctx context.Context, progress func(Progress)) (Report, error) {
	v := &verification{Registry: r, progress: progress, damages: map[oci.Digest]*Damage{}, used: map[oci.Digest]bool{}}
	if err := v.hashAll(ctx); err != nil {
		return v.report, err
	}
	all, err := r.allNames(ctx)
	if err != nil {
		return v.report, err
	}
	for _, name := range all {
		if err := v.repository(ctx, &repository{r, name}); err != nil {
			return v.report, err
		}
	}
	if err := v.countUnused(ctx); err != nil {
		return v.report, err
	}
	err = v.nameImages(ctx, all)
	return v.report, err
}

// verification is one run of Verify.
type verification struct {
	*Registry
	progress func(Progress)

	mu      sync.Mutex
	done    Progress
	damages map[oci.Digest]*Damage
	used    map[oci.Digest]bool // that facts name
	report  Report
}

// damage notes the first thing that is wrong with a digest.
func (v *verification) damage(d oci.Digest, reason string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.damages[d] == nil {
		v.damages[d] = &Damage{Digest: d, Reason: reason}
	}
}

func (v *verification) advance(blobs int, bytes int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done.Blobs += blobs
	v.done.Bytes += bytes
	if v.progress != nil {
		v.progress(v.done)
	}
}

func (v *verification) hashAll(ctx context.Context) error {
	for b, err := range v.blobs.Walk(ctx) {
		if err != nil && b.Digest.IsZero() {
			return err
		}
		v.done.TotalBlobs++
		v.done.TotalBytes += b.Size
	}
	whole := ctx // the group ends its own context
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(verifiers)
	for b, err := range v.blobs.Walk(ctx) {
		if ctx.Err() != nil || (err != nil && b.Digest.IsZero()) {
			return errors.Join(group.Wait(), err, ctx.Err())
		}
		if err != nil {
			v.damage(b.Digest, err.Error())
			continue
		}
		group.Go(func() error { return v.hash(ctx, b) })
	}
	err := group.Wait()
	v.report.Blobs, v.report.Bytes = v.done.Blobs, v.done.Bytes
	if several, ok := v.blobs.(cas.CopyChecker); ok && err == nil {
		err = several.CheckCopies(whole, v.damage)
	}
	return err
}

// hash reads one blob. Only the end of the context is an error.
func (v *verification) hash(ctx context.Context, b cas.Blob) error {
	reason, err := v.judge(ctx, b)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		reason = err.Error()
	}
	if reason != "" {
		v.damage(b.Digest, reason)
	}
	v.advance(1, 0)
	return nil
}

// judge returns what is wrong with a blob.
func (v *verification) judge(ctx context.Context, b cas.Blob) (string, error) {
	src, err := v.blobs.Open(ctx, b.Digest, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = src.Close() }() // nothing was written
	h := b.Digest.Hash()
	buf := newBuffer()
	defer buffers.Put(buf)
	for ctx.Err() == nil {
		n, err := src.Read(buf[:])
		h.Write(buf[:n])
		v.advance(0, int64(n))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
	}
	if !b.Digest.Matches(h) {
		return "content is " + oci.NewDigest(b.Digest.Algorithm(), h.Sum(nil)).String(), nil
	}
	return "", nil
}

// countUnused counts the content that no fact names.
func (v *verification) countUnused(ctx context.Context) error {
	for b, err := range v.blobs.Walk(ctx) {
		if b.Digest.IsZero() && err != nil {
			return err
		}
		if !v.used[b.Digest] {
			v.report.Unused++
			v.report.UnusedBytes += b.Size
		}
	}
	return ctx.Err()
}

// repository derives the facts of one repository again.
func (v *verification) repository(ctx context.Context, p *repository) error {
	for m, err := range p.manifests(ctx, v.reads) {
		if err != nil {
			return err
		}
		v.report.Manifests++
		v.used[m.digest] = true
		if err := v.manifest(ctx, p, m); err != nil {
			return err
		}
	}
	for b, err := range p.blobFacts(ctx, v.reads) {
		if err != nil {
			return err
		}
		if err := v.blob(ctx, p, b); err != nil {
			return err
		}
	}
	if err := v.tags(ctx, p); err != nil {
		return err
	}
	return v.referrers(ctx, p)
}

// manifest compares a manifest's facts with its bytes.
func (v *verification) manifest(ctx context.Context, p *repository, m entry[repo.ManifestFact]) error {
	read, body, err := v.read(ctx, m.digest, m.fact)
	if damaged, ok := errors.AsType[*repo.CorruptError](err); ok {
		v.damage(m.digest, damaged.Reason)
		return nil
	}
	if err != nil {
		return err
	}
	a := &arrival{desc: oci.Descriptor{MediaType: read.MediaType, Digest: m.digest, Size: int64(len(body))}, body: body, read: read}
	changes, err := p.changes(ctx, a)
	if errors.Is(err, oci.ErrManifestBlobUnknown) {
		v.damage(m.digest, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	for _, c := range changes {
		if err := v.derived(ctx, m.digest, c.Key, string(c.Value)); err != nil {
			return err
		}
	}
	return nil
}

// derived sees that a fact is what a manifest makes it.
func (v *verification) derived(ctx context.Context, d oci.Digest, key, want string) error {
	got, err := v.reads.Get(ctx, key)
	if err == nil && string(got) == want {
		return nil
	}
	if err != nil && !isNoKey(err) {
		return err
	}
	v.damage(d, fmt.Sprintf("the fact %s is %q, but the manifest says %s", key, got, want))
	return nil
}

// blob sees that a blob that may be read is there, with its size.
func (v *verification) blob(ctx context.Context, p *repository, b entry[repo.BlobFact]) error {
	if !p.alive(b.fact) {
		return nil
	}
	v.used[b.digest] = true
	size, err := v.blobs.Stat(ctx, b.digest)
	switch {
	case errors.Is(err, oci.ErrBlobUnknown):
		v.damage(b.digest, "content is missing")
	case err != nil:
		return err
	case size != b.fact.Size:
		v.damage(b.digest, fmt.Sprintf("%d bytes are there, %s should have %d", size, p.name, b.fact.Size))
	}
	return nil
}

// tags sees that every tag leads to a manifest.
func (v *verification) tags(ctx context.Context, p *repository) error {
	for e, err := range v.reads.List(ctx, repo.TagKey(p.name, ""), "") {
		if err != nil {
			return err
		}
		v.report.Tags++
		tag, err := repo.DecodeFact[repo.TagFact](e.Key, e.Value)
		if err != nil {
			return err
		}
		if err := v.needed(ctx, p, tag.Digest, "a tag points at it"); err != nil {
			return err
		}
	}
	return nil
}

// referrers sees that every referrer is a manifest of the repository.
func (v *verification) referrers(ctx context.Context, p *repository) error {
	prefix := repo.ReferrerPrefix + p.name + "@"
	for e, err := range v.reads.List(ctx, prefix, "") {
		if err != nil {
			return err
		}
		_, text, _ := strings.Cut(strings.TrimPrefix(e.Key, prefix), "@")
		d, err := oci.ParseDigest(text)
		if err != nil {
			return fmt.Errorf("fact %s is malformed: %w", e.Key, err)
		}
		if err := v.needed(ctx, p, d, "it is listed as a referrer"); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) needed(ctx context.Context, p *repository, d oci.Digest, why string) error {
	_, ok, err := lookup[repo.ManifestFact](ctx, v.reads, repo.ManifestKey(p.name, d))
	if err == nil && !ok {
		v.damage(d, fmt.Sprintf("%s has no such manifest, but %s", p.name, why))
	}
	return err
}
