package kv

import "slices"

// usualKey is longer than the keys of most stores, in bytes.
const usualKey = 256

// snapCursor walks a snapshot in order.
type snapCursor struct {
	s     *snapshot
	block int // the next one to read
	entries
	ok bool // key and value hold an entry
}

// seek returns a cursor at the first entry whose key is not below start.
func (s *snapshot) seek(start string) (*snapCursor, error) {
	c := &snapCursor{s: s}
	if s == nil {
		return c, nil
	}
	c.key = make([]byte, 0, usualKey)
	i, found := slices.BinarySearch(s.first, start)
	if !found && i > 0 {
		i-- // the block before may hold it
	}
	c.block = i
	for {
		if err := c.next(); err != nil || !c.ok || string(c.key) >= start {
			return c, err
		}
	}
}

// next moves to the following entry; ok is false behind the last.
func (c *snapCursor) next() error {
	for {
		ok, err := c.entries.next()
		if err != nil {
			c.ok = false
			return c.s.corrupt(err.Error())
		}
		if c.ok = ok; ok {
			return nil
		}
		if c.s == nil || c.block >= len(c.s.first) {
			return nil
		}
		rest, err := c.s.block(c.block)
		if err != nil {
			return err
		}
		c.entries = entries{rest: rest, key: c.key[:0]}
		c.block++
	}
}
