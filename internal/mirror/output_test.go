package mirror

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// A run that was killed leaves its unfinished files; the next one removes these,
// and nothing that is another's or still written.
func TestSweep(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no modes to tell files by")
	}
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{
		".airbridge-123": 0o600, ".airbridge-4294967295": 0o600,
		".airbridge-124": 0o644, ".airbridge-125.tmp": 0o600, ".airbridge-": 0o600, ".airbridge-x": 0o600, "openshift-install": 0o600,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".airbridge-126"), 0o700); err != nil {
		t.Fatal(err)
	}
	held, err := newOutput(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := MakeDirectory(dir); err != nil {
		t.Fatal(err)
	}
	want := []string{".airbridge-", ".airbridge-124", ".airbridge-125.tmp", ".airbridge-126", ".airbridge-x", filepath.Base(held.Name()), "openshift-install"}
	slices.Sort(want)
	if got := entries(t, dir); !slices.Equal(got, want) {
		t.Errorf("%q are left, want %q", got, want)
	}
	if err := held.finish("oc", 0o755, time.Time{}); err != nil {
		t.Errorf("a file that is written was taken away: %v", err)
	}
}

// Runs into one directory do not take each other's files away.
func TestSweepBesideOthers(t *testing.T) {
	dir := t.TempDir()
	var runs sync.WaitGroup
	for n := range 8 {
		runs.Go(func() {
			for range 200 {
				if err := MakeDirectory(dir); err != nil {
					t.Error(err)
				}
				if err := writeFile(dir, fmt.Sprint("file", n), []byte("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	runs.Wait()
	if got := entries(t, dir); len(got) != 8 {
		t.Errorf("%q are there, want 8 files", got)
	}
}
