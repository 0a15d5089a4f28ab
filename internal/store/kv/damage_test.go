package kv_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

// files is what the directory of facts holds.
type files map[string][]byte

func readFiles(t *testing.T, fs fsys.FS) files {
	t.Helper()
	entries, err := fs.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := files{}
	for _, e := range entries {
		f, err := fs.Open(path.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if all[e.Name()], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return all
}

// disk returns a file system with the files in it.
func (f files) disk(t *testing.T) fsys.FS {
	t.Helper()
	fs := crashfs.New(1)
	if err := fs.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	for name, data := range f {
		appendTo(t, fs, name, data)
	}
	return fs
}

func appendTo(t *testing.T, fs fsys.FS, name string, data []byte) {
	t.Helper()
	file, err := fs.OpenFile(path.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// with returns the files with one of them replaced; nil leaves it out.
func (f files) with(name string, data []byte) files {
	f = maps.Clone(f)
	f[name] = data
	if data == nil {
		delete(f, name)
	}
	return f
}

// outcome opens the files, for reading and for writing, and returns what both
// show, or the error that both give.
func (f files) outcome(t *testing.T) (map[string]string, error) {
	t.Helper()
	read, readErr := show(t, f.disk(t), kv.LogOptions{Dir: dir, ReadOnly: true, Now: (&clock{}).now})
	write, writeErr := show(t, f.disk(t), kv.LogOptions{Dir: dir})
	if fmt.Sprint(readErr) != fmt.Sprint(writeErr) || !maps.Equal(read, write) {
		t.Fatalf("a reader gets %v, %v and a writer %v, %v", read, readErr, write, writeErr)
	}
	return read, readErr
}

func show(t *testing.T, fs fsys.FS, o kv.LogOptions) (map[string]string, error) {
	l, err := kv.OpenLog(fs, o)
	if err != nil {
		return nil, err
	}
	got, err := contents(t, l)
	if closeErr := l.Close(); closeErr != nil {
		t.Fatal(closeErr)
	}
	return got, err
}

// life is a store that was written by two processes, the second in a log of
// its own, with its content and the size of the last log after each Apply.
type life struct {
	files  files
	states []map[string]string
	sizes  []int
}

const firstBatches, allBatches = 5, 12

func newLife(t *testing.T) life {
	s := newStory(t, 1)
	s.limit = 0
	s.shown = map[string]string{}
	fs := crashfs.New(1)
	var v life
	for len(v.states) < allBatches {
		l := openLog(t, fs, kv.LogOptions{Dir: dir})
		for i := 0; i < firstBatches || (len(v.states) > firstBatches && len(v.states) < allBatches); i++ {
			if err := s.apply(l); err != nil {
				t.Fatal(err)
			}
			v.files = readFiles(t, fs)
			v.states = append(v.states, s.shown)
			v.sizes = append(v.sizes, len(v.files[v.lastLog()]))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(v.files) != 2 {
		t.Fatalf("two processes left %d files", len(v.files))
	}
	return v
}

func (v life) lastLog() string { return fmt.Sprintf("%d.log", len(v.files)) }

// after returns the content when the last log has the given size.
func (v life) after(size int) map[string]string {
	state := v.states[firstBatches-1]
	for i := firstBatches; i < len(v.states); i++ {
		if v.sizes[i] <= size {
			state = v.states[i]
		}
	}
	return state
}

func wantState(t *testing.T, what string, f files, want map[string]string) {
	t.Helper()
	got, err := f.outcome(t)
	if err != nil || !maps.Equal(got, want) {
		t.Fatalf("%s: %v\n%v\nwant\n%v", what, err, got, want)
	}
}

// TestTornAnywhere: cut at any byte, with or without zeros behind, a log holds
// the batches that end before the cut.
func TestTornAnywhere(t *testing.T) {
	v := newLife(t)
	whole := v.files["2.log"]
	for cut := range len(whole) + 1 {
		want := v.after(cut)
		wantState(t, fmt.Sprintf("cut at %d", cut), v.files.with("2.log", whole[:cut]), want)
		filled := append(bytes.Clone(whole[:cut]), make([]byte, len(whole)-cut)...)
		wantState(t, fmt.Sprintf("zeros from %d", cut), v.files.with("2.log", filled), want)
	}
	first := files{"1.log": v.files["1.log"]}
	for cut := range len(first["1.log"]) {
		want := map[string]string{}
		for i := range firstBatches {
			if v.sizes[i] <= cut {
				want = v.states[i]
			}
		}
		wantState(t, fmt.Sprintf("first log cut at %d", cut), first.with("1.log", first["1.log"][:cut]), want)
	}
}

// TestFlippedByte: no byte of a log can change unnoticed, unless nothing
// rests on it any more, or it is in the last Apply, which then is torn.
func TestFlippedByte(t *testing.T) {
	v := newLife(t)
	all, before := v.states[allBatches-1], v.states[allBatches-2]
	for name, data := range v.files {
		for at := range data {
			for _, flip := range []byte{1 << (at % 8), data[at], data[at] ^ '\n'} {
				bad := bytes.Clone(data)
				if bad[at] ^= flip; bad[at] == data[at] {
					continue
				}
				got, err := v.files.with(name, bad).outcome(t)
				torn := name == "2.log" && at >= v.sizes[allBatches-2] && maps.Equal(got, before)
				unused := name == "1.log" && at >= v.sizes[firstBatches-2] && maps.Equal(got, all)
				var damage *kv.CorruptError
				if !errors.As(err, &damage) && !torn && !unused {
					t.Fatalf("%s, byte %d ^ %#x: %v, %v", name, at, flip, got, err)
				}
			}
		}
	}
}

// TestGap: a line or a file that is missing, doubled or in the wrong place.
func TestGap(t *testing.T) {
	v := newLife(t)
	bad := map[string]files{
		"the first log is missing": v.files.with("1.log", nil),
		"the logs are exchanged":   {"1.log": v.files["2.log"], "2.log": v.files["1.log"]},
		"a log is renamed":         {"1.log": v.files["1.log"], "3.log": v.files["2.log"]},
		"a log is doubled":         v.files.with("3.log", v.files["2.log"]),
		"the first log is empty":   v.files.with("1.log", []byte{}),
		"not a log":                v.files.with("2.log", []byte("hello\nhello\n")),
	}
	for name, data := range v.files {
		lines := bytes.SplitAfter(data, []byte("\n"))
		for i := range len(lines) - 3 { // the last line is a torn end, and behind it is ""
			what := fmt.Sprintf("%s, line %d ", name, i+1)
			bad[what+"is missing"] = v.files.with(name, bytes.Join(slices.Concat(lines[:i], lines[i+1:]), nil))
			bad[what+"is doubled"] = v.files.with(name, bytes.Join(slices.Concat(lines[:i+1], lines[i:]), nil))
			bad[what+"comes later"] = v.files.with(name, bytes.Join(slices.Concat(lines[:i], lines[i+1:i+2], lines[i:i+1], lines[i+2:]), nil))
		}
	}
	all := v.states[allBatches-1]
	for what, f := range bad {
		got, err := f.outcome(t)
		var damage *kv.CorruptError
		unused := strings.HasPrefix(what, "1.log") && maps.Equal(got, all)
		if !errors.As(err, &damage) && !unused {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
}

// TestHole: file systems may lose a block in the middle of the last write.
// What comes before it in that write may count; older damage is damage.
func TestHole(t *testing.T) {
	fs := crashfs.New(1)
	l := openLog(t, fs, kv.LogOptions{Dir: dir})
	put(t, l, "a", "1")
	before := len(readFiles(t, fs)["1.log"])
	var changes []kv.Change
	for i := range 50 {
		changes = append(changes, kv.Change{Key: fmt.Sprintf("k%d", i), Value: []byte("{}")})
	}
	if err := l.Apply(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	f := readFiles(t, fs)
	holed := bytes.Clone(f["1.log"])
	clear(holed[512:1024])
	wantState(t, "a hole in the last write", f.with("1.log", holed), map[string]string{"a": "1"})
	if before > 512 {
		t.Fatalf("the first write ends at %d", before)
	}
	put(t, l, "b", "2")
	later := readFiles(t, fs)["1.log"]
	clear(later[512:1024])
	var damage *kv.CorruptError
	if got, err := f.with("1.log", later).outcome(t); !errors.As(err, &damage) {
		t.Errorf("a hole before the last write: %v, %v", got, err)
	}
}

// TestDamagedSnapshot: each byte of a snapshot matters, and a damaged store is
// not compacted.
func TestDamagedSnapshot(t *testing.T) {
	fs := crashfs.New(1)
	l := openLog(t, fs, kv.LogOptions{Dir: dir})
	for i := range 8 {
		put(t, l, fmt.Sprintf("t/app:v%d", i), `{"digest":"x"}`)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	openLog(t, fs, kv.LogOptions{Dir: dir, CompactAt: 1})
	f := readFiles(t, fs)
	whole := f["2.snap"]
	if len(f) != 1 || whole == nil {
		t.Fatalf("a compaction leaves %v", slices.Collect(maps.Keys(f)))
	}
	for at := range whole {
		bad := bytes.Clone(whole)
		bad[at] ^= 0x10
		var damage *kv.CorruptError
		if got, err := f.with("2.snap", bad).outcome(t); !errors.As(err, &damage) {
			t.Fatalf("byte %d: %v, %v", at, got, err)
		}
	}
	for cut := range whole {
		var damage *kv.CorruptError
		if got, err := f.with("2.snap", whole[:cut]).outcome(t); !errors.As(err, &damage) {
			t.Fatalf("cut at %d: %v, %v", cut, got, err)
		}
	}
}

// TestNoCompactionOfDamage: what is damaged stays as it is.
func TestNoCompactionOfDamage(t *testing.T) {
	fs := crashfs.New(1)
	l := openLog(t, fs, kv.LogOptions{Dir: dir, CompactAt: 1})
	put(t, l, "a", "1")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f := readFiles(t, fs)
	for name, data := range f {
		if len(f) != 1 || !strings.HasSuffix(name, ".snap") {
			t.Fatalf("there is %s", name)
		}
		data[10] ^= 1
	}
	damaged := f.disk(t)
	var damage *kv.CorruptError
	if _, err := kv.OpenLog(damaged, kv.LogOptions{Dir: dir}); err != nil {
		t.Fatalf("the index is whole: %v", err)
	}
	l, err := kv.OpenLog(damaged, kv.LogOptions{Dir: dir, CompactAt: 1})
	if err != nil {
		t.Fatal(err)
	}
	put(t, l, "b", "2")
	if err := l.Close(); !errors.As(err, &damage) {
		t.Errorf("Close: %v", err)
	}
	for name, data := range f {
		if now := readFiles(t, damaged)[name]; !bytes.Equal(now, data) {
			t.Errorf("%s was changed", name)
		}
	}
}
