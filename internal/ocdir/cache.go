package ocdir

import (
	"io/fs"
	"sync"
	"time"
)

// cache remembers what was derived from a file or directory, as long as its
// size and time of change stay the same. It is bounded: where it is full,
// something else goes.
type cache[V any] struct {
	mu      sync.Mutex
	max     int
	changes uint64 // calls of drop
	entries map[string]cached[V]
}

type cached[V any] struct {
	size  int64
	time  time.Time
	value V
}

func newCache[V any](limit int) *cache[V] {
	return &cache[V]{max: limit, entries: map[string]cached[V]{}}
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

// moment is to be taken before something is derived, and given to put: what was
// derived while something was dropped may be out of date.
func (c *cache[V]) moment() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes
}

func (c *cache[V]) put(moment uint64, path string, info fs.FileInfo, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if moment != c.changes {
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
