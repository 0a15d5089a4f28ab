package ocdir

import (
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/cas/castest"
)

func clock() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func TestBlobStore(t *testing.T) {
	castest.Run(t, func(t *testing.T) cas.Store { return openDir(t, t.TempDir(), false).CAS })
}

type repoRegistry = repo.Registry

func optionsOf(readOnly bool) registry.Options { return registry.Options{ReadOnly: readOnly} }

func batchOptions() registry.Options { return registry.Options{Batch: true} }

func registryOf(dir *Dir, o registry.Options) *registry.Registry {
	o.Now = clock
	return registry.New("test", dir.CAS, dir.KV, o)
}

// notHere is what the directory cannot do: it keeps no media types, and no
// leases, so that each blob is one that something needs.
var notHere = repotest.Features{NoAnyType: true, NoDelete: true}

func TestRegistry(t *testing.T) {
	for mode, batch := range map[string]bool{"durable": false, "batch": true} {
		t.Run(mode, func(t *testing.T) {
			repotest.Run(t, func(t *testing.T) repo.Registry {
				return registryOf(openDir(t, t.TempDir(), false), registry.Options{Batch: batch})
			}, notHere)
		})
	}
}

// The whole suite in one directory, where repositories share content by links.
func TestRegistryShared(t *testing.T) {
	reg := registryOf(openDir(t, t.TempDir(), false), registry.Options{})
	repotest.Run(t, func(*testing.T) repo.Registry { return reg }, notHere)
}

func TestReadOnly(t *testing.T) {
	path := t.TempDir()
	dir := openDir(t, path, false)
	repotest.Fill(t, registryOf(dir, registry.Options{}))
	if err := dir.Close(); err != nil {
		t.Fatal(err)
	}
	repotest.RunRead(t, func(t *testing.T) repo.Registry {
		return registryOf(openDir(t, path, true), registry.Options{ReadOnly: true})
	}, notHere)
}
