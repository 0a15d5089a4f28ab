package catalog

import (
	"path"
	"slices"
	"strings"
)

// ignoreFile says which files of its directory, and below, are no documents.
const ignoreFile = ".indexignore"

// ignoreRules are the patterns of all ignore files so far, those of deeper
// directories last. They are read as OLM reads them, so that the documents are
// those that a cluster is served: the syntax of gitignore, but the spaces around
// a pattern do not count, and a later pattern brings back what lies in a
// directory that an earlier one excludes.
type ignoreRules []ignoreRule

type ignoreRule struct {
	dir      string   // the pattern applies below it, "" for the root
	segments []string // of the pattern, "**" for any number of directories
	keep     bool     // brings files back
	dirOnly  bool
}

// maxIgnoreRules bounds the work for each file.
const maxIgnoreRules = 1000

// parseIgnore returns the rules of an ignore file in a directory.
func parseIgnore(dir string, content []byte) ignoreRules {
	var out ignoreRules
	for line := range strings.Lines(string(content)) {
		if r, ok := parseIgnoreLine(strings.TrimSpace(line)); ok {
			r.dir = dir
			out = append(out, r)
		}
	}
	return out
}

func parseIgnoreLine(line string) (ignoreRule, bool) {
	if line == "" || line[0] == '#' {
		return ignoreRule{}, false
	}
	var r ignoreRule
	line, r.keep = strings.CutPrefix(line, "!")
	line, r.dirOnly = strings.CutSuffix(line, "/")
	anchored := strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	if line == "" {
		return ignoreRule{}, false
	}
	// Character classes are negated with ! here and with ^ in package path.
	r.segments = strings.Split(strings.ReplaceAll(line, "[!", "[^"), "/")
	if !anchored {
		r.segments = append([]string{"**"}, r.segments...)
	}
	return r, true
}

// ignores reports whether a file is excluded: the last pattern that matches it
// or a directory above it decides.
func (rules ignoreRules) ignores(file string) bool {
	for _, r := range slices.Backward(rules) {
		if r.matches(file) {
			return !r.keep
		}
	}
	return false
}

func (r ignoreRule) matches(file string) bool {
	if r.dir != "" {
		below, ok := strings.CutPrefix(file, r.dir+"/")
		if !ok {
			return false
		}
		file = below
	}
	names := strings.Split(file, "/")
	for n := 1; n < len(names); n++ {
		if matchSegments(r.segments, names[:n]) {
			return true
		}
	}
	return !r.dirOnly && matchSegments(r.segments, names)
}

// matchSegments compares a pattern with a path. reach[i] tells whether the
// pattern up to the one looked at matches the first i names, so that the work
// is bounded by the product of both, whatever the pattern.
func matchSegments(pattern, names []string) bool {
	reach := make([]bool, len(names)+1)
	reach[0] = true
	for n, segment := range pattern {
		next := make([]bool, len(names)+1)
		for i, ok := range reach {
			switch {
			case !ok:
			case segment == "**":
				for j := i; j <= len(names); j++ {
					next[j] = true
				}
				if n == len(pattern)-1 {
					next[i] = false // "a/**" is what lies in a, not a itself
				}
			case i < len(names):
				matched, err := path.Match(segment, names[i])
				next[i+1] = next[i+1] || matched && err == nil
			}
			if ok && segment == "**" {
				break // the first place that is reached covers the rest
			}
		}
		reach = next
	}
	return reach[len(names)]
}
