package yamldoc

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf16"
)

const byteOrderMark = "\ufeff"

// withoutMark returns a text without the byte order marks before it.
func withoutMark(text []byte) []byte {
	for bytes.HasPrefix(text, []byte(byteOrderMark)) {
		text = text[len(byteOrderMark):]
	}
	return text
}

// The markers of documents.
const (
	documentStart = "---"
	documentEnd   = "..."
)

// IsMarker reports whether a line, with its end or without, ends a document or
// begins one.
func IsMarker(line []byte) bool {
	kind, _ := marker(line)
	return kind != ""
}

// marker returns the marker that a line begins with, and what follows it.
func marker(line []byte) (kind string, rest []byte) {
	for _, kind := range []string{documentStart, documentEnd} {
		rest, ok := bytes.CutPrefix(line, []byte(kind))
		if ok && (len(rest) == 0 || bytes.ContainsRune([]byte(" \t\r\n"), rune(rest[0]))) {
			return kind, rest
		}
	}
	return "", nil
}

// mayBeMarker reports whether a line that begins so can be a marker. Most cannot.
func mayBeMarker(first byte) bool {
	return first == documentStart[0] || first == documentEnd[0] || first == byteOrderMark[0]
}

// isEmpty reports whether nothing is in a line but blanks and a comment.
func isEmpty(line []byte) bool {
	line = bytes.TrimLeft(line, " \t\r\n")
	return len(line) == 0 || line[0] == '#'
}

// isBlank reports whether all lines of a text are empty.
func isBlank(text []byte) bool {
	lineEnd := lineEnds(text)
	for len(text) > 0 {
		end := lineEnd(text)
		if !isEmpty(text[:end]) {
			return false
		}
		text = text[end:]
	}
	return true
}

// lineEnds returns what finds where the next line of a text begins. A search for
// bytes is much faster than a look at each, which only CR needs without LF.
func lineEnds(text []byte) func([]byte) int {
	if bytes.Count(text, []byte("\r")) == bytes.Count(text, []byte("\r\n")) {
		return lineFeed
	}
	return anyLineEnd
}

func lineFeed(text []byte) int {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return i + 1
	}
	return len(text)
}

func anyLineEnd(text []byte) int {
	for i, b := range text {
		if b == '\n' || b == '\r' && !bytes.HasPrefix(text[i+1:], []byte("\n")) {
			return i + 1
		}
	}
	return len(text)
}

// inUTF8 returns UTF-16 with a byte order mark as UTF-8, and all else, also
// UTF-16 with a fault, as it is.
func inUTF8(stream []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(stream, []byte{0xFF, 0xFE}):
		order = binary.LittleEndian
	case bytes.HasPrefix(stream, []byte{0xFE, 0xFF}):
		order = binary.BigEndian
	default:
		return stream
	}
	var units []uint16
	for pair := range slices.Chunk(stream, 2) {
		if len(pair) < 2 {
			return stream
		}
		units = append(units, order.Uint16(pair))
	}
	runes := utf16.Decode(units)
	if !slices.Equal(utf16.Encode(runes), units) {
		return stream
	}
	return []byte(string(runes))
}
