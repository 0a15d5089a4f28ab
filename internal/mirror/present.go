package mirror

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// destination is what is known of a repository that is written to.
type destination struct {
	once  sync.Once
	repo  repo.Repo
	local bool
	empty bool  // it has no tags, so no image of ours either
	err   error // it does not answer
}

// patience is how long a dry run waits for a destination that may lie behind
// the gap, where packets vanish without an answer.
const patience = 5 * time.Second

// findPresent marks the targets that hold the image already.
func (p *planner) findPresent(ctx context.Context, item *plan.Item) error {
	if p.o.Force {
		return nil
	}
	for i := range item.Targets {
		t := &item.Targets[i]
		d := p.destination(ctx, t.Place)
		if d.err != nil && !p.o.IgnoreDestination {
			return &repo.Error{Op: "reading", Side: repo.SideDestination, Ref: t.Place.String(), Err: d.err}
		}
		t.Untagged = d.empty && d.err == nil
		if !d.mayHold(*t) {
			continue
		}
		present, err := p.present(ctx, d, *t, item.Root)
		if isRefused(err) {
			continue // whether we may push is another question, asked once for all images
		}
		if err != nil && !p.o.IgnoreDestination {
			return &repo.Error{Op: "reading", Side: repo.SideDestination, Ref: t.Place.String(), Err: err}
		}
		t.Present = present && err == nil
	}
	return nil
}

// mayHold reports whether a target has to be asked if it holds an image.
func (p *planner) mayHold(ctx context.Context, targets []plan.Target) bool {
	return slices.ContainsFunc(targets, func(t plan.Target) bool {
		return p.destination(ctx, t.Place).mayHold(t)
	})
}

// mayHold reports whether a repository may hold what a target names in it.
func (d *destination) mayHold(t plan.Target) bool {
	return d.err == nil && (!d.empty || len(t.Tags) == 0)
}

// destination finds out once whether a repository answers and holds anything,
// which spares a request an image in a new one.
func (p *planner) destination(ctx context.Context, place plan.Place) *destination {
	p.mu.Lock()
	d := p.presence[place]
	if d == nil {
		d = &destination{}
		p.presence[place] = d
	}
	p.mu.Unlock()
	d.once.Do(func() {
		if p.o.IgnoreDestination {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, patience)
			defer cancel()
		}
		p.look(ctx, place, d)
	})
	return d
}

func (p *planner) look(ctx context.Context, place plan.Place, d *destination) {
	reg, err := p.regs.Find(ctx, place.Registry)
	if err == nil {
		_, d.local = reg.(repo.Space)
		d.repo, err = reg.Repo(place.Repo)
	}
	if err != nil {
		d.err = err
		return
	}
	d.empty = true
	for _, err := range d.repo.Tags(ctx, "") {
		d.empty = oci.IsNotFound(err)
		if err != nil && !d.empty && oci.CodeOf(err) == oci.ErrUnknown {
			d.err = err // a refusal to list tags says nothing of pushing; silence does
		}
		break
	}
}

// present reports whether a target holds the image: each tag names the root,
// and for an index every wanted child answers too. One request a manifest.
func (p *planner) present(ctx context.Context, d *destination, t plan.Target, root oci.Digest) (bool, error) {
	first := repo.ByDigest(root)
	if len(t.Tags) > 0 {
		first = repo.ByTag(t.Tags[0])
	}
	desc, body, err := d.repo.Manifest(ctx, first)
	if err != nil {
		return false, ignoreNotFound(err)
	}
	if desc.Digest != root {
		return false, nil
	}
	for _, tag := range t.Tags[min(1, len(t.Tags)):] {
		other, err := d.repo.Resolve(ctx, repo.ByTag(tag))
		if err != nil || other.Digest != root {
			return false, ignoreNotFound(err)
		}
	}
	return p.complete(ctx, d, desc, body, 0)
}

// complete looks at what a manifest refers to. On a disk the blobs are looked
// at as well, which costs little; a remote registry answers for its own.
func (p *planner) complete(ctx context.Context, d *destination, desc oci.Descriptor, body []byte, depth int) (bool, error) {
	m, err := oci.ParseManifest(desc.MediaType, body)
	if err != nil || depth > oci.MaxDepth {
		return false, nil //nolint:nilerr // it is not what we would write, so it is written again
	}
	if !m.IsIndex() {
		return p.blobsPresent(ctx, d, m)
	}
	for _, child := range p.filter(m.Manifests) {
		ok, err := p.childPresent(ctx, d, child, depth)
		if !ok || err != nil {
			return ok, err
		}
	}
	return true, nil
}

func (p *planner) childPresent(ctx context.Context, d *destination, child oci.Descriptor, depth int) (bool, error) {
	if !d.local && !oci.IsIndex(child.MediaType) {
		_, err := d.repo.Resolve(ctx, repo.ByDigest(child.Digest))
		return err == nil, ignoreNotFound(err)
	}
	desc, body, err := d.repo.Manifest(ctx, repo.ByDigest(child.Digest))
	if err != nil {
		return false, ignoreNotFound(err)
	}
	return p.complete(ctx, d, desc, body, depth+1)
}

func (p *planner) blobsPresent(ctx context.Context, d *destination, m *oci.Manifest) (bool, error) {
	if !d.local {
		return true, nil
	}
	var want []oci.Descriptor
	for _, b := range m.Blobs() {
		if !b.IsForeign() {
			want = append(want, b)
		}
	}
	missing, err := d.repo.Missing(ctx, want)
	return len(missing) == 0, err
}

// ignoreNotFound leaves the errors that are no answer to whether something is
// there. What is damaged is not there either: it is written again.
func ignoreNotFound(err error) error {
	if _, damaged := errors.AsType[*repo.CorruptError](err); damaged || oci.IsNotFound(err) {
		return nil
	}
	return err
}

// isRefused reports an answer that says nothing of whether something is there.
func isRefused(err error) bool {
	return errors.Is(err, oci.ErrUnauthorized) || errors.Is(err, oci.ErrDenied)
}
