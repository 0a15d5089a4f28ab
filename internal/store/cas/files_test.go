package cas_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/cas/castest"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

func onDisk(t *testing.T, dir string) fsys.FS {
	t.Helper()
	f, err := fsys.OS(dir)
	must(t, err)
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want one that matches %q", what, err, want)
	}
}

func begun(t *testing.T, s cas.Store, id, content string) cas.Writer {
	t.Helper()
	w, err := s.Create(t.Context(), id, "")
	must(t, err)
	_, err = io.WriteString(w, content)
	must(t, err)
	return w
}

func put(t *testing.T, s cas.Store, content string) oci.Digest {
	t.Helper()
	d := oci.FromBytes([]byte(content))
	must(t, begun(t, s, "up-"+d.Hex(), content).Commit(t.Context(), d))
	return d
}

func wantContent(t *testing.T, s cas.Store, d oci.Digest, want string) {
	t.Helper()
	got, err := content(t.Context(), s, d)
	if err != nil || got != want {
		t.Errorf("blob %s is %.40q, %v; want %.40q", d, got, err, want)
	}
}

// files lists the regular files of a directory tree.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(dir)+"/"))
		}
		return err
	})
	must(t, err)
	return names
}

func TestFiles(t *testing.T) {
	castest.Run(t, func(t *testing.T) cas.Store { return cas.FS(onDisk(t, t.TempDir())) })
}

func TestLayout(t *testing.T) {
	dir := t.TempDir()
	s := cas.FS(onDisk(t, dir))
	d := put(t, s, "content")
	name := "blobs/sha256/" + d.Hex()
	if diff := cmp.Diff([]string{"airbridge/partial/up-" + d.Hex()}, files(t, dir)); diff != "" {
		t.Errorf("before sync (-want +got):\n%s", diff)
	}
	must(t, s.Sync(t.Context()))
	if diff := cmp.Diff([]string{name}, files(t, dir)); diff != "" {
		t.Errorf("after sync (-want +got):\n%s", diff)
	}
	r, err := s.Open(t.Context(), d, 2)
	must(t, err)
	defer r.Close()
	if _, ok := r.(repo.LocalFile); !ok {
		t.Errorf("a %T is no file that the kernel can send", r)
	}
}

// Reading writes nothing, wherever there is nothing.
func TestReadOnly(t *testing.T) {
	f := crashfs.New(1)
	d := put(t, cas.FS(f), "not synced")
	s := cas.FS(f.Process())
	f.SetReadOnly()
	if _, err := s.Stat(t.Context(), d); !errors.Is(err, oci.ErrBlobUnknown) {
		t.Errorf("another process sees what was not synced: %v", err)
	}
	for b, err := range s.Walk(t.Context()) {
		t.Errorf("Walk yields %v, %v", b, err)
	}
	_, err := s.Create(t.Context(), "up", "")
	wantErr(t, "Create", err, syscall.EROFS)
}

// What has not the name of a blob, or is no file, is not one.
func TestStrangers(t *testing.T) {
	dir := t.TempDir()
	f := onDisk(t, dir)
	s := cas.FS(f)
	d := put(t, s, "content")
	must(t, s.Sync(t.Context()))
	link, sub := oci.FromBytes([]byte("link")), oci.FromBytes([]byte("sub"))
	must(t, errors.Join(
		f.MkdirAll("blobs/md5"), f.MkdirAll("blobs/sha256/"+sub.Hex()),
		f.Symlink(d.Hex(), "blobs/sha256/"+link.Hex()),
		os.WriteFile(filepath.Join(dir, "blobs/sha256/notes.txt"), nil, 0o600),
		os.WriteFile(filepath.Join(dir, "blobs/sha256", strings.ToUpper(d.Hex())), nil, 0o600),
		os.WriteFile(filepath.Join(dir, "airbridge/partial/with space"), nil, 0o600)))
	for b, err := range s.Walk(t.Context()) {
		if err != nil || b.Digest != d || b.Size != 7 || b.ModTime.IsZero() {
			t.Errorf("Walk yields %v, %v", b, err)
		}
	}
	for p, err := range s.Partials(t.Context()) {
		t.Errorf("Partials yields %v, %v", p, err)
	}
	for _, d := range []oci.Digest{link, sub} {
		_, err := s.Stat(t.Context(), d)
		wantErr(t, "Stat", err, oci.ErrBlobUnknown)
		_, err = s.Open(t.Context(), d, 0)
		wantErr(t, "Open", err, oci.ErrBlobUnknown)
	}
}

// A partial that another process left is taken up where it ends, and what it
// holds is not believed.
func TestResumeInNextProcess(t *testing.T) {
	dir := t.TempDir()
	f := onDisk(t, dir)
	d := oci.FromBytes([]byte("one two"))
	for name, c := range map[string]struct {
		left string
		want error
	}{"good": {"one ", nil}, "torn": {"on\x00\x00", oci.ErrDigestInvalid}} {
		must(t, begun(t, cas.FS(f), "up", c.left).Suspend())
		s := cas.FS(f)
		w, err := s.Resume(t.Context(), "up")
		must(t, err)
		if w.Offset() != 4 {
			t.Errorf("%s: resumed at %d, want 4", name, w.Offset())
		}
		_, err = io.WriteString(w, "two")
		must(t, err)
		if err := w.Commit(t.Context(), d); !errors.Is(err, c.want) {
			t.Errorf("%s: Commit: %v, want %v", name, err, c.want)
		}
		must(t, s.Sync(t.Context()))
		if c.want == nil {
			wantContent(t, s, d, "one two")
			must(t, s.Delete(t.Context(), d))
		}
		if left := files(t, dir); len(left) > 0 {
			t.Errorf("%s: left are %v", name, left)
		}
	}
}

// The same process trusts the hash it kept only if the file is as it left it.
func TestResumeSeesOtherSize(t *testing.T) {
	dir := t.TempDir()
	s := cas.FS(onDisk(t, dir))
	must(t, begun(t, s, "up", "content that is cut").Suspend())
	must(t, os.Truncate(filepath.Join(dir, "airbridge/partial/up"), 7))
	w, err := s.Resume(t.Context(), "up")
	must(t, err)
	d := oci.FromBytes([]byte("content"))
	must(t, w.Commit(t.Context(), d))
	wantContent(t, s, d, "content")
}

// A file of the wrong size in a blob's place is replaced when the blob comes.
func TestWrongSizeIsReplaced(t *testing.T) {
	dir := t.TempDir()
	s := cas.FS(onDisk(t, dir))
	d := put(t, s, "content")
	must(t, s.Sync(t.Context()))
	must(t, os.Truncate(filepath.Join(dir, "blobs/sha256", d.Hex()), 3))
	put(t, s, "content")
	must(t, s.Sync(t.Context()))
	wantContent(t, s, d, "content")
}

func TestRecheck(t *testing.T) {
	dir := t.TempDir()
	s := cas.FS(onDisk(t, dir))
	good, bad := put(t, s, "good"), put(t, s, "bad one")
	must(t, s.Recheck(t.Context(), good))
	must(t, s.Sync(t.Context()))
	must(t, os.WriteFile(filepath.Join(dir, "blobs/sha256", bad.Hex()), []byte("bad 0ne"), 0o600))
	must(t, s.Recheck(t.Context(), good))
	wantContent(t, s, good, "good")
	corrupt, ok := errors.AsType[*repo.CorruptError](s.Recheck(t.Context(), bad))
	if !ok || corrupt.Digest != bad || corrupt.Where != dir {
		t.Errorf("Recheck of a damaged blob: %v", corrupt)
	}
	wantErr(t, "Recheck of what is gone", s.Recheck(t.Context(), bad), oci.ErrBlobUnknown)
	_, err := s.Stat(t.Context(), bad)
	wantErr(t, "Stat of a damaged blob", err, oci.ErrBlobUnknown)
}

// After a write that failed the file may lack what was hashed.
func TestFailedWriteIsNotCommitted(t *testing.T) {
	f := crashfs.New(1)
	s := cas.FS(f)
	d := oci.FromBytes([]byte("content"))
	w := begun(t, s, "up", "")
	f.FailAt(f.Ops()+1, syscall.ENOSPC)
	n, err := io.WriteString(w, "content")
	wantErr(t, "Write", err, syscall.ENOSPC)
	_, err = io.WriteString(w, "content"[n:])
	wantErr(t, "next Write", err, syscall.ENOSPC)
	wantErr(t, "Commit", w.Commit(t.Context(), d), syscall.ENOSPC)
	_, err = s.Stat(t.Context(), d)
	wantErr(t, "Stat", err, oci.ErrBlobUnknown)
}

// A sync that fails ends all writing, and leaves nothing that the next process
// could believe.
func TestFailedSyncVoids(t *testing.T) {
	f := crashfs.New(1)
	s := cas.FS(f)
	safe := put(t, s, "safe")
	must(t, s.Sync(t.Context()))
	lost := put(t, s, "lost")
	must(t, begun(t, s, "asleep", "partial").Suspend())
	open, other := begun(t, s, "open", "partial"), begun(t, s, "other", "partial")
	f.FailAt(f.Ops()+2, syscall.EIO) // the file is opened first
	for range 2 {
		wantErr(t, "Sync", s.Sync(t.Context()), syscall.EIO)
	}
	wantContent(t, s, safe, "safe")
	_, err := s.Stat(t.Context(), lost)
	wantErr(t, "Stat", err, oci.ErrBlobUnknown)
	_, err = s.Create(t.Context(), "new", "")
	wantErr(t, "Create", err, syscall.EIO)
	_, err = s.Resume(t.Context(), "asleep")
	wantErr(t, "Resume", err, syscall.EIO)
	wantErr(t, "Delete", s.Delete(t.Context(), safe), syscall.EIO)
	_, err = io.WriteString(open, "more")
	wantErr(t, "Write", err, syscall.EIO)
	must(t, open.Suspend())
	wantErr(t, "Commit", other.Commit(t.Context(), oci.FromBytes([]byte("partial"))), syscall.EIO)
	for p, err := range cas.FS(f.Kill()).Partials(t.Context()) {
		t.Errorf("left for the next process: %v, %v", p, err)
	}
}

// A cancelled Sync does not harm others.
func TestSyncCancelled(t *testing.T) {
	g := newGate(t)
	s := cas.FS(g)
	putFive(t, s, "")
	running := g.sync(s)
	g.wait(t, running)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, "Sync", s.Sync(ctx), context.Canceled)
	g.leave <- struct{}{}
	must(t, <-running)
}

// Many blobs take one sync of the file system, few take one a file, and those
// who wait for a running one share the next.
func TestGroupCommit(t *testing.T) {
	g := newGate(t)
	s := cas.FS(g)
	putFive(t, s, "first")
	first := g.sync(s)
	g.wait(t, first) // it is in the kernel
	putFive(t, s, "second")
	var waiting []chan error
	for range 8 {
		waiting = append(waiting, g.sync(s))
	}
	close(g.leave)
	must(t, <-first)
	for _, w := range waiting {
		must(t, <-w)
	}
	put(t, s, "few")
	must(t, s.Sync(t.Context()))
	if g.syncFS != 2 || g.syncFile != 1 {
		t.Errorf("%d syncs of the file system and %d of files, want 2 and 1", g.syncFS, g.syncFile)
	}
}

func putFive(t *testing.T, s cas.Store, prefix string) {
	t.Helper()
	for _, content := range []string{"1", "2", "3", "4", "5"} {
		put(t, s, prefix+content)
	}
}

// gate is a file system that holds up and counts the syncs.
type gate struct {
	fsys.FS
	enter, leave     chan struct{}
	syncFS, syncFile int
}

func newGate(t *testing.T) *gate {
	t.Helper()
	return &gate{FS: onDisk(t, t.TempDir()), enter: make(chan struct{}, 9), leave: make(chan struct{})}
}

// sync starts a Sync and returns where it reports.
func (g *gate) sync(s cas.Store) chan error {
	done := make(chan error, 1)
	go func() { done <- s.Sync(context.Background()) }()
	return done
}

// wait returns when a Sync has reached the file system.
func (g *gate) wait(t *testing.T, running chan error) {
	t.Helper()
	select {
	case <-g.enter:
	case err := <-running:
		t.Fatalf("Sync returned without a sync of the file system: %v", err)
	}
}

func (g *gate) SyncFS() error {
	g.enter <- struct{}{}
	<-g.leave
	g.syncFS++
	return nil
}

func (g *gate) OpenFile(name string, flag int) (fsys.File, error) {
	f, err := g.FS.OpenFile(name, flag)
	return counted{f, g}, err
}

type counted struct {
	fsys.File
	g *gate
}

func (c counted) Sync() error {
	c.g.syncFile++
	return c.File.Sync()
}
