// Package castest has the tests that every cas.Store passes.
package castest

import (
	"bytes"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
)

// Run tests a kind of store; open makes an empty one for each test.
func Run(t *testing.T, open func(t *testing.T) cas.Store) {
	tests := map[string]func(*suite){
		"unknown blobs":             (*suite).unknown,
		"visible before sync":       (*suite).visible,
		"empty blob":                (*suite).empty,
		"sha512":                    (*suite).sha512,
		"wrong content":             (*suite).wrong,
		"suspend and resume":        (*suite).resume,
		"create again":              (*suite).again,
		"held partials":             (*suite).held,
		"unknown partials":          (*suite).unknownPartials,
		"bad ids":                   (*suite).badIDs,
		"ended writers":             (*suite).ended,
		"same blob twice":           (*suite).twice,
		"same id twice":             (*suite).sameID,
		"walk":                      (*suite).walk,
		"delete":                    (*suite).delete,
		"reader survives sync":      (*suite).reader,
		"many writers and syncs":    (*suite).concurrent,
		"same content from writers": (*suite).race,
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) { tests[name](&suite{T: t, s: open(t)}) })
	}
}

type suite struct {
	*testing.T
	s cas.Store
}

func (t *suite) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (t *suite) wantErr(what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want one that matches %q", what, err, want)
	}
}

func (t *suite) create(id string) cas.Writer {
	t.Helper()
	w, err := t.s.Create(t.Context(), id, "")
	t.must(err)
	return w
}

func (t *suite) write(w cas.Writer, content string) {
	t.Helper()
	n, err := io.WriteString(w, content)
	t.must(err)
	if n != len(content) {
		t.Fatalf("wrote %d bytes of %d", n, len(content))
	}
}

// put commits content and returns its digest.
func (t *suite) put(id, content string) oci.Digest {
	t.Helper()
	d := oci.FromBytes([]byte(content))
	w := t.create(id)
	t.write(w, content)
	t.must(w.Commit(t.Context(), d))
	return d
}

func (t *suite) wantBlob(d oci.Digest, want string) {
	t.Helper()
	if size, err := t.s.Stat(t.Context(), d); err != nil || size != int64(len(want)) {
		t.Errorf("Stat = %d, %v; want %d", size, err, len(want))
	}
	for _, offset := range []int{0, len(want) / 2, len(want)} {
		r, err := t.s.Open(t.Context(), d, int64(offset))
		t.must(err)
		got, err := io.ReadAll(r)
		t.must(errors.Join(err, r.Close()))
		if string(got) != want[offset:] {
			t.Errorf("content from %d is %.40q, want %.40q", offset, got, want[offset:])
		}
	}
}

func (t *suite) wantNoBlob(d oci.Digest) {
	t.Helper()
	_, err := t.s.Stat(t.Context(), d)
	t.wantErr("Stat", err, oci.ErrBlobUnknown)
	_, err = t.s.Open(t.Context(), d, 0)
	t.wantErr("Open", err, oci.ErrBlobUnknown)
}

func (t *suite) wantPartials(want map[string]int64) {
	t.Helper()
	got := map[string]int64{}
	for p, err := range t.s.Partials(t.Context()) {
		t.must(err)
		got[p.ID] = p.Size
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("partials (-want +got):\n%s", diff)
	}
}

func (t *suite) unknown() {
	for _, d := range []oci.Digest{oci.FromBytes([]byte("nothing")), {}} {
		t.wantNoBlob(d)
		t.wantErr("Delete", t.s.Delete(t.Context(), d), oci.ErrBlobUnknown)
	}
	for b := range t.s.Walk(t.Context()) {
		t.Errorf("an empty store lists %v", b)
	}
	t.wantPartials(map[string]int64{})
	t.must(t.s.Sync(t.Context()))
}

func (t *suite) visible() {
	d := t.put("up", "some content")
	t.wantBlob(d, "some content")
	t.wantPartials(map[string]int64{})
	t.must(t.s.Sync(t.Context()))
	t.wantBlob(d, "some content")
	t.wantPartials(map[string]int64{})
	if _, err := t.s.Open(t.Context(), d, -1); err == nil {
		t.Error("Open before the start went through")
	}
}

func (t *suite) empty() {
	d := t.put("none", "")
	t.must(t.s.Sync(t.Context()))
	t.wantBlob(d, "")
}

func (t *suite) sha512() {
	sum := sha512.Sum512([]byte("long"))
	d := oci.NewDigest(oci.SHA512, sum[:])
	for _, algorithm := range []string{oci.SHA512, ""} { // told, or only at the end
		w, err := t.s.Create(t.Context(), "up", algorithm)
		t.must(err)
		t.write(w, "long")
		t.must(w.Commit(t.Context(), d))
		t.must(t.s.Sync(t.Context()))
		t.wantBlob(d, "long")
		t.must(t.s.Delete(t.Context(), d))
	}
	_, err := t.s.Create(t.Context(), "up", "md5")
	t.wantErr("unknown algorithm", err, oci.ErrDigestInvalid)
}

func (t *suite) wrong() {
	other := sha512.Sum512([]byte("other"))
	for _, d := range []oci.Digest{oci.FromBytes([]byte("other")), oci.NewDigest(oci.SHA512, other[:]), {}} {
		w := t.create("up")
		t.write(w, "content")
		t.wantErr("Commit", w.Commit(t.Context(), d), oci.ErrDigestInvalid)
		t.must(t.s.Sync(t.Context()))
		t.wantNoBlob(d)
		t.wantPartials(map[string]int64{})
	}
	t.wantNoBlob(oci.FromBytes([]byte("content")))
}

func (t *suite) resume() {
	w := t.create("a.part_1-x")
	t.write(w, "one ")
	t.must(w.Suspend())
	t.wantPartials(map[string]int64{"a.part_1-x": 4})
	for i, piece := range []string{"two ", "three"} {
		w, err := t.s.Resume(t.Context(), "a.part_1-x")
		t.must(err)
		if got := w.Offset(); got != int64(4+4*i) {
			t.Errorf("resumed at %d, want %d", got, 4+4*i)
		}
		t.write(w, piece)
		t.must(w.Suspend())
	}
	w, err := t.s.Resume(t.Context(), "a.part_1-x")
	t.must(err)
	d := oci.FromBytes([]byte("one two three"))
	t.must(w.Commit(t.Context(), d))
	t.wantBlob(d, "one two three")
}

func (t *suite) again() {
	w := t.create("up")
	t.write(w, "something longer that is thrown away")
	t.must(w.Suspend())
	w = t.create("up")
	if w.Offset() != 0 {
		t.Errorf("a partial begun anew starts at %d", w.Offset())
	}
	t.write(w, "short")
	t.must(w.Suspend())
	w, err := t.s.Resume(t.Context(), "up")
	t.must(err)
	d := oci.FromBytes([]byte("short"))
	t.must(w.Commit(t.Context(), d))
	t.wantBlob(d, "short")
}

func (t *suite) held() {
	w := t.create("up")
	t.write(w, "content")
	_, err := t.s.Create(t.Context(), "up", "")
	t.wantErr("Create of a held partial", err, oci.ErrBlobUploadInvalid)
	_, err = t.s.Resume(t.Context(), "up")
	t.wantErr("Resume of a held partial", err, oci.ErrBlobUploadInvalid)
	t.wantErr("DeletePartial of a held partial", t.s.DeletePartial(t.Context(), "up"), oci.ErrBlobUploadInvalid)
	t.wantPartials(map[string]int64{"up": 7})
	t.must(w.Suspend())
	t.must(t.s.DeletePartial(t.Context(), "up"))
	t.wantPartials(map[string]int64{})
}

func (t *suite) unknownPartials() {
	_, err := t.s.Resume(t.Context(), "none")
	t.wantErr("Resume", err, oci.ErrBlobUploadUnknown)
	t.wantErr("DeletePartial", t.s.DeletePartial(t.Context(), "none"), oci.ErrBlobUploadUnknown)
	w := t.create("none") // what failed above holds nothing
	t.must(w.Abort())
	_, err = t.s.Resume(t.Context(), "none")
	t.wantErr("Resume after Abort", err, oci.ErrBlobUploadUnknown)
	t.put("done", "content")
	_, err = t.s.Resume(t.Context(), "done")
	t.wantErr("Resume after Commit", err, oci.ErrBlobUploadUnknown)
}

func (t *suite) badIDs() {
	for _, id := range []string{"", ".", "..", "a/b", `a\b`, "a b", "ä", "a\x00", "a:b", strings.Repeat("x", 141)} {
		_, err := t.s.Create(t.Context(), id, "")
		t.wantErr(fmt.Sprintf("Create(%q)", id), err, oci.ErrBlobUploadInvalid)
		if _, err := t.s.Resume(t.Context(), id); err == nil {
			t.Errorf("Resume(%q) went through", id)
		}
		if err := t.s.DeletePartial(t.Context(), id); err == nil {
			t.Errorf("DeletePartial(%q) went through", id)
		}
	}
	t.must(t.create(strings.Repeat("x", 140)).Abort())
}

func (t *suite) ended() {
	ends := map[string]func(cas.Writer) error{
		"Suspend": cas.Writer.Suspend, "Abort": cas.Writer.Abort,
		"Commit": func(w cas.Writer) error { return w.Commit(t.Context(), oci.FromBytes(nil)) },
	}
	for first, end := range ends {
		w := t.create("up")
		t.must(end(w))
		if _, err := w.Write([]byte("x")); err == nil {
			t.Errorf("Write after %s went through", first)
		}
		for second, end := range ends {
			if end(w) == nil {
				t.Errorf("%s after %s went through", second, first)
			}
		}
	}
}

func (t *suite) twice() {
	d := t.put("first", "content")
	t.put("second", "content") // while it may be pending
	t.wantBlob(d, "content")
	t.must(t.s.Sync(t.Context()))
	t.put("third", "content")
	t.must(t.s.Sync(t.Context()))
	t.wantBlob(d, "content")
	t.wantPartials(map[string]int64{})
}

func (t *suite) sameID() {
	first := t.put("up", "first")
	w := t.create("up")
	t.write(w, "second")
	t.wantBlob(first, "first")
	second := oci.FromBytes([]byte("second"))
	t.must(w.Commit(t.Context(), second))
	t.must(t.s.Sync(t.Context()))
	t.wantBlob(first, "first")
	t.wantBlob(second, "second")
}

func (t *suite) walk() {
	want := map[oci.Digest]int64{}
	for i := range 6 {
		content := strings.Repeat("x", i)
		want[t.put(fmt.Sprint("up", i), content)] = int64(i)
		if i == 3 {
			t.must(t.s.Sync(t.Context()))
		}
	}
	t.must(t.create("other").Suspend())
	got := map[oci.Digest]int64{}
	for b, err := range t.s.Walk(t.Context()) {
		t.must(err)
		if _, ok := got[b.Digest]; ok {
			t.Errorf("%s is listed twice", b.Digest)
		}
		got[b.Digest] = b.Size
	}
	if !maps.Equal(want, got) {
		t.Errorf("Walk yields %v, want %v", got, want)
	}
	for range t.s.Walk(t.Context()) {
		break // must not panic
	}
}

func (t *suite) delete() {
	synced := t.put("a", "synced")
	t.must(t.s.Sync(t.Context()))
	fresh := t.put("b", "fresh")
	for _, d := range []oci.Digest{synced, fresh} {
		t.must(t.s.Delete(t.Context(), d))
		t.wantNoBlob(d)
		t.wantErr("second Delete", t.s.Delete(t.Context(), d), oci.ErrBlobUnknown)
	}
	t.must(t.s.Sync(t.Context()))
	t.wantNoBlob(fresh)
	t.wantBlob(t.put("b", "fresh"), "fresh")
}

func (t *suite) reader() {
	d := t.put("up", "content")
	r, err := t.s.Open(t.Context(), d, 3)
	t.must(err)
	t.must(t.s.Sync(t.Context()))
	got, err := io.ReadAll(r)
	t.must(errors.Join(err, r.Close()))
	if string(got) != "tent" {
		t.Errorf("read %q, want %q", got, "tent")
	}
}

func (t *suite) concurrent() {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 12 {
				if err := t.roundTrip(fmt.Sprintf("w%d-%d", i, j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	count := 0
	for _, err := range t.s.Walk(t.Context()) {
		t.must(err)
		count++
	}
	if count != 96 {
		t.Errorf("%d blobs listed, want 96", count)
	}
}

// roundTrip writes, reads, syncs and reads again, in a goroutine of its own.
func (t *suite) roundTrip(id string) error {
	content := bytes.Repeat([]byte(id), 1000)
	d := oci.FromBytes(content)
	w, err := t.s.Create(t.Context(), id, "")
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Commit(t.Context(), d); err != nil {
		return err
	}
	if err := same(t.Context(), t.s, d, content); err != nil {
		return fmt.Errorf("before sync: %w", err)
	}
	if err := t.s.Sync(t.Context()); err != nil {
		return err
	}
	return same(t.Context(), t.s, d, content)
}

func same(ctx context.Context, s cas.Store, d oci.Digest, want []byte) error {
	r, err := s.Open(ctx, d, 0)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("blob %s has other content", d)
	}
	return nil
}

func (t *suite) race() {
	content := []byte("the same for all")
	d := oci.FromBytes(content)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			w, err := t.s.Create(t.Context(), fmt.Sprint("w", i), "")
			if err != nil {
				t.Error(err)
				return
			}
			_, err = w.Write(content)
			if err := errors.Join(err, w.Commit(t.Context(), d), t.s.Sync(t.Context())); err != nil {
				t.Error(err)
			}
			if err := same(t.Context(), t.s, d, content); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	t.wantPartials(map[string]int64{})
}
