package jsonpath

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

type parser struct {
	rest string
}

// word takes a text off the front if it is there.
func (p *parser) word(s string) bool {
	rest, ok := strings.CutPrefix(p.rest, s)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *parser) spaces() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// nodes reads text and braces up to {end}, or to the end of the outermost.
func (p *parser) nodes(depth int) ([]node, error) {
	var out []node
	for {
		text, _, found := strings.Cut(p.rest, "{")
		if text != "" {
			out = append(out, literal(text))
		}
		if !found {
			p.rest = ""
			if depth > 0 {
				return nil, errors.New("{range} without {end}")
			}
			return out, nil
		}
		p.rest = p.rest[len(text)+1:]
		p.spaces()
		if p.keyword("end") {
			if depth == 0 {
				return nil, errors.New("{end} without {range}")
			}
			return out, p.close()
		}
		inside, err := p.inside(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, inside...)
	}
}

// keyword takes a word that stands alone.
func (p *parser) keyword(word string) bool {
	rest, ok := strings.CutPrefix(p.rest, word)
	if !ok || rest != "" && !strings.ContainsAny(rest[:1], " \t}") {
		return false
	}
	p.rest = rest
	p.spaces()
	return true
}

// close takes the closing brace.
func (p *parser) close() error {
	p.spaces()
	if !p.word("}") {
		return errors.New("} is missing")
	}
	return nil
}

// inside reads what stands in one pair of braces, and a range to its end.
func (p *parser) inside(depth int) ([]node, error) {
	if p.keyword("range") {
		n, err := p.ranged(depth)
		return []node{n}, err
	}
	var out []node
	for !p.word("}") {
		n, err := p.item()
		if err != nil {
			return nil, err
		}
		out = append(out, n)
		p.spaces()
	}
	return out, nil
}

func (p *parser) ranged(depth int) (node, error) {
	if depth == maxDepth {
		return nil, fmt.Errorf("more than %d ranges in each other", maxDepth)
	}
	over, err := p.path(0)
	if err != nil {
		return nil, err
	}
	if err := p.close(); err != nil {
		return nil, err
	}
	nodes, err := p.nodes(depth + 1)
	return ranged{over, nodes}, err
}

func (p *parser) item() (node, error) {
	if p.rest == "" {
		return nil, errors.New("} is missing")
	}
	if p.rest[0] == '"' || p.rest[0] == '\'' {
		text, err := p.quoted()
		return literal(text), err
	}
	found, err := p.path(0)
	return printed(found), err
}

// quoted reads a text in single or double quotes, with Go's escapes.
func (p *parser) quoted() (string, error) {
	quote := p.rest[0]
	for end := 1; end < len(p.rest); end++ {
		switch p.rest[end] {
		case '\\':
			end++
		case quote:
			body := p.rest[1:end]
			p.rest = p.rest[end+1:]
			return unquote(body)
		}
	}
	return "", fmt.Errorf("%c is missing", quote)
}

func unquote(body string) (string, error) {
	var out []rune
	for body != "" {
		r, _, tail, err := strconv.UnquoteChar(body, 0)
		switch {
		case err == nil:
			out, body = append(out, r), tail
		case strings.HasPrefix(body, `\'`), strings.HasPrefix(body, `\"`):
			out, body = append(out, rune(body[1])), body[2:]
		default:
			return "", fmt.Errorf("%q is no escape", body[:min(2, len(body))])
		}
	}
	return string(out), nil
}

// path reads $, @ and the steps after it.
func (p *parser) path(depth int) (path, error) {
	start := p.rest
	out := path{root: p.word("$")}
	if !out.root {
		p.word("@")
	}
	for len(out.steps) <= maxSteps {
		s, more, err := p.step(depth)
		if err != nil {
			return out, err
		}
		if !more {
			out.text = strings.TrimSuffix(start, p.rest)
			if out.text == "" {
				return out, fmt.Errorf("%.20q is no path", p.rest)
			}
			return out, nil
		}
		if s != nil {
			out.steps = append(out.steps, s)
		}
	}
	return out, fmt.Errorf("a path has more than %d steps", maxSteps)
}

// step reads one step; more is false where there is none. A dot alone is the
// value itself, and has none either.
func (p *parser) step(depth int) (s step, more bool, err error) {
	switch {
	case p.word(".."):
		s, err = p.afterDots(depth)
		return deep{s}, true, err
	case p.word("."):
		return p.afterDot()
	case p.word("["):
		s, err = p.brackets(depth)
		return s, true, err
	}
	return nil, false, nil
}

func (p *parser) afterDots(depth int) (step, error) {
	if p.word("[") {
		return p.brackets(depth)
	}
	s, _, err := p.afterDot()
	if s == nil && err == nil {
		err = errors.New("a name is missing after two dots")
	}
	return s, err
}

func (p *parser) afterDot() (step, bool, error) {
	if p.word("*") {
		return all{}, true, nil
	}
	var b strings.Builder
	for p.rest != "" {
		if p.rest[0] == '\\' && len(p.rest) > 1 {
			b.WriteByte(p.rest[1])
			p.rest = p.rest[2:]
			continue
		}
		if strings.IndexByte(" \t\r\n.[]{}(),=!<>'\"*", p.rest[0]) >= 0 {
			break
		}
		b.WriteByte(p.rest[0])
		p.rest = p.rest[1:]
	}
	if b.Len() == 0 {
		return nil, true, nil
	}
	return name(b.String()), true, nil
}

// brackets reads what follows [.
func (p *parser) brackets(depth int) (step, error) {
	var u union
	for {
		p.spaces()
		s, err := p.selector(depth)
		if err != nil {
			return nil, err
		}
		u = append(u, s)
		p.spaces()
		if p.word("]") {
			break
		}
		if !p.word(",") {
			return nil, errors.New("] is missing")
		}
	}
	if len(u) == 1 {
		return u[0], nil
	}
	return u, nil
}

func (p *parser) selector(depth int) (step, error) {
	switch {
	case p.word("*"):
		return all{}, nil
	case p.word("?("):
		return p.filter(depth + 1)
	case p.rest != "" && (p.rest[0] == '\'' || p.rest[0] == '"'):
		text, err := p.quoted()
		return name(text), err
	}
	return p.numbers()
}

// numbers reads an index, or a slice of two or three.
func (p *parser) numbers() (step, error) {
	end := strings.IndexAny(p.rest, ",]")
	if end < 0 {
		return nil, errors.New("] is missing")
	}
	text := p.rest[:end]
	p.rest = p.rest[end:]
	parts := strings.Split(text, ":")
	if len(parts) > 3 {
		return nil, fmt.Errorf("%.40q is no slice", text)
	}
	bounds := make([]*int, 3)
	for i, part := range parts {
		if part = strings.TrimSpace(part); part == "" && len(parts) > 1 {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("%.40q is no index, slice, * or quoted name", text)
		}
		bounds[i] = &n
	}
	if len(parts) == 1 {
		return index(*bounds[0]), nil
	}
	if bounds[2] != nil && *bounds[2] < 1 {
		return nil, fmt.Errorf("%.40q does not step forward", text)
	}
	return slice{bounds[0], bounds[1], bounds[2]}, nil
}

var operators = []string{"==", "!=", "<=", ">=", "<", ">"}

// filter reads what follows ?(.
func (p *parser) filter(depth int) (step, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d filters in each other", maxDepth)
	}
	var f filter
	var err error
	if f.left, err = p.operand(depth); err != nil {
		return nil, err
	}
	p.spaces()
	if at := slices.IndexFunc(operators, p.word); at >= 0 {
		f.op = operators[at]
		if f.right, err = p.operand(depth); err != nil {
			return nil, err
		}
		p.spaces()
	}
	if !p.word(")") {
		return nil, errors.New(") is missing, or an operator that is not one of == != < <= > >=")
	}
	return f, nil
}

func (p *parser) operand(depth int) (operand, error) {
	p.spaces()
	switch {
	case p.rest == "":
		return operand{}, errors.New("a value is missing")
	case p.rest[0] == '"' || p.rest[0] == '\'':
		text, err := p.quoted()
		return operand{value: text}, err
	case strings.IndexByte("@$.[", p.rest[0]) >= 0:
		found, err := p.path(depth)
		return operand{path: &found}, err
	}
	end := strings.IndexAny(p.rest, " \t)=!<>")
	if end < 0 {
		return operand{}, errors.New(") is missing")
	}
	text := p.rest[:end]
	p.rest = p.rest[end:]
	switch text {
	case "true", "false":
		return operand{value: text == "true"}, nil
	case "null", "nil":
		return operand{}, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return operand{}, fmt.Errorf("%.40q is no value", text)
	}
	return operand{value: n}, nil
}
