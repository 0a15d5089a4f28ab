package kv

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxLine is the longest line of a log in bytes, and so about the largest fact.
const maxLine = 16 << 20

// largestValue leaves room for a value that has to be written in base64.
const largestValue = maxLine / 2

// mostChanges is how many changes one Apply takes.
const mostChanges = 1 << 20

// checkChanges refuses keys and values that no store can hold.
func checkChanges(changes []Change) error {
	if len(changes) > mostChanges {
		return fmt.Errorf("%d changes at once are more than %d", len(changes), mostChanges)
	}
	for _, c := range changes {
		if err := checkKey(c.Key); err != nil {
			return fmt.Errorf("key %.100q: %w", c.Key, err)
		}
		if len(c.Value) > largestValue {
			return fmt.Errorf("key %.100q: a value of %d bytes is larger than %d", c.Key, len(c.Value), largestValue)
		}
	}
	return nil
}

// The reasons why a key is refused.
var (
	errKeyLength  = errors.New("a key has 1 to 4096 bytes")
	errKeyControl = errors.New("a key has no control characters")
	errKeyText    = errors.New("a key is UTF-8")
)

// checkKey holds a key against what Store says of keys.
func checkKey(key string) error {
	if key == "" || len(key) > 4096 {
		return errKeyLength
	}
	ascii := true
	for i := range len(key) {
		if key[i] < 0x20 || key[i] == 0x7f {
			return errKeyControl
		}
		ascii = ascii && key[i] < utf8.RuneSelf
	}
	if !ascii && !utf8.ValidString(key) {
		return errKeyText
	}
	return nil
}

// evaluate checks the conditions of changes in order, each against what the
// changes before it would leave. get returns nil for a key without a value.
func evaluate(changes []Change, get func(key string) ([]byte, error)) error {
	last := len(changes) - 1
	for last >= 0 && changes[last].If.kind == condNone {
		last--
	}
	var staged map[string][]byte
	for i, c := range changes[:last+1] {
		present, ok := staged[c.Key]
		if !ok && c.If.kind != condNone {
			var err error
			if present, err = get(c.Key); err != nil {
				return err
			}
		}
		if !c.If.Holds(present) {
			return fmt.Errorf("%s: %w", c.Key, ErrConflict)
		}
		if i < last {
			if staged == nil {
				staged = make(map[string][]byte, last)
			}
			staged[c.Key] = c.Value
		}
	}
	return nil
}

// firstKey is the smallest key that a list may yield: the prefix itself, or
// the least key above after.
func firstKey(prefix, after string) string {
	if after < prefix {
		return prefix
	}
	return after + "\x00"
}
