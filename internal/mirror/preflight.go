package mirror

import (
	"context"
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Preflight finds out before the first blob what would fail after hours: a
// push that is not allowed or has nowhere to go, a list that a registry will
// not take, a disk that cannot hold the plan, a blob larger than the file
// system takes.
func Preflight(ctx context.Context, regs *Registries, p *plan.Plan) error {
	for _, places := range byRegistry(todo(p)) {
		key := places[0].Registry
		reg, err := regs.Find(ctx, key)
		if err != nil {
			return err
		}
		if err := checkSpace(ctx, reg, p, key); err != nil {
			return err
		}
		if err := checkPush(ctx, reg, places); err != nil {
			return err
		}
		if err := checkLists(ctx, reg, p, key); err != nil {
			return err
		}
	}
	return nil
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
