package kv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// state is what the files of a store add up to.
type state struct {
	names listing
	snap  *snapshot // nil for none
	tree  tree      // what the logs say since
	prev  link      // the last log with anything valid in it
	next  uint64    // the number of the next fact
	bytes int64     // valid bytes of the logs since the snapshot
	tail  *decoder  // at the end of the last log; nil for none
	torn  tornLog
}

// tornLog is a last log whose header was never finished.
type tornLog struct {
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

// head is a log whose header was read.
type head struct {
	header
	path string
	raw  []byte
}

// replay reads the logs behind the snapshot.
func (s *state) replay(fs fsys.FS, dir string) error {
	var heads []head
	for _, n := range s.names.live() {
		h, torn, err := readHead(fs, fileName(dir, n, logExt), n)
		if err != nil {
			return err
		}
		if s.torn = torn; torn.path == "" {
			heads = append(heads, h)
		}
	}
	for i, h := range heads {
		limit := int64(-1)
		if i+1 < len(heads) {
			if limit = heads[i+1].prev.bytes; heads[i+1].prev.log != h.log {
				return gap(heads[i+1], link{log: h.log})
			}
		}
		if err := s.replayLog(fs, h, limit); err != nil {
			return err
		}
	}
	return nil
}

// replayLog reads a log that comes next. limit is how much of it counts, as
// the next log says; -1 for the last log.
func (s *state) replayLog(fs fsys.FS, h head, limit int64) error {
	if h.prev != s.prev || h.next != s.next {
		return gap(h, s.prev)
	}
	file, err := fs.Open(h.path)
	if err != nil {
		return err
	}
	defer file.Close()
	d := newDecoder(h.path, h.header, h.raw)
	if limit < 0 {
		err = d.readTail(section(file, d.good, math.MaxInt64), s.apply)
	} else {
		err = d.readAll(section(file, d.good, limit), s.apply)
	}
	if err == nil && limit >= 0 && d.good != limit {
		err = d.corrupt(d.line+1, fmt.Sprintf("it has %d valid bytes instead of %d", d.good, limit))
	}
	if err != nil {
		return err
	}
	s.tail, s.prev, s.next = d, d.link(), d.next
	s.bytes += d.good
	return nil
}

func (s *state) apply(items []item) {
	for _, it := range items {
		s.tree.set(it)
	}
}

// gap is the error of a log that does not continue the one before it.
func gap(h head, before link) error {
	reason := fmt.Sprintf("it continues log %d, but what is before it ends with log %d", h.prev.log, before.log)
	if h.prev.log == before.log {
		reason = fmt.Sprintf("log %d is not as it was when this one was begun", before.log)
	}
	return &CorruptError{Path: h.path, Line: 1, Reason: reason}
}

// section is the part of a file from one offset to another.
func section(file io.ReaderAt, from, to int64) io.Reader {
	return io.NewSectionReader(file, from, to-from)
}

// maxHeader is more than a header can have, in bytes.
const maxHeader = 4096

// readHead reads the header of a log. A log that ends with its first line, and
// that line not whole, was begun by a process that got no further.
func readHead(fs fsys.FS, path string, number uint64) (head, tornLog, error) {
	file, err := fs.Open(path)
	if err != nil {
		return head{}, tornLog{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return head{}, tornLog{}, err
	}
	start, err := io.ReadAll(section(file, 0, maxHeader))
	if err != nil {
		return head{}, tornLog{}, fmt.Errorf("reading %s: %w", path, err)
	}
	line, _, whole := bytes.Cut(start, []byte{'\n'})
	h, err := parseHeader(line)
	if errors.Is(err, errVersion) {
		return head{}, tornLog{}, fmt.Errorf("%s: %w", path, err)
	}
	if !whole || err != nil {
		if info.Size() <= int64(len(line)+1) {
			return head{}, tornLog{path, info.Size()}, nil
		}
		return head{}, tornLog{}, &CorruptError{Path: path, Line: 1, Reason: "it is not the header of a log"}
	}
	if h.log != number {
		reason := fmt.Sprintf("it is log %d by its content", h.log)
		return head{}, tornLog{}, &CorruptError{Path: path, Line: 1, Reason: reason}
	}
	return head{header: h, path: path, raw: start[:len(line)+1]}, tornLog{}, nil
}
