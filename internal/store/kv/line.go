package kv

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A log is text: one JSON object a line, its fields always in this order,
//
//	{"c":"1f0a88e2","n":17,"m":2,"w":1,"k":"t/team/app/v1","v":{"d":"sha256:..."}}
//
//	c  CRC-32C of all that follows the comma, up to the end of the line
//	n  the number of the fact, counted through all logs of the store
//	m  how many more lines belong to the same Apply; left out for none
//	w  set on the first line of a write: what stands before it was flushed
//	k  the key
//	v  the value where it is JSON, to the byte; else b holds it in base64;
//	   neither means that the key was deleted
//
// The fixed order lets a line be read without reflection.
type fact struct {
	n     uint64
	more  int
	write bool
	key   string
	value []byte // nil for a deletion
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// The frame around the checked part of a line.
const (
	lineHead = `{"c":"`
	lineCRC  = 8 // hex digits
	lineOpen = len(lineHead) + lineCRC + len(`",`)
)

// The reasons why a line is not taken.
var (
	errFrame  = errors.New("not a line of a log")
	errCRC    = errors.New("the checksum does not match")
	errFields = errors.New("the fields of the line are not understood")
)

// appendFact appends the line of a fact, with its line feed.
func appendFact(b []byte, f fact) []byte {
	start := len(b)
	b = openLine(b)
	b = append(b, `"n":`...)
	b = strconv.AppendUint(b, f.n, 10)
	if f.more > 0 {
		b = append(b, `,"m":`...)
		b = strconv.AppendInt(b, int64(f.more), 10)
	}
	if f.write {
		b = append(b, `,"w":1`...)
	}
	b = append(b, `,"k":"`...)
	b = appendText(b, f.key)
	b = append(b, '"')
	b = appendValue(b, f.value)
	return closeLine(b, start)
}

// openLine begins a line with space for its checksum.
func openLine(b []byte) []byte {
	b = append(b, lineHead...)
	return append(b, `00000000",`...)
}

// closeLine ends the line that began at start and fills in its checksum.
func closeLine(b []byte, start int) []byte {
	b = append(b, '}')
	sum := crc32.Checksum(b[start+lineOpen:], castagnoli)
	var raw [4]byte
	raw[0], raw[1], raw[2], raw[3] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
	hex.Encode(b[start+len(lineHead):], raw[:])
	return append(b, '\n')
}

// appendText appends a key inside a JSON string. Keys hold no control
// characters, so that only two characters need a mark.
func appendText(b []byte, key string) []byte {
	for i := range len(key) {
		if key[i] == '"' || key[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, key[i])
	}
	return b
}

func appendValue(b, value []byte) []byte {
	switch {
	case value == nil:
		return b
	case isPlainJSON(value):
		b = append(b, `,"v":`...)
		return append(b, value...)
	}
	b = append(b, `,"b":"`...)
	b = base64.StdEncoding.AppendEncode(b, value)
	return append(b, '"')
}

// isPlainJSON reports whether a value can stand in a line as it is.
func isPlainJSON(value []byte) bool {
	for _, c := range value {
		if c < 0x20 {
			return false
		}
	}
	return json.Valid(value) && utf8.Valid(value)
}

// checkLine verifies the frame and the checksum of a line without its line
// feed and returns the fields, between the checksum and the last brace.
func checkLine(line []byte) ([]byte, error) {
	if len(line) <= lineOpen || string(line[:len(lineHead)]) != lineHead ||
		string(line[lineOpen-2:lineOpen]) != `",` || line[len(line)-1] != '}' {
		return nil, errFrame
	}
	sum, ok := parseCRC(line[len(lineHead) : lineOpen-2])
	if !ok || sum != crc32.Checksum(line[lineOpen:], castagnoli) {
		return nil, errCRC
	}
	return line[lineOpen : len(line)-1], nil
}

// parseCRC reads 8 lower-case hex digits; upper case would be a second form
// of the same line.
func parseCRC(digits []byte) (uint32, bool) {
	var sum uint32
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			sum = sum<<4 | uint32(c-'0')
		case c >= 'a' && c <= 'f':
			sum = sum<<4 | uint32(c-'a'+10)
		default:
			return 0, false
		}
	}
	return sum, true
}

// parseFact reads a line without its line feed. What it returns does not
// share memory with the line.
func parseFact(line []byte) (fact, error) {
	rest, err := checkLine(line)
	if err != nil {
		return fact{}, err
	}
	var f fact
	n, rest, ok := cutNumber(rest, `"n":`)
	if !ok {
		return fact{}, errFields
	}
	f.n = n
	if more, tail, ok := cutNumber(rest, `,"m":`); ok && more <= mostChanges {
		f.more, rest = int(more), tail
	}
	rest, f.write = bytes.CutPrefix(rest, []byte(`,"w":1`))
	rest, ok = bytes.CutPrefix(rest, []byte(`,"k":"`))
	if !ok {
		return fact{}, errFields
	}
	if f.key, rest, ok = cutText(rest); !ok || checkKey(f.key) != nil {
		return fact{}, errFields
	}
	f.value, ok = parseValue(rest)
	if !ok {
		return fact{}, errFields
	}
	return f, nil
}

// cutNumber reads a label and the digits behind it.
func cutNumber(b []byte, label string) (uint64, []byte, bool) {
	if len(b) < len(label) || string(b[:len(label)]) != label {
		return 0, b, false
	}
	b = b[len(label):]
	var n uint64
	i := 0
	for ; i < len(b) && i < 19 && b[i] >= '0' && b[i] <= '9'; i++ {
		n = n*10 + uint64(b[i]-'0')
	}
	return n, b[i:], i > 0
}

// cutText reads up to the closing quote.
func cutText(b []byte) (string, []byte, bool) {
	i := bytes.IndexByte(b, '"')
	if i < 0 {
		return "", b, false
	}
	if bytes.IndexByte(b[:i], '\\') < 0 {
		return string(b[:i]), b[i+1:], true
	}
	var text strings.Builder
	for i = 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return text.String(), b[i+1:], true
		case '\\':
			i++
			if i == len(b) || (b[i] != '"' && b[i] != '\\') {
				return "", b, false
			}
		}
		text.WriteByte(b[i])
	}
	return "", b, false
}

// parseValue reads what follows the key.
func parseValue(b []byte) ([]byte, bool) {
	if len(b) == 0 {
		return nil, true
	}
	if raw, ok := bytes.CutPrefix(b, []byte(`,"v":`)); ok {
		return bytes.Clone(raw), len(raw) > 0
	}
	raw, ok := bytes.CutPrefix(b, []byte(`,"b":"`))
	if !ok || len(raw) == 0 || raw[len(raw)-1] != '"' {
		return nil, false
	}
	raw = raw[:len(raw)-1]
	value := make([]byte, base64.StdEncoding.DecodedLen(len(raw)))
	n, err := base64.StdEncoding.Strict().Decode(value, raw)
	return value[:n], err == nil
}
