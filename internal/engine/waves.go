package engine

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// items works on what is attached to images first, then on the images, then on
// the last ones. Were a signature to come after its image, a run that is cut
// between would leave an image that looks complete, and the next run would not
// look for more.
func (r *run) items(ctx context.Context) error {
	if err := r.wave(ctx, isAttached); err != nil {
		return err
	}
	r.holdUnsigned()
	if r.goesOn() {
		if err := r.wave(ctx, isPlain); err != nil {
			return err
		}
	}
	r.holdBack()
	if !r.goesOn() {
		return nil
	}
	return r.wave(ctx, isLast)
}

func isAttached(i *plan.Item) bool { return !i.Subject.IsZero() }
func isLast(i *plan.Item) bool     { return i.Last && i.Subject.IsZero() }
func isPlain(i *plan.Item) bool    { return !i.Last && i.Subject.IsZero() }

func (r *run) goesOn() bool { return len(r.report.Failures) == 0 || r.opts.ContinueOnError }

// errStop ends a wave after a failure that is already in the report.
var errStop = errors.New("stopped after a failed image")

func (r *run) wave(ctx context.Context, in func(*plan.Item) bool) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.opts.Images)
	for i := range r.plan.Items {
		item := &r.plan.Items[i]
		if !in(item) || r.held[item] {
			continue
		}
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error { return r.item(gctx, item) })
	}
	err := g.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// holdUnsigned reports the images as failed to which something is attached that
// failed. Where the run ends at the first failure they are merely not tried.
func (r *run) holdUnsigned() {
	if len(r.report.Failures) == 0 || !r.opts.ContinueOnError {
		return
	}
	unsigned := r.unsigned()
	for i := range r.plan.Items {
		item := &r.plan.Items[i]
		if isAttached(item) || !item.Todo() || !slices.ContainsFunc(item.Manifests, func(m plan.Manifest) bool { return unsigned[m.Digest] }) {
			continue
		}
		r.held[item] = true
		r.fail(item, &repo.Error{Op: "copying", Ref: itemName(item), Err: ErrUnsigned})
	}
}

// unsigned returns the manifests to which something is attached that failed,
// at once or by way of another attachment: a bundle of a bundle.
func (r *run) unsigned() map[oci.Digest]bool {
	out := map[oci.Digest]bool{}
	for _, f := range r.report.Failures {
		out[f.Item.Subject] = true
	}
	for grown := true; grown; {
		grown = false
		for i := range r.plan.Items {
			if item := &r.plan.Items[i]; isAttached(item) && out[item.Root] && !out[item.Subject] {
				out[item.Subject], grown = true, true
			}
		}
	}
	return out
}

// holdBack reports the last items as failed whose release has failures, and all
// of them where the run ended at the first: their components were not tried.
func (r *run) holdBack() {
	failures := slices.Clone(r.report.Failures)
	for i := range r.plan.Items {
		item := &r.plan.Items[i]
		waits := func(f Failure) bool {
			return !r.opts.ContinueOnError || plan.SameRelease(item.Release, f.Item.Release)
		}
		if item.Last && item.Todo() && !r.held[item] && slices.ContainsFunc(failures, waits) {
			r.held[item] = true
			r.fail(item, &repo.Error{Op: "copying", Ref: itemName(item), Err: ErrHeldBack})
		}
	}
}
