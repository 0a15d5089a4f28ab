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
// those that a cluster is served. That is the syntax of gitignore, but: the
// spaces around a pattern do not count; a later pattern brings back what lies in
// a directory that an earlier one excludes; "**" stands for as few directories as
// will do, "a/**" also for a itself, and "/**" for nothing; and character classes
// are negated with ^ only.
type ignoreRules []ignoreRule

type ignoreRule struct {
	dir      string   // the pattern applies below it, "" for the root
	segments []string // of the pattern, "**" for any number of directories
	anywhere bool     // a name at any depth: the pattern has no slash
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
	r.anywhere = !strings.Contains(line, "/")
	r.segments = strings.Split(line, "/")
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
	left, ok := r.match(strings.Split(file, "/"))
	return ok && (left > 0 || !r.dirOnly)
}

// match reports whether the pattern matches a path or a directory above it, and
// how many names of the path are left below that.
func (r ignoreRule) match(names []string) (left int, ok bool) {
	anywhere := r.anywhere
	for i, segment := range r.segments {
		switch {
		case segment == "" && !r.anywhere:
			anywhere = false
		case segment == "**" && !r.anywhere:
			if i == len(r.segments)-1 {
				return len(names), ok
			}
			anywhere = true
		case strings.Contains(segment, "**") && !r.anywhere:
			return 0, false
		default:
			at := find(segment, names, anywhere)
			if at < 0 {
				return 0, false
			}
			names, anywhere, ok = names[at+1:], false, true
		}
	}
	return len(names), ok
}

// find returns the place of the first name that a segment matches, anywhere or at the
// beginning, -1 if there is none.
func find(segment string, names []string, anywhere bool) int {
	for i, name := range names {
		if matched, err := path.Match(segment, name); err == nil && matched {
			return i
		}
		if !anywhere {
			break
		}
	}
	return -1
}
