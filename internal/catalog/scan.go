package catalog

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// The functions of this file take JSON apart without decoding or copying it.
// They are given what json.Valid accepts, but for jsonEnd, which finds out
// what to ask it about.

// jsonEnd returns where the object or list that content begins with ends, by its
// brackets alone, and 0 where it does not end.
func jsonEnd(content []byte) int {
	depth := 0
	for i := 0; i < len(content); i++ {
		switch content[i] {
		case '"':
			i = stringEnd(content, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				return i + 1
			}
		}
	}
	return 0
}

// stringEnd returns the place after the string that begins at i, the end of the
// content if it does not end.
func stringEnd(content []byte, i int) int {
	for i++; ; {
		n := bytes.IndexByte(content[i:], '"')
		if n < 0 {
			return len(content)
		}
		end := i + n
		slashes := 0
		for end-slashes > i && content[end-slashes-1] == '\\' {
			slashes++
		}
		i = end + 1
		if slashes%2 == 0 {
			return i
		}
	}
}

// valueEnd returns the place after the value that begins at i.
func valueEnd(content []byte, i int) int {
	switch content[i] {
	case '"':
		return stringEnd(content, i)
	case '{', '[':
		return i + jsonEnd(content[i:])
	}
	for i < len(content) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(content[i])) {
		i++
	}
	return i
}

// skipSpace returns the place of the next byte that is no white space or comma.
func skipSpace(content []byte, i int) int {
	for i < len(content) && (content[i] == ' ' || content[i] == '\n' || content[i] == '\r' || content[i] == '\t' || content[i] == ',') {
		i++
	}
	return i
}

// jsonFields yields the fields of an object in their order.
func jsonFields(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for i := skipSpace(object, 1); i < len(object) && object[i] == '"'; {
			end := stringEnd(object, i)
			name := jsonString(object[i:end])
			i = skipSpace(object, end) + 1 // the colon
			i = skipSpace(object, i)
			end = valueEnd(object, i)
			if !yield(name, object[i:end:end]) {
				return
			}
			i = skipSpace(object, end)
		}
	}
}

// jsonElements yields the elements of a list.
func jsonElements(list []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := skipSpace(list, 1); i < len(list) && list[i] != ']'; {
			end := valueEnd(list, i)
			if !yield(list[i:end:end]) {
				return
			}
			i = skipSpace(list, end)
		}
	}
}

// jsonString returns the value of a string.
func jsonString(value []byte) string {
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return "" // cannot be: the value is valid
	}
	return s
}

// jsonKind names what a value is, for messages.
func jsonKind(value []byte) string {
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a truth value"
	case 'n':
		return "nothing"
	}
	return "a number"
}
