// Package engine executes a plan: it makes every target hold what its item
// says, in an order that never lets an incomplete image be seen, transferring
// each blob once. It knows nothing of releases, catalogs or files; it sees
// repo.Sources and repo.Sinks.
package engine

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Options says how to execute. Zero values are defaults.
type Options struct {
	// Images and Blobs bound what is worked on at once; the registries
	// themselves bound requests to each host. Defaults 32 and 32.
	Images, Blobs int
	// ContinueOnError goes on with other images after one has failed.
	ContinueOnError bool
	// SkipMount never asks a registry to link a blob from another repository.
	SkipMount bool
	// Force sends every blob and manifest, also what is there already.
	Force bool
	// Refused, if set, says why a target is known to take no push of an item, nil
	// if it is not: the item fails there, and nothing of it is sent.
	Refused func(*plan.Item, plan.Target) error
	// AtHand, if set, reads a blob from an offset in bytes where the run has it: then
	// its source is not asked, unless what is at hand proves wrong.
	AtHand func(d oci.Digest, offset int64) (io.ReadCloser, bool)
	// CheckpointEvery is the number of bytes after which gathered writes are
	// made durable. Default 1 GiB.
	CheckpointEvery int64
	// Events is told what happens, from many goroutines; it must not block. May be nil.
	Events func(Event)
}

// Registries finds the registry of a plan.Place by its key.
type Registries func(ctx context.Context, key string) (repo.Registry, error)

// Execute carries out the plan and reports. The error is about the run as a
// whole: a cancelled context, a checkpoint that failed. Failed images are in
// the report.
func Execute(ctx context.Context, p *plan.Plan, regs Registries, o Options) (*Report, error) {
	r := newRun(p, regs, o)
	err := r.open(ctx)
	if err != nil {
		return r.report, err
	}
	err = r.items(ctx)
	r.flights.Wait() // those of images that were cut end a little later
	// What is complete is kept also when the run was cut: the next one goes on there.
	if cerr := r.checkpoint(ctx); cerr != nil {
		r.report.Copied, r.report.Attached, r.report.Done = 0, 0, nil
		return r.report, cerr
	}
	return r.report, err
}

// run is the state of one Execute.
type run struct {
	plan  *plan.Plan
	find  Registries
	opts  Options
	repos map[plan.Place]repo.Repo
	ckpts map[string]repo.Checkpointer // by registry key

	blobs     *claims[placed]  // one transfer of a blob into a repository
	uploads   *claims[located] // one transfer of a blob into a registry
	manifests *claims[placed]  // one put of a child manifest into a repository
	fresh     *claims[plan.Place]
	slots     chan struct{} // blobs in flight
	flights   sync.WaitGroup

	mu       sync.Mutex
	known    map[located]string // a repository of the registry that holds the blob
	doubted  map[placed]bool    // the destination said that it had it, and had not
	isFresh  map[plan.Place]bool
	deferred []Event // acknowledgements that wait for a checkpoint
	unsynced int64   // bytes since the last checkpoint
	report   *Report

	held map[*plan.Item]bool // last items whose release has failures

	ckptGuard sync.Mutex
	void      error // a checkpoint has failed
}

func newRun(p *plan.Plan, find Registries, o Options) *run {
	if o.Images <= 0 {
		o.Images = 32
	}
	if o.Blobs <= 0 {
		o.Blobs = 32
	}
	if o.CheckpointEvery <= 0 {
		o.CheckpointEvery = 1 << 30
	}
	if o.Events == nil {
		o.Events = func(Event) {}
	}
	if o.AtHand == nil {
		o.AtHand = nothingAtHand
	}
	if o.Refused == nil {
		o.Refused = func(*plan.Item, plan.Target) error { return nil }
	}
	return &run{
		plan: p, find: find, opts: o,
		repos: map[plan.Place]repo.Repo{}, ckpts: map[string]repo.Checkpointer{},
		blobs: newClaims[placed](), uploads: newClaims[located](), manifests: newClaims[placed](), fresh: newClaims[plan.Place](),
		slots: make(chan struct{}, o.Blobs),
		known: map[located]string{}, doubted: map[placed]bool{}, isFresh: map[plan.Place]bool{}, held: map[*plan.Item]bool{}, report: &Report{},
	}
}

// open resolves every place of the plan once, before anything is copied.
func (r *run) open(ctx context.Context) error {
	for i := range r.plan.Items {
		item := &r.plan.Items[i]
		if !item.Todo() {
			continue
		}
		if err := r.openPlace(ctx, item.Source); err != nil {
			return err
		}
		for _, t := range item.Targets {
			if err := r.openTarget(ctx, t.Place); err != nil {
				return err
			}
		}
	}
	return nil
}

// openTarget also notes who gathers writes. A source has none to gather.
func (r *run) openTarget(ctx context.Context, p plan.Place) error {
	if err := r.openPlace(ctx, p); err != nil {
		return err
	}
	reg, err := r.find(ctx, p.Registry)
	if err != nil {
		return err
	}
	if c, ok := reg.(repo.Checkpointer); ok {
		r.ckpts[p.Registry] = c
	}
	return nil
}

func (r *run) openPlace(ctx context.Context, p plan.Place) error {
	if r.repos[p] != nil {
		return nil
	}
	reg, err := r.find(ctx, p.Registry)
	if err != nil {
		return err
	}
	rp, err := reg.Repo(p.Repo)
	if err != nil {
		return err
	}
	r.repos[p] = rp
	return nil
}

// item copies one image to all its targets.
func (r *run) item(ctx context.Context, item *plan.Item) error {
	var copied, failed bool
	for _, t := range item.Targets {
		if t.Present {
			r.opts.Events(Event{Kind: ImagePresent, Item: item, Target: t})
			continue
		}
		copied = true
		err := r.opts.Refused(item, t)
		if err == nil {
			err = (&image{r, item, t}).copy(ctx)
		}
		if err == nil {
			continue
		}
		if _, void := errors.AsType[*voidError](err); void || ctx.Err() != nil {
			return err // cut, not failed
		}
		failed = true
		r.fail(item, place(err, item, t))
		if !r.opts.ContinueOnError {
			return errStop
		}
	}
	if !failed {
		r.finish(item, copied)
	}
	return nil
}

// finish counts an image that is wholly there.
func (r *run) finish(item *plan.Item, copied bool) {
	r.mu.Lock()
	r.report.Done = append(r.report.Done, item)
	switch {
	case !copied:
	case item.Subject.IsZero():
		r.report.Copied++
	default:
		r.report.Attached++
	}
	r.mu.Unlock()
	r.opts.Events(Event{Kind: ImageDone, Item: item})
}

func (r *run) fail(item *plan.Item, err error) {
	r.mu.Lock()
	r.report.Failures = append(r.report.Failures, Failure{Item: item, Err: err})
	r.mu.Unlock()
	r.opts.Events(Event{Kind: ImageFailed, Item: item, Err: err})
}
