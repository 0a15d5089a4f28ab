package imagelist

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// maxLine is the longest line of a file in bytes, as for oc.
const maxLine = 64 << 10

// ParseFile reads the lines of a -f file, each with the grammar of ParseArgs
// (oc.md 4.3). # begins a comment, also within a line; blank lines are
// skipped; any number of spaces and tabs separates the arguments. name stands
// in errors, which are *Error, or whatever r returned with the place before it.
func ParseFile(name string, r io.Reader) ([]Mapping, error) {
	var out []Mapping
	at := Place{File: name}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		at.Line++
		found, err := parse(at, fields(lines.Text(), at.Line))
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	if err := lines.Err(); err != nil {
		at.Line++
		if errors.Is(err, bufio.ErrTooLong) {
			err = errors.New("the line is longer than 64 KiB")
		}
		return nil, &Error{At: at, Err: err}
	}
	return out, nil
}

// fields splits a line. Editors on Windows begin a file with a byte order mark.
func fields(line string, number int) []string {
	if number == 1 {
		line = strings.TrimPrefix(line, "\ufeff")
	}
	line, _, _ = strings.Cut(line, "#")
	return strings.Fields(line)
}
