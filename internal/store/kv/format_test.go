package kv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

func exampleFacts() []fact {
	return []fact{
		{n: 1, key: "t/team/app:v1", value: []byte(`{"digest":"sha256:00"}`)},
		{n: 2, more: 3, write: true, key: `a"b\c`, value: []byte("no JSON")},
		{n: 1 << 60, more: 1, key: "é", value: []byte{}},
		{n: 3, write: true, key: "gone"},
		{n: 4, key: "k", value: []byte("null")},
	}
}

// TestLineIsJSON: a log can be read by any tool that reads JSON lines.
func TestLineIsJSON(t *testing.T) {
	for _, f := range exampleFacts() {
		line := appendFact(nil, f)
		var j struct {
			N uint64
			M int
			W int
			K string
			V json.RawMessage
			B []byte
		}
		if err := json.Unmarshal(line, &j); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		value := []byte(j.V)
		if value == nil {
			value = j.B
		}
		got := fact{n: j.N, more: j.M, write: j.W == 1, key: j.K, value: value}
		if diff := cmp.Diff(f, got, cmp.AllowUnexported(fact{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
	if err := json.Unmarshal(newHeader(header{log: 2, prev: link{log: 1, bytes: 9}}), &struct{}{}); err != nil {
		t.Errorf("a header: %v", err)
	}
}

// FuzzLine: what is read as a line is written as one that reads the same, and
// the bytes of a fact survive whatever they are.
func FuzzLine(f *testing.F) {
	for _, fact := range exampleFacts() {
		line := appendFact(nil, fact)
		f.Add(line[lineOpen:len(line)-2], fact.key, fact.value)
	}
	f.Fuzz(func(t *testing.T, fields []byte, key string, value []byte) {
		start := append(openLine(nil), fields...)
		line := bytes.TrimSuffix(closeLine(start, 0), []byte("\n"))
		if got, err := parseFact(line); err == nil {
			again, err := parseFact(bytes.TrimSuffix(appendFact(nil, got), []byte("\n")))
			if diff := cmp.Diff(got, again, cmp.AllowUnexported(fact{})); err != nil || diff != "" {
				t.Errorf("%q: %v\n%s", line, err, diff)
			}
		}
		if checkKey(key) != nil {
			return
		}
		want := fact{n: 7, key: key, value: value}
		line = appendFact(nil, want)
		if bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Errorf("a line feed in %q", line)
		}
		got, err := parseFact(line[:len(line)-1])
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(fact{})); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", line, err, diff)
		}
	})
}

// store writes files of one kind each into a directory "d" of a new disk.
func store(t testing.TB, content map[string][]byte) fsys.FS {
	fs := crashfs.New(1)
	if err := fs.MkdirAll("d"); err != nil {
		t.Fatal(err)
	}
	for name, data := range content {
		file, err := fs.OpenFile("d/"+name, os.O_CREATE|os.O_WRONLY)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

// knownErrors fails for an error that is neither damage nor another version.
func knownErrors(t *testing.T, err error) {
	t.Helper()
	var damage *CorruptError
	var newer *repo.VersionError
	if err != nil && !errors.As(err, &damage) && !errors.As(err, &newer) {
		t.Errorf("an error of another kind: %v", err)
	}
}

// FuzzLog: any bytes are a log or are refused. sums repairs the checksums, so
// that what is behind them is reached.
func FuzzLog(f *testing.F) {
	log := newHeader(header{log: 1, next: 1})
	for i := range 4 {
		log = appendFact(log, fact{n: uint64(i + 1), more: 3 - i, write: i == 0, key: fmt.Sprint("k", i), value: []byte("{}")})
	}
	f.Add(log, false)
	f.Add(log, true)
	f.Add(log[:len(log)-10], true)
	f.Add(append(log, 0, 0, '\n', 0), true)
	f.Fuzz(func(t *testing.T, data []byte, sums bool) {
		if sums {
			data = repair(data)
		}
		fs := store(t, map[string][]byte{"1.log": data})
		l, err := OpenLog(fs, LogOptions{Dir: "d"})
		knownErrors(t, err)
		if err != nil {
			return
		}
		before := all(t, l)
		if err := l.Apply(t.Context(), []Change{{Key: "new", Value: []byte("1")}}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l, err = OpenLog(fs, LogOptions{Dir: "d", CompactAt: 1})
		if err != nil {
			t.Fatalf("after one more fact: %v", err)
		}
		before["new"] = "1"
		if diff := cmp.Diff(before, all(t, l)); diff != "" {
			t.Errorf("after one more fact (-want +got):\n%s", diff)
		}
	})
}

// repair sets the checksum of each line right.
func repair(data []byte) []byte {
	var out []byte
	for line := range bytes.Lines(data) {
		start := len(out)
		if len(line) > lineOpen+2 && bytes.HasSuffix(line, []byte("}\n")) {
			out = closeLine(append(out, line[:len(line)-2]...), start)
		} else {
			out = append(out, line...)
		}
	}
	return out
}

func all(t testing.TB, s Store) map[string]string {
	t.Helper()
	got := map[string]string{}
	for e, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		got[e.Key] = string(e.Value)
	}
	return got
}

// TestMixedBatch: lines whose checksums and numbers are right, but which do not
// make up whole batches, were not written by us.
func TestMixedBatch(t *testing.T) {
	for _, more := range [][]int{{2, 2, 0}, {2, 0, 0}, {1, 1, 0}, {3, 1, 0}} {
		log := newHeader(header{log: 1, next: 1})
		for i, m := range more {
			log = appendFact(log, fact{n: uint64(i + 1), more: m, write: i == 0, key: "k"})
		}
		_, err := OpenLog(store(t, map[string][]byte{"1.log": log}), LogOptions{Dir: "d"})
		if _, ok := errors.AsType[*CorruptError](err); !ok {
			t.Errorf("%v lines to come: %v", more, err)
		}
	}
}

// TestNewerVersion: what a later program wrote is refused by name, and is not
// called damaged.
func TestNewerVersion(t *testing.T) {
	log := newHeader(header{log: 1, next: 1})
	log = repair(bytes.Replace(log, []byte(`"version":1`), []byte(`"version":2`), 1))
	var out bytes.Buffer
	if err := newSnapWriter(&out, footer{number: 1, next: 1}).finish(); err != nil {
		t.Fatal(err)
	}
	snap := bytes.ReplaceAll(out.Bytes(), []byte("ABFACTS1"), []byte("ABFACTS2"))
	for name, data := range map[string][]byte{"1.log": log, "1.snap": snap} {
		_, err := OpenLog(store(t, map[string][]byte{name: data}), LogOptions{Dir: "d"})
		newer, ok := errors.AsType[*repo.VersionError](err)
		if !ok || newer.Path != "d/"+name || !strings.Contains(newer.Reason, "version 2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzSnapshot: any bytes are a snapshot or are refused, without a panic and
// without memory that the file does not pay for.
func FuzzSnapshot(f *testing.F) {
	var out bytes.Buffer
	w := newSnapWriter(&out, footer{number: 1, next: 9})
	for i := range 300 {
		w.add(Entry{Key: fmt.Sprintf("t/app:%03d", i), Value: bytes.Repeat([]byte{'v'}, i)})
	}
	if err := w.finish(); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes(), []byte{})
	f.Add(out.Bytes()[:50], []byte{1})
	f.Add([]byte{}, appendEntry(appendEntry(nil, "", Entry{Key: "a", Value: []byte("1")}), "a", Entry{Key: "ab"}))
	f.Fuzz(func(t *testing.T, data, block []byte) {
		fs := store(t, map[string][]byte{"1.snap": data})
		snap, err := openSnapshot(fs, "d/1.snap")
		knownErrors(t, err)
		if err == nil {
			_, err = snap.get("t/app:007")
			knownErrors(t, err)
			snap.release()
		}
		for e := (&entries{rest: block}); ; {
			if more, err := e.next(); !more {
				if err != nil && !errors.Is(err, errBlock) {
					t.Error(err)
				}
				break
			}
		}
	})
}

// TestTree: the tree is a map with an order, and what was frozen stays.
func TestTree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var tr tree
	want := map[string]string{}
	var frozen *node
	var old map[string]string
	for i := range 20_000 {
		key, value := fmt.Sprint(r.IntN(5000)), fmt.Sprint(i)
		tr.set(item{key: key, value: []byte(value)})
		want[key] = value
		if r.IntN(3) == 0 {
			tr.freeze()
		}
		if i == 7000 {
			frozen, old = tr.freeze(), maps.Clone(want)
		}
	}
	if tr.size != len(want) {
		t.Errorf("size %d of %d keys", tr.size, len(want))
	}
	checkTree(t, tr.freeze(), want)
	checkTree(t, frozen, old)
	for range 100 {
		start := fmt.Sprint(r.IntN(6000))
		it, ok := frozen.seek(start).item()
		above := slices.Sorted(maps.Keys(old))
		i, _ := slices.BinarySearch(above, start)
		if ok != (i < len(above)) || (ok && it.key != above[i]) {
			t.Errorf("seek(%q) is at %q", start, it.key)
		}
	}
}

func checkTree(t *testing.T, root *node, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	last := ""
	for c := root.seek(""); ; c.next() {
		it, ok := c.item()
		if !ok {
			break
		}
		if it.key <= last {
			t.Fatalf("%q comes after %q", it.key, last)
		}
		last = it.key
		got[it.key] = string(it.value)
		if found, ok := root.get(it.key); !ok || string(found.value) != string(it.value) {
			t.Fatalf("get(%q) = %q", it.key, found.value)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("the tree has %d keys of %d", len(got), len(want))
	}
}
