package kv

import (
	"bytes"
	"context"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
)

// Mem returns an empty store in memory, for tests and for content that is
// made in a run.
func Mem() Store { return &mem{} }

// mem keeps its facts in a tree. Readers use the frozen root without a lock.
type mem struct {
	root atomic.Pointer[node]

	mu   sync.Mutex // held by writers
	tree tree
	dead int // deletions made since the tree was rebuilt
}

// Get implements Store.
func (m *mem) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	it, _ := m.root.Load().get(key)
	if it.value == nil {
		return nil, ErrNotFound
	}
	return it.value, nil
}

// List implements Store.
func (m *mem) List(ctx context.Context, prefix, after string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		c := m.root.Load().seek(firstKey(prefix, after))
		for it, ok := c.item(); ok && strings.HasPrefix(it.key, prefix); it, ok = c.item() {
			if err := ctx.Err(); err != nil {
				yield(Entry{}, err)
				return
			}
			if it.value != nil && !yield(Entry{Key: it.key, Value: it.value}, nil) {
				return
			}
			c.next()
		}
	}
}

// Apply implements Store.
func (m *mem) Apply(ctx context.Context, changes []Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkChanges(changes); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	err := evaluate(changes, func(key string) ([]byte, error) {
		it, _ := m.tree.root.get(key)
		return it.value, nil
	})
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.Value == nil {
			m.dead++
		}
		m.tree.set(item{key: c.Key, value: bytes.Clone(c.Value)})
	}
	m.rebuild()
	m.root.Store(m.tree.freeze())
	return nil
}

// rebuild drops the marks of deleted keys when they may be most of the tree.
func (m *mem) rebuild() {
	if m.dead < 1000 || m.dead < m.tree.size/2 {
		return
	}
	var t tree
	for c := m.tree.freeze().seek(""); ; c.next() {
		it, ok := c.item()
		if !ok {
			break
		}
		if it.value != nil {
			t.set(it)
		}
	}
	m.tree, m.dead = t, 0
}
