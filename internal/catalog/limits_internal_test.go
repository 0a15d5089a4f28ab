package catalog

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestLimits(t *testing.T) {
	small := limits{file: 200, output: 400, total: 500, files: 5, documents: 6, depth: 10}
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

// A pattern is compared with all ways to choose the names that each of its
// segments stands for.
func FuzzIgnore(f *testing.F) {
	f.Add("a/**/b", "a/x/y/b")
	f.Add("**/[!a]*", "b/c")
	f.Add("!*.md", "x/y.md")
	f.Add("/a/**", "a/b/c")
	f.Fuzz(func(t *testing.T, pattern, file string) {
		if strings.Count(pattern, "/")+strings.Count(file, "/") > 12 || len(pattern) > 100 || path.Clean(file) != file {
			return
		}
		for _, r := range parseIgnore("", []byte(pattern)) {
			names := strings.Split(file, "/")
			if got, want := matchSegments(r.segments, names), slowMatch(r.segments, names); got != want {
				t.Errorf("%q %q: %v, want %v", r.segments, names, got, want)
			}
			if all := (ignoreRules{r}); all.ignores(file) && r.keep {
				t.Error("a file is excluded by what brings it back")
			}
		}
	})
}

func slowMatch(pattern, names []string) bool {
	switch {
	case len(pattern) == 0:
		return len(names) == 0
	case pattern[0] == "**" && len(pattern) == 1:
		return len(names) > 0
	case pattern[0] == "**":
		return slices.ContainsFunc(make([]int, len(names)+1), counter(func(i int) bool { return slowMatch(pattern[1:], names[i:]) }))
	case len(names) == 0:
		return false
	}
	ok, err := path.Match(pattern[0], names[0])
	return err == nil && ok && slowMatch(pattern[1:], names[1:])
}

// counter gives a function the numbers from 0.
func counter(f func(int) bool) func(int) bool {
	n := -1
	return func(int) bool { n++; return f(n) }
}

func ExampleProblem() {
	fmt.Println(Problem{File: "a/catalog.yaml", Line: 3, Package: "a", Err: errors.New("broken")})
	// Output: a/catalog.yaml, line 3 (package a): broken
}
