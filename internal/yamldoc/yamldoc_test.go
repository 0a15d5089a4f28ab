package yamldoc_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/airbridge-dev/airbridge/internal/yamldoc"
)

// texts returns the documents of a stream, each with the line it begins on.
func texts(stream string) []string {
	var out []string
	for d := range yamldoc.Split([]byte(stream)) {
		out = append(out, fmt.Sprintf("%d: %s", d.Line+1, d.Text))
	}
	return out
}

func TestSplit(t *testing.T) {
	for stream, want := range map[string][]string{
		"":                                  nil,
		" \n\t\n# nothing\n":                nil,
		"a: b":                              {"1: a: b"},
		"---":                               {"1: ---"},
		"---\n---\n":                        {"1: ---\n", "2: ---\n"},
		"a: b\n---\nc: d\n":                 {"1: a: b\n", "2: ---\nc: d\n"},
		"a: b\n--- {c: d}\n---\tx":          {"1: a: b\n", "2: --- {c: d}\n", "3: ---\tx"},
		"a: b\r\n---\r\nc: d\r\n":           {"1: a: b\r\n", "2: ---\r\nc: d\r\n"},
		"a: b\r---\nc: d\r\n---":            {"1: a: b\r", "2: ---\nc: d\r\n", "4: ---"},
		"a: b\r---\rc: d":                   {"1: a: b\r", "2: ---\rc: d"},
		"{\"a\": \"\u0085--- \u2028--- \"}": {"1: {\"a\": \"\u0085--- \u2028--- \"}"},
		"a: \u20ac---\n---":                 {"1: a: \u20ac---\n", "2: ---"},

		// What begins like a marker.
		"a: |\n  ---\n  ...\n ---\n":   {"1: a: |\n  ---\n  ...\n ---\n"},
		"--- |\n---x\n-----\n....\n--": {"1: --- |\n---x\n-----\n....\n--"},
		"a: \"x\n--- y\"\n":            {"1: a: \"x\n", "2: --- y\"\n"},

		// Comments and directives before a document are part of it.
		"# c\n\n---\na: b\n# d\n---\n# e\n":  {"1: # c\n\n---\na: b\n# d\n", "6: ---\n# e\n"},
		"%YAML 1.1\n# c\n---\na: b\n":        {"1: %YAML 1.1\n# c\n---\na: b\n"},
		"a: b\n...\n# c\n%TAG ! x\n---\nc\n": {"1: a: b\n...\n", "3: # c\n%TAG ! x\n---\nc\n"},
		"a: b\n%c: d\n---\ne":                {"1: a: b\n%c: d\n", "3: ---\ne"},
		"a: b\n...\n%YAML 1.1\n":             {"1: a: b\n...\n", "3: %YAML 1.1\n"},

		// The end of a document.
		"a: b\n...\n":                    {"1: a: b\n...\n"},
		"a: b\n... # c\n# d\n":           {"1: a: b\n... # c\n"},
		"a: b\n...\nc: d\n":              {"1: a: b\n...\n", "3: c: d\n"},
		"...\n# c\n...\n---\na: b\n...":  {"4: ---\na: b\n..."},
		"a: b\n... c: d\n---\ne":         {"1: a: b\n", "2: ... c: d\n", "3: ---\ne"},
		"a: b\n...\n\ufeff---\nc: d\n":   {"1: a: b\n...\n", "3: ---\nc: d\n"},
		"\ufeffa: b\n\ufeff---\nc: d\n":  {"1: a: b\n", "2: ---\nc: d\n"},
		"\ufeff# c\n---\na: b\n...\n\n ": {"1: # c\n---\na: b\n...\n"},
	} {
		if diff := cmp.Diff(want, texts(stream)); diff != "" {
			t.Errorf("%q: %s", stream, diff)
		}
	}
}

func TestBody(t *testing.T) {
	for stream, want := range map[string]string{
		"{}":                                 "{}",
		"\n\n  {}\n":                         "{}\n",
		"# c\n%YAML 1.1\n---\n\r\n\t{}":      "{}",
		"# c\n{}":                            "{}",
		"--- {}\n...\n":                      "{}\n...\n",
		"---\n# c\n{}":                       "# c\n{}",
		"---\n \n":                           "",
		"%YAML 1.1\n":                        "%YAML 1.1\n",
		"\ufeff{}":                           "{}",
		"\ufeff--- {}":                       "{}",
		"\ufeff%YAML 1.1\n--- {}":            "{}",
		"# c\n...\n\ufeff{}":                 "{}",
		"\xff\xfe-\x00-\x00-\x00 \x00{\x00}": "\xff\xfe-\x00-\x00-\x00 \x00{\x00}", // half of a character
		"\xfe\xff\x00{\xd8\x00\x00}":         "\xfe\xff\x00{\xd8\x00\x00}",         // half of a pair
	} {
		n := 0
		for d := range yamldoc.Split([]byte(stream)) {
			if n++; string(d.Body) != want {
				t.Errorf("%q: %q, want %q", stream, d.Body, want)
			}
		}
		if n != 1 {
			t.Errorf("%q: %d documents", stream, n)
		}
	}
}

// Reading on is not asked for, and neither is what would be found.
func TestSplitStops(t *testing.T) {
	for d := range yamldoc.Split([]byte("a\n---\nb\n---\nc")) {
		if string(d.Body) != "a\n" {
			t.Fatalf("went on to %q", d.Text)
		}
		break
	}
}

func TestOnly(t *testing.T) {
	for stream, want := range map[string]struct {
		body   string
		second int
	}{
		"":                                    {},
		"# c\n---\nnull\n--- ~\n":             {},
		"a: b\n":                              {"a: b\n", 0},
		"---\n---\n# c\n---\na: b\n---\n# d":  {"a: b\n", 0},
		"a: b\n---\nc: d\n---\ne: f":          {"a: b\n", 2},
		"a: b\n---\n---\n# c\n---\ne: f":      {"a: b\n", 5},
		"a: b\n...\nc: d\n":                   {"a: b\n...\n", 3},
		"a: b\n---\n[":                        {"a: b\n", 2},
		"[\n---\nc: d":                        {"[\n", 2},
		"null\n---\n\t[":                      {"[", 0},
		"\n{\"a\":1}\n{\"b\":2}":              {"{\"a\":1}\n{\"b\":2}", 1},
		"{a: b} c":                            {"{a: b} c", 1},
		"a: b\n... c":                         {"a: b\n", 2},
		"a: b\n...\n%YAML 1.1\n":              {"a: b\n...\n", 3},
		"a: b\n%YAML 1.1\n---\nc: d\n":        {"a: b\n%YAML 1.1\n", 1},
		"--- 'a\n--- b'\n":                    {"'a\n", 2},
		"--- false\n--- ''\n":                 {"false\n", 2},
		"a: &x b\n---\nnull # *x\n---\n---\n": {"a: &x b\n", 0},
	} {
		only, second := yamldoc.Only([]byte(stream))
		if string(only.Body) != want.body || second != want.second {
			t.Errorf("%q: %q, %d; want %q, %d", stream, only.Body, second, want.body, want.second)
		}
	}
}

func TestIsMarker(t *testing.T) {
	for line, want := range map[string]bool{
		"---": true, "---\n": true, "--- a": true, "...\r\n": true, "... # c": true,
		"": false, "----": false, " ---": false, "--": false, "...x": false, "---\u2028": false, "#---": false,
	} {
		if got := yamldoc.IsMarker([]byte(line)); got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
}

// inUTF16 is a text as PowerShell writes it.
func inUTF16(text string, order binary.AppendByteOrder) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

// pieces are documents with what each means, which no separator changes.
var pieces = []struct {
	text string
	want any
}{
	{"a: b\n", map[string]any{"a": "b"}},
	{"# c\na: |\n  ---\n  ...\n  # no comment\n", map[string]any{"a": "---\n...\n# no comment\n"}},
	{"- \"---x\n\n  --- y\"\n# c\n", []any{"---x\n--- y"}},
	{"{\"---\": \"...\", \"\u20ac\U0001f600\": [1]}\n", map[string]any{"---": "...", "\u20ac\U0001f600": []any{1}}},
	{"'text\n  ---\n  % more'\n", "text --- % more"},
	{"a: &x 1\nb: *x\n", map[string]any{"a": 1, "b": 1}},
	{"-----\n", "-----"},
}

// Whatever documents follow each other, separated in whatever way, each is
// found as it is alone, on its line; and nothing else is.
func TestSplitFindsWhatWasJoined(t *testing.T) {
	starts := []string{"---\n", "--- # c\n", "---\t\n", "\ufeff---\n", "# c\n\n---\n"}
	ends := []string{"...\n", "... # c\n", "...\n...\n", "...\n\n# c\n...\n"}
	bare := []string{"", "\n# c\n", "\ufeff"}
	directives := []string{"%YAML 1.1\n---\n", "# c\n%YAML 1.1\n%TAG ! tag:x,2000:\n--- # c\n"}
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(lists ...[]string) string {
		all := slices.Concat(lists...)
		return all[random.IntN(len(all))]
	}
	for range 3000 {
		var want, got []any
		stream := pick(starts[:3], starts[4:], bare, directives)
		for i := range random.IntN(5) {
			if i > 0 && random.IntN(2) == 0 {
				stream += pick(starts)
			} else if i > 0 {
				stream += pick(ends) + pick(starts[:4], bare, directives)
			}
			p := pieces[random.IntN(len(pieces))]
			stream += p.text
			want = append(want, p.want)
		}
		stream = strings.ReplaceAll(stream, "\n", []string{"\n", "\r\n", "\r"}[random.IntN(3)])
		content := []byte(stream)
		if random.IntN(4) == 0 {
			content = inUTF16(stream, []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian}[random.IntN(2)])
		}
		for d := range yamldoc.Split(content) {
			var v any
			if err := yaml.Unmarshal(d.Text, &v); err != nil {
				t.Fatalf("%q in %q: %v", d.Text, stream, err)
			}
			if v != nil || len(want) > 0 {
				got = append(got, v)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q: %s", stream, diff)
		}
	}
}

// parse returns the documents that the library finds in a stream.
func parse(stream []byte) (out []*yaml.Node, err error) {
	for dec := yaml.NewDecoder(bytes.NewReader(stream)); ; {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return out, err
		}
		out = append(out, &n)
	}
}

// shape prints a document with where its nodes are, without its comments.
func shape(n *yaml.Node, lines int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d %q %q %q %d:%d(", n.Kind, n.Style, n.Tag, n.Anchor, n.Value, n.Line+lines, n.Column)
	for _, c := range n.Content {
		b.WriteString(shape(c, lines))
	}
	return b.String() + ")"
}

// In a stream that the library reads, the same documents are found, each by
// itself; and of any stream nothing is left out but comments and ends of documents.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		"", "---\n---\n", "a: b\n--- |\n ---\n...\n%YAML 1.1\n# c\n---\n\"a\n b\"\n...\n", "a: b\r\n... # c\r\n--- # c\r\nc: d", "# c\n---x\n--- 'y\n---\nz'",
		"{\"a\": 1}{\"b\": 2}\n---\n[\n", "\ufeff--- !t &a x\n---\n*a", "... a\n...\n%\n", string(inUTF16("a: b\n---\nc: \U0001f600\n", binary.LittleEndian)),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		checkLoss(t, stream)
		want, err := parse(stream)
		if err != nil || differs(stream) {
			return
		}
		n := 0
		for d := range yamldoc.Split(stream) {
			got, err := parse(d.Text)
			if err != nil && strings.Contains(err.Error(), "unknown anchor") && bytes.Contains(stream, []byte("&")) {
				return // the library lets an alias stand for what is in another document
			}
			switch {
			case err != nil || len(got) != 1 || n == len(want):
				t.Fatalf("%q in %q: %d documents, %v", d.Text, stream, len(got), err)
			case shape(got[0], d.Line) != shape(want[n], 0):
				t.Fatalf("%q in %q: %s, want %s", d.Text, stream, shape(got[0], d.Line), shape(want[n], 0))
			}
			n++
		}
		if n != len(want) {
			t.Fatalf("%q: %d documents, want %d", stream, n, len(want))
		}
	})
}

// differs reports whether the library does not read a stream as YAML 1.2: it may
// take a byte order mark within it for text, and knows more ends of lines.
func differs(stream []byte) bool {
	for _, ends := range []string{"\u0085", "\u2028", "\u2029", "\x85\x00", "\x00\x85", "\x28\x20", "\x20\x28", "\x29\x20", "\x20\x29"} {
		if bytes.Contains(stream, []byte(ends)) {
			return true
		}
	}
	for _, mark := range []string{"\ufeff", "\xff\xfe", "\xfe\xff"} {
		if bytes.LastIndex(stream, []byte(mark)) > 0 {
			return true
		}
	}
	return false
}

// checkLoss finds the texts in the stream again, in their order.
func checkLoss(t *testing.T, stream []byte) {
	if bytes.HasPrefix(stream, []byte("\xff\xfe")) || bytes.HasPrefix(stream, []byte("\xfe\xff")) {
		return // converted
	}
	rest := stream
	check := func(between []byte) {
		for line := range strings.FieldsFuncSeq(string(between), func(r rune) bool { return r == '\r' || r == '\n' }) {
			line = strings.Trim(strings.TrimLeft(line, "\ufeff"), " \t")
			if line = strings.TrimLeft(strings.TrimPrefix(line, "..."), " \t"); line != "" && line[0] != '#' {
				t.Fatalf("%q of %q is lost", line, stream)
			}
		}
	}
	for d := range yamldoc.Split(stream) {
		i := 0
		for len(d.Text) > 0 && i < len(rest) && &rest[i] != &d.Text[0] {
			i++
		}
		if !bytes.HasPrefix(rest[i:], d.Text) || !bytes.HasSuffix(d.Text, d.Body) {
			t.Fatalf("%q is not in %q", d.Text, rest)
		}
		check(rest[:i])
		rest = rest[i+len(d.Text):]
	}
	check(rest)
}
