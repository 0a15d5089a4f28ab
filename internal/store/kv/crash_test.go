package kv_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/store/kv/kvtest"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

// story is one life of a store: changes of random keys in batches, over a few
// processes. It remembers what the store may hold.
type story struct {
	t     *testing.T
	rand  *rand.Rand
	limit int64               // LogOptions.CompactAt
	shown map[string]string   // what the running process shows; nil if that is not known
	open  []map[string]string // what the disk may hold: all that was acknowledged, and some of what failed since
}

func newStory(t *testing.T, seed uint64) *story {
	limits := []int64{2000, 1 << 20, 1, 500}
	return &story{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), open: []map[string]string{{}},
		limit: limits[seed%uint64(len(limits))],
	}
}

// batch makes changes that touch a few of a few keys, so that batches overlap.
func (s *story) batch() []kv.Change {
	changes := make([]kv.Change, 1+s.rand.IntN(4))
	for i := range changes {
		changes[i].Key = fmt.Sprintf("t/app:v%d", s.rand.IntN(8))
		if s.rand.IntN(5) > 0 {
			changes[i].Value = fmt.Appendf(nil, `{"n":%d,"pad":"%s"}`, s.rand.IntN(1000), strings.Repeat("x", s.rand.IntN(60)))
		}
	}
	return changes
}

func with(state map[string]string, changes []kv.Change) map[string]string {
	state = maps.Clone(state)
	for _, c := range changes {
		if c.Value == nil {
			delete(state, c.Key)
		} else {
			state[c.Key] = string(c.Value)
		}
	}
	return state
}

// apply runs one batch and notes what follows from its result.
func (s *story) apply(l kv.Store) error {
	changes := s.batch()
	err := l.Apply(s.t.Context(), changes)
	if err == nil {
		s.shown = with(s.shown, changes)
		s.open = []map[string]string{s.shown}
		return nil
	}
	// The batch may be there after a restart, and those that failed before it
	// with it or not; a later success settles that.
	for _, state := range slices.Clone(s.open) {
		s.open = append(s.open, with(state, changes))
	}
	return err
}

// process opens the store, applies batches until too many fail, and closes it.
func (s *story) process(fs fsys.FS, steps int) error {
	l, err := kv.OpenLog(fs, kv.LogOptions{Dir: dir, CompactAt: s.limit})
	if err != nil {
		return err
	}
	s.shown = nil
	for range steps {
		if s.see(l, "running"); s.shown == nil {
			continue // the call that was made to fail was one for reading
		}
		if err := s.apply(l); err != nil && len(s.open) > 8 {
			break
		}
	}
	return l.Close()
}

// see checks what a store shows: at first one of the states that the disk may
// hold, then exactly that and what was acknowledged since.
func (s *story) see(l kv.Store, what string) {
	s.t.Helper()
	got, err := contents(s.t, l)
	if err != nil {
		return
	}
	possible := s.open
	if s.shown != nil {
		possible = []map[string]string{s.shown}
	}
	for _, state := range possible {
		if maps.Equal(state, got) {
			s.shown = state
			return
		}
	}
	s.t.Fatalf("%s: the store holds\n%v\nwhich is none of\n%v", what, got, possible)
}

func contents(t *testing.T, l kv.Store) (map[string]string, error) {
	got := map[string]string{}
	for e, err := range l.List(t.Context(), "", "") {
		if err != nil {
			return nil, err
		}
		got[e.Key] = string(e.Value)
	}
	return got, nil
}

// check opens what a crash left, first for reading and then for writing, and
// goes on from what is there. The story itself stays as it is.
func (s story) check(fs *crashfs.FS, what string) {
	s.t.Helper()
	s.shown = nil
	c := &clock{}
	for _, o := range []kv.LogOptions{{Dir: dir, ReadOnly: true, Now: c.now}, {Dir: dir, CompactAt: s.limit}} {
		l, err := kv.OpenLog(fs, o)
		if err != nil {
			s.t.Fatalf("%s: opening: %v", what, err)
		}
		if s.see(l, what); s.shown == nil {
			s.t.Fatalf("%s: it cannot be read", what)
		}
		if !o.ReadOnly {
			if err := s.apply(l); err != nil {
				s.t.Fatalf("%s: the first Apply: %v", what, err)
			}
			s.see(l, what)
		}
		if err := l.Close(); err != nil {
			s.t.Fatalf("%s: closing: %v", what, err)
		}
	}
}

// TestCrash ends a process at every call of the file system in turn, by kill -9
// or by cutting the power, and the next process too: what was acknowledged is
// there, each batch is there as a whole or not at all, and the store goes on.
func TestCrash(t *testing.T) {
	for seed := range uint64(4) {
		for stop := 1; ; stop++ {
			more := false
			for way := range uint64(4) {
				more = twoProcesses(t, seed, stop, way) || more
			}
			if !more {
				break
			}
		}
	}
}

// twoProcesses ends one process at a call and another one later. It reports
// whether the first got that far.
func twoProcesses(t *testing.T, seed uint64, stop int, way uint64) bool {
	s := newStory(t, seed)
	fs := crashfs.New(seed)
	fs.StopAt(stop)
	if err := s.process(fs, 8); err == nil && fs.Ops() < stop {
		return false
	}
	s.rand = rand.New(rand.NewPCG(uint64(stop), way))
	left := fs.Kill()
	if way%2 == 0 {
		left = fs.Crash(s.rand)
	}
	left.StopAt(1 + s.rand.IntN(80))
	_ = s.process(left, 6)
	what := fmt.Sprintf("seed %d, stop %d, way %d", seed, stop, way)
	s.check(left.Crash(s.rand), what+", then a crash")
	s.check(left.Kill(), what+", then a kill")
	return true
}

// TestFault makes every call fail in turn with a full or a broken disk. Apply
// may fail then, but never tells a lie, and the store opens again.
func TestFault(t *testing.T) {
	for seed := range uint64(8) {
		fault := []error{syscall.ENOSPC, syscall.EIO}[seed/4]
		for at := 1; ; at++ {
			s := newStory(t, seed)
			fs := crashfs.New(seed)
			fs.FailAt(at, fault)
			for process := range 3 {
				if process > 0 && seed%4 == 3 {
					s.limit = 1 // what the first left is compacted by the second
				}
				if err := s.process(fs, 4); err != nil && !errors.Is(err, fault) {
					t.Fatalf("seed %d, %v at %d: %v", seed, fault, at, err)
				}
			}
			if fs.Ops() < at {
				break
			}
			what := fmt.Sprintf("seed %d, %v at %d", seed, fault, at)
			for range 4 {
				s.check(fs.Crash(s.rand), what+", crash")
			}
			s.check(fs.Kill(), what+", kill")
		}
	}
}

// TestFullDiskPasses: a store that could not write goes on when it can.
func TestFullDiskPasses(t *testing.T) {
	for at := 1; ; at++ {
		fs := crashfs.New(1)
		l := openLog(t, fs, kv.LogOptions{Dir: dir})
		before := fs.Ops()
		fs.FailAt(before+at, syscall.ENOSPC)
		first := l.Apply(t.Context(), []kv.Change{{Key: "a", Value: []byte("1")}})
		second := l.Apply(t.Context(), []kv.Change{{Key: "b", Value: []byte("2")}})
		if fs.Ops() < before+at {
			return
		}
		if first == nil && second == nil {
			continue // the call was not needed
		}
		err := l.Apply(t.Context(), []kv.Change{{Key: "c", Value: []byte("3")}})
		if isSync := strings.Contains(fmt.Sprint(first, second), "flushing"); isSync != (err != nil) {
			t.Errorf("call %d failed: Apply: %v, then %v, then %v", at, first, second, err)
		}
		if err == nil {
			kvtest.List(t, l, "", "")
		}
	}
}

// TestCompactionFails: whichever call of a compaction fails, the store goes on,
// and opens again from what there is then.
func TestCompactionFails(t *testing.T) {
	for at := 1; ; at++ {
		fs := crashfs.New(1)
		first := openLog(t, fs, kv.LogOptions{Dir: dir})
		for i := range 10 {
			put(t, first, fmt.Sprintf("k%d", i), strings.Repeat("x", 50))
		}
		want := append(kvtest.List(t, first, "", ""), "z=last")

		fs = fs.Kill()
		fs.FailAt(at, syscall.EIO)
		second, err := kv.OpenLog(fs, kv.LogOptions{Dir: dir, CompactAt: 1000})
		if fs.Ops() < at {
			return
		}
		if err != nil {
			continue // it failed before the compaction
		}
		put(t, second, "z", "last")
		fs = fs.Kill()
		third := openLog(t, fs, kv.LogOptions{Dir: dir})
		if diff := cmp.Diff(want, kvtest.List(t, third, "", "")); diff != "" {
			t.Errorf("call %d failed (-want +got):\n%s", at, diff)
		}
	}
}

func put(t *testing.T, s kv.Store, key, value string) {
	t.Helper()
	if err := s.Apply(t.Context(), []kv.Change{{Key: key, Value: []byte(value)}}); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}
