package store_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func still() time.Time { return time.Unix(1_700_000_000, 0) }

func inited(t *testing.T) *crashfs.FS {
	t.Helper()
	f := crashfs.New(1)
	must(t, store.Init(f))
	return f
}

// fill puts a blob and a fact into a store, durably.
func fill(t *testing.T, s *store.Store) oci.Digest {
	t.Helper()
	d := oci.FromBytes([]byte("content"))
	w, err := s.CAS.Create(t.Context(), "up", "")
	must(t, err)
	_, err = io.WriteString(w, "content")
	must(t, err)
	must(t, w.Commit(t.Context(), d))
	must(t, s.CAS.Sync(t.Context()))
	must(t, s.KV.Apply(t.Context(), []kv.Change{{Key: "b/x/" + d.String(), Value: []byte("{}")}}))
	return d
}

func wantFilled(t *testing.T, s *store.Store, d oci.Digest) {
	t.Helper()
	if size, err := s.CAS.Stat(t.Context(), d); err != nil || size != 7 {
		t.Errorf("blob: %d bytes, %v", size, err)
	}
	if value, err := s.KV.Get(t.Context(), "b/x/"+d.String()); err != nil || string(value) != "{}" {
		t.Errorf("fact: %q, %v", value, err)
	}
}

func TestOnDisk(t *testing.T) {
	f, err := fsys.OS(t.TempDir())
	must(t, err)
	if store.IsStore(f) {
		t.Error("an empty directory is taken for a store")
	}
	for _, open := range []func() (*store.Store, error){
		func() (*store.Store, error) { return store.Open(f, "me") },
		func() (*store.Store, error) { return store.OpenReadOnly(f, still) },
	} {
		if _, err := open(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("opening what is not a store: %v", err)
		}
	}
	must(t, store.Init(f))
	if !store.IsStore(f) {
		t.Error("a store is not taken for one")
	}
	s, err := store.Open(f, "me")
	must(t, err)
	d := fill(t, s)
	beside, err := store.OpenReadOnly(f, still)
	must(t, err)
	wantFilled(t, beside, d)
	if beside.ID != s.ID {
		t.Errorf("the store has the ids %q and %q", s.ID, beside.ID)
	}
	must(t, beside.Close())
	must(t, s.Close())
	s, err = store.Open(f, "me again")
	must(t, err)
	wantFilled(t, s, d)
	must(t, s.Close())
}

func TestInitOnce(t *testing.T) {
	f := inited(t)
	id := func() string {
		s, err := store.OpenReadOnly(f, still)
		must(t, err)
		must(t, s.Close())
		return s.ID
	}
	first := id()
	must(t, store.Init(f))
	if second := id(); second != first || len(first) < 20 {
		t.Errorf("ids %q and %q", first, second)
	}
}

// At every call that Init makes the power is cut: what is left is a store, or
// can be made one. After Init returned it is one.
func TestInitCrash(t *testing.T) {
	for at := 1; ; at++ {
		f := crashfs.New(1)
		f.StopAt(at)
		done := store.Init(f)
		for seed := range uint64(20) {
			left := f.Crash(rand.New(rand.NewPCG(seed, 1)))
			if done == nil && !store.IsStore(left) {
				t.Fatalf("call %d: the store is gone after Init", at)
			}
			must(t, store.Init(left))
			s, err := store.Open(left, "me")
			must(t, err)
			must(t, s.Close())
		}
		if done == nil {
			return
		}
	}
}

func TestLocked(t *testing.T) {
	f := inited(t)
	s, err := store.Open(f, "airbridge serve, pid 12 on\x1b[31m host")
	must(t, err)
	_, err = store.Open(f.Process(), "somebody else")
	locked, ok := errors.AsType[*repo.LockedError](err)
	if !ok || locked.Holder != "airbridge serve, pid 12 on[31m host" || locked.Path != f.Root() {
		t.Errorf("second writer: %#v", err)
	}
	must(t, s.Close())
	s, err = store.Open(f.Process(), "somebody else")
	must(t, err)
	must(t, s.Close())
}

// The lock ends with its process, and the next holder writes its own name.
func TestLockAfterKill(t *testing.T) {
	f := inited(t)
	_, err := store.Open(f, "a first with a long name")
	must(t, err)
	f = f.Kill()
	_, err = store.Open(f, "second")
	must(t, err)
	_, err = store.Open(f.Process(), "third")
	if locked, ok := errors.AsType[*repo.LockedError](err); !ok || locked.Holder != "second" {
		t.Errorf("third writer: %v", err)
	}
}

// A full disk keeps nobody from opening a store to make room on it.
func TestOpenOnFullDisk(t *testing.T) {
	for _, call := range []string{"open", "write", "sync", "close"} {
		t.Run(call, func(t *testing.T) {
			f := fullDisk{inited(t), call}
			s, err := store.Open(f, "me")
			must(t, err)
			must(t, s.Close())
		})
	}
}

// fullDisk refuses one kind of call on the lock file.
type fullDisk struct {
	fsys.FS
	call string
}

func (f fullDisk) OpenFile(name string, flag int) (fsys.File, error) {
	file, err := f.FS.OpenFile(name, flag)
	if err != nil || !strings.HasSuffix(name, "/lock") {
		return file, err
	}
	if f.call == "open" {
		return nil, syscall.ENOSPC
	}
	return fullFile{file, f.call}, nil
}

type fullFile struct {
	fsys.File
	call string
}

func (f fullFile) fault(call string) error {
	if f.call == call {
		return syscall.ENOSPC
	}
	return nil
}

func (f fullFile) Write(p []byte) (int, error) { return len(p), f.fault("write") }
func (f fullFile) Sync() error                 { return f.fault("sync") }
func (f fullFile) Close() error                { return errors.Join(f.fault("close"), f.File.Close()) }

func TestReadOnlyMedium(t *testing.T) {
	f := inited(t)
	s, err := store.Open(f, "me")
	must(t, err)
	d := fill(t, s)
	must(t, s.Close())
	f.SetReadOnly()
	s, err = store.OpenReadOnly(f, still)
	must(t, err)
	wantFilled(t, s, d)
	must(t, s.Close())
	if _, err := store.Open(f, "me"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("opening for writing: %v", err)
	}
}

func TestFormat(t *testing.T) {
	for content, want := range map[string]string{
		`{"version":2,"id":"x"}`: "its format is version 2, and this airbridge reads up to version 1",
		`{"version":2,"id":{}}`:  "its format is version 2",
		`{"version":0,"id":"x"}`: "corrupt",
		`{"version":1}`:          "corrupt",
		"":                       "corrupt",
		"\x00\x00\x00":           "corrupt",
	} {
		f := inited(t)
		w, err := f.OpenFile("airbridge/format.json", os.O_WRONLY|os.O_TRUNC)
		must(t, err)
		_, err = fmt.Fprint(w, content)
		must(t, errors.Join(err, w.Close()))
		_, err = store.Open(f, "me")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("format %q: error %v, want %q in it", content, err, want)
		}
		if again := store.Init(f); again == nil || again.Error() != err.Error() {
			t.Errorf("format %q: Init says %v, and Open %v", content, again, err)
		}
		_, corrupt := errors.AsType[*kv.CorruptError](err)
		if corrupt != (want == "corrupt") {
			t.Errorf("format %q: %T", content, err)
		}
		if !store.IsStore(f) {
			t.Errorf("format %q: no store any more", content)
		}
	}
}
