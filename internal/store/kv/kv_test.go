package kv_test

import (
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/store/kv/kvtest"
)

const dir = "airbridge/facts"

func TestMem(t *testing.T) {
	kvtest.Run(t, func(*testing.T) kv.Store { return kv.Mem() })
}

func TestLog(t *testing.T) {
	kvtest.Run(t, func(t *testing.T) kv.Store {
		return openLog(t, onDisk(t), kv.LogOptions{Dir: dir})
	})
}

// TestLogCompacting is the suite over a log that makes a snapshot after
// nearly every change.
func TestLogCompacting(t *testing.T) {
	kvtest.Run(t, func(t *testing.T) kv.Store {
		return openLog(t, onDisk(t), kv.LogOptions{Dir: dir, CompactAt: 1})
	})
}

func onDisk(t *testing.T) fsys.FS {
	t.Helper()
	fs, err := fsys.OS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func openLog(t *testing.T, fs fsys.FS, o kv.LogOptions) *kv.Log {
	t.Helper()
	l, err := kv.OpenLog(fs, o)
	if err != nil {
		t.Fatalf("OpenLog: %v", err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return l
}

// clock is a clock that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }
