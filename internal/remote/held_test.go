package remote_test

import (
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
)

// A registry that answers so whenever it is asked how far an upload got, be the
// upload in use or not, costs a blob a few requests and seconds, also where the
// link breaks each time.
func TestHeldForever(t *testing.T) {
	content, desc := randomBlob(5, 3<<20)
	for name, again := range map[string]int{"the link is mended": 0, "it breaks again": -1} {
		t.Run(name, func(t *testing.T) {
			faults := append(heldUpload(-1), onUpload("PUT", flaky.BreakUpload(2<<20))...)
			if again != 0 {
				faults = append(faults, flaky.Fault{Method: "PATCH", Path: "/blobs/uploads/", Times: again, Do: flaky.BreakUpload(2 << 20)})
			}
			r := newRig(t, flaky.Options{Faults: faults})
			_, err := mustRepo(t, r.registry, "a").PutBlob(t.Context(), desc, opener(content), "")
			asked, begun := r.Count("GET", "/blobs/uploads/"), r.Count("POST", "/blobs/uploads/")
			if (err == nil) != (again == 0) || asked != 4 || begun != 2 || r.total() > 15*time.Second {
				t.Errorf("asked %d times, began %d times, waited %s: %v", asked, begun, r.total(), err)
			}
		})
	}
}
