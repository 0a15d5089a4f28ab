package mirror

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// sparseWatch keeps back the failures of lists that a destination refuses
// because a filter left children out, so that something else can be tried.
type sparseWatch struct {
	next func(engine.Event)
	mu   sync.Mutex
	at   string // a destination that refused one, "" for none
}

// event passes on everything else. Release images that were held back for such
// a list are tried again with it.
func (s *sparseWatch) event(e engine.Event) {
	if !s.keeps(e) {
		s.next(e)
	}
}

func (s *sparseWatch) keeps(e engine.Event) bool {
	if e.Kind != engine.ImageFailed || e.Item == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != "" && errors.Is(e.Err, engine.ErrHeldBack) {
		return true
	}
	if !sparseRefused(e.Item, e.Err) || len(e.Item.Targets) == 0 {
		return false
	}
	s.at = e.Item.Targets[0].Place.String()
	return true
}

// refused names a destination that refused a list.
func (s *sparseWatch) refused() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, s.at != ""
}

// sparseRefused reports whether a destination refused a list for the children
// that were left out of it. Registries have several words for that.
func sparseRefused(item *plan.Item, err error) bool {
	e, ok := errors.AsType[*repo.Error](err)
	if !ok || e.Side != repo.SideDestination || !isSparse(item) {
		return false
	}
	for _, code := range []oci.Code{oci.ErrManifestBlobUnknown, oci.ErrManifestUnknown, oci.ErrManifestInvalid, oci.ErrBlobUnknown} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// isSparse reports whether the root is a list whose children do not all go along.
func isSparse(item *plan.Item) bool {
	if len(item.Manifests) == 0 {
		return false
	}
	goes := map[oci.Digest]bool{}
	for _, m := range item.Manifests {
		goes[m.Digest] = true
	}
	root := item.Manifests[len(item.Manifests)-1]
	m, err := oci.ParseManifest(root.MediaType, root.Body)
	if err != nil || !m.IsIndex() {
		return false
	}
	for _, child := range m.Manifests {
		if !goes[child.Digest] {
			return true
		}
	}
	return false
}

// sparseError is a list with children left out that a destination refused
// before anything was copied.
type sparseError struct {
	error
	at string
}

func (e *sparseError) Unwrap() error { return e.error }

// checkLists asks a registry that is known to look for the children of lists
// whether it takes one without all of them: it pushes the first such list of
// the plan by digest, where nobody looks for it. Other answers than a refusal
// for the children are left to the copy. The error ends the run.
func (r *Refusals) checkLists(ctx context.Context, reg repo.Registry, p *plan.Plan, key string, o PreflightOptions) error {
	if c, ok := reg.(interface{ ChecksLists() bool }); !ok || !c.ChecksLists() {
		return nil
	}
	item, place, ok := r.firstSparse(p, key)
	if !ok {
		return nil
	}
	rp, err := reg.Repo(place.Repo)
	if err != nil {
		return err
	}
	root := item.Manifests[len(item.Manifests)-1]
	err = rp.PutManifest(ctx, oci.Descriptor{MediaType: root.MediaType, Digest: root.Digest, Size: int64(len(root.Body))}, root.Body)
	cause := err
	err = &repo.Error{Op: "checking that lists may be pushed to", Side: repo.SideDestination, Ref: place.String(), Digest: root.Digest, Err: err}
	if !sparseRefused(item, err) {
		return ctx.Err()
	}
	r.lists[key] = cause
	if !o.GoOn || o.OrSingle {
		return &sparseError{err, place.String()}
	}
	r.first = cmp.Or(r.first, err)
	return nil
}

// firstSparse finds a list with children left out that goes to a registry, and
// to a repository that is not refused.
func (r *Refusals) firstSparse(p *plan.Plan, key string) (*plan.Item, plan.Place, bool) {
	for i := range p.Items {
		for _, t := range p.Items[i].Targets {
			if t.Registry == key && !t.Present && r.places[t.Place] == nil && isSparse(&p.Items[i]) {
				return &p.Items[i], t.Place, true
			}
		}
	}
	return nil, plan.Place{}, false
}
