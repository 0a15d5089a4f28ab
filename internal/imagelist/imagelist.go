// Package imagelist collects what "image mirror" is told to copy: it reads the
// arguments and the lines of -f files, and turns sources with wildcards into
// one mapping a tag (oc.md 4.3). It does no I/O but read the lines it is given.
package imagelist

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// Mapping is one source and where its images go, as written.
type Mapping struct {
	Source       ref.Pattern
	Destinations []ref.Ref
	At           Place
}

// Place says where a mapping was written: the number of an argument, counted
// from 1, in the command or in a line of a file.
type Place struct {
	File string // "" for the command line
	Line int    // counted from 1
	Arg  int    // counted from 1; 0 for the whole line
}

// String is the beginning of an error at that place, "" for no place.
func (p Place) String() string {
	var s string
	if p.File != "" {
		s = fmt.Sprintf("file %s, line %d: ", p.File, p.Line)
	}
	if p.Arg > 0 {
		s += fmt.Sprintf("argument %d: ", p.Arg)
	}
	return s
}

// arg returns the place of the i-th argument, counted from 0.
func (p Place) arg(i int) Place {
	p.Arg = i + 1
	return p
}

// Error is an error with the argument it is about.
type Error struct {
	At  Place
	Arg string
	Err error
}

// Error implements error: "file F, line N: argument 2: ...".
func (e *Error) Error() string { return e.At.String() + e.Err.Error() }

// Unwrap returns the cause, often a *ref.ParseError.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do, "" where there is nothing to say. It names an argument
// that looks as if a shell variable in it was unset.
func (e *Error) Hint() string {
	if why, empty := ref.LooksEmpty(e.Arg); empty && e.At.Arg > 0 {
		return fmt.Sprintf("argument %d looks empty (%s): is a shell variable unset?", e.At.Arg, why)
	}
	if hinted, ok := errors.AsType[*ref.ParseError](e.Err); ok {
		return hinted.Hint()
	}
	return ""
}

// ParseArgs reads SRC DST [DST...] or SRC=DST [SRC=DST...]. No arguments are
// no mappings. Errors are *Error.
func ParseArgs(args []string) ([]Mapping, error) {
	return parse(Place{}, args)
}

func parse(at Place, args []string) ([]Mapping, error) {
	switch {
	case len(args) == 0:
		return nil, nil
	case slices.ContainsFunc(args, isPair):
		return parsePairs(at, args)
	case len(args) == 1:
		return nil, missing(at, args[0])
	}
	m, err := parseMapping(at, args)
	if err != nil {
		return nil, err
	}
	return []Mapping{m}, nil
}

func isPair(arg string) bool { return strings.Contains(arg, "=") }

// missing is the error of a source alone. Where the source is sound, an unset
// variable has taken the destination away altogether.
func missing(at Place, source string) error {
	if _, err := ref.ParsePattern(source); err != nil {
		return &Error{at.arg(0), source, err}
	}
	return &Error{at.arg(1), "", fmt.Errorf("no destination for %s: give SRC DST or SRC=DST", source)}
}

// parsePairs refuses what oc drops without a word: an argument without "="
// between others that have one.
func parsePairs(at Place, args []string) ([]Mapping, error) {
	var out []Mapping
	for i, arg := range args {
		source, destination, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, &Error{at.arg(i), arg, fmt.Errorf("%.300q is not SRC=DST as the other arguments are", arg)}
		}
		m, err := parsePair(at.arg(i), source, destination)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func parsePair(at Place, source, destination string) (Mapping, error) {
	m := Mapping{At: at}
	var err error
	if m.Source, err = parseSource(source); err != nil {
		return m, &Error{at, source, err}
	}
	d, err := parseDestination(destination)
	if err != nil {
		return m, &Error{at, destination, err}
	}
	m.Destinations = []ref.Ref{d}
	return m, nil
}

func parseMapping(at Place, args []string) (Mapping, error) {
	m := Mapping{At: at.arg(0)}
	var err error
	if m.Source, err = parseSource(args[0]); err != nil {
		return m, &Error{m.At, args[0], err}
	}
	for i, arg := range args[1:] {
		d, err := parseDestination(arg)
		if err != nil {
			return m, &Error{at.arg(i + 1), arg, err}
		}
		m.Destinations = append(m.Destinations, d)
	}
	return m, nil
}

func parseSource(s string) (ref.Pattern, error) {
	p, err := ref.ParsePattern(s)
	if err == nil && p.Ref.Scheme == ref.S3 {
		err = &ref.ParseError{Input: s, Reason: "s3:// can be a destination, not a source"}
	}
	return p, err
}

func parseDestination(s string) (ref.Ref, error) {
	d, err := ref.Parse(s)
	if err == nil {
		err = d.RequireRepository()
	}
	if err == nil && !d.Digest.IsZero() {
		err = &ref.ParseError{Input: s, Reason: "a destination may have a tag, but no digest"}
	}
	return d, err
}
