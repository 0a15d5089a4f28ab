package mirror

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// spoolOf returns a spool with one blob that was whole, or was not.
func spoolOf(t *testing.T, body []byte, whole bool) (*Spool, oci.Digest) {
	t.Helper()
	s := NewSpool(t.TempDir())
	desc := oci.Descriptor{Digest: oci.FromBytes(body), Size: int64(len(body))}
	w, done := s.take(desc)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	done(whole)
	return s, desc.Digest
}

func TestSpoolKeepsWhatIsWhole(t *testing.T) {
	body := []byte("a layer")
	s, d := spoolOf(t, body, true)
	for offset := range len(body) + 1 {
		content, ok := s.Open(d, int64(offset))
		if !ok {
			t.Fatal("it is not kept")
		}
		if got, err := io.ReadAll(content); err != nil || !bytes.Equal(got, body[offset:]) {
			t.Errorf("from %d: %q, %v", offset, got, err)
		}
	}
	if _, ok := s.Open(d, int64(len(body)+1)); ok {
		t.Error("it is opened behind its end")
	}
	w, done := s.take(oci.Descriptor{Digest: d, Size: int64(len(body))})
	if done(true); w.(*spooled).file != nil {
		t.Error("what is kept is written once more")
	}
	if left, err := os.ReadDir(s.dir); err != nil || len(left) > 0 {
		t.Error("of a run that is killed these are left:", left, err)
	}
	if !s.Drop() || s.Drop() {
		t.Error("what is dropped is kept")
	}
	if _, ok := s.Open(d, 0); ok {
		t.Error("it is kept after all")
	}
	s, d = spoolOf(t, body, false)
	if _, ok := s.Open(d, 0); ok || s.Drop() {
		t.Error("a part is kept")
	}
}

// What cannot be kept is no error, and takes no room.
func TestSpoolWithoutRoom(t *testing.T) {
	s := NewSpool(t.TempDir())
	huge := oci.Descriptor{Digest: oci.FromBytes([]byte("x")), Size: 1 << 62}
	w, done := s.take(huge)
	if w.(*spooled).file != nil {
		t.Error("a blob is begun for which there is no room")
	}
	done(true)
	small := oci.Descriptor{Digest: huge.Digest, Size: 1}
	w, done = s.take(small)
	file := w.(*spooled).file
	file.File.Close() // as good as a full disk
	if n, err := w.Write([]byte("x")); n != 1 || err != nil || w.(*spooled).file != nil {
		t.Error(n, err)
	}
	done(true)
	s.dir += "/nowhere"
	w, done = s.take(small)
	if n, err := w.Write([]byte("x")); n != 1 || err != nil {
		t.Error(n, err)
	}
	done(true)
	if s.Drop() {
		t.Error("something is kept")
	}
	var none *Spool
	if _, ok := none.Open(small.Digest, 0); ok || none.Drop() {
		t.Error("no spool keeps something")
	}
}

// The room of what is kept is given back before a run fails for lack of it.
func TestSpoolGivesRoomBack(t *testing.T) {
	full := &repo.SpaceError{Path: "disk", Need: 2, Free: 1}
	s, d := spoolOf(t, []byte("a layer"), true)
	var kept []bool
	err := s.withRoom(func() error {
		_, ok := s.Open(d, 0)
		if kept = append(kept, ok); ok {
			return full
		}
		return nil
	})
	if err != nil || len(kept) != 2 {
		t.Error(err, kept)
	}
	tries := 0
	if err := s.withRoom(func() error { tries++; return full }); !errors.Is(err, full) || tries != 1 {
		t.Error(err, tries)
	}
}

// Layers are kept of what comes from a registry, and read from there if they are
// read again; what lies on a disk is not copied to another place.
func TestSpoolOfIndex(t *testing.T) {
	w, made, seen := indexWorld(t, sample.CatalogSpec{LayerSize: 100_000})
	spool := NewSpool(t.TempDir())
	for range 2 {
		if _, _, err := readIndex(w, IndexOptions{Spool: spool}, ""); err != nil {
			t.Fatal(err)
		}
	}
	layers := made.Index.Blobs[1:]
	for _, l := range layers {
		if _, ok := spool.Open(l.Desc.Digest, 0); !ok {
			t.Errorf("%s is not kept", l.Desc.Digest)
		}
	}
	if got := len(seen.opened) - 2; got != len(layers) { // but the config, twice
		t.Errorf("%d blobs were read, of %d layers", got, len(layers))
	}
	spool.Drop()
	rp, err := openDestination(w, "file://local/index")
	if err == nil {
		err = made.Index.Push(t.Context(), rp, "v4.14")
	}
	if err != nil {
		t.Fatal(err)
	}
	x, err := FindIndex(t.Context(), w.regs, ref.MustParse("file://local/index:v4.14"), IndexOptions{Spool: spool})
	if err != nil {
		t.Fatal(err)
	}
	e, err := x.Extract(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if spool.Drop() {
		t.Error("what lies on a disk is kept in another place")
	}
}

// Where the disk is full while the catalog is taken out, that has the room.
func TestExtractBeforeSpool(t *testing.T) {
	w, made, _ := indexWorld(t, sample.CatalogSpec{LayerSize: 200_000})
	full := true
	w.hosts["src.test"] = &spoiling{Registry: w.hosts["src.test"], spoil: func(p []byte) error {
		if full {
			full = false
			return syscall.ENOSPC
		}
		return nil
	}}
	w.regs.hosts = map[string]repo.Registry{}
	spool := NewSpool(t.TempDir())
	_, c, err := readIndex(w, IndexOptions{Spool: spool}, t.TempDir())
	if err != nil || full {
		t.Fatal(err, full)
	}
	sameRefs(t, c, made)
	if spool.Drop() {
		t.Error("layers are kept on a full disk")
	}
}
