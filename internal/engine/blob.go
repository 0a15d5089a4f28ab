package engine

import (
	"context"
	"errors"
	"io"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// probeBlobs is how many blobs are asked for in a repository that has no tags,
// before it is taken for empty: an interrupted run may have left some.
const probeBlobs = 4

// missing asks which blobs the repository lacks; a new one lacks them all, and
// so does one whose answer proved wrong.
func (im *image) missing(ctx context.Context, blobs []oci.Descriptor) ([]oci.Descriptor, error) {
	ask, lacks := im.askable(blobs)
	if len(ask) == 0 {
		return lacks, nil
	}
	isNew, err := im.isNew(ctx, ask)
	if err != nil || isNew {
		return blobs, err
	}
	missing, err := im.repos[im.to.Place].Missing(ctx, ask)
	return append(lacks, missing...), err
}

// askable parts the blobs that the repository may be asked for from those that
// are sent whatever it says.
func (im *image) askable(blobs []oci.Descriptor) (ask, send []oci.Descriptor) {
	if im.opts.Force {
		return nil, blobs
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	for _, b := range blobs {
		if im.doubted[placed{im.to.Place, b.Digest}] {
			send = append(send, b)
		} else {
			ask = append(ask, b)
		}
	}
	return ask, send
}

// isNew finds out once whether a repository holds nothing at all.
func (im *image) isNew(ctx context.Context, blobs []oci.Descriptor) (bool, error) {
	c, mine := im.fresh.take(im.to.Place, im.item.Source)
	if mine {
		fresh, err := im.looksNew(ctx, blobs)
		im.mu.Lock()
		im.isFresh[im.to.Place] = fresh
		im.mu.Unlock()
		if err != nil { // the next image may be luckier
			im.fresh.forget(im.to.Place, c)
		}
		c.settle(err)
	}
	if err := c.wait(ctx); err != nil {
		return false, err
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.isFresh[im.to.Place], nil
}

func (im *image) looksNew(ctx context.Context, blobs []oci.Descriptor) (bool, error) {
	rp := im.repos[im.to.Place]
	if !im.to.Untagged && !hasNoTags(ctx, rp) {
		return false, nil // ask for each blob
	}
	probe := blobs[:min(len(blobs), probeBlobs)]
	lacks, err := rp.Missing(ctx, probe)
	return len(lacks) == len(probe), err
}

// hasNoTags is false also where a repository will not say.
func hasNoTags(ctx context.Context, rp repo.Repo) bool {
	for _, err := range rp.Tags(ctx, "") {
		return err != nil && oci.IsNotFound(err)
	}
	return true
}

// bring gets one blob into one repository: linked where the registry has it in
// another one, else its bytes, a second time where the first were wrong or were at
// hand and cannot be read.
func (im *image) bring(ctx context.Context, b oci.Descriptor) error {
	// The first transfer into a registry is waited for, so that the others can
	// be links; before there is a slot, which others may need meanwhile.
	up, first := im.uploads.take(located{im.to.Registry, b.Digest}, im.item.Source)
	if first {
		defer up.settle(nil)
	} else if err := up.wait(ctx); err != nil {
		return err
	}
	select {
	case im.slots <- struct{}{}:
		defer func() { <-im.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	im.opts.Events(Event{Kind: BlobStarted, Item: im.item, Target: im.to, Desc: b})
	held := &atHand{open: im.opts.AtHand}
	outcome, err := im.putBlob(ctx, b, held)
	if (isCorrupt(err) || held.used && isOfSource(err)) && ctx.Err() == nil {
		outcome, err = im.putBlob(ctx, b, &atHand{open: nothingAtHand})
	}
	if err != nil {
		return err
	}
	im.arrived(b, outcome)
	return im.maybeCheckpoint(ctx, b.Size)
}

// atHand is a blob that the run may have already.
type atHand struct {
	open func(oci.Digest, int64) (io.ReadCloser, bool)
	used bool
}

func nothingAtHand(oci.Digest, int64) (io.ReadCloser, bool) { return nil, false }

// over opens a blob at hand, else at its source.
func (h *atHand) over(ctx context.Context, src repo.Source, d oci.Digest, offset int64) (io.ReadCloser, error) {
	if rc, ok := h.open(d, offset); ok {
		h.used = true
		return rc, nil
	}
	return src.OpenBlob(ctx, d, offset)
}

func isCorrupt(err error) bool {
	_, is := errors.AsType[*repo.CorruptError](err)
	return is
}

func isOfSource(err error) bool {
	_, is := errors.AsType[*sourceError](err)
	return is
}

func (im *image) putBlob(ctx context.Context, b oci.Descriptor, held *atHand) (repo.Outcome, error) {
	src := im.repos[im.item.Source]
	progress := Event{Kind: BlobBytes, Item: im.item, Target: im.to, Desc: b}
	return im.repos[im.to.Place].PutBlob(ctx, b, func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		rc, err := held.over(ctx, src, b.Digest, offset)
		if err != nil {
			return nil, &sourceError{err}
		}
		return &counted{rc, progress, im.opts.Events}, nil
	}, im.mountFrom(b.Digest))
}

// mountFrom names a repository of the target's registry that holds the blob.
func (im *image) mountFrom(d oci.Digest) string {
	if im.opts.SkipMount {
		return ""
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.doubted[placed{im.to.Place, d}] {
		return "" // a link may be what was not there
	}
	from, source := im.known[located{im.to.Registry, d}], im.item.Source
	if from == "" && source.Registry == im.to.Registry {
		from = source.Repo
	}
	if from == im.to.Repo {
		return ""
	}
	return from
}

// arrived notes that the repository has a blob, and how it came there.
func (im *image) arrived(b oci.Descriptor, outcome repo.Outcome) {
	im.mu.Lock()
	im.known[located{im.to.Registry, b.Digest}] = im.to.Repo
	switch outcome {
	case repo.Sent:
		im.report.Sent++
		im.report.Bytes += b.Size
	case repo.Mounted:
		im.report.Mounted++
	case repo.Present:
		im.report.Present++
	}
	im.mu.Unlock()
	im.opts.Events(Event{Kind: BlobDone, Item: im.item, Target: im.to, Desc: b, Outcome: outcome})
}

// counted tells how many bytes are read from a source, and marks its errors.
type counted struct {
	io.ReadCloser
	progress Event
	events   func(Event)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if n > 0 {
		e := c.progress
		e.Bytes = int64(n)
		c.events(e)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = &sourceError{err}
	}
	return n, err
}
