package catalog

import (
	"bytes"
	"encoding/json"
)

// field returns the value of an object's field, nil if there is none. Of fields
// that are there twice the last one counts.
func field(object []byte, name string) []byte {
	var found []byte
	for n, value := range jsonFields(object) {
		if n == name {
			found = value
		}
	}
	return found
}

// withField returns the object with another value of a field. All others stay
// as they are written and where they are; what is new comes last.
func withField(object []byte, name string, value []byte) []byte {
	out := []byte{'{'}
	add := func(n string, v []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		quoted, _ := json.Marshal(n) // strings can be marshalled
		out = append(append(append(out, quoted...), ':'), v...)
	}
	found := false
	for n, v := range jsonFields(object) {
		switch {
		case n != name:
			add(n, v)
		case !found:
			add(n, value)
			found = true
		}
	}
	if !found {
		add(name, value)
	}
	return append(out, '}')
}

// listOf returns a list of values.
func listOf(values [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(values, []byte{','})...), ']')
}
