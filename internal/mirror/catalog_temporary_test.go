//go:build unix

package mirror

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// What nobody holds and is called like ours is removed, with all that is in it;
// nothing else is.
func TestSweepTemporary(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"airbridge-catalog-12.tmp", ".airbridge-catalog-13.tmp", // left
		"airbridge-catalog-12", "airbridge-catalog-x.tmp", "catalog-12.tmp", "12", ".airbridge-12",
	} {
		if err := os.MkdirAll(filepath.Join(dir, name, "configs"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "airbridge-catalog-14.tmp"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("catalog-12.tmp", filepath.Join(dir, "airbridge-catalog-15.tmp")); err != nil {
		t.Fatal(err)
	}
	held, err := newTemporary(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	sweepTemporary(dir)
	want := []string{
		"airbridge-catalog-12", "airbridge-catalog-x.tmp", "catalog-12.tmp", "12", ".airbridge-12",
		"airbridge-catalog-14.tmp", "airbridge-catalog-15.tmp", filepath.Base(held.path),
	}
	slices.Sort(want)
	if got := entries(t, dir); !slices.Equal(got, want) {
		t.Errorf("%q are left, want %q", got, want)
	}
	if err := held.remove(); err != nil || slices.Contains(entries(t, dir), filepath.Base(held.path)) {
		t.Errorf("removing it: %v; %q are left", err, entries(t, dir))
	}
}

// What another user's run left stays, even before one who may remove everything.
func TestSweepTemporaryOfOthers(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "airbridge-catalog-12.tmp")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(other, 12345, -1); err != nil {
		t.Skip("only root may give files away")
	}
	sweepTemporary(dir)
	if _, err := os.Lstat(other); err != nil {
		t.Errorf("it was taken away: %v", err)
	}
}

// Runs beside each other do not take each other's directories away.
func TestSweepTemporaryBesideOthers(t *testing.T) {
	dir := t.TempDir()
	var runs sync.WaitGroup
	for range 8 {
		runs.Go(func() {
			for range 100 {
				sweepTemporary(dir)
				made, err := newTemporary(dir, false)
				if err == nil {
					err = os.Mkdir(filepath.Join(made.path, "x"), 0o755)
				}
				if err == nil {
					err = made.remove()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	runs.Wait()
	if got := entries(t, dir); len(got) > 0 {
		t.Errorf("%q are left", got)
	}
}
