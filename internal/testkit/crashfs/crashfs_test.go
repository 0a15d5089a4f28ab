package crashfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes a file without any sync.
func put(t *testing.T, f fsys.FS, name, content string) {
	t.Helper()
	w, err := f.OpenFile(name, os.O_WRONLY|os.O_CREATE)
	must(t, err)
	_, err = io.WriteString(w, content)
	must(t, errors.Join(err, w.Close()))
}

func syncFile(f fsys.FS, name string) error {
	w, err := f.OpenFile(name, os.O_RDWR)
	if err != nil {
		return err
	}
	return errors.Join(w.Sync(), w.Close())
}

// get returns the content of a file, or "none".
func get(t *testing.T, f fsys.FS, name string) string {
	t.Helper()
	r, err := f.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	must(t, err)
	content, err := io.ReadAll(r)
	must(t, err)
	return string(content)
}

// crashes counts what is found under a name after many crashes.
func crashes(t *testing.T, f *crashfs.FS, name string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for seed := range uint64(1000) {
		found[get(t, f.Crash(rand.New(rand.NewPCG(seed, 1))), name)]++
	}
	return found
}

func wantAlways(t *testing.T, found map[string]int, want string) {
	t.Helper()
	if len(found) != 1 || found[want] == 0 {
		t.Errorf("after crashes: %v, want %q always", found, want)
	}
}

func wantSometimes(t *testing.T, found map[string]int, want ...string) {
	t.Helper()
	for _, w := range want {
		if found[w] == 0 {
			t.Errorf("after all crashes never %q: %v", w, found)
		}
	}
}

func TestContentNeedsSync(t *testing.T) {
	f := crashfs.New(1)
	put(t, f, "x", "")
	must(t, f.SyncDir("."))
	put(t, f, "x", "abcd")
	found := crashes(t, f, "x")
	wantSometimes(t, found, "", "abcd", "\x00\x00\x00\x00", "ab", "\x00\x00cd")
	must(t, syncFile(f, "x"))
	wantAlways(t, crashes(t, f, "x"), "abcd")
	w, err := f.OpenFile("x", os.O_WRONLY|os.O_APPEND)
	must(t, err)
	_, err = io.WriteString(w, "ef")
	must(t, err)
	for content := range crashes(t, f, "x") {
		if !strings.HasPrefix(content, "abcd") || len(content) > 6 {
			t.Errorf("appending changed what was durable: %q", content)
		}
	}
}

func TestNamesNeedSyncDir(t *testing.T) {
	f := crashfs.New(1)
	must(t, f.MkdirAll("a/b"))
	put(t, f, "a/b/x", "content")
	must(t, syncFile(f, "a/b/x"))
	for _, dir := range []string{"a/b", "a"} {
		must(t, f.SyncDir(dir))
		wantSometimes(t, crashes(t, f, "a/b/x"), "none", "content")
	}
	must(t, f.SyncDir("."))
	wantAlways(t, crashes(t, f, "a/b/x"), "content")
	must(t, f.Remove("a/b/x"))
	wantSometimes(t, crashes(t, f, "a/b/x"), "none", "content")
	must(t, f.SyncDir("a/b"))
	wantAlways(t, crashes(t, f, "a/b/x"), "none")
}

func TestRenameIsWhole(t *testing.T) {
	f := crashfs.New(1)
	must(t, f.MkdirAll("from"))
	must(t, f.MkdirAll("to"))
	put(t, f, "from/x", "content")
	put(t, f, "to/x", "old")
	must(t, errors.Join(f.SyncFS(), f.SyncDir("."), f.SyncDir("from"), f.SyncDir("to")))
	must(t, f.Rename("from/x", "to/x"))
	must(t, f.SyncDir("from")) // of the old directory is not enough
	found := map[string]int{}
	for seed := range uint64(200) {
		c := f.Crash(rand.New(rand.NewPCG(seed, 1)))
		found[get(t, c, "from/x")+" "+get(t, c, "to/x")]++
	}
	wantSometimes(t, found, "content old", "none content")
	if len(found) != 2 {
		t.Errorf("a rename was torn: %v", found)
	}
	must(t, f.SyncDir("to"))
	wantAlways(t, crashes(t, f, "to/x"), "content")
	wantAlways(t, crashes(t, f, "from/x"), "none")
}

// A name that was made and renamed before any sync does not come back.
func TestChangesOfOneNameAreInOrder(t *testing.T) {
	f := crashfs.New(1)
	must(t, f.MkdirAll("d"))
	must(t, f.SyncDir("."))
	put(t, f, "tmp", "content")
	must(t, f.SyncFS())
	must(t, f.Rename("tmp", "d/x"))
	must(t, f.SyncDir("d"))
	wantAlways(t, crashes(t, f, "d/x"), "content")
	wantAlways(t, crashes(t, f, "tmp"), "none")
}

func TestSyncFSModes(t *testing.T) {
	for mode, want := range map[crashfs.SyncFSMode][]string{
		crashfs.SyncContent: {"none", "content"}, crashfs.SyncAll: {"content"},
	} {
		f := crashfs.New(1)
		f.SetSyncFS(mode)
		put(t, f, "x", "content")
		must(t, f.SyncFS())
		found := crashes(t, f, "x")
		wantSometimes(t, found, want...)
		if len(found) != len(want) {
			t.Errorf("mode %d: %v, want %v", mode, found, want)
		}
	}
	f := crashfs.New(1)
	f.SetSyncFS(crashfs.SyncNothing)
	if err := f.SyncFS(); !errors.Is(err, fsys.ErrNoSyncFS) {
		t.Errorf("SyncNothing: %v", err)
	}
}

// After a sync that failed, one that succeeds proves nothing.
func TestFailedSyncIsNotMadeGood(t *testing.T) {
	for name, sync := range map[string]func(f *crashfs.FS) error{
		"file": func(f *crashfs.FS) error { return syncFile(f, "x") },
		"all":  func(f *crashfs.FS) error { return f.SyncFS() },
	} {
		f := crashfs.New(1)
		put(t, f, "x", "content")
		must(t, f.SyncDir("."))
		at := f.Ops() + 1
		if name == "file" {
			at++ // the call before is the opening
		}
		f.FailAt(at, syscall.EIO)
		if err := sync(f); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: injected error: %v", name, err)
		}
		f = f.Kill()
		must(t, sync(f))
		wantSometimes(t, crashes(t, f, "x"), "", "content")
		w, err := f.OpenFile("x", os.O_WRONLY|os.O_TRUNC)
		must(t, err)
		_, err = io.WriteString(w, "new")
		must(t, errors.Join(err, w.Sync()))
		wantAlways(t, crashes(t, f, "x"), "new")
	}
}

func TestFailAndStop(t *testing.T) {
	f := crashfs.New(1)
	w, err := f.OpenFile("x", os.O_WRONLY|os.O_CREATE)
	must(t, err)
	f.FailAt(f.Ops()+1, syscall.ENOSPC)
	n, err := w.Write([]byte("content"))
	if !errors.Is(err, syscall.ENOSPC) || n >= 7 {
		t.Errorf("Write = %d, %v; want a short one and ENOSPC", n, err)
	}
	if got := get(t, f, "x"); got != "content"[:n] {
		t.Errorf("after a write of %d bytes: %q", n, got)
	}
	_, err = w.Write([]byte("content")[n:])
	must(t, err)
	held, err := f.Lock("lock")
	must(t, err)
	f.StopAt(f.Ops() + 2)
	_, err = f.Lstat("x")
	must(t, err)
	for range 2 {
		if err := f.Remove("x"); !errors.Is(err, crashfs.ErrKilled) {
			t.Errorf("Remove after the end: %v", err)
		}
	}
	if _, err := w.Write([]byte("y")); !errors.Is(err, crashfs.ErrKilled) {
		t.Errorf("Write after the end: %v", err)
	}
	next := f.Kill()
	if got := get(t, next, "x"); got != "content" {
		t.Errorf("kill lost what was written: %q", got)
	}
	_, err = next.Lock("lock")
	must(t, err)
	must(t, held.Close())
	if _, err := next.Process().Lock("lock"); !errors.Is(err, fsys.ErrLocked) {
		t.Errorf("the dead process gave away the lock of another: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	f := crashfs.New(1)
	put(t, f, "x", "content")
	f.SetReadOnly()
	for name, err := range map[string]error{
		"write": syncFile(f, "x"), "mkdir": f.MkdirAll("d"), "rename": f.Rename("x", "y"), "remove": f.Remove("x"),
		"link": f.Link("x", "y"), "symlink": f.Symlink("x", "y"), "create": syncFile(f, "new"),
	} {
		if name != "create" && !errors.Is(err, syscall.EROFS) || err == nil {
			t.Errorf("%s: %v, want EROFS", name, err)
		}
	}
	if got := get(t, f, "x"); got != "content" {
		t.Errorf("reading: %q", got)
	}
}

// The same calls do the same here and on the real file system.
func TestLikeTheRealOne(t *testing.T) {
	actual, err := fsys.OS(t.TempDir())
	must(t, err)
	fake := crashfs.New(1)
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "missing/a", "../a", "."}
	for i := range 3000 {
		op, x, y, flag := r.IntN(9), names[r.IntN(len(names))], names[r.IntN(len(names))], r.IntN(4)
		one, errOne := call(actual, op, x, y, flag)
		two, errTwo := call(fake, op, x, y, flag)
		if class(errOne) != class(errTwo) || !bytes.Equal(one, two) {
			t.Fatalf("call %d, op %d(%s, %s) %d: %q, %v; here %q, %v", i, op, x, y, flag, one, errOne, two, errTwo)
		}
	}
}

func call(f fsys.FS, op int, x, y string, flag int) ([]byte, error) {
	switch op {
	case 0:
		return nil, anyError(f.MkdirAll(x))
	case 1, 2:
		return rewrite(f, x, [...]int{0, os.O_TRUNC, os.O_APPEND, os.O_EXCL}[flag])
	case 3:
		return nil, f.Remove(x)
	case 4:
		if info, err := f.Lstat(x); err != nil || info.IsDir() {
			return nil, err // of directories only what we use is alike
		}
		return nil, f.Rename(x, y)
	case 5:
		return nil, f.Symlink(y, x)
	case 6:
		return nil, anyError(f.Link(x, y))
	case 7:
		text, err := f.Readlink(x)
		return []byte(text), err
	}
	entries, err := f.ReadDir(x)
	return []byte{byte(len(entries))}, err
}

// anyError hides which of several faults of a call was found first.
func anyError(err error) error {
	if err != nil {
		return errors.New("refused")
	}
	return nil
}

func rewrite(f fsys.FS, name string, flag int) ([]byte, error) {
	w, err := f.OpenFile(name, os.O_RDWR|os.O_CREATE|flag)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := io.WriteString(w, name); err != nil {
		return nil, err
	}
	if _, err := w.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(w)
}

// class is what callers may distinguish of an error.
func class(err error) string {
	for name, want := range map[string]error{
		"not exist": fs.ErrNotExist, "exist": fs.ErrExist, "link": fsys.ErrLink, "irregular": fsys.ErrNotRegular,
	} {
		if errors.Is(err, want) {
			return name
		}
	}
	if err != nil {
		return "other"
	}
	return ""
}
