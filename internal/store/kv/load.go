package kv

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// state is what the files of a store add up to.
type state struct {
	names listing
	snap  *snapshot // nil for none
	tree  tree      // what the logs say since
	prev  link      // what the next log continues
	next  uint64    // the number of the next fact
	bytes int64     // valid bytes of the logs since the snapshot
	tail  *decoder  // of the last log that counts; nil for none
	begun begunLog
}

// begunLog is a last log that does not take effect yet.
type begunLog struct {
	path string // "" for none
	size int64
}

// load reads the store. While another process compacts it, files may vanish
// that were just listed: then the directory looks different now, and a new try
// finds what replaced them. The error is a *CorruptError where something is
// missing or damaged.
func load(fs fsys.FS, dir string) (*state, error) {
	names, err := readNames(fs, dir)
	if err != nil {
		return nil, err
	}
	for {
		s, err := loadNames(fs, dir, names)
		if err == nil {
			return s, nil
		}
		again, listErr := readNames(fs, dir)
		if listErr != nil || again.same(names) {
			return nil, err
		}
		names = again
	}
}

func loadNames(fs fsys.FS, dir string, names listing) (*state, error) {
	s := &state{names: names, next: 1}
	if n := names.newest(); n > 0 {
		if err := s.useSnapshot(fs, fileName(dir, n, snapExt), n); err != nil {
			return nil, err
		}
	}
	if err := s.replay(fs, dir); err != nil {
		s.snap.release()
		return nil, err
	}
	return s, nil
}

func (s *state) useSnapshot(fs fsys.FS, path string, number uint64) error {
	snap, err := openSnapshot(fs, path)
	if err != nil {
		return err
	}
	if snap.number != number {
		snap.release()
		return snap.corrupt(fmt.Sprintf("it is snapshot %d by its content", snap.number))
	}
	s.snap, s.prev, s.next = snap, snap.prev, snap.footer.next
	return nil
}

// replay reads the logs behind the snapshot.
func (s *state) replay(fs fsys.FS, dir string) error {
	chain, err := s.chain(fs, dir)
	if err != nil {
		return err
	}
	for i, h := range chain {
		limit := int64(-1)
		if i+1 < len(chain) {
			limit = chain[i+1].prev.bytes
		}
		if err := s.replayLog(fs, h, limit); err != nil {
			return err
		}
	}
	return nil
}

// chain returns the heads of the logs that count, in order: the last one that
// takes effect, the one it continues, and so on back to the snapshot. What is
// left out was begun and given up before anything in it was acknowledged.
func (s *state) chain(fs fsys.FS, dir string) ([]head, error) {
	live := s.names.live()
	h, err := s.last(fs, dir, live)
	if err != nil || h.log == 0 {
		return nil, err
	}
	chain := []head{h}
	for h.prev.log > 0 && h.prev.log >= s.names.newest() {
		if _, found := slices.BinarySearch(live, h.prev.log); !found {
			return nil, gap(h, "which is missing")
		}
		before, err := readHead(fs, fileName(dir, h.prev.log, logExt), h.prev.log)
		if err != nil {
			return nil, err
		}
		if before.log == 0 {
			return nil, gap(h, "which has no header")
		}
		h = before
		chain = append(chain, h)
	}
	slices.Reverse(chain)
	return chain, nil
}

// last returns the head of the last log that takes effect, if there is one.
func (s *state) last(fs fsys.FS, dir string, live []uint64) (head, error) {
	for i, n := range slices.Backward(live) {
		h, err := readHead(fs, fileName(dir, n, logExt), n)
		if err != nil {
			return head{}, err
		}
		if h.log > 0 {
			ok, err := h.inEffect(fs)
			if ok || err != nil {
				return h, err
			}
		}
		if i == len(live)-1 {
			s.begun = begunLog{h.path, h.size}
		}
	}
	return head{}, nil
}

// replayLog reads a log that comes next. limit is how much of it counts, as
// the next log says; -1 for the last log.
func (s *state) replayLog(fs fsys.FS, h head, limit int64) error {
	// A snapshot may hold what the log behind it repeats.
	if h.prev != s.prev || (h.next != s.next && h.next+h.carry != s.next) {
		return gap(h, "which is not as it was when this one was begun")
	}
	file, err := fs.Open(h.path)
	if err != nil {
		return err
	}
	defer file.Close()
	d := newDecoder(h.path, h.header, h.raw)
	if limit < 0 {
		err = d.readTail(section(file, d.good(), math.MaxInt64), math.MaxUint64, s.apply)
	} else {
		err = d.readAll(section(file, d.good(), limit), s.apply)
	}
	if err != nil {
		return err
	}
	s.tail, s.prev, s.next = d, d.link(), d.next
	s.bytes += d.good()
	return nil
}

func (s *state) apply(items []item) {
	for _, it := range items {
		s.tree.set(it)
	}
}

// gap is the error of a log that does not continue what is before it.
func gap(h head, why string) error {
	reason := fmt.Sprintf("it continues log %d, %s", h.prev.log, why)
	return &CorruptError{Path: h.path, Line: 1, Reason: reason}
}

// section is the part of a file from one offset to another.
func section(file io.ReaderAt, from, to int64) io.Reader {
	return io.NewSectionReader(file, from, to-from)
}
