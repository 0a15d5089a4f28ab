package registry_test

import (
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// start is when the clock of all tests here begins.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func fixed() time.Time { return start }

// backends are the pairs of stores that the registry is tested over.
func backends() map[string]func(t *testing.T) (cas.Store, kv.Store) {
	return map[string]func(t *testing.T) (cas.Store, kv.Store){
		"memory": func(*testing.T) (cas.Store, kv.Store) { return cas.Mem(), kv.Mem() },
		"files": func(t *testing.T) (cas.Store, kv.Store) {
			dir, err := fsys.OS(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			return cas.FS(dir), kv.Mem()
		},
	}
}

func TestSuite(t *testing.T) {
	for name, open := range backends() {
		for mode, batch := range map[string]bool{"durable": false, "batch": true} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				repotest.Run(t, func(t *testing.T) repo.Registry {
					blobs, facts := open(t)
					return registry.New("test", blobs, facts, registry.Options{Now: fixed, Batch: batch})
				}, repotest.Features{})
			})
		}
	}
}

// TestSharedSuite runs the suite in one registry, as it runs in remote ones.
func TestSharedSuite(t *testing.T) {
	reg := registry.New("test", cas.Mem(), kv.Mem(), registry.Options{Now: fixed})
	repotest.Run(t, func(*testing.T) repo.Registry { return reg }, repotest.Features{})
}

func TestReadOnly(t *testing.T) {
	for name, open := range backends() {
		t.Run(name, func(t *testing.T) {
			blobs, facts := open(t)
			repotest.Fill(t, registry.New("test", blobs, facts, registry.Options{Now: fixed}))
			later := func() time.Time { return start.Add(1000 * time.Hour) }
			repotest.RunRead(t, func(*testing.T) repo.Registry {
				return registry.New("test", blobs, facts, registry.Options{Now: later, ReadOnly: true})
			}, repotest.Features{})
		})
	}
}
