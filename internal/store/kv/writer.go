package kv

import (
	"fmt"
	"hash"
	"sync"
	"sync/atomic"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// writer is the writing side of a Log. Changes are queued in a group under mu;
// whoever gets the turn writes and flushes the group for all that wait in it.
type writer struct {
	fs   fsys.FS
	o    LogOptions
	view *atomic.Pointer[view]

	mu      sync.Mutex
	group   *group             // being filled; nil for none
	pending map[string]pending // changes that are not durable yet
	number  uint64             // of the next fact to be queued
	failed  error              // why nothing can be written any more

	turn chan struct{} // holds a token while somebody writes; guards the rest
	file fsys.File     // the log of this process; nil before its first fact
	sum  hash.Hash     // of what is durable in file
	prev link          // the log before file, or what is durable in file
	last uint64        // the highest number a log has
	next uint64        // the number of the next fact to be flushed
	size int64         // bytes of log since the snapshot
	tree tree          // what the logs say since the snapshot
	made bool          // the directory is there

	// The last write of the log before, by another process: its lines, which
	// the next log repeats, and the number of the first fact in them.
	carry     []byte
	carryFrom uint64

	compactor compactor
}

// group is what one write brings to the disk.
type group struct {
	buf   []byte
	items []item
	done  chan struct{} // closed when err is set
	err   error
}

// pending is a queued change and the group it waits in.
type pending struct {
	item
	group *group
}

func newWriter(fs fsys.FS, o LogOptions, s *state, view *atomic.Pointer[view]) *writer {
	w := &writer{
		fs: fs, o: o, view: view,
		pending: make(map[string]pending),
		number:  s.next,
		turn:    make(chan struct{}, 1),
		prev:    s.prev,
		last:    s.names.last(),
		next:    s.next,
		size:    s.bytes,
		tree:    s.tree,
		made:    !s.names.empty(),
	}
	w.carryFrom = s.next
	if s.tail != nil {
		w.carry, w.carryFrom = s.tail.group, s.tail.flushedNext
	}
	return w
}

// apply queues changes and waits until they are durable. A conflict with a
// change that still is on its way is answered when that one has arrived, so
// that the caller sees the value that was in the way.
func (w *writer) apply(changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	g, err := w.queue(changes)
	if g == nil {
		return err
	}
	if failed := w.wait(g); failed != nil {
		return failed
	}
	return err
}

// queue puts changes into the group that is being filled. With an error it
// returns the group that has to be waited for before the error is true.
func (w *writer) queue(changes []Change) (*group, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return nil, w.failed
	}
	var inTheWay *group
	err := evaluate(changes, func(key string) ([]byte, error) {
		p, ok := w.pending[key]
		if !ok {
			return w.present(key)
		}
		inTheWay = p.group
		return p.value, nil
	})
	if err != nil {
		return inTheWay, err
	}
	return w.append(changes)
}

// present returns what is durable of a key, nil for no value.
func (w *writer) present(key string) ([]byte, error) {
	v, err := pinned(w.view)
	if err != nil {
		return nil, err
	}
	defer v.snap.release()
	return v.get(key)
}

// append adds the lines of changes to the group. mu is held.
func (w *writer) append(changes []Change) (*group, error) {
	g := w.group
	if g == nil {
		g = &group{done: make(chan struct{})}
	}
	values := make([]byte, 0, valueBytes(changes))
	start, first := len(g.buf), len(g.items)
	for i, c := range changes {
		it := item{key: c.Key, n: w.number + uint64(i)}
		if c.Value != nil {
			at := len(values)
			values = append(values, c.Value...)
			it.value = values[at:len(values):len(values)]
		}
		from := len(g.buf)
		g.buf = appendFact(g.buf, fact{n: it.n, more: len(changes) - 1 - i, write: len(g.items) == 0, key: it.key, value: it.value})
		if len(g.buf)-from > maxLine {
			g.buf, g.items = g.buf[:start], g.items[:first]
			return nil, fmt.Errorf("key %.100q: the fact is larger than %d bytes", c.Key, maxLine)
		}
		g.items = append(g.items, it)
	}
	for _, it := range g.items[first:] {
		w.pending[it.key] = pending{it, g}
	}
	w.number += uint64(len(changes))
	w.group = g
	return g, nil
}

func valueBytes(changes []Change) int {
	n := 0
	for _, c := range changes {
		n += len(c.Value)
	}
	return n
}

// wait returns when a group is durable or has failed, flushing it in this
// goroutine if nobody else is at it.
func (w *writer) wait(g *group) error {
	select {
	case <-g.done:
		return g.err
	case w.turn <- struct{}{}:
		w.flush()
		<-w.turn
	}
	<-g.done
	return g.err
}

// close writes what is queued and ends the writer.
func (w *writer) close() error {
	w.mu.Lock()
	closed := w.failed
	if w.failed == nil {
		w.failed = errClosed
	}
	w.mu.Unlock()
	w.turn <- struct{}{}
	w.flush()
	<-w.turn
	w.compactor.wait()
	err := w.compactor.damage()
	if closed == nil && err == nil {
		err = w.compactIfDue(0)
	}
	w.turn <- struct{}{}
	w.endFile()
	<-w.turn
	return err
}

// endFile closes the log of this process, if there is one. What counts in it is
// flushed, so that a failure to close it means nothing.
func (w *writer) endFile() {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
}
