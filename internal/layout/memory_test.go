package layout

import (
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// newMemory is a registry in memory that can be written.
func newMemory() *registry.Registry {
	return registry.New("memory", cas.Mem(), kv.Mem(), registry.Options{Now: clock})
}
