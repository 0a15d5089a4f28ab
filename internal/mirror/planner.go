package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Wish is one image that the user wants somewhere.
type Wish struct {
	plan.Mapping
	// Beside is where the image is read if that repository holds it by digest:
	// a release medium's own. The zero Ref for nowhere.
	Beside ref.Ref
	// Made is where the image is read if it was made in this run; the zero Place
	// for an image that Source can be read at.
	Made plan.Place
}

// PlanOptions says what goes along and what may be missing.
type PlanOptions struct {
	// Filter chooses the children of an index; its zero value keeps all of them.
	Filter oci.PlatformFilter
	// Single lets the only child that Filter leaves take the place of its index:
	// oc's behaviour without --keep-manifest-list, which changes the digest
	// found under the tag. Otherwise an index is always kept whole, byte for byte.
	Single bool
	// OrSingle is Single where a destination takes no list with children left out.
	OrSingle bool
	// SkipMissing drops, with a report, what the source says is gone for good.
	SkipMissing bool
	// Force plans everything, whatever the destination holds.
	Force bool
	// ContinueOnError plans the other images after one could not be planned.
	ContinueOnError bool
	// IgnoreDestination says that a destination which does not answer is no
	// error: a dry run, whose destination may lie behind the gap.
	IgnoreDestination bool
	// NoSignatures leaves out what is attached to images: signatures,
	// attestations, referrers.
	NoSignatures bool
	// Progress, if set, is told how many wishes of how many are planned, one more
	// each time.
	Progress func(done, total int)
}

// tally tells a Progress what is done. The lock is held for telling too: the last
// one ends the line on a screen, which one before it must not draw again.
type tally struct {
	mu          sync.Mutex
	done, total int
	tell        func(done, total int)
}

func (t *tally) add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done++
	if t.tell != nil {
		t.tell(t.done, t.total)
	}
}

// planWorkers bounds the images planned at once; registries bound their own requests.
const planWorkers = 32

// planner makes a plan of wishes. It asks each destination first, so that an
// image that is already there costs one request and none at its source.
type planner struct {
	regs *Registries
	o    PlanOptions

	mu        sync.Mutex
	opened    map[plan.Place]repo.Repo
	cache     map[cacheKey]*fetched
	presence  map[plan.Place]*destination
	attaching map[plan.Place]*attachments
	images    map[plan.Place]int // wishes that may be read there
}

type cacheKey struct {
	place  plan.Place
	digest oci.Digest
}

// fetched is a manifest that is read once; whoever else wants it waits.
type fetched struct {
	once sync.Once
	desc oci.Descriptor
	body []byte
	err  error
}

// Plan pins every wish to a digest and lists what has to be moved. The second
// result are the images that could not be planned; with any and without
// ContinueOnError the plan must not be executed.
func Plan(ctx context.Context, regs *Registries, wishes []Wish, o PlanOptions) (*plan.Plan, []error, error) {
	p := &planner{
		regs: regs, o: o, opened: map[plan.Place]repo.Repo{}, cache: map[cacheKey]*fetched{},
		presence: map[plan.Place]*destination{}, attaching: map[plan.Place]*attachments{}, images: imagesAt(regs, wishes),
	}
	for _, w := range wishes {
		if err := regs.WillWrite(w.Destinations...); err != nil {
			return nil, nil, err
		}
	}
	items := make([]*plan.Item, len(wishes))
	skipped := make([]*plan.Skipped, len(wishes))
	failed := make([]error, len(wishes))
	attached := make([][]*plan.Item, len(wishes))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(planWorkers)
	count := tally{total: len(wishes), tell: o.Progress}
	for i, w := range wishes {
		g.Go(func() error {
			items[i], skipped[i], failed[i] = p.wish(gctx, w)
			if items[i] != nil {
				attached[i], failed[i] = p.attached(gctx, items[i])
			}
			if gctx.Err() != nil {
				return context.Cause(gctx)
			}
			count.add()
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	if o.ContinueOnError {
		holdBack(wishes, items, failed)
	}
	for i, err := range failed {
		if err != nil {
			failed[i] = &WishError{Source: wishes[i].Source, Err: err}
		}
	}
	return gather(items, skipped, failed, attached)
}

// WishError is why an image could not be planned. It says which image it was
// that was asked for, where Err may be about a place that many go to.
type WishError struct {
	Source ref.Ref // of the wish
	Err    error
}

// Error implements error.
func (e *WishError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *WishError) Unwrap() error { return e.Err }

// holdBack makes failures of the release images whose components could not be
// planned: the others go on, but a release must not be found without them.
func holdBack(wishes []Wish, items []*plan.Item, failed []error) {
	broken := map[string]bool{}
	for i, w := range wishes {
		if failed[i] != nil && !w.Last {
			broken[w.Release] = true
		}
	}
	for i, w := range wishes {
		if items[i] == nil || !w.Last || !items[i].Todo() {
			continue
		}
		for release := range broken {
			if plan.SameRelease(w.Release, release) {
				failed[i] = &repo.Error{Op: "copying", Ref: w.Source.String(), Err: engine.ErrHeldBack}
			}
		}
	}
}

func gather(items []*plan.Item, skipped []*plan.Skipped, failed []error, attached [][]*plan.Item) (*plan.Plan, []error, error) {
	out := &plan.Plan{}
	var errs []error
	told := newGoals(items)
	for i := range items {
		switch {
		case failed[i] != nil:
			errs = append(errs, failed[i])
		case skipped[i] != nil:
			out.Skipped = append(out.Skipped, *skipped[i])
		default:
			out.Items = append(out.Items, *items[i])
			out.Items = append(out.Items, told.further(attached[i])...)
		}
	}
	return out, errs, nil
}

// wish plans one image.
func (p *planner) wish(ctx context.Context, w Wish) (*plan.Item, *plan.Skipped, error) {
	item, err := p.item(ctx, w)
	if err == nil {
		return item, nil, nil
	}
	if p.o.SkipMissing && isGone(err) {
		return nil, &plan.Skipped{Ref: w.Source.String(), Digest: w.Source.Digest, Why: "the source does not have it"}, nil
	}
	return nil, nil, err
}

// isGone reports whether an error of the source says that content does not
// exist there. Errors of a destination never do.
func isGone(err error) bool {
	e, ok := errors.AsType[*repo.Error](err)
	return ok && e.Side == repo.SideSource && oci.IsNotFound(err)
}

func (p *planner) item(ctx context.Context, w Wish) (*plan.Item, error) {
	src, place, err := p.source(ctx, w)
	if err != nil {
		return nil, err
	}
	targets, err := p.targets(w)
	if err != nil {
		return nil, err
	}
	item := &plan.Item{Ref: w.Source, Source: place, Targets: targets, Last: w.Last, Release: w.Release}
	return item, p.fill(ctx, src, item)
}

// fill pins an item to a digest, and reads what it consists of unless every
// target has it.
func (p *planner) fill(ctx context.Context, src repo.Source, item *plan.Item) error {
	walk := &walker{p: p, src: src, place: item.Source, item: item}
	root, err := p.pin(ctx, walk)
	if err != nil {
		return sourceError(item.Ref, err)
	}
	item.Root = root
	if err := p.findPresent(ctx, item); err != nil || !item.Todo() {
		return err
	}
	if err := walk.root(ctx, root); err != nil {
		return err
	}
	if item.Root != root { // one image takes the place of its list, and may be there
		return p.findPresent(ctx, item)
	}
	return nil
}

// pin finds the digest that an image's reference stands for. Where a target may
// hold the image already, the digest alone is asked for: registries that count
// pulls do not count that. Where none does, the manifest is read at once.
func (p *planner) pin(ctx context.Context, w *walker) (oci.Digest, error) {
	r := w.item.Ref
	switch {
	case !r.Digest.IsZero():
		return r.Digest, nil
	case p.o.Force || !p.mayHold(ctx, w.item.Targets):
		return w.readTag(ctx, r.Tag)
	}
	d, err := w.src.Resolve(ctx, repo.ByTag(r.Tag))
	return d.Digest, err
}

// source returns where an image is read: beside the wish's medium if it is
// there, else where its reference says. What is damaged beside it, or does not
// answer, is an error and no reason to go elsewhere.
func (p *planner) source(ctx context.Context, w Wish) (repo.Repo, plan.Place, error) {
	if w.Made != (plan.Place{}) {
		return p.openPlace(ctx, w.Made)
	}
	if !w.Beside.IsZero() {
		rp, place, err := p.open(ctx, w.Beside)
		if err == nil {
			_, err = rp.Resolve(ctx, repo.ByDigest(w.Source.Digest))
		}
		if err == nil {
			return rp, place, nil
		}
		if !oci.IsNotFound(err) && !isRefused(err) {
			return nil, place, sourceError(w.Beside.WithDigest(w.Source.Digest), err)
		}
	}
	rp, place, err := p.open(ctx, w.Source)
	if err != nil {
		return nil, place, sourceError(w.Source, err)
	}
	return rp, place, nil
}

func (p *planner) open(ctx context.Context, r ref.Ref) (repo.Repo, plan.Place, error) {
	place, err := p.regs.Place(r, Reading)
	if err != nil {
		return nil, place, err
	}
	return p.openPlace(ctx, place)
}

func (p *planner) openPlace(ctx context.Context, place plan.Place) (repo.Repo, plan.Place, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rp := p.opened[place]; rp != nil {
		return rp, place, nil
	}
	reg, err := p.regs.Find(ctx, place.Registry)
	if err != nil {
		return nil, place, err
	}
	rp, err := reg.Repo(place.Repo)
	if err == nil {
		p.opened[place] = rp
	}
	return rp, place, err
}

// targets groups the destinations of a wish by repository.
func (p *planner) targets(w Wish) ([]plan.Target, error) {
	var out []plan.Target
	index := map[plan.Place]int{}
	for _, d := range w.Destinations {
		place, err := p.regs.Place(d, Writing)
		if err != nil {
			return nil, err
		}
		i, ok := index[place]
		if !ok {
			i = len(out)
			index[place] = i
			out = append(out, plan.Target{Place: place})
		}
		if d.Tag != "" {
			out[i].Tags = append(out[i].Tags, d.Tag)
		}
	}
	return out, nil
}

// sourceError is the planning error of the field's best known sentence
// (oc.md 18), with the side, so that hints and --skip-missing can tell.
func sourceError(r ref.Ref, err error) error {
	return &repo.Error{Op: "unable to retrieve source image", Side: repo.SideSource, Ref: r.String(), Err: err}
}

// errSchema1 says why an old manifest is refused.
func errSchema1(d oci.Digest) error {
	return fmt.Errorf("%s is a schema 1 manifest, which is not mirrored: converting it would change its digest; rebuild the image with a current tool", d)
}
