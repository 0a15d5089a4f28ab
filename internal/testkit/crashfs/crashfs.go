// Package crashfs has a file system in memory that forgets. It knows what is
// durable and what only the memory of the kernel holds, and after Crash any
// part of the latter may be gone. It promises no more than POSIX does:
//
//   - the content of a file is durable after Sync or SyncFS; before that any
//     part of what was written may be missing, and be zeros instead;
//   - an entry of a directory (made, renamed, linked, removed) is durable after
//     SyncDir of the directory that holds the new name, and of its parents; a
//     rename happens as a whole or not at all; changes of one and the same name
//     happen in order, of different names in any;
//   - a sync that failed is not made good by one that succeeds: the kernel tells
//     of an error once and takes the lost pages for clean.
//
// Every call can be made to fail or to be the process's last.
package crashfs

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// ErrKilled is what every call returns after the end of its process.
var ErrKilled = errors.New("crashfs: this process was killed")

// SyncFSMode says what SyncFS does.
type SyncFSMode int

// The modes of SyncFS.
const (
	SyncContent SyncFSMode = iota // contents of files only, the default
	SyncAll                       // names of files too, as Linux does
	SyncNothing                   // returns fsys.ErrNoSyncFS
)

// FS is the view that one process has of a disk. It implements fsys.FS, for
// any number of goroutines. Calls are counted from 1, reads too.
type FS struct {
	d        *disk
	killed   bool
	ops      int
	stopAt   int
	failAt   int
	failWith error
}

var _ fsys.FS = (*FS)(nil)

// disk is what processes share.
type disk struct {
	mu       sync.Mutex
	rand     *rand.Rand
	root     *node
	changes  []change // of directories, made and not durable, in order
	dirty    map[*node]bool
	locks    map[*node]*FS
	mode     SyncFSMode
	readOnly bool
	clock    int64 // counts writes; the source of all times
}

// New returns an empty disk and the first process that uses it. The seed
// decides the order of directories and how short the writes that fail are.
func New(seed uint64) *FS {
	return (&disk{
		rand: rand.New(rand.NewPCG(seed, seed)), root: newDir(), dirty: map[*node]bool{}, locks: map[*node]*FS{},
	}).process()
}

func (d *disk) process() *FS { return &FS{d: d} }

// Process returns one more process on the same disk.
func (f *FS) Process() *FS { return f.d.process() }

// Kill ends the process, as kill -9 does, and returns a new one on the same
// disk. What was written is still there; locks are not.
func (f *FS) Kill() *FS {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.kill()
	return f.d.process()
}

func (f *FS) kill() {
	f.killed = true
	for n, holder := range f.d.locks {
		if holder == f {
			delete(f.d.locks, n)
		}
	}
}

// Ops returns how many calls this process has made.
func (f *FS) Ops() int {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return f.ops
}

// FailAt makes the call with number n fail with err: ENOSPC, EIO. A Write that
// fails is short. The calls after it work again.
func (f *FS) FailAt(n int, err error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.failAt, f.failWith = n, err
}

// StopAt kills the process at the call with number n, which may have written a
// part of its bytes.
func (f *FS) StopAt(n int) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.stopAt = n
}

// SetSyncFS chooses what SyncFS does on this disk.
func (f *FS) SetSyncFS(m SyncFSMode) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.mode = m
}

// SetReadOnly makes every change of this disk fail with EROFS.
func (f *FS) SetReadOnly() {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.readOnly = true
}

// step counts a call and returns the error it is to fail with. The caller
// holds the lock of the disk.
func (f *FS) step() error {
	if f.killed {
		return ErrKilled
	}
	f.ops++
	switch f.ops {
	case f.stopAt:
		f.kill()
		return ErrKilled
	case f.failAt:
		return f.failWith
	}
	return nil
}

// change is step for a call that changes the disk.
func (f *FS) change() error {
	if err := f.step(); err != nil {
		return err
	}
	if f.d.readOnly {
		return syscall.EROFS
	}
	f.d.clock++
	return nil
}

// now is a time that moves with each change.
func (d *disk) now() time.Time { return time.Unix(1_700_000_000+d.clock, 0) }

// Root implements fsys.FS.
func (f *FS) Root() string { return "crashfs" }

// Free implements fsys.FS: there is always room, unless FailAt says otherwise.
func (f *FS) Free() (int64, error) { return 1 << 40, nil }

// SyncFS implements fsys.FS.
func (f *FS) SyncFS() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.mode == SyncNothing {
		return fsys.ErrNoSyncFS
	}
	if err := f.step(); err != nil {
		if !f.killed {
			f.d.loseAll()
		}
		return pathError("syncfs", ".", err)
	}
	for n := range f.d.dirty {
		f.d.sync(n)
	}
	if f.d.mode == SyncAll {
		f.d.makeDurable(func(change) bool { return true })
	}
	return nil
}

// sync makes the content of a file durable, if the kernel still knows that it
// is not.
func (d *disk) sync(n *node) {
	if !n.lost {
		n.durable = append([]byte(nil), n.data...)
	}
	delete(d.dirty, n)
}

func (d *disk) loseAll() {
	for n := range d.dirty {
		n.lost = true
	}
}

// SyncDir implements fsys.FS.
func (f *FS) SyncDir(name string) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	err := f.step()
	if err != nil {
		return pathError("sync", name, err)
	}
	dir, err := f.d.dir(name)
	if err != nil {
		return pathError("sync", name, err)
	}
	f.d.makeDurable(func(c change) bool { return c.home == dir })
	return nil
}

// Lock implements fsys.FS.
func (f *FS) Lock(name string) (io.Closer, error) {
	opened, err := f.OpenFile(name, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	h := opened.(*file)
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.locks[h.n] != nil {
		return nil, pathError("lock", name, fsys.ErrLocked)
	}
	f.d.locks[h.n] = f
	return &held{f: f, n: h.n}, nil
}

// held is a lock.
type held struct {
	f *FS
	n *node
}

// Close gives the lock back.
func (h *held) Close() error {
	h.f.d.mu.Lock()
	defer h.f.d.mu.Unlock()
	if h.n == nil {
		return os.ErrClosed
	}
	if h.f.d.locks[h.n] == h.f {
		delete(h.f.d.locks, h.n)
	}
	h.n = nil
	return nil
}
