package kv

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// syncError is a flush that failed. After it the disk may hold something else
// than the memory of the system, and no later flush would tell.
type syncError struct{ err error }

func (e *syncError) Error() string { return e.err.Error() }
func (e *syncError) Unwrap() error { return e.err }

func flushFailed(what string, err error) error {
	return &syncError{fmt.Errorf("flushing %s: %w", what, err)}
}

// flush writes the group that is waiting and tells all in it. The caller has
// the turn.
func (w *writer) flush() {
	w.mu.Lock()
	g := w.group
	w.group = nil
	w.mu.Unlock()
	if g == nil {
		return
	}
	err := w.write(g)
	if err == nil {
		w.publish(g)
	}
	w.settle(g, err)
	if err == nil {
		w.startCompaction()
	}
}

// write appends a group to the log and flushes it.
func (w *writer) write(g *group) error {
	if w.file == nil {
		if err := w.begin(); err != nil {
			return fmt.Errorf("beginning a log of facts: %w", err)
		}
	}
	if _, err := w.file.Write(g.buf); err != nil {
		// The disk is full, for instance. Part of the group may stand in this
		// log now, which the header of the next one rules out.
		w.endFile()
		return fmt.Errorf("writing %s: %w", w.path(), err)
	}
	if err := w.file.Sync(); err != nil {
		return flushFailed(w.path(), err)
	}
	w.sum.Write(g.buf)
	w.prev.bytes += int64(len(g.buf))
	w.sum.Sum(w.prev.sum[:0])
	w.size += int64(len(g.buf))
	w.next += uint64(len(g.items))
	w.carryFrom = w.next
	return nil
}

// publish makes a durable group visible.
func (w *writer) publish(g *group) {
	for _, it := range g.items {
		w.tree.set(it)
	}
	// The snapshot passes from the old view to the new one with its hold.
	w.view.Store(&view{snap: w.view.Load().snap, root: w.tree.freeze()})
}

// settle tells those who wait for a group. When it failed, what was queued
// behind it fails as well, for its conditions may have rested on the group.
func (w *writer) settle(g *group, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	g.err = err
	close(g.done)
	if err == nil {
		for _, it := range g.items {
			if w.pending[it.key].n == it.n {
				delete(w.pending, it.key)
			}
		}
		return
	}
	if w.group != nil {
		w.group.err = err
		close(w.group.done)
		w.group = nil
	}
	clear(w.pending)
	w.number = w.next
	var fatal *syncError
	if errors.As(err, &fatal) && w.failed == nil {
		w.failed = fmt.Errorf("the store takes no more facts since an earlier fault: %w", err)
	}
}

func (w *writer) path() string { return fileName(w.o.Dir, w.prev.log, logExt) }

// begin starts the log of this process, or its next one: the header, durable
// before any fact follows, and what has to be repeated.
func (w *writer) begin() error {
	if !w.made {
		if err := w.makeDir(); err != nil {
			return err
		}
		w.made = true
	}
	w.last++ // a number is used once, so that readers may rely on names
	name := fileName(w.o.Dir, w.last, logExt)
	file, err := w.fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	head := newHeader(header{log: w.last, next: w.carryFrom, carry: w.next - w.carryFrom, prev: w.prev})
	if err := w.writeStart(file, name, head); err != nil {
		// What stays of it if it cannot be removed is ignored: no later log names it.
		return errors.Join(err, file.Close(), w.fs.Remove(name))
	}
	w.file, w.sum = file, sha256.New()
	w.sum.Write(head)
	w.sum.Write(w.carry)
	w.prev = link{log: w.last, bytes: int64(len(head) + len(w.carry))}
	w.sum.Sum(w.prev.sum[:0])
	w.size += w.prev.bytes
	w.carry, w.carryFrom = nil, w.next
	return nil
}

// writeStart writes and flushes the beginning of a log and its name.
func (w *writer) writeStart(file fsys.File, name string, head []byte) error {
	if _, err := file.Write(head); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return flushFailed(name, err)
	}
	if err := w.fs.SyncDir(w.o.Dir); err != nil {
		return flushFailed(w.o.Dir, err)
	}
	if len(w.carry) == 0 {
		return nil
	}
	if _, err := file.Write(w.carry); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return flushFailed(name, err)
	}
	return nil
}

// makeDir makes the directory, durable in each of its parents.
func (w *writer) makeDir() error {
	if err := w.fs.MkdirAll(w.o.Dir); err != nil {
		return err
	}
	parent := "."
	for name := range strings.SplitSeq(w.o.Dir, "/") {
		if err := w.fs.SyncDir(parent); err != nil {
			return flushFailed(parent, err)
		}
		parent = path.Join(parent, name)
	}
	return nil
}
