package fsys

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHastenLeavesNothingDirty: what the disk was told to write is on its way
// there, or there.
func TestHastenLeavesNothingDirty(t *testing.T) {
	f, err := OS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file, err := f.OpenFile("file", os.O_WRONLY|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if dirtyPages(t, file) == 0 {
		t.Skip("this file system keeps no dirty pages, or wrote them already")
	}
	Hasten(file, 0, 1<<20)
	if n := dirtyPages(t, file); n != 0 {
		t.Errorf("%d pages wait to be written", n)
	}
}

func dirtyPages(t *testing.T, f File) uint64 {
	t.Helper()
	fd := int(f.(*os.File).Fd())
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil || st.Type == unix.TMPFS_MAGIC {
		t.Skip("a file system without a disk")
	}
	var got unix.Cachestat_t
	if err := unix.Cachestat(uint(fd), &unix.CachestatRange{Len: 1 << 20}, &got, 0); err != nil {
		t.Skip("cachestat, of Linux 6.5:", err)
	}
	return got.Dirty
}
