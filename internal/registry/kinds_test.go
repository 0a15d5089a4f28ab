package registry_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// TestGCNewerKinds sees that facts of a kind that only a newer version knows,
// wherever they sort, end a collection before anything is deleted, stay, and
// do no harm to anything else.
func TestGCNewerKinds(t *testing.T) {
	for _, key := range []string{"a/x", "b0", "c/blob", "m", "n/x", "s/sealed:1", "t0/x", "z/x"} {
		d := newDisk(t)
		d.clock.pass(time.Since(start))
		files, err := fsys.OS(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		log, err := kv.OpenLog(files, kv.LogOptions{Dir: "facts"})
		if err != nil {
			t.Fatal(err)
		}
		d.facts = log
		content := pushRelease(t, d.open())
		blob := repotest.NewBlob("b", 10)
		repotest.PutBlob(t.Context(), t, newRepo(t, d.open(), "a"), blob)
		if err := log.Apply(t.Context(), []kv.Change{{Key: key, Value: []byte(`{}`)}}); err != nil {
			t.Fatal(err)
		}
		d.clock.pass(1000 * time.Hour)
		_, err = d.open().GC(t.Context(), registry.GCOptions{})
		if newer, ok := errors.AsType[*repo.VersionError](err); !ok || !strings.Contains(newer.Reason, `"`+key+`"`) {
			t.Errorf("%s: %v", key, err)
		}
		if _, err := os.Stat(d.file(blob.Desc.Digest)); err != nil {
			t.Errorf("%s: content is gone: %v", key, err)
		}
		repotest.Check(t.Context(), t, newRepo(t, d.open(), "ocp/release"), content.index)
		if report := verify(t, d.open()); len(report.Damages) > 0 {
			t.Errorf("%s: damages: %+v", key, report.Damages)
		}
		if err := log.Apply(t.Context(), []kv.Change{{Key: key}}); err != nil {
			t.Fatal(err)
		}
		if got := collect(t, d.open(), registry.GCOptions{}); got.Blobs != 1 {
			t.Errorf("%s gone: collected %+v", key, got)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
