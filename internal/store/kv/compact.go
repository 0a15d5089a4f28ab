package kv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// How much log may follow a snapshot, in bytes and in files. A share of the
// snapshot keeps the work in proportion, the bounds the memory, and small stores
// from being written for little. While facts come in the share is greater than
// when a store is opened or closed, so that the next to open it is quick.
const (
	compactMin   = 8 << 20
	compactMax   = 64 << 20
	compactFiles = 64
	shareBusy    = 2
	shareIdle    = 8
)

// compactor keeps track of the compaction that runs beside Apply. At most one
// does.
type compactor struct {
	mu      sync.Mutex
	running bool
	done    sync.WaitGroup
	err     error // a *CorruptError, after which nothing is compacted
	retry   int64 // after a failure: the size of the log for the next attempt
}

// claim reports whether the caller is to compact now.
func (c *compactor) claim(size int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running || c.err != nil || size < c.retry {
		return false
	}
	c.running = true
	c.done.Add(1)
	return true
}

// end notes how a compaction ended. Damage is kept; any other failure, a full
// disk for instance, has harmed nothing, and a later attempt may succeed.
func (c *compactor) end(err error, retry int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retry = 0
	if _, ok := errors.AsType[*CorruptError](err); ok {
		c.err = err
	} else if err != nil {
		c.retry = retry
	}
	c.running = false
	c.done.Done()
}

func (c *compactor) wait() { c.done.Wait() }

func (c *compactor) damage() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// limit returns how many bytes of log may follow the present snapshot.
func (w *writer) limit(share int64) int64 {
	if w.o.CompactAt > 0 {
		return w.o.CompactAt
	}
	var size int64
	if s := w.view.Load().snap; s != nil {
		size = s.size
	}
	return min(max(size/share, compactMin), compactMax)
}

// startCompaction compacts beside the writing if that is due and does not go on
// already. The caller has the turn.
func (w *writer) startCompaction() {
	if limit := w.limit(shareBusy); w.size >= limit && w.compactor.claim(w.size) {
		retry := w.size + limit/4
		go func() { w.compactor.end(w.compact(), retry) }()
	}
}

// compactIfDue compacts now, while nobody writes; files is how many logs there
// are, if that matters.
func (w *writer) compactIfDue(files int) error {
	limit := w.limit(shareIdle)
	if (w.size >= limit || files >= compactFiles) && w.compactor.claim(w.size) {
		retry := w.size + limit/4
		w.compactor.end(w.compact(), retry)
	}
	return w.compactor.damage()
}

// tidy removes what an interrupted compaction left and compacts if that is due.
func (w *writer) tidy(s *state) error {
	if stale := s.names.stale(w.o.Dir); len(stale) > 0 {
		w.remove(stale)
	}
	return w.compactIfDue(len(s.names.live()))
}

// remove deletes files that the newest snapshot replaced, once the name of that
// snapshot is durable. What is left is removed another time.
func (w *writer) remove(names []string) {
	if err := w.fs.SyncDir(w.o.Dir); err != nil {
		return
	}
	for _, name := range names {
		_ = w.fs.Remove(name)
	}
}

// compact writes a snapshot of all that is durable and removes what it
// replaces. Apply goes on meanwhile, in a new log.
func (w *writer) compact() error {
	v, foot, err := w.cut()
	if err != nil {
		return err
	}
	defer v.snap.release()
	temp := fileName(w.o.Dir, foot.number, tempExt)
	if err := w.writeSnapshot(v, temp, foot); err != nil {
		return errors.Join(err, w.fs.Remove(temp))
	}
	if err := w.compare(v, temp); err != nil {
		return errors.Join(err, w.fs.Remove(temp))
	}
	name := fileName(w.o.Dir, foot.number, snapExt)
	if err := w.fs.Rename(temp, name); err != nil {
		return err
	}
	if err := w.adopt(name, foot); err != nil {
		return err
	}
	names, err := readNames(w.fs, w.o.Dir)
	if err != nil {
		return err
	}
	w.remove(names.stale(w.o.Dir))
	return nil
}

// cut ends the present log and returns what it and all before it add up to.
func (w *writer) cut() (*view, footer, error) {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	v, err := pinned(w.view)
	if err != nil {
		return nil, footer{}, err
	}
	w.endFile()
	return v, footer{number: w.last + 1, next: w.next, prev: w.prev}, nil
}

// writeSnapshot writes a view to a file and flushes it.
func (w *writer) writeSnapshot(v *view, name string, foot footer) error {
	file, err := w.fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	return errors.Join(fill(file, v, foot), file.Close())
}

func fill(file fsys.File, v *view, foot footer) error {
	out := newSnapWriter(file, foot)
	m, err := v.seek("")
	if err != nil {
		return err
	}
	for {
		e, ok, err := m.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		out.add(e)
	}
	if err := out.finish(); err != nil {
		return err
	}
	return file.Sync()
}

// compare reads a new snapshot back and holds it against the view.
func (w *writer) compare(v *view, name string) error {
	snap, err := openSnapshot(w.fs, name)
	if err != nil {
		return err
	}
	defer snap.release()
	c, err := snap.seek("")
	if err != nil {
		return err
	}
	m, err := v.seek("")
	if err != nil {
		return err
	}
	for {
		e, ok, err := m.next()
		if err != nil {
			return err
		}
		if ok != c.ok || (ok && (e.Key != string(c.key) || !bytes.Equal(e.Value, c.value))) {
			return snap.corrupt(fmt.Sprintf("reading it back gives something else at %q", e.Key))
		}
		if !ok {
			return nil
		}
		if err := c.next(); err != nil {
			return err
		}
	}
}

// adopt puts a new snapshot in the place of the old one and of the logs that
// it stands for.
func (w *writer) adopt(name string, foot footer) error {
	snap, err := openSnapshot(w.fs, name)
	if err != nil {
		return err
	}
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	var rest tree
	for c := w.tree.freeze().seek(""); ; c.next() {
		it, ok := c.item()
		if !ok {
			break
		}
		if it.n >= foot.next {
			rest.set(it)
		}
	}
	w.tree = rest
	if w.carryFrom < foot.next {
		w.carry, w.carryFrom = nil, foot.next
	}
	w.size = 0
	if w.prev.log >= foot.number {
		w.size = w.prev.bytes
	}
	old := w.view.Swap(&view{snap: snap, root: w.tree.freeze()})
	old.snap.release()
	return nil
}
