package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// PreflightOptions says what refusals mean for a run.
type PreflightOptions struct {
	// GoOn says that the rest is copied where pushes are refused, so that each
	// refusal has to be known.
	GoOn bool
	// OrSingle says that one image may take the place of a list that is refused.
	OrSingle bool
}

// Preflight finds out before the first blob what would fail after hours: a
// push that is not allowed or has nowhere to go, a list that a registry will
// not take, a disk that cannot hold the plan, a blob larger than the file
// system takes.
//
// The error ends the run. Where there are refusals it is one of them, for all
// of its kind; with GoOn they are no error unless nothing at all may be pushed.
func Preflight(ctx context.Context, regs *Registries, p *plan.Plan, o PreflightOptions) (*Refusals, error) {
	out := &Refusals{places: map[plan.Place]error{}, lists: map[string]error{}}
	for _, places := range byRegistry(todo(p)) {
		reg, err := regs.Find(ctx, places[0].Registry)
		if err != nil {
			return out, err
		}
		if err := checkSpace(ctx, reg, p, places[0].Registry); err != nil {
			return out, err
		}
		if err := out.checkPush(ctx, reg, places, o); err != nil {
			return out, err
		}
		if err := out.checkLists(ctx, reg, p, places[0].Registry, o); err != nil {
			return out, err
		}
	}
	return out, out.ofAll(p)
}

// Refusals are the pushes that destinations refuse.
type Refusals struct {
	places map[plan.Place]error
	lists  map[string]error // by the key of a registry that takes no list with children left out
	first  error            // of those of places, and for all of its kind
}

// Why returns why a target takes no push of an item, nil if that is not known.
func (r *Refusals) Why(item *plan.Item, t plan.Target) error {
	if r == nil {
		return nil
	}
	if err := r.places[t.Place]; err != nil {
		return err
	}
	if err := r.lists[t.Registry]; err != nil && isSparse(item) {
		return err
	}
	return nil
}

// without leaves out what is attached to images that are refused: their own
// failure says it all.
func (r *Refusals) without(items []plan.Item) []plan.Item {
	if len(r.places) == 0 {
		return items
	}
	var out []plan.Item
	for _, item := range items {
		if !item.Subject.IsZero() {
			item.Targets = slices.DeleteFunc(item.Targets, func(t plan.Target) bool { return r.places[t.Place] != nil })
		}
		if len(item.Targets) > 0 {
			out = append(out, item)
		}
	}
	return out
}

// ofAll returns the first refusal if nothing is left that may be pushed.
func (r *Refusals) ofAll(p *plan.Plan) error {
	if r.first == nil {
		return nil
	}
	for i := range p.Items {
		for _, t := range p.Items[i].Targets {
			if !t.Present && r.Why(&p.Items[i], t) == nil {
				return nil
			}
		}
	}
	return r.first
}

// together is the worst of several errors, where that is a refused push with
// the repositories of all that are refused for the same reason.
func together(errs []error) error {
	first := worst(errs)
	refused, ok := errors.AsType[*remote.PushError](first)
	if !ok {
		return first
	}
	all := *refused
	for _, err := range errs {
		e, ok := errors.AsType[*remote.PushError](err)
		if !ok || e.Reason != all.Reason || e.Host != all.Host {
			continue
		}
		for _, name := range e.Repos {
			if !slices.Contains(all.Repos, name) {
				all.Repos = append(slices.Clip(all.Repos), name)
			}
		}
	}
	all.Repos = slices.Sorted(slices.Values(all.Repos)) // failures come in no order
	if at, ok := errors.AsType[*repo.Error](first); ok {
		same := *at
		same.Err = &all
		return &same
	}
	return &all
}

// byRegistry groups places, in their order.
func byRegistry(places []plan.Place) [][]plan.Place {
	var out [][]plan.Place
	index := map[string]int{}
	for _, place := range places {
		i, ok := index[place.Registry]
		if !ok {
			i = len(out)
			index[place.Registry] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], place)
	}
	return out
}

// todo returns the places where something is to be written.
func todo(p *plan.Plan) []plan.Place {
	rest := &plan.Plan{}
	for _, i := range p.Items {
		item := plan.Item{}
		for _, t := range i.Targets {
			if !t.Present {
				item.Targets = append(item.Targets, t)
			}
		}
		rest.Items = append(rest.Items, item)
	}
	return rest.Destinations()
}

// checkSpace compares what is missing with what the disk can take.
func checkSpace(ctx context.Context, reg repo.Registry, p *plan.Plan, key string) error {
	space, ok := reg.(repo.Space)
	if !ok {
		return nil
	}
	total, largest := p.BytesInto(key)
	if most := space.Largest(); most > 0 && largest > most {
		return fmt.Errorf("%s cannot hold a blob of %d bytes: its file system takes files of at most %d", reg.Name(), largest, most)
	}
	free, err := space.Free(ctx)
	if err != nil || total <= free {
		return err
	}
	held, err := heldBytes(ctx, reg, p, key)
	if err != nil || total-held <= free {
		return err
	}
	if b, ok := reg.(interface {
		Begun(context.Context) (int64, error)
	}); ok {
		begun, err := b.Begun(ctx)
		if held += begun; err != nil || total-held <= free {
			return err
		}
	}
	return &repo.SpaceError{Path: reg.Name(), Need: total - held, Free: free}
}

// heldBytes counts what an earlier run has brought already, each blob once as
// the plan does. It is asked only where space looks short.
func heldBytes(ctx context.Context, reg repo.Registry, p *plan.Plan, key string) (int64, error) {
	held := map[oci.Digest]int64{}
	for i := range p.Items {
		for _, t := range p.Items[i].Targets {
			if t.Registry != key || t.Present {
				continue
			}
			if err := addHeld(ctx, reg, t.Place.Repo, p.Items[i].Blobs(), held); err != nil {
				return 0, err
			}
		}
	}
	sum := int64(0)
	for _, size := range held {
		sum += size
	}
	return sum, nil
}

// addHeld adds those of the blobs that a repository has.
func addHeld(ctx context.Context, reg repo.Registry, name string, blobs []oci.Descriptor, held map[oci.Digest]int64) error {
	rp, err := reg.Repo(name)
	if err != nil {
		return err
	}
	missing, err := rp.Missing(ctx, blobs)
	if err != nil {
		return err
	}
	lacks := map[oci.Digest]bool{}
	for _, m := range missing {
		lacks[m.Digest] = true
	}
	for _, b := range blobs {
		if !lacks[b.Digest] {
			held[b.Digest] = b.Size
		}
	}
	return nil
}
