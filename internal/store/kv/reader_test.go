package kv_test

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/store/kv/kvtest"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

// viewer is a store opened for reading by another process.
type viewer struct {
	*kv.Log
	clock clock
}

func openViewer(t *testing.T, fs *crashfs.FS) *viewer {
	t.Helper()
	v := &viewer{}
	v.Log = openLog(t, fs.Process(), kv.LogOptions{Dir: dir, ReadOnly: true, Now: v.clock.now})
	return v
}

func (v *viewer) wants(t *testing.T, what string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, kvtest.List(t, v, "", "")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (v *viewer) wait() { v.clock.at = v.clock.at.Add(time.Second) }

// TestFollow: a reader sees what another process writes within a second,
// whatever becomes of the files.
func TestFollow(t *testing.T) {
	fs := crashfs.New(1)
	v := openViewer(t, fs)
	v.wants(t, "no directory yet")
	if err := v.Apply(t.Context(), nil); !errors.Is(err, kv.ErrReadOnly) {
		t.Errorf("Apply: %v", err)
	}

	writer := openLog(t, fs, kv.LogOptions{Dir: dir})
	put(t, writer, "a", "1")
	v.clock.at = v.clock.at.Add(time.Second - 1)
	v.wants(t, "before the second is over")
	v.clock.at = v.clock.at.Add(1)
	v.wants(t, "a first log", "a=1")

	put(t, writer, "b", "2")
	v.wants(t, "in the same second", "a=1")
	v.wait()
	v.wants(t, "the log grows", "a=1", "b=2")
	if err := writer.Apply(t.Context(), []kv.Change{{Key: "a"}}); err != nil {
		t.Fatal(err)
	}
	v.clock.at = v.clock.at.Add(-time.Hour)
	v.wants(t, "the clock is set back", "b=2")

	second := openLog(t, fs, kv.LogOptions{Dir: dir})
	put(t, second, "c", "3")
	v.wait()
	v.wants(t, "another writer", "b=2", "c=3")

	third := openLog(t, fs, kv.LogOptions{Dir: dir, CompactAt: 1})
	v.wants(t, "compacted in the same second", "b=2", "c=3")
	v.wait()
	v.wants(t, "compacted", "b=2", "c=3")
	put(t, third, "d", "4")
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
	v.wait()
	v.wants(t, "compacted again", "b=2", "c=3", "d=4")
}

// TestHeldListing: a listing shows one moment, though the files that it reads
// are replaced and removed meanwhile.
func TestHeldListing(t *testing.T) {
	fs := crashfs.New(1)
	writer := openLog(t, fs, kv.LogOptions{Dir: dir, CompactAt: 1})
	var want []string
	for i := range 300 {
		put(t, writer, fmt.Sprintf("k%03d", i), string(make([]byte, 100)))
		want = append(want, fmt.Sprintf("k%03d", i))
	}
	v := openViewer(t, fs)
	for name, l := range map[string]kv.Store{"reader": v, "writer": writer} {
		var got []string
		for e, err := range l.List(t.Context(), "k", "") {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = append(got, e.Key)
			put(t, writer, "l"+e.Key+name, "x")
			v.wait()
			if _, err := v.Get(t.Context(), "l"+e.Key+name); err != nil {
				t.Fatalf("%s: Get of a new key: %v", name, err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestHalfLine: a reader waits for the rest of what is being written, at
// whatever byte it finds the end.
func TestHalfLine(t *testing.T) {
	life := newLife(t)
	whole := life.files["2.log"]
	for cut := range whole {
		fs := life.files.with("2.log", whole[:cut]).disk(t).(*crashfs.FS)
		v := openViewer(t, fs)
		seen, err := contents(t, v)
		if err != nil || !maps.Equal(seen, life.after(cut)) {
			t.Fatalf("cut at %d: %v, %v", cut, seen, err)
		}
		half := cut + (len(whole)-cut)/2
		appendTo(t, fs, "2.log", whole[cut:half])
		v.wait()
		if seen, err = contents(t, v); err != nil || !maps.Equal(seen, life.after(half)) {
			t.Fatalf("cut at %d, grown to %d: %v, %v", cut, half, seen, err)
		}
		appendTo(t, fs, "2.log", whole[half:])
		v.wait()
		if seen, err = contents(t, v); err != nil || !maps.Equal(seen, life.after(len(whole))) {
			t.Fatalf("cut at %d, grown to the end: %v, %v", cut, seen, err)
		}
	}
}

// TestReaderFindsDamage: what goes bad under a reader is an error for as long
// as it lasts.
func TestReaderFindsDamage(t *testing.T) {
	life := newLife(t)
	fs := life.files.disk(t).(*crashfs.FS)
	v := openViewer(t, fs)
	appendTo(t, fs, "2.log", []byte("rot\nrot\n"))
	if _, err := contents(t, v); err != nil {
		t.Errorf("in the same second: %v", err)
	}
	var damage *kv.CorruptError
	for range 2 {
		v.wait()
		for range 2 {
			if _, err := contents(t, v); !errors.As(err, &damage) {
				t.Errorf("after a second: %v", err)
			}
		}
	}
	if err := fs.Rename(dir+"/2.log", dir+"/2.bad"); err != nil {
		t.Fatal(err)
	}
	appendTo(t, fs, "2.log", life.files["2.log"])
	v.wait()
	if got, err := contents(t, v); err != nil || !maps.Equal(got, life.after(len(life.files["2.log"]))) {
		t.Errorf("mended: %v, %v", got, err)
	}
}

// TestReadersBesideWriter: while a writer compacts all the time, readers see
// whole batches only, in the order in which they were made.
func TestReadersBesideWriter(t *testing.T) {
	const last = 300
	fs := crashfs.New(1)
	var now atomic.Int64
	tick := func() time.Time { return time.Unix(now.Add(1), 0) }
	readers := map[string]kv.Store{}
	for i := range 2 {
		readers[fmt.Sprint("reader ", i)] = openLog(t, fs.Process(), kv.LogOptions{Dir: dir, ReadOnly: true, Now: tick})
	}
	writer := openLog(t, fs, kv.LogOptions{Dir: dir, CompactAt: 400})
	readers["the writer"] = writer
	var all sync.WaitGroup
	all.Go(func() {
		for i := 1; i <= last; i++ {
			n := fmt.Appendf(nil, "%03d", i)
			err := writer.Apply(t.Context(), []kv.Change{{Key: "a", Value: n}, {Key: "b" + string(n), Value: n}, {Key: "z", Value: n}})
			if err != nil {
				t.Errorf("Apply: %v", err)
			}
		}
	})
	for name, l := range readers {
		all.Go(func() { watch(t, name, l, fmt.Sprintf("%03d", last)) })
	}
	all.Wait()
}

// watch lists a store until the last batch is there.
func watch(t *testing.T, name string, l kv.Store, last string) {
	before := ""
	for before < last && !t.Failed() {
		got, err := contents(t, l)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if got["a"] != got["z"] || got["a"] < before || (len(got) > 0 && fmt.Sprintf("%03d", len(got)-2) != got["a"]) {
			t.Errorf("%s: after %q it sees a=%q, z=%q and %d keys", name, before, got["a"], got["z"], len(got))
		}
		before = got["a"]
	}
}
