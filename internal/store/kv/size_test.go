package kv

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// counter counts what is read through a file system.
type counter struct {
	fsys.FS
	calls, bytes, open atomic.Int64
}

func (c *counter) Open(name string) (fsys.File, error) {
	f, err := c.FS.Open(name)
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return &countedFile{f, c}, nil
}

type countedFile struct {
	fsys.File
	c *counter
}

func (f *countedFile) ReadAt(b []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(b, at)
	f.c.calls.Add(1)
	f.c.bytes.Add(int64(n))
	return n, err
}

func (f *countedFile) Close() error {
	f.c.open.Add(-1)
	return f.File.Close()
}

// since returns the calls and bytes since the last time.
func (c *counter) since() (calls, bytes int64) { return c.calls.Swap(0), c.bytes.Swap(0) }

// bigStore writes a store with a snapshot: for each image a tag, a manifest and
// four blobs, in keys and values of the real size.
func bigStore(tb testing.TB, images, tail int) fsys.FS {
	tb.Helper()
	fs, err := fsys.OS(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	l, err := OpenLog(fs, LogOptions{Dir: "d", CompactAt: 1 << 40})
	if err != nil {
		tb.Fatal(err)
	}
	fill := func(from, to int) {
		for i := from; i < to; i += 100 {
			var changes []Change
			for j := i; j < min(to, i+100); j++ {
				changes = append(changes, imageFacts(j)...)
			}
			if err := l.Apply(context.Background(), changes); err != nil {
				tb.Fatal(err)
			}
		}
	}
	fill(0, images)
	if err := l.writer.compact(); err != nil {
		tb.Fatal(err)
	}
	fill(images, images+tail)
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return fs
}

func imageFacts(i int) []Change {
	name := fmt.Sprintf("team%d/app%d", i%10, i%200)
	digest := func(n int) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(fmt.Append(nil, i, n))) }
	manifest := fmt.Appendf(nil, `{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":%d,"time":1700000000}`, i)
	changes := []Change{
		{Key: fmt.Sprintf("t/%s:v%d", name, i), Value: fmt.Appendf(nil, `{"digest":%q,"time":1700000000}`, digest(0))},
		{Key: fmt.Sprintf("m/%s@%s", name, digest(0)), Value: manifest},
	}
	for n := 1; n <= 4; n++ {
		changes = append(changes, Change{Key: fmt.Sprintf("b/%s@%s", name, digest(n)), Value: []byte(`{"size":123456,"time":1700000000}`)})
	}
	return changes
}

// TestReadsFewBlocks: opening reads the index and no block, a Get reads one
// block, or two where the key is not there, and reads it once.
func TestReadsFewBlocks(t *testing.T) {
	const images = 2000
	fs := &counter{FS: bigStore(t, images, 0)}
	l, err := OpenLog(fs, LogOptions{Dir: "d"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	snap := l.view.Load().snap
	if snap.count != 6*images || snap.blocks < 100 {
		t.Fatalf("%d facts in %d blocks", snap.count, snap.blocks)
	}
	if calls, bytes := fs.since(); calls > 3 || bytes > snap.size/20 {
		t.Errorf("opening %d bytes takes %d reads of %d bytes", snap.size, calls, bytes)
	}
	for i := 0; i < images; i += 50 {
		for _, c := range imageFacts(i)[:2] {
			for want := int64(1); want >= 0; want-- {
				if _, err := l.Get(t.Context(), c.Key); err != nil {
					t.Fatal(err)
				}
				if calls, bytes := fs.since(); calls > want || bytes > 2*blockSize {
					t.Errorf("Get takes %d reads of %d bytes, want %d", calls, bytes, want)
				}
			}
		}
	}
	_, _ = l.Get(t.Context(), "m/team0/app0@sha256:none")
	if calls, _ := fs.since(); calls > 2 {
		t.Errorf("Get of a missing key takes %d reads", calls)
	}
	n := 0
	for _, err := range l.List(t.Context(), "t/team3/app3:", "") {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if calls, _ := fs.since(); n != images/200 || calls > 2 {
		t.Errorf("listing %d tags takes %d reads", n, calls)
	}
}

// TestNoFileStaysOpen: a snapshot is closed when a newer one took its place and
// nobody reads it any more.
func TestNoFileStaysOpen(t *testing.T) {
	fs := &counter{FS: bigStore(t, 10, 10)}
	l, err := OpenLog(fs, LogOptions{Dir: "d"})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range l.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Get(t.Context(), "t/none"); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		if err := l.writer.compact(); err != nil {
			t.Fatal(err)
		}
		if n := fs.open.Load(); n != 2 {
			t.Fatalf("%d files are open, for the listing and the newest snapshot", n)
		}
	}
	if n := fs.open.Load(); n != 1 {
		t.Errorf("%d files are open after the listing", n)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := fs.open.Load(); n != 0 {
		t.Errorf("%d files are open after Close", n)
	}
	if _, err := l.Get(t.Context(), "k"); err == nil {
		t.Error("a closed store answers")
	}
}

// TestOneFlush: calls at once share flushes, and each is durable by itself.
func TestOneFlush(t *testing.T) {
	slow := &heldFS{FS: bigStore(t, 1, 0), started: make(chan struct{}), release: make(chan struct{})}
	l, err := OpenLog(slow, LogOptions{Dir: "d"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const callers = 20
	results := make(chan error, callers+1)
	set := func(i int) { results <- l.Apply(context.Background(), []Change{{Key: fmt.Sprint("k", i)}}) }
	go set(0)
	<-slow.started // the first is being flushed
	for i := 1; i <= callers; i++ {
		go set(i)
	}
	for queued := 0; queued < callers; runtime.Gosched() {
		l.writer.mu.Lock()
		if l.writer.group != nil {
			queued = len(l.writer.group.items)
		}
		l.writer.mu.Unlock()
	}
	if len(results) > 0 {
		t.Error("Apply returned before the flush")
	}
	close(slow.release)
	for range callers + 1 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := slow.syncs.Load(); n != 2 {
		t.Errorf("%d flushes for one call and %d at once", n, callers)
	}
}

// heldFS holds the first flush of facts up until it is released. It counts the
// flushes of files after the one of the header.
type heldFS struct {
	fsys.FS
	syncs            atomic.Int64
	started, release chan struct{}
}

func (h *heldFS) OpenFile(name string, flag int) (fsys.File, error) {
	f, err := h.FS.OpenFile(name, flag)
	return &heldFile{File: f, h: h}, err
}

type heldFile struct {
	fsys.File
	h     *heldFS
	syncs int
}

func (f *heldFile) Sync() error {
	if f.syncs++; f.syncs == 1 {
		return f.File.Sync() // the header
	}
	if f.h.syncs.Add(1) == 1 {
		close(f.h.started)
		<-f.h.release
	}
	return f.File.Sync()
}

func BenchmarkApply(b *testing.B) {
	for _, size := range []int{1, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l, err := OpenLog(bigStore(b, 1, 0), LogOptions{Dir: "d"})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				changes := make([]Change, 0, size+6)
				for j := 0; len(changes) < size; j++ {
					changes = append(changes, imageFacts(i*size+j)...)
				}
				if err := l.Apply(b.Context(), changes[:size]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen opens a store of 100,000 tags, 100,000 manifests and 400,000
// blobs and reads one fact, from a snapshot and from logs alone.
func BenchmarkOpen(b *testing.B) {
	for name, images := range map[string][2]int{"snapshot": {100_000, 0}, "snapshot+log": {70_000, 30_000}, "log": {1, 99_999}} {
		b.Run(name, func(b *testing.B) {
			fs := bigStore(b, images[0], images[1])
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			b.ReportAllocs()
			for b.Loop() {
				l, err := OpenLog(fs, LogOptions{Dir: "d", ReadOnly: true, Now: time.Now})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := l.Get(b.Context(), imageFacts(0)[0].Key); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6, "MB-live")
				_ = l.Close()
				b.StartTimer()
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	l, err := OpenLog(bigStore(b, 20_000, 0), LogOptions{Dir: "d"})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var keys []string
	for i := range 1000 {
		keys = append(keys, imageFacts(i * 7)[0].Key)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := l.Get(b.Context(), keys[i%len(keys)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompact writes a snapshot of 600,000 facts and reads it back.
func BenchmarkCompact(b *testing.B) {
	fs := bigStore(b, 100_000, 0)
	l, err := OpenLog(fs, LogOptions{Dir: "d", CompactAt: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		if err := l.writer.compact(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(l.view.Load().snap.size)/1e6, "MB")
}

// TestBlockCache: it stays small, keeps what is used and never mixes blocks up.
func TestBlockCache(t *testing.T) {
	c := newBlockCache()
	c.put(0, []byte{0})
	for i := 1; i < 10*cachedBlocks; i++ {
		c.put(i, []byte{byte(i), byte(i >> 8)})
		if _, ok := c.get(0); !ok {
			t.Fatalf("the block that is used all the time is gone after %d others", i)
		}
	}
	held := 0
	for i := 1; i < 10*cachedBlocks; i++ {
		if b, ok := c.get(i); ok {
			held++
			if b[0] != byte(i) || b[1] != byte(i>>8) {
				t.Errorf("block %d is another one", i)
			}
		}
	}
	if held != cachedBlocks-1 {
		t.Errorf("%d blocks are held besides the one in use", held)
	}
}
