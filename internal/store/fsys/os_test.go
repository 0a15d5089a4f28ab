package fsys_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

func open(t *testing.T, dir string) fsys.FS {
	t.Helper()
	f, err := fsys.OS(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, f fsys.FS, name, content string) {
	t.Helper()
	w, err := f.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	must(t, err)
	_, err = io.WriteString(w, content)
	must(t, errors.Join(err, w.Sync(), w.Close()))
}

func read(t *testing.T, f fsys.FS, name string) string {
	t.Helper()
	r, err := f.Open(name)
	must(t, err)
	got, err := io.ReadAll(r)
	must(t, errors.Join(err, r.Close()))
	return string(got)
}

func TestFilesAndDirectories(t *testing.T) {
	f := open(t, t.TempDir())
	must(t, f.MkdirAll("a/b"))
	must(t, f.MkdirAll("a/b"))
	write(t, f, "a/b/one", "first")
	must(t, f.Link("a/b/one", "two"))
	must(t, f.Rename("a/b/one", "a/three"))
	must(t, f.Symlink("../anything", "a/b/link"))
	for _, dir := range []string{".", "a", "a/b"} {
		must(t, f.SyncDir(dir))
	}
	if got := read(t, f, "a/three") + read(t, f, "two"); got != "firstfirst" {
		t.Errorf("content after link and rename: %q", got)
	}
	if text, err := f.Readlink("a/b/link"); err != nil || text != "../anything" {
		t.Errorf("Readlink = %q, %v", text, err)
	}
	entries, err := f.ReadDir("a")
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"b", "three"}) {
		t.Errorf("ReadDir(a) = %v", names)
	}
	must(t, f.Remove("two"))
	if _, err := f.Lstat("two"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lstat of a removed file: %v", err)
	}
	if n, err := f.Free(); err != nil || n <= 0 {
		t.Errorf("Free = %d, %v", n, err)
	}
	if err := f.SyncFS(); err != nil && !errors.Is(err, fsys.ErrNoSyncFS) {
		t.Errorf("SyncFS: %v", err)
	}
}

func TestModes(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	must(t, f.MkdirAll("d"))
	write(t, f, "d/file", "x")
	for name, want := range map[string]fs.FileMode{"d": 0o755, "d/file": 0o600} {
		info, err := f.Lstat(name)
		must(t, err)
		if got := info.Mode().Perm(); got&^want != 0 {
			t.Errorf("%s has mode %o, want at most %o", name, got, want)
		}
	}
}

// Links are refused wherever they stand in a name, also those that stay below
// the directory, which os.Root alone would follow.
func TestLinksAreNotFollowed(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	must(t, f.MkdirAll("real"))
	write(t, f, "real/file", "secret")
	must(t, f.Symlink("real", "dir"))
	must(t, f.Symlink("real/file", "file"))
	must(t, f.Symlink("missing", "dangling"))
	calls := map[string]func() error{
		"open link":       func() error { return opened(f.Open("file")) },
		"open through":    func() error { return opened(f.Open("dir/file")) },
		"write link":      func() error { return opened(f.OpenFile("file", os.O_WRONLY|os.O_TRUNC)) },
		"create dangling": func() error { return opened(f.OpenFile("dangling", os.O_WRONLY|os.O_CREATE)) },
		"create through":  func() error { return opened(f.OpenFile("dir/new", os.O_WRONLY|os.O_CREATE)) },
		"lstat through":   func() error { _, err := f.Lstat("dir/file"); return err },
		"readdir":         func() error { _, err := f.ReadDir("dir"); return err },
		"rename from":     func() error { return f.Rename("dir/file", "x") },
		"rename to":       func() error { return f.Rename("real/file", "dir/x") },
		"link":            func() error { return f.Link("real/file", "dir/x") },
		"symlink":         func() error { return f.Symlink("text", "dir/x") },
		"remove":          func() error { return f.Remove("dir/file") },
		"mkdir through":   func() error { return f.MkdirAll("dir/sub") },
		"mkdir":           func() error { return f.MkdirAll("dir") },
		"syncdir":         func() error { return f.SyncDir("dir") },
		"lock":            func() error { return opened(f.Lock("file")) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, fsys.ErrLink) {
			t.Errorf("%s: error %v, want ErrLink", name, err)
		}
	}
	if info, err := f.Lstat("file"); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("Lstat of a link itself: %v, %v", info, err)
	}
	if got := read(t, f, "real/file"); got != "secret" {
		t.Errorf("the linked file now holds %q", got)
	}
	must(t, f.Remove("dir")) // the link itself can go
}

func opened(c io.Closer, err error) error {
	if err == nil {
		c.Close()
	}
	return err
}

func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	must(t, f.MkdirAll("d"))
	makePipe(t, filepath.Join(dir, "pipe"))
	for _, name := range []string{"d", "pipe"} {
		if err := opened(f.Open(name)); !errors.Is(err, fsys.ErrNotRegular) {
			t.Errorf("Open(%s) = %v, want ErrNotRegular", name, err)
		}
	}
}

func TestNamesStayBelow(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "outside"), nil, 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "in"), 0o755))
	f := open(t, filepath.Join(dir, "in"))
	for _, name := range []string{"../outside", "/etc/hostname", "a/../../outside"} {
		if err := opened(f.Open(name)); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Open(%q) = %v, want fs.ErrInvalid", name, err)
		}
	}
}

// Errors keep their cause and name the whole path, for the one line that the
// user sees.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	err := opened(f.Open("no/such"))
	p, ok := errors.AsType[*fs.PathError](err)
	if !ok || !errors.Is(err, fs.ErrNotExist) || p.Path != filepath.Join(dir, "no", "such") {
		t.Errorf("Open of nothing: %#v", err)
	}
	err = f.Rename("no", "where")
	l, ok := errors.AsType[*os.LinkError](err)
	if !ok || !errors.Is(err, fs.ErrNotExist) || l.New != filepath.Join(dir, "where") {
		t.Errorf("Rename of nothing: %#v", err)
	}
	write(t, f, "x", "")
	if err := opened(f.OpenFile("x", os.O_WRONLY|os.O_CREATE|os.O_EXCL)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("exclusive creation of what is there: %v", err)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	held, err := f.Lock("lock")
	must(t, err)
	for name, other := range map[string]fsys.FS{"same FS": f, "other FS": open(t, dir)} {
		if err := opened(other.Lock("lock")); !errors.Is(err, fsys.ErrLocked) {
			t.Errorf("%s: second lock: %v, want ErrLocked", name, err)
		}
	}
	write(t, f, "lock", "me") // the file stays readable and writable
	if got := read(t, f, "lock"); got != "me" {
		t.Errorf("lock file holds %q", got)
	}
	must(t, held.Close())
	must(t, opened(f.Lock("lock")))
}

func TestMake(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	f, err := fsys.Make(dir)
	must(t, err)
	write(t, f, "x", "y")
	f, err = fsys.Make(dir)
	must(t, err)
	if got := read(t, f, "x"); got != "y" {
		t.Errorf("content after a second Make: %q", got)
	}
	if _, err := fsys.OS(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OS of a missing directory: %v", err)
	}
	if _, err := fsys.Make(filepath.Join(dir, "x")); err == nil {
		t.Error("Make took a file for a directory")
	}
}
