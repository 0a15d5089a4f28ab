// Package jsonpath renders values by the templates that the Kubernetes commands
// take for -o jsonpath=: text with paths in braces. It knows names (.a, ['a'],
// .a\.b), indexes and slices ([0], [-1], [1:3]), all elements ([*], .*),
// several ([0,2], ['a','b']), any depth (..a), filters
// ([?(@.name=="cli")], with == != < <= > >= or a path alone, which asks whether
// it is there), literals ({"\n"}), {range}...{end} and $ for the whole value.
package jsonpath

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Template is a parsed template. It may be used from many goroutines.
type Template struct{ nodes []node }

// Limits of a template.
const (
	maxText  = 64 << 10 // bytes
	maxDepth = 64       // of ranges, and of filters within filters
	maxSteps = 200      // of one path
	maxFound = 1 << 17  // values that one step finds
)

// node is a part of a template.
type node any

type literal string

type printed path

type ranged struct {
	over  path
	nodes []node
}

// path is a way from a value to others.
type path struct {
	root  bool // begins at the whole value
	steps []step
	text  string // as written
}

// Parse reads a template. A path alone, without braces, is one too.
func Parse(text string) (*Template, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("the template has %d bytes, more than %d", len(text), maxText)
	}
	if !strings.Contains(text, "{") && strings.HasPrefix(strings.TrimPrefix(text, "$"), ".") {
		text = "{" + text + "}"
	}
	p := &parser{rest: text}
	nodes, err := p.nodes(0)
	if err != nil {
		return nil, fmt.Errorf("%w in the template %.200q, at character %d", err, text, len(text)-len(p.rest)+1)
	}
	return &Template{nodes}, nil
}

// Options says how a value is rendered.
type Options struct {
	// Strict makes a name or an index that is not there an error. Else it is
	// left out.
	Strict bool
}

// Text renders a value that was decoded from JSON: maps, slices, strings,
// booleans, nil and numbers of any type. Results of one path are joined by a
// space; what is not plain is JSON.
func (t *Template) Text(value any, o Options) (string, error) {
	e := &evaluation{root: value, strict: o.Strict}
	err := e.render(t.nodes, value)
	return e.out.String(), err
}

// Values returns the results of all paths of the template, without the text
// between them.
func (t *Template) Values(value any, o Options) ([]any, error) {
	e := &evaluation{root: value, strict: o.Strict, keep: true, values: []any{}}
	err := e.render(t.nodes, value)
	return e.values, err
}

// evaluation is one rendering.
type evaluation struct {
	root   any
	strict bool
	out    strings.Builder
	keep   bool // the values, not the text
	values []any
}

func (e *evaluation) render(nodes []node, at any) error {
	for _, n := range nodes {
		switch n := n.(type) {
		case literal:
			e.out.WriteString(string(n))
		case printed:
			if err := e.print(path(n), at); err != nil {
				return err
			}
		case ranged:
			if err := e.each(n, at); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *evaluation) each(n ranged, at any) error {
	found, err := e.find(n.over, at)
	if err != nil {
		return err
	}
	for _, value := range found {
		if err := e.render(n.nodes, value); err != nil {
			return err
		}
	}
	return nil
}

func (e *evaluation) print(p path, at any) error {
	found, err := e.find(p, at)
	if err != nil {
		return err
	}
	if e.keep {
		e.values = append(e.values, found...)
		return nil
	}
	for i, value := range found {
		if i > 0 {
			e.out.WriteByte(' ')
		}
		text, err := plain(value)
		if err != nil {
			return err
		}
		e.out.WriteString(text)
	}
	return nil
}

// plain is a value as text.
func plain(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case nil:
		return "null", nil
	case map[string]any, []any:
		body, err := json.Marshal(v)
		return string(body), err
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	}
	return fmt.Sprint(value), nil
}

// errFound is what a path gets that is made to exhaust us.
var errFound = errors.New("too many values")

// find follows a path.
func (e *evaluation) find(p path, at any) ([]any, error) {
	if p.root {
		at = e.root
	}
	found := []any{at}
	for _, s := range p.steps {
		var next []any
		for _, value := range found {
			more, err := s.from(e, value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.text, err)
			}
			if next = append(next, more...); len(next) > maxFound {
				return nil, fmt.Errorf("%s: %w", p.text, errFound)
			}
		}
		found = next
	}
	return found, nil
}
