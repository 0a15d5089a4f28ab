package mirror

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

func contentOf(t *testing.T, files fsys.FS, name string) string {
	t.Helper()
	f, err := files.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// What a medium remembers of a catalog is there once the run is done, however soon
// the disk is pulled out; before that it is the old memory, whole, or the new one.
func TestMemoryOutlivesTheDisk(t *testing.T) {
	const name = "_airbridge/catalogs/m.json"
	for stop := range 30 {
		for seed := range uint64(8) {
			disk := crashfs.New(seed)
			if err := writeIn(disk, name, []byte("old")); err != nil {
				t.Fatal(err)
			}
			if stop > 0 {
				disk.StopAt(disk.Ops() + stop)
			}
			err := writeIn(disk, name, []byte("new"))
			got := contentOf(t, disk.Crash(rand.New(rand.NewPCG(seed, uint64(stop)))), name)
			if got != "new" && (err == nil || got != "old") {
				t.Errorf("stopped at %d, seed %d: %q, %v", stop, seed, got, err)
			}
		}
	}
}

// A medium that is full, or breaks, says so, and keeps nothing unfinished.
func TestMemoryThatCannotBeWritten(t *testing.T) {
	whole := crashfs.New(1)
	if err := writeIn(whole, "a/b/m.json", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= whole.Ops(); n++ {
		disk := crashfs.New(1)
		disk.FailAt(n, syscall.EIO)
		if err := writeIn(disk, "a/b/m.json", []byte("x")); !errors.Is(err, syscall.EIO) {
			t.Errorf("call %d: %v", n, err)
		}
		entries, err := disk.ReadDir("a/b")
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".tmp-") {
				t.Errorf("call %d: %s is left", n, e.Name())
			}
		}
		if err != nil && n > 1 {
			t.Error(fmt.Errorf("call %d: %w", n, err))
		}
	}
}

// A run that only looks makes no medium remember anything.
func TestDryRunRemembersNothing(t *testing.T) {
	dir := t.TempDir()
	v2 := filepath.Join(dir, "v2")
	if err := os.Mkdir(v2, 0o755); err != nil {
		t.Fatal(err)
	}
	remember := func(dryRun bool) int {
		regs := NewRegistries(RegistriesOptions{To: dir, DryRun: dryRun})
		if err := regs.Remember(catalog.Memory{Digest: oci.FromBytes(nil)}); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(v2)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	if n := remember(true); n != 0 {
		t.Errorf("%d entries after a dry run", n)
	}
	if n := remember(false); n == 0 {
		t.Error("nothing after a run")
	}
}
