package kv

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// errClosed is what a store answers after Close.
var errClosed = errors.New("the store of facts is closed")

// LogOptions says how to open a log.
type LogOptions struct {
	// Dir is the directory of the facts, relative to the file system. It is
	// made with the first fact.
	Dir string
	// ReadOnly opens without writing anything, also beside a process that
	// writes: its facts appear within a second.
	ReadOnly bool
	// Now is the clock by which a reader looks for new facts once a second.
	// Required with ReadOnly, else not used.
	Now func() time.Time
	// CompactAt is how many bytes of log may follow a snapshot before a new
	// snapshot is made. 0 chooses by the size of the snapshot, between 8 and
	// 64 MiB, which bounds both the memory for the log and what is written.
	CompactAt int64
}

// Log is a Store in a directory of log files and snapshots. Any number of
// processes may read it while one writes it; that there is only one is up to
// the caller (fsys.FS.Lock).
type Log struct {
	view   atomic.Pointer[view] // nil after Close
	writer *writer              // nil in a reader
	reader *reader              // nil in a writer
}

// OpenLog opens the facts of a store; a directory that does not exist is an
// empty one. The error matches *CorruptError if a log or the index of a
// snapshot is damaged, or a file is missing; what a crash leaves behind is not
// damage. Damage inside a snapshot is found when it is read.
func OpenLog(fs fsys.FS, o LogOptions) (*Log, error) {
	if o.ReadOnly && o.Now == nil {
		return nil, errors.New("reading facts takes a clock")
	}
	s, err := load(fs, o.Dir)
	if err != nil {
		return nil, err
	}
	l := &Log{}
	l.view.Store(&view{snap: s.snap, root: s.tree.freeze()})
	if o.ReadOnly {
		l.reader = newReader(fs, o, s, &l.view)
		return l, nil
	}
	l.writer = newWriter(fs, o, s, &l.view)
	if err := l.writer.tidy(s); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Get implements Store.
func (l *Log) Get(ctx context.Context, key string) ([]byte, error) {
	v, err := l.pin(ctx)
	if err != nil {
		return nil, err
	}
	defer v.snap.release()
	value, err := v.get(key)
	if err == nil && value == nil {
		err = ErrNotFound
	}
	return value, err
}

// List implements Store. It yields the store as it was when the listing began.
func (l *Log) List(ctx context.Context, prefix, after string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		v, err := l.pin(ctx)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer v.snap.release()
		v.list(ctx, prefix, after)(yield)
	}
}

// Apply implements Store. Once changes are queued it waits for the disk, even
// if the context ends, because whether they were made must not stay unknown.
// After a failed flush every Apply fails: the disk holds nobody knows what.
func (l *Log) Apply(ctx context.Context, changes []Change) error {
	if l.writer == nil {
		return ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkChanges(changes); err != nil {
		return err
	}
	return l.writer.apply(changes)
}

// Close ends the store; whatever was queued is written first. The error
// matches *CorruptError if a compaction met damage.
func (l *Log) Close() error {
	var err error
	if l.writer != nil {
		err = l.writer.close()
	}
	if l.reader != nil {
		l.reader.close()
	}
	if v := l.view.Swap(nil); v != nil {
		v.snap.release()
	}
	return err
}

// pin returns the present content and keeps its snapshot open until the
// caller releases it.
func (l *Log) pin(ctx context.Context) (*view, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.reader != nil {
		if err := l.reader.refresh(); err != nil {
			return nil, err
		}
	}
	return pinned(&l.view)
}

// pinned acquires the view that is current. A view that was given up in
// between has a successor by then.
func pinned(current *atomic.Pointer[view]) (*view, error) {
	for {
		v := current.Load()
		if v == nil {
			return nil, errClosed
		}
		if v.snap.acquire() {
			return v, nil
		}
	}
}
