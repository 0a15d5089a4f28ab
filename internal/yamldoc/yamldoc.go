// Package yamldoc finds the documents of a YAML stream, so that each can be
// read by itself: the library's Unmarshal takes the first of a stream and says
// nothing of the others.
//
// Where a document begins is what YAML 1.2.2 (chapter 9) says, and not what a
// search for dashes finds:
//
//   - A line that begins with "---" or "..." is a marker if a blank or the end of
//     the line follows. Words that begin so ("---x", "-----") are text, and what
//     is indented, as in a block scalar, is none either. At the beginning of a line a
//     marker counts also within quotes, brackets and block scalars, which are
//     cut off by it: such a document is broken, and its parser says so.
//   - What follows "---" on its line ("--- |", "--- {a: b}") is content. kubectl and
//     oc refuse that; it is read here, since it means one thing only.
//   - After "..." the next document needs no "---". kubectl and oc do not know
//     "...", and drop such a document without a word.
//   - Comments and directives ("%YAML 1.1") before a document belong to it; comments
//     behind the last one are no document. "---" with nothing behind it is one, of null.
//   - Lines end with LF, CR or CRLF. What else ends them in YAML 1.1, which the
//     parser reads (NEL and Unicode's separators), may stand in a string of JSON.
//   - A byte order mark may stand before each document. UTF-16, which the
//     parser reads and PowerShell writes, is split as the UTF-8 it stands for.
package yamldoc

import (
	"bytes"
	"errors"
	"io"
	"iter"

	"go.yaml.in/yaml/v3"
)

// Document is one document of a stream.
type Document struct {
	// Text is all of it, with the comments, directives and markers around. A
	// parser finds this document in it, if it is in order, and no other.
	Text []byte
	// Body is the text without what stands before the content: comments and
	// directives, the marker, blanks. It is empty where nothing else is there;
	// directives without a document are left as they are.
	Body []byte
	// Line is how many lines of the stream stand before the text.
	Line int
}

// Split returns the documents of a stream, empty ones and those that no parser
// will take among them. The texts are parts of the stream if it is UTF-8.
func Split(stream []byte) iter.Seq[Document] {
	return func(yield func(Document) bool) {
		s := splitter{text: inUTF8(stream), yield: yield}
		lineEnd := lineEnds(s.text)
		for at, end := 0, 0; at < len(s.text) && !s.stopped; at = end {
			end = at + lineEnd(s.text[at:])
			if !s.begun || mayBeMarker(s.text[at]) {
				s.read(at, end)
			}
			s.lines++
		}
		s.cut(len(s.text), s.lines)
	}
}

// splitter is at the beginning of a line.
type splitter struct {
	text    []byte
	yield   func(Document) bool
	stopped bool

	lines int // before this one
	start int // where the document begins that this line is of
	line  int // lines before that
	body  int // where its content begins
	// kept says that there is something that must not be lost, which alone may
	// be a directive; begun, that the next "---" belongs to another document.
	kept, begun bool
}

// read takes the line between two places of the text.
func (s *splitter) read(from, to int) {
	line := withoutMark(s.text[from:to])
	kind, rest := marker(line)
	switch {
	case kind == documentStart:
		if s.begun {
			s.cut(from, s.lines)
		}
		s.begin(to - len(rest))
	case kind == documentEnd && isEmpty(rest):
		s.cut(to, s.lines+1)
	case kind == documentEnd: // which is wrong: the parser is to say so
		s.cut(from, s.lines)
		s.begin(from)
	case s.begun || isEmpty(line):
	case line[0] == '%':
		s.kept = true
	default:
		s.begin(from)
	}
}

func (s *splitter) begin(body int) { s.kept, s.begun, s.body = true, true, body }

// cut ends the document before a place, where the next one begins, with so many
// lines of the stream before it.
func (s *splitter) cut(end, lines int) {
	if s.kept && !s.stopped {
		if !s.begun {
			s.body = s.start
		}
		d := Document{Text: s.text[s.start:end:end], Body: s.text[s.body:end:end], Line: s.line}
		d.Text, d.Body = withoutMark(d.Text), bytes.TrimLeft(withoutMark(d.Body), " \t\r\n")
		s.stopped = !s.yield(d)
	}
	s.start, s.line, s.kept, s.begun = end, lines, false, false
}

// Only returns the document of a stream that has something in it, the zero
// Document if none has. Is there more, second is the line, counted from 1, on
// which the document begins that has it, and else 0. A document with a fault
// has something in it, and so has what follows a value in JSON or in brackets.
func Only(stream []byte) (only Document, second int) {
	found := 0
	for d := range Split(stream) {
		n := d.values()
		if n > 0 && found == 0 {
			only = d
		}
		if found += n; found > 1 {
			return only, d.Line + 1
		}
	}
	return only, 0
}

// values counts what is in a document: nothing, one value, or 2 for more than that.
// A parser costs much more than a line, of which a stream may have very many.
func (d Document) values() (n int) {
	if isBlank(d.Body) {
		return 0
	}
	dec := yaml.NewDecoder(bytes.NewReader(d.Text))
	for n < 2 {
		var node yaml.Node
		err := dec.Decode(&node)
		switch {
		case errors.Is(err, io.EOF):
			return n
		case err != nil:
			return n + 1
		case len(node.Content) > 0 && node.Content[0].ShortTag() != "!!null":
			n++
		}
	}
	return n
}
