package catalog

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

func TestLimits(t *testing.T) {
	small := limits{file: 200, output: 400, total: 500, files: 5, documents: 6, depth: 10, signs: 50}
	file := func(body string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(body)} }
	for name, c := range map[string]struct {
		fsys    fstest.MapFS
		problem string // else an error
	}{
		"long file":  {fstest.MapFS{"a": file(strings.Repeat(" ", 201))}, "a has more than 200 bytes"},
		"many files": {fstest.MapFS{"a": file(""), "b": file(""), "c": file(""), "d": file(""), "e": file("")}, ""},
		"total":      {fstest.MapFS{"a": file(strings.Repeat(" ", 200)), "b": file(strings.Repeat(" ", 200)), "c": file(strings.Repeat(" ", 200))}, ""},
		"documents":  {fstest.MapFS{"a": file(strings.Repeat("{}", 7))}, ""},
		"depth":      {fstest.MapFS{"a": file("a: " + strings.Repeat("[", 20) + strings.Repeat("]", 20))}, "nested more than 10 deep"},
		"values":     {fstest.MapFS{"a": file("a: [" + strings.Repeat("a,", 50) + "]")}, "a, line 1: limit exceeded: the document has more than 50 values"},
		"second":     {fstest.MapFS{"a": file("a: 1\n---\nb: [" + strings.Repeat("a,", 50) + "]")}, "a, line 2: limit exceeded: the document has more than 50 values"},
		"rules":      {fstest.MapFS{".indexignore": file(strings.Repeat("\n", 201))}, ""},
	} {
		_, problems, err := small.read(c.fsys, ReadOptions{})
		if c.problem == "" {
			if !errors.Is(err, errLimit) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || len(problems) != 1 || !errors.Is(problems[0], errLimit) || !strings.Contains(problems[0].Error(), c.problem) {
			t.Errorf("%s: %v %v", name, problems, err)
		}
	}
	many := strings.Repeat("a\n", maxIgnoreRules+1)
	if _, _, err := standard.read(fstest.MapFS{"x/.indexignore": file(many)}, ReadOptions{}); !errors.Is(err, errLimit) {
		t.Error("rules:", err)
	}
}

// A file may have any number of documents that are each within the limits.
func TestManyValuesInAll(t *testing.T) {
	small := limits{file: 2000, output: 4000, total: 5000, files: 5, documents: 60, depth: 10, signs: 50}
	body := strings.Repeat("schema: x\npackage: a\nlist: ["+strings.Repeat("a,", 30)+"]\n---\n", 10)
	_, problems, err := small.read(fstest.MapFS{"a": {Data: []byte(body)}}, ReadOptions{})
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

func TestManyEntries(t *testing.T) {
	for n, ok := range map[int]bool{maxEntries: true, maxEntries + 1: false} {
		var entries []Entry
		err := entriesOf([]byte("["+strings.Repeat("{},", n-1)+"{}]"), &entries)
		if ok && (err != nil || len(entries) != n) || !ok && !errors.Is(err, errLimit) {
			t.Error(n, len(entries), err)
		}
	}
}

// What is empty is not kept: a file of it would take many times its size.
func TestEmptyElements(t *testing.T) {
	images, err := relatedImages([]byte(`[{},{"name":"x"},{"image":"a"},{"image":null}]`))
	if err != nil || len(images) != 1 || images[0].Image != "a" {
		t.Error(images, err)
	}
	properties, err := propertiesOf([]byte(`[{},{"value":1},{"type":"a"}]`))
	if err != nil || len(properties) != 1 || properties[0].Type != "a" {
		t.Error(properties, err)
	}
}

// An object with many fields is edited in memory that grows as it does: the
// labels of an image are somebody else's.
func TestManyFields(t *testing.T) {
	object := []byte{'{'}
	for i := range 500 {
		object = appendField(object, fmt.Sprint(i), []byte("1"))
	}
	object = append(appendField(object, "x", []byte("2")), '}')
	out := without(object, "x")
	if field(out, "499") == nil || field(out, "x") != nil {
		t.Errorf("%s", out)
	}
	perField := testing.AllocsPerRun(1, func() { without(object, "x") }) / 500
	if perField > 20 {
		t.Errorf("%.0f allocations for each field", perField)
	}
}

// Whatever the pattern is, it is bounded work, and one that brings files back
// excludes none.
func FuzzIgnore(f *testing.F) {
	f.Add("a/**/b", "a/x/y/b")
	f.Add("**/[!a]*", "b/c")
	f.Add("!*.md", "x/y.md")
	f.Add("/a/**", "a/b/c")
	f.Fuzz(func(t *testing.T, pattern, file string) {
		for _, r := range parseIgnore("", []byte(pattern)) {
			names := strings.Split(file, "/")
			left, ok := r.match(names)
			if left < 0 || left > len(names) || ok && left == len(names) {
				t.Errorf("%q %q: %d names are left of %d", r.segments, names, left, len(names))
			}
			if (ignoreRules{r}).ignores(file) && r.keep {
				t.Error("a file is excluded by what brings it back")
			}
		}
	})
}

func ExampleProblem() {
	fmt.Println(Problem{File: "a/catalog.yaml", Line: 3, Package: "a", Err: errors.New("broken")})
	// Output: a/catalog.yaml, line 3 (package a): broken
}
