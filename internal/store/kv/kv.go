// Package kv has the contract of the store of facts, small values under
// ordered text keys, and its implementations: an append-only log with
// snapshots on a file system, and memory.
package kv

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// ErrNotFound is what Get returns for a key without a value.
var ErrNotFound = errors.New("no such key")

// ErrConflict is what Apply returns when a condition does not hold. Nothing
// was changed then.
var ErrConflict = errors.New("the value was changed by somebody else")

// ErrReadOnly is what Apply returns on a store opened for reading.
var ErrReadOnly = errors.New("the store is open for reading only")

// Store maps keys to values. Keys are non-empty UTF-8 without control
// characters, ordered as bytes. All methods may be called at once from many
// goroutines. Values handed out belong to the store and must not be changed.
type Store interface {
	// Get returns a value, or ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// List yields the entries whose key has the prefix and is greater than
	// after, in order. It sees each entry as it was at some moment during the
	// listing, and does not block writers.
	List(ctx context.Context, prefix, after string) iter.Seq2[Entry, error]
	// Apply makes all the changes or none, durably. It returns ErrConflict if
	// a condition does not hold when the changes would be made. Calls at once
	// share one flush of the disk (group commit).
	Apply(ctx context.Context, changes []Change) error
}

// Entry is a key with its value.
type Entry struct {
	Key   string
	Value []byte
}

// Change sets a key, or deletes it where Value is nil, if the condition holds.
type Change struct {
	Key   string
	Value []byte
	If    Condition
}

// Condition is what must hold before a Change; the zero Condition always holds.
type Condition struct {
	kind  condKind
	value string
}

type condKind int

const (
	condNone condKind = iota
	condAbsent
	condEquals
)

// Absent holds where the key has no value.
func Absent() Condition { return Condition{kind: condAbsent} }

// Equals holds where the key has exactly this value.
func Equals(value []byte) Condition { return Condition{kind: condEquals, value: string(value)} }

// Holds reports whether the condition holds for the present value, nil for none.
func (c Condition) Holds(present []byte) bool {
	switch c.kind {
	case condAbsent:
		return present == nil
	case condEquals:
		return present != nil && string(present) == c.value
	}
	return true
}

// CorruptError says where a log or snapshot is damaged. Path is relative to
// the store.
type CorruptError struct {
	Path   string
	Line   int // of a log, counted from 1; 0 in a snapshot
	Reason string
}

// Error implements error.
func (e *CorruptError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s is corrupt: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("%s, line %d is corrupt: %s", e.Path, e.Line, e.Reason)
}
