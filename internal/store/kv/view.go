package kv

import (
	"context"
	"iter"
	"strings"
)

// view is the content of a store at one moment: a snapshot and, above it, what
// the logs say since. It never changes.
type view struct {
	snap *snapshot // nil for none; held by whoever holds the view
	root *node
}

// get returns the value of a key, nil if it has none.
func (v *view) get(key string) ([]byte, error) {
	if it, ok := v.root.get(key); ok {
		return it.value, nil
	}
	return v.snap.get(key)
}

// merged walks a view in order, leaving out what was deleted.
type merged struct {
	logs *treeCursor
	snap *snapCursor
}

// seek returns a walk from the first key that is not below start.
func (v *view) seek(start string) (*merged, error) {
	c, err := v.snap.seek(start)
	if err != nil {
		return nil, err
	}
	return &merged{logs: v.root.seek(start), snap: c}, nil
}

// next returns the next entry, or false at the end.
func (m *merged) next() (Entry, bool, error) {
	for {
		it, ok := m.logs.item()
		if m.snap.ok && (!ok || string(m.snap.key) < it.key) {
			e := Entry{Key: string(m.snap.key), Value: m.snap.value}
			return e, true, m.snap.next()
		}
		if !ok {
			return Entry{}, false, nil
		}
		if m.snap.ok && string(m.snap.key) == it.key {
			if err := m.snap.next(); err != nil {
				return Entry{}, false, err
			}
		}
		m.logs.next()
		if it.value != nil {
			return Entry{Key: it.key, Value: it.value}, true, nil
		}
	}
}

// list yields the entries with a prefix after a key.
func (v *view) list(ctx context.Context, prefix, after string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		m, err := v.seek(firstKey(prefix, after))
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for {
			e, ok, err := m.next()
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !ok || !strings.HasPrefix(e.Key, prefix) || !yield(e, nil) {
				return
			}
		}
	}
}
