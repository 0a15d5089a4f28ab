package engine

import (
	"context"
	"errors"
	"io"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// probeBlobs is how many blobs are asked for in a repository that has no tags,
// before it is taken for empty: an interrupted run may have left some.
const probeBlobs = 4

// target copies one image to one target: blobs, children, parent with its tags.
func (r *run) target(ctx context.Context, item *plan.Item, t plan.Target) error {
	if err := r.ensureBlobs(ctx, item, t, item.Blobs()); err != nil {
		return err
	}
	for i := range item.Manifests {
		m := &item.Manifests[i]
		if i == len(item.Manifests)-1 {
			return r.putManifest(ctx, item, t, m)
		}
		if err := r.putChild(ctx, item, t, m); err != nil {
			return err
		}
	}
	return nil
}

// putChild writes a manifest without tags, once for a repository.
func (r *run) putChild(ctx context.Context, item *plan.Item, t plan.Target, m *plan.Manifest) error {
	c, mine := r.manifests.take(placed{t.Place, m.Digest})
	if !mine {
		return c.wait(ctx)
	}
	child := t
	child.Tags = nil
	c.settle(r.putManifest(ctx, item, child, m))
	return c.err
}

// putManifest writes a manifest. Where the destination lacks a blob that we
// believed it had, that belief is dropped and everything is sent once more.
func (r *run) putManifest(ctx context.Context, item *plan.Item, t plan.Target, m *plan.Manifest) error {
	dst := r.repos[t.Place]
	err := dst.PutManifest(ctx, m.Descriptor, m.Body, t.Tags...)
	if errors.Is(err, oci.ErrManifestBlobUnknown) || errors.Is(err, oci.ErrBlobUnknown) {
		if err = r.resend(ctx, item, t, m); err == nil {
			err = dst.PutManifest(ctx, m.Descriptor, m.Body, t.Tags...)
		}
	}
	if err != nil {
		return err
	}
	r.wrote(item, t, m)
	return nil
}

func (r *run) resend(ctx context.Context, item *plan.Item, t plan.Target, m *plan.Manifest) error {
	r.mu.Lock()
	r.isFresh[t.Place] = false
	for _, b := range m.Blobs {
		delete(r.known, located{t.Registry, b.Digest})
	}
	r.mu.Unlock()
	for _, b := range m.Blobs {
		r.blobs.forget(placed{t.Place, b.Digest})
		r.uploads.forget(located{t.Registry, b.Digest})
	}
	return r.ensureBlobs(ctx, item, t, m.Blobs)
}

// wrote acknowledges a manifest: at once where it is durable, else with the
// checkpoint that makes it so.
func (r *run) wrote(item *plan.Item, t plan.Target, m *plan.Manifest) {
	e := Event{Kind: ManifestDone, Item: item, Target: t, Desc: m.Bare()}
	r.mu.Lock()
	r.report.Manifests++
	r.report.Bytes += m.Size
	waits := r.ckpts[t.Registry] != nil
	if waits {
		r.deferred = append(r.deferred, e)
	}
	r.mu.Unlock()
	if !waits {
		r.opts.Events(e)
	}
}

// ensureBlobs makes the target's repository hold the blobs. Each is claimed
// first, so that images sharing it transfer it once.
func (r *run) ensureBlobs(ctx context.Context, item *plan.Item, t plan.Target, blobs []oci.Descriptor) error {
	var mine []oci.Descriptor
	claimed := make(map[oci.Digest]*claim, len(blobs))
	for _, b := range blobs {
		c, first := r.blobs.take(placed{t.Place, b.Digest})
		claimed[b.Digest] = c
		if first {
			mine = append(mine, b)
		}
	}
	r.transfer(ctx, item, t, mine, claimed)
	var first error
	for _, b := range blobs {
		if err := claimed[b.Digest].wait(ctx); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// transfer settles the claims of the blobs: those that the repository has at
// once, the others as they are copied.
func (r *run) transfer(ctx context.Context, item *plan.Item, t plan.Target, mine []oci.Descriptor, claimed map[oci.Digest]*claim) {
	missing, err := r.missing(ctx, t.Place, mine)
	if err != nil {
		for _, b := range mine {
			claimed[b.Digest].settle(err)
		}
		return
	}
	lacks := make(map[oci.Digest]bool, len(missing))
	for _, b := range missing {
		lacks[b.Digest] = true
	}
	for _, b := range mine {
		if !lacks[b.Digest] {
			r.learn(t.Place, b.Digest)
			r.done(item, t, b, repo.Present)
			claimed[b.Digest].settle(nil)
			continue
		}
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
			claimed[b.Digest].settle(context.Cause(ctx))
			continue
		}
		go func() {
			defer func() { <-r.slots }()
			claimed[b.Digest].settle(r.blob(ctx, item, t, b))
		}()
	}
}

// missing asks which blobs the repository lacks; a new one lacks them all.
func (r *run) missing(ctx context.Context, p plan.Place, blobs []oci.Descriptor) ([]oci.Descriptor, error) {
	if len(blobs) == 0 || r.opts.Force {
		return blobs, nil
	}
	isNew, err := r.isNew(ctx, p, blobs)
	if err != nil || isNew {
		return blobs, err
	}
	return r.repos[p].Missing(ctx, blobs)
}

// isNew finds out once whether a repository holds nothing at all.
func (r *run) isNew(ctx context.Context, p plan.Place, blobs []oci.Descriptor) (bool, error) {
	c, mine := r.fresh.take(p)
	if mine {
		fresh, err := looksNew(ctx, r.repos[p], blobs)
		r.mu.Lock()
		r.isFresh[p] = fresh
		r.mu.Unlock()
		c.settle(err)
	}
	if err := c.wait(ctx); err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.isFresh[p], nil
}

func looksNew(ctx context.Context, rp repo.Repo, blobs []oci.Descriptor) (bool, error) {
	for _, err := range rp.Tags(ctx, "") {
		if err == nil || !oci.IsNotFound(err) {
			return false, nil // it has tags, or will not say: ask for each blob
		}
	}
	probe := blobs[:min(len(blobs), probeBlobs)]
	lacks, err := rp.Missing(ctx, probe)
	return len(lacks) == len(probe), err
}

// blob brings one blob into one repository: linked where the registry has it
// in another one, else its bytes, a second time where the first were wrong.
func (r *run) blob(ctx context.Context, item *plan.Item, t plan.Target, b oci.Descriptor) error {
	up, first := r.uploads.take(located{t.Registry, b.Digest})
	if first {
		defer func() { up.settle(nil) }()
	} else if err := up.wait(ctx); err != nil {
		return err
	}
	r.opts.Events(Event{Kind: BlobStarted, Item: item, Target: t, Desc: b})
	from := r.mountFrom(item, t.Place, b.Digest)
	outcome, err := r.put(ctx, item, t, b, from)
	if corrupt := (*repo.CorruptError)(nil); errors.As(err, &corrupt) && ctx.Err() == nil {
		outcome, err = r.put(ctx, item, t, b, from)
	}
	if err != nil {
		return err
	}
	r.learn(t.Place, b.Digest)
	r.done(item, t, b, outcome)
	return r.maybeCheckpoint(ctx, b.Size)
}

func (r *run) put(ctx context.Context, item *plan.Item, t plan.Target, b oci.Descriptor, from string) (repo.Outcome, error) {
	src := r.repos[item.Source]
	return r.repos[t.Place].PutBlob(ctx, b, func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		rc, err := src.OpenBlob(ctx, b.Digest, offset)
		if err != nil {
			return nil, &sourceError{err}
		}
		return &counted{rc, b, r.opts.Events}, nil
	}, from)
}

// mountFrom names a repository of the target's registry that holds the blob.
func (r *run) mountFrom(item *plan.Item, p plan.Place, d oci.Digest) string {
	if r.opts.SkipMount {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if from := r.known[located{p.Registry, d}]; from != p.Repo {
		if from != "" {
			return from
		}
		if item.Source.Registry == p.Registry && item.Source.Repo != p.Repo {
			return item.Source.Repo
		}
	}
	return ""
}

func (r *run) learn(p plan.Place, d oci.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[located{p.Registry, d}] = p.Repo
}

func (r *run) done(item *plan.Item, t plan.Target, b oci.Descriptor, outcome repo.Outcome) {
	r.mu.Lock()
	switch outcome {
	case repo.Sent:
		r.report.Sent++
		r.report.Bytes += b.Size
	case repo.Mounted:
		r.report.Mounted++
	case repo.Present:
		r.report.Present++
	}
	r.mu.Unlock()
	r.opts.Events(Event{Kind: BlobDone, Item: item, Target: t, Desc: b, Outcome: outcome})
}

// counted tells how many bytes are read from a source, and marks its errors.
type counted struct {
	io.ReadCloser
	desc   oci.Descriptor
	events func(Event)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if n > 0 {
		c.events(Event{Kind: BlobBytes, Desc: c.desc, Bytes: int64(n)})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = &sourceError{err}
	}
	return n, err
}
