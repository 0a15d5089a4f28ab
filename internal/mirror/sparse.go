package mirror

import (
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
