package server_test

import (
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/conformance"
)

// The handlers alone: the fake has no rules that could hide a fault of theirs.
func TestConformanceOverTheContracts(t *testing.T) {
	conformance.Everything(t, server.New(newFake(), server.Options{Now: time.Now}))
}

func TestConformanceOverMemory(t *testing.T) {
	reg := registry.New("memory", cas.Mem(), kv.Mem(), registry.Options{Now: time.Now})
	conformance.Everything(t, server.New(reg, server.Options{Now: time.Now}))
}
