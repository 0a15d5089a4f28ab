package engine

import (
	"cmp"
	"context"
	"errors"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// image is one item on its way to one of its targets.
type image struct {
	*run
	item *plan.Item
	to   plan.Target
}

// copy brings the blobs, the children, and the parent with its tags.
func (im *image) copy(ctx context.Context) error {
	if err := im.ensureBlobs(ctx, im.item.Blobs()); err != nil {
		return err
	}
	for i := range im.item.Manifests {
		m := &im.item.Manifests[i]
		if i == len(im.item.Manifests)-1 {
			return im.putManifest(ctx, m)
		}
		if err := im.putChild(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// putChild writes a manifest without tags, once for a repository.
func (im *image) putChild(ctx context.Context, m *plan.Manifest) error {
	c, mine := im.manifests.take(placed{im.to.Place, m.Digest}, im.item.Source)
	if !mine {
		return c.wait(ctx)
	}
	child := *im
	child.to.Tags = nil
	c.settle(child.putManifest(ctx, m))
	return c.err
}

// putManifest writes a manifest. Where the destination lacks a blob that we
// believed it had, that belief is dropped and everything is sent once more.
func (im *image) putManifest(ctx context.Context, m *plan.Manifest) error {
	err := im.putOnce(ctx, m)
	if len(m.Blobs) > 0 && (errors.Is(err, oci.ErrManifestBlobUnknown) || errors.Is(err, oci.ErrBlobUnknown)) {
		if err := im.resend(ctx, m.Blobs); err != nil {
			return err
		}
		err = im.putOnce(ctx, m)
	}
	return err
}

func (im *image) putOnce(ctx context.Context, m *plan.Manifest) error {
	err := im.repos[im.to.Place].PutManifest(ctx, m.Descriptor, m.Body, im.to.Tags...)
	if err != nil {
		return &manifestError{err}
	}
	im.wrote(m)
	return nil
}

// resend brings the blobs again, without asking whether they are there: the
// answer would be the one that proved wrong. Of several images that found so,
// one sends and the others wait for it.
func (im *image) resend(ctx context.Context, blobs []oci.Descriptor) error {
	im.mu.Lock()
	for _, b := range blobs {
		key := placed{im.to.Place, b.Digest}
		if im.doubted[key] {
			continue
		}
		im.doubted[key] = true
		im.blobs.drop(key)
	}
	im.mu.Unlock()
	return im.ensureBlobs(ctx, blobs)
}

// wrote acknowledges a manifest: at once where it is durable, else with the
// checkpoint that makes it so.
func (im *image) wrote(m *plan.Manifest) {
	e := Event{Kind: ManifestDone, Item: im.item, Target: im.to, Desc: m.Bare()}
	im.mu.Lock()
	im.report.Manifests++
	im.report.Bytes += m.Size
	waits := im.ckpts[im.to.Registry] != nil
	if waits {
		im.deferred = append(im.deferred, e)
	}
	im.mu.Unlock()
	if !waits {
		im.opts.Events(e)
	}
}

// ensureBlobs makes the target's repository hold the blobs. What another image
// could not bring is tried once more if this one has another source for it.
func (im *image) ensureBlobs(ctx context.Context, blobs []oci.Descriptor) error {
	failed, err := im.claimBlobs(ctx, blobs)
	if err == nil || ctx.Err() != nil {
		return err
	}
	var again []oci.Descriptor
	for _, f := range failed {
		if f.by == im.item.Source {
			return f.err
		}
		im.blobs.forget(placed{im.to.Place, f.blob.Digest}, f.claim)
		again = append(again, f.blob)
	}
	_, err = im.claimBlobs(ctx, again)
	return err
}

// failedBlob is a blob that did not get through, whoever brought it.
type failedBlob struct {
	*claim
	blob oci.Descriptor
}

// claimBlobs claims each blob, so that images sharing it transfer it once,
// brings those that nobody else does, and waits for all. The error is the first
// of those that failed.
func (im *image) claimBlobs(ctx context.Context, blobs []oci.Descriptor) (failed []failedBlob, err error) {
	claimed := make(map[oci.Digest]*claim, len(blobs))
	var mine []oci.Descriptor
	for _, b := range blobs {
		c, first := im.blobs.take(placed{im.to.Place, b.Digest}, im.item.Source)
		claimed[b.Digest] = c
		if first {
			mine = append(mine, b)
		}
	}
	im.transfer(ctx, mine, claimed)
	for _, b := range blobs {
		if failure := claimed[b.Digest].wait(ctx); failure != nil {
			failed = append(failed, failedBlob{claimed[b.Digest], b})
			err = cmp.Or(err, failure)
		}
	}
	return failed, err
}

// transfer settles the claims of the blobs: those that the repository has at
// once, the others as they are copied.
func (im *image) transfer(ctx context.Context, mine []oci.Descriptor, claimed map[oci.Digest]*claim) {
	missing, err := im.missing(ctx, mine)
	lacks := make(map[oci.Digest]bool, len(missing))
	for _, b := range missing {
		lacks[b.Digest] = true
	}
	for _, b := range mine {
		switch {
		case err != nil:
			claimed[b.Digest].settle(err)
		case lacks[b.Digest]:
			im.flights.Go(func() { claimed[b.Digest].settle(im.bring(ctx, b)) })
		default:
			im.arrived(b, repo.Present)
			claimed[b.Digest].settle(nil)
		}
	}
}
