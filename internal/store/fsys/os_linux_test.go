package fsys

import (
	"errors"
	"os"
	"testing"
)

// Where the kernel has no openat2, links are found by walking the name.
func TestWalkRefusesLinks(t *testing.T) {
	made, err := OS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := made.(*disk)
	d.at.openat2 = false
	err = errors.Join(d.MkdirAll("real/sub"), d.Symlink("real", "dir"), d.Symlink("sub", "real/link"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dir/new", "real/link", "dir/sub/new"} {
		if _, err := d.OpenFile(name, os.O_CREATE|os.O_WRONLY); !errors.Is(err, ErrLink) {
			t.Errorf("OpenFile(%s) = %v, want ErrLink", name, err)
		}
	}
	if _, err := d.Lstat("dir/sub"); !errors.Is(err, ErrLink) {
		t.Errorf("Lstat through a link = %v, want ErrLink", err)
	}
	if _, err := d.Lstat("dir"); err != nil {
		t.Errorf("Lstat of a link: %v", err)
	}
	f, err := d.OpenFile("real/sub/new", os.O_CREATE|os.O_WRONLY)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
