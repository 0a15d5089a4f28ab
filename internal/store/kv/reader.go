package kv

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// pollEvery is how long a reader relies on what it saw last.
const pollEvery = time.Second

// reader follows a store that another process writes. Files only ever grow,
// and a name is used once: so it is enough to read what was appended, and to
// begin anew when there are other files.
type reader struct {
	fs   fsys.FS
	o    LogOptions
	view *atomic.Pointer[view]

	mu     sync.Mutex
	closed bool
	seen   time.Time // when the files were looked at
	state  *state    // its snapshot is held by the view
	err    error     // of the last look
}

func newReader(fs fsys.FS, o LogOptions, s *state, view *atomic.Pointer[view]) *reader {
	return &reader{fs: fs, o: o, view: view, state: s, seen: o.Now()}
}

// refresh looks for new facts if the last look was a second ago.
func (r *reader) refresh() error {
	now := r.o.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errClosed
	}
	if passed := now.Sub(r.seen); passed >= 0 && passed < pollEvery {
		return r.err
	}
	r.seen = now
	r.err = r.look()
	return r.err
}

func (r *reader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// look brings the view up to date.
func (r *reader) look() error {
	names, err := readNames(r.fs, r.o.Dir)
	if err != nil {
		return err
	}
	if names.same(r.state.names) && r.extend() {
		return nil
	}
	return r.reload()
}

// extend reads what was appended. It reports false where that does not fit,
// which a new beginning will explain.
func (r *reader) extend() bool {
	s := r.state
	if s.begun.path != "" {
		info, err := r.fs.Lstat(s.begun.path)
		return err == nil && info.Size() == s.begun.size
	}
	if s.tail == nil {
		return true
	}
	file, err := r.fs.Open(s.tail.path)
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() < s.tail.good() {
		return false
	}
	before := s.tail.good()
	if info.Size() == before {
		return true
	}
	err = s.tail.readTail(section(file, before, math.MaxInt64), math.MaxUint64, s.apply)
	if s.tail.good() > before {
		r.view.Store(&view{snap: s.snap, root: s.tree.freeze()})
	}
	return err == nil
}

// reload reads the store from the beginning.
func (r *reader) reload() error {
	s, err := load(r.fs, r.o.Dir)
	if err != nil {
		return err
	}
	r.state = s
	old := r.view.Swap(&view{snap: s.snap, root: s.tree.freeze()})
	old.snap.release()
	return nil
}
