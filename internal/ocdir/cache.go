package ocdir

import (
	"io/fs"
	"sync"
	"time"
)

// coarsest is how far apart changes have to be for each file system to give them
// different times: FAT counts two seconds.
const coarsest = 2 * time.Second

// cache remembers what was derived from a file or directory, as long as its
// size and time of change stay the same. It is bounded: where it is full,
// something else goes.
type cache[V any] struct {
	mu      sync.Mutex
	now     func() time.Time
	max     int
	changes uint64 // calls of drop
	entries map[string]cached[V]
}

type cached[V any] struct {
	size  int64
	time  time.Time
	value V
}

func newCache[V any](limit int, now func() time.Time) *cache[V] {
	return &cache[V]{now: now, max: limit, entries: map[string]cached[V]{}}
}

func (c *cache[V]) get(path string, info fs.FileInfo) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[path]
	if !ok || e.size != info.Size() || !e.time.Equal(info.ModTime()) {
		return value, false
	}
	return e.value, true
}

// moment is when something began to be derived.
type moment struct {
	changes uint64
	at      time.Time
}

// rested reports whether a file had its time long enough for the next change to
// show in it. What is derived from one that had not, and whose name does not
// tell its content, another process may change unseen.
func (m moment) rested(info fs.FileInfo) bool { return m.at.Sub(info.ModTime()) > coarsest }

// moment is to be taken before something is derived, and given to put: what was
// derived while something was dropped may be out of date.
func (c *cache[V]) moment() moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return moment{c.changes, c.now()}
}

func (c *cache[V]) put(m moment, path string, info fs.FileInfo, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.changes != c.changes {
		return
	}
	if len(c.entries) >= c.max {
		for any := range c.entries {
			delete(c.entries, any)
			break
		}
	}
	c.entries[path] = cached[V]{size: info.Size(), time: info.ModTime(), value: value}
}

func (c *cache[V]) drop(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, path)
	c.changes++
}
