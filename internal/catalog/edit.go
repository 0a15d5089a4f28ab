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
	return rewritten(object, name, value, true)
}

// rewritten writes an object anew in one pass, however many fields it has: of those
// called name the first gets the value and the rest are left out, all if that is
// nil. Where there is none, one is added if that is asked for.
func rewritten(object []byte, name string, value []byte, add bool) []byte {
	out := append(make([]byte, 0, len(object)+len(name)+len(value)+8), '{')
	for n, v := range jsonFields(object) {
		if n == name {
			v, value, add = value, nil, false
		}
		if v != nil {
			out = appendField(out, n, v)
		}
	}
	if add {
		out = appendField(out, name, value)
	}
	return append(out, '}')
}

// appendField adds a field to an object that is being written.
func appendField(out []byte, name string, value []byte) []byte {
	if len(out) > 1 {
		out = append(out, ',')
	}
	return append(append(append(out, quoted(name)...), ':'), value...)
}

// listOf returns a list of values.
func listOf(values [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(values, []byte{','})...), ']')
}

// without returns the object without a field.
func without(object []byte, name string) []byte {
	if field(object, name) == nil {
		return object
	}
	return rewritten(object, name, nil, false)
}

// objectField returns a field that is an object, an empty one where it is not.
func objectField(object []byte, name string) []byte {
	if v := field(object, name); len(v) > 0 && v[0] == '{' {
		return v
	}
	return []byte("{}")
}

// listField returns the elements of a field that is a list, nil where there is none.
func listField(object []byte, name string) ([][]byte, error) {
	list, err := asList(name, field(object, name))
	if list == nil || err != nil {
		return nil, err
	}
	out := [][]byte{}
	for element := range jsonElements(list) {
		out = append(out, element)
	}
	return out, nil
}

// stringsField returns a field that is a list of strings.
func stringsField(object []byte, name string) ([]string, error) {
	list, err := listField(object, name)
	var out []string
	for _, element := range list {
		s, err := asString("what "+name+" has", element)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, err
}

func stringList(values []string) []byte {
	var out [][]byte
	for _, v := range values {
		out = append(out, quoted(v))
	}
	return listOf(out)
}

// quoted returns a string as JSON.
func quoted(s string) []byte {
	out, _ := json.Marshal(s) // strings can be marshalled
	return out
}

// jsonEqual reports whether a value is a string.
func jsonEqual(value []byte, s string) bool {
	return len(value) > 0 && value[0] == '"' && jsonString(value) == s
}
