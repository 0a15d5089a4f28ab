package registry

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// GCOptions are the choices of a collection.
type GCOptions struct {
	DryRun bool          // only report what would be deleted
	Grace  time.Duration // leave content that is younger than this
}

// GCReport is what a collection deleted. Sizes are in bytes.
type GCReport struct {
	Leases       int // lapsed leases of blobs
	Blobs        int // that no fact names, manifests too
	Bytes        int64
	Partials     int // interrupted transfers and dead upload sessions
	PartialBytes int64
}

// GC drops lapsed leases and deletes content that nothing needs any more. The
// caller has the store for itself: nothing else may write meanwhile. Facts go
// first and durably, so that no fact ever speaks of what was deleted. Facts
// that cannot be read, or are of a kind that only a newer version knows (a
// *repo.VersionError), end it before anything is deleted.
func (r *Registry) GC(ctx context.Context, o GCOptions) (GCReport, error) {
	c := &collection{Registry: r, opts: o, live: map[oci.Digest]bool{}}
	if err := r.writable(); err != nil {
		return c.report, err
	}
	if err := r.Checkpoint(ctx); err != nil {
		return c.report, err
	}
	for _, step := range []func(context.Context) error{c.checkKinds, c.mark, c.find, c.dropFacts, c.deleteContent} {
		if err := step(ctx); err != nil {
			return c.report, err
		}
	}
	return c.report, nil
}

// collection is one run of GC.
type collection struct {
	*Registry
	opts     GCOptions
	live     map[oci.Digest]bool
	lapsed   []kv.Change
	blobs    []oci.Digest
	partials []string
	report   GCReport
}

// mark finds what facts keep, and the leases that lapsed.
func (c *collection) mark(ctx context.Context) error {
	all, err := c.allNames(ctx)
	if err != nil {
		return err
	}
	for _, name := range all {
		if err := c.markRepository(ctx, &repository{c.Registry, name}); err != nil {
			return err
		}
	}
	c.report.Leases = len(c.lapsed)
	return nil
}

func (c *collection) markRepository(ctx context.Context, p *repository) error {
	held, whole, err := c.held(ctx, p)
	if err != nil {
		return err
	}
	for b, err := range p.blobFacts(ctx, c.ledger) {
		if err != nil {
			return err
		}
		// A hold whose manifest is gone, because it was damaged when it was
		// deleted, counts as a lease. If a manifest cannot be read now, holds
		// are believed.
		lease := b.fact
		lease.Held = lease.Held && !whole
		if held[b.digest] || p.alive(lease) {
			c.live[b.digest] = true
		} else {
			c.lapsed = append(c.lapsed, drop(repo.BlobKey(p.name, b.digest)))
		}
	}
	return nil
}

// held marks the manifests of a repository and returns what they name; whole is
// false where not all could be read.
func (c *collection) held(ctx context.Context, p *repository) (set map[oci.Digest]bool, whole bool, err error) {
	set, whole = map[oci.Digest]bool{}, true
	for m, err := range p.manifests(ctx, c.ledger) {
		if err != nil {
			return nil, false, err
		}
		c.live[m.digest] = true
		blobs, err := p.namedBy(ctx, m.digest, m.fact)
		if _, damaged := errors.AsType[*repo.CorruptError](err); damaged {
			whole = false
		} else if err != nil {
			return nil, false, err
		}
		for _, b := range blobs {
			set[b.Digest] = true
		}
	}
	return set, whole, nil
}

// find lists the content that may go.
func (c *collection) find(ctx context.Context) error {
	for b, err := range c.Registry.blobs.Walk(ctx) {
		if err != nil {
			return err
		}
		if !c.live[b.Digest] && c.older(b.ModTime, c.opts.Grace) {
			c.blobs = append(c.blobs, b.Digest)
			c.report.Blobs++
			c.report.Bytes += b.Size
		}
	}
	for p, err := range c.Registry.blobs.Partials(ctx) {
		if err != nil {
			return err
		}
		wait := c.opts.Grace
		if strings.HasPrefix(p.ID, uploadPrefix) {
			wait = max(wait, c.Registry.opts.Lease) // its client may come back
		}
		if c.older(p.ModTime, wait) {
			c.partials = append(c.partials, p.ID)
			c.report.Partials++
			c.report.PartialBytes += p.Size
		}
	}
	return nil
}

func (c *collection) older(t time.Time, than time.Duration) bool {
	return c.Registry.opts.Now().Sub(t) >= than
}

func (c *collection) dropFacts(ctx context.Context) error {
	if c.opts.DryRun || len(c.lapsed) == 0 {
		return nil
	}
	if err := c.ledger.enqueue(c.lapsed...); err != nil {
		return err
	}
	return c.ledger.flush(ctx)
}

func (c *collection) deleteContent(ctx context.Context) error {
	if c.opts.DryRun {
		return nil
	}
	for _, d := range c.blobs {
		if err := c.Registry.blobs.Delete(ctx, d); err != nil {
			return err
		}
	}
	for _, id := range c.partials {
		if err := c.Registry.blobs.DeletePartial(ctx, id); err != nil {
			return err
		}
		c.uploads.forget(id)
	}
	return nil
}
