package installconfig

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/airbridge-dev/airbridge/internal/yamldoc"
)

// file is the text of a file and where its fields are in it.
type file struct {
	lines   []string // with their ends
	eol     string   // what ends a line here
	indent  string   // before each field of the top level
	entries []entry  // in the order of the file
	end     int      // the index after the last line of the document
	root    *yaml.Node
}

// entry is a field of the top level with its value. Comments above it and
// blank lines and comments behind it do not belong to it.
type entry struct {
	key, value  *yaml.Node
	first, last int // indexes of its lines, both included
}

// parse reads a file and refuses what is no install config, and what could not
// be edited by lines.
func parse(text string) (*file, error) {
	root, err := document(text)
	if err != nil {
		return nil, err
	}
	f := &file{lines: strings.SplitAfter(text, "\n"), eol: "\n", root: root}
	if f.lines[len(f.lines)-1] == "" {
		f.lines = f.lines[:len(f.lines)-1]
	}
	if strings.HasSuffix(f.lines[0], "\r\n") {
		f.eol = "\r\n"
	}
	if err := f.findEntries(); err != nil {
		return nil, err
	}
	return f, f.check()
}

// document returns the mapping that the file's only document is.
func document(text string) (*yaml.Node, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("%w: it has %d bytes, more than %d", ErrNot, len(text), maxFile)
	}
	if strings.Contains(text, "\x00") {
		return nil, fmt.Errorf("%w: it has NUL characters; if it is UTF-16, save it as UTF-8", ErrNot)
	}
	if strings.ContainsAny(strings.ReplaceAll(text, "\r\n", "\n"), "\r\u0085\u2028\u2029") {
		return nil, fmt.Errorf("%w: it has line ends other than those of Unix and Windows", ErrCannotEdit)
	}
	dec := yaml.NewDecoder(strings.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it is empty", ErrNot)
	} else if err != nil {
		return nil, invalid(err)
	}
	if _, second := yamldoc.Only([]byte(text)); second > 0 {
		return nil, fmt.Errorf("line %d: a second document begins there, which the installer would not read: %w", second, ErrCannotEdit)
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%w: it is no YAML mapping", ErrNot)
	}
	return root, nil
}

// invalid is the error of text that is no YAML.
func invalid(err error) error { return fmt.Errorf("not valid YAML: %s", yamldoc.Fault(err)) }

func (f *file) findEntries() error {
	if f.root.Style&yaml.FlowStyle != 0 {
		return fmt.Errorf("line %d: the whole file is in braces: %w; write one field a line", f.root.Line, ErrCannotEdit)
	}
	f.end = len(f.lines)
	for i := 0; i+1 < len(f.root.Content); i += 2 {
		key := f.root.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			return fmt.Errorf("line %d: a field of the top level has no plain name: %w", key.Line, ErrCannotEdit)
		}
		f.entries = append(f.entries, entry{key: key, value: f.root.Content[i+1], first: key.Line - 1})
	}
	if len(f.entries) == 0 {
		return fmt.Errorf("%w: it has no fields", ErrNot)
	}
	first := f.lines[f.entries[0].first]
	f.indent = first[:len(first)-len(strings.TrimLeft(first, " "))]
	f.findEnds()
	return nil
}

// findEnds finds the last line of each entry, and of the document.
func (f *file) findEnds() {
	for i := f.entries[len(f.entries)-1].first + 1; i < f.end; i++ {
		if yamldoc.IsMarker([]byte(f.lines[i])) {
			f.end = i
		}
	}
	for i := range f.entries {
		e := &f.entries[i]
		e.last = f.end - 1
		if i+1 < len(f.entries) {
			e.last = f.entries[i+1].first - 1
		}
		for e.last > e.first && f.isBehind(*e, f.lines[e.last]) {
			e.last--
		}
	}
}

// isBehind reports whether a line, the last of an entry so far, is not part of
// it: a blank line, or a comment that is not text within a value.
func (f *file) isBehind(e entry, line string) bool {
	text := strings.TrimSpace(line)
	switch {
	case text == "":
		return true
	case text[0] != '#':
		return false
	case e.value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return len(line)-len(strings.TrimLeft(line, " ")) <= len(f.indent)
	case e.value.Style&yaml.SingleQuotedStyle != 0:
		return !strings.Contains(line, "'")
	case e.value.Style&yaml.DoubleQuotedStyle != 0:
		return !strings.Contains(line, `"`)
	}
	return e.value.Kind == yaml.ScalarNode || !strings.HasPrefix(line, f.indent+" ")
}

// check refuses what is not an install config, and fields that are there twice.
func (f *file) check() error {
	var values map[string]any
	if err := f.root.Decode(&values); err != nil {
		return invalid(err)
	}
	kind, isKind := values["kind"].(string)
	version, isVersion := values["apiVersion"].(string)
	switch {
	case isKind && kind != "InstallConfig":
		return fmt.Errorf("%w: its kind is %.100q", ErrNot, kind)
	case isVersion && version != "v1":
		return fmt.Errorf("%w: its apiVersion is %.100q, and not v1", ErrNot, version)
	case !isVersion && f.find("baseDomain") == nil && f.find("platform") == nil:
		return fmt.Errorf("%w: it has no apiVersion", ErrNot)
	}
	return nil
}

func (f *file) find(name string) *entry {
	i := slices.IndexFunc(f.entries, func(e entry) bool { return e.key.Value == name })
	if i < 0 {
		return nil
	}
	return &f.entries[i]
}

// splice returns the text with the lines from first up to, but without, after
// replaced by others, which get this file's ends and the indent of its fields.
func (f *file) splice(first, after int, lines ...string) string {
	var b strings.Builder
	put := func(line string) {
		if n := b.Len(); n > 0 && b.String()[n-1] != '\n' { // the file had no final line end
			b.WriteString(f.eol)
		}
		b.WriteString(line)
	}
	for _, line := range f.lines[:first] {
		put(line)
	}
	for _, line := range lines {
		if line != "" {
			line = f.indent + line
		}
		put(line + f.eol)
	}
	for _, line := range f.lines[after:] {
		put(line)
	}
	return b.String()
}

// add returns the text with a new field at the end of the document. Text that
// ends in a block without a line end would get one by it, and with it another
// value: then the field comes before it.
func (f *file) add(lines ...string) string {
	last := f.entries[len(f.entries)-1]
	block := last.value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if at := last.first; block && last.last == len(f.lines)-1 && !strings.HasSuffix(f.lines[last.last], "\n") {
		for at > 0 && strings.HasPrefix(strings.TrimSpace(f.lines[at-1]), "#") {
			at--
		}
		return f.splice(at, at, lines...)
	}
	return f.splice(f.end, f.end, lines...)
}

// label is the beginning of an entry's first line up to its colon, as written,
// without the indent. It is not ok where the name is written in an unusual way.
func (f *file) label(e *entry) (label string, ok bool) {
	line := strings.TrimPrefix(f.lines[e.first], f.indent)
	at := strings.Index(line, e.key.Value)
	if at < 0 || at > 1 {
		return e.key.Value + ":", false
	}
	rest := line[at+len(e.key.Value):]
	colon := strings.Index(rest, ":")
	if colon < 0 || strings.Trim(rest[:colon], ` '"`) != "" {
		return e.key.Value + ":", false
	}
	return line[:at+len(e.key.Value)+colon+1], true
}

// set returns the text with another value for an entry: one line, or a block
// whose first line is the indicator. A comment behind the old value stays.
func (f *file) set(e *entry, value ...string) string {
	label, _ := f.label(e)
	lines := append([]string{label + " " + value[0]}, value[1:]...)
	if comment := e.value.LineComment; comment != "" && !strings.Contains(comment, "\n") {
		lines[0] += " " + comment
	}
	return f.splice(e.first, e.last+1, lines...)
}

// text returns the string that an entry's value is. It is not ok for other
// values; null is the empty string.
func (e *entry) text() (text string, ok bool) {
	var v any
	if err := e.value.Decode(&v); err != nil {
		return "", false
	}
	text, ok = v.(string)
	return text, ok || v == nil
}

// verify compares an edited text with what it was made of: fields that were
// touched have the values meant, all others the values they had.
func (f *file) verify(text string, want map[string]any) error {
	var before, after map[string]any
	edited, err := parse(text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCannotEdit, err)
	}
	if err := errors.Join(f.root.Decode(&before), edited.root.Decode(&after)); err != nil {
		return fmt.Errorf("%w: %w", ErrCannotEdit, invalid(err))
	}
	for name, value := range want {
		before[name] = value
		if value == nil {
			delete(before, name)
		}
	}
	if !reflect.DeepEqual(before, after) {
		return fmt.Errorf("%w: it would not read back as what was meant", ErrCannotEdit)
	}
	return nil
}
