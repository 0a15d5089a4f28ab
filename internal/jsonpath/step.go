package jsonpath

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// step is one part of a path: from a value to others.
type step interface {
	from(e *evaluation, value any) ([]any, error)
}

type name string

func (n name) from(e *evaluation, value any) ([]any, error) {
	if fields, ok := value.(map[string]any); ok {
		if v, ok := fields[string(n)]; ok {
			return []any{v}, nil
		}
	}
	if e.strict {
		return nil, fmt.Errorf("%s is not found", string(n))
	}
	return nil, nil
}

type index int

func (i index) from(e *evaluation, value any) ([]any, error) {
	list, ok := value.([]any)
	at := int(i)
	if at < 0 {
		at += len(list)
	}
	if ok && at >= 0 && at < len(list) {
		return []any{list[at]}, nil
	}
	if e.strict {
		return nil, fmt.Errorf("there is no element %d", int(i))
	}
	return nil, nil
}

// slice is [from:to:by]; nil stands for what was left out.
type slice struct{ first, last, by *int }

func (s slice) from(_ *evaluation, value any) ([]any, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, nil
	}
	first, last, by := bound(s.first, len(list), 0), bound(s.last, len(list), len(list)), 1
	if s.by != nil {
		by = *s.by
	}
	var out []any
	for i := first; i < last; i += by {
		out = append(out, list[i])
	}
	return out, nil
}

// bound is an index within a list, from its end where negative.
func bound(i *int, length, other int) int {
	switch {
	case i == nil:
		return other
	case *i < 0:
		return max(*i+length, 0)
	}
	return min(*i, length)
}

type all struct{}

func (all) from(_ *evaluation, value any) ([]any, error) { return children(value), nil }

// children are the elements of a list, or the values of a map in the order of
// their names.
func children(value any) []any {
	switch v := value.(type) {
	case []any:
		return v
	case map[string]any:
		var out []any
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out = append(out, v[key])
		}
		return out
	}
	return nil
}

// union is [a,b].
type union []step

func (u union) from(e *evaluation, value any) ([]any, error) {
	var out []any
	for _, s := range u {
		found, err := s.from(e, value)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// deep is ..step: at any depth, the value itself first.
type deep struct{ next step }

func (d deep) from(e *evaluation, value any) ([]any, error) {
	lenient := &evaluation{root: e.root} // that some have it not is the point
	out, err := d.next.from(lenient, value)
	for _, child := range children(value) {
		if err != nil {
			return nil, err
		}
		var more []any
		more, err = d.from(lenient, child)
		if out = append(out, more...); len(out) > maxFound {
			return nil, errFound
		}
	}
	return out, err
}

// filter is [?(left op right)]; without op it asks whether left is there.
type filter struct {
	left, right operand
	op          string
}

// operand is a path, or a value where that is nil.
type operand struct {
	path  *path
	value any
}

func (f filter) from(e *evaluation, value any) ([]any, error) {
	var out []any
	for _, child := range children(value) {
		ok, err := f.holds(e, child)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, child)
		}
	}
	return out, nil
}

func (f filter) holds(e *evaluation, value any) (bool, error) {
	left, okLeft, err := f.left.of(e, value)
	if err != nil || f.op == "" {
		return okLeft, err
	}
	right, okRight, err := f.right.of(e, value)
	if err != nil || !okLeft || !okRight {
		return false, err
	}
	return compare(left, f.op, right), nil
}

// of returns the operand's value, and whether there is one.
func (o operand) of(e *evaluation, value any) (any, bool, error) {
	if o.path == nil {
		return o.value, true, nil
	}
	found, err := (&evaluation{root: e.root}).find(*o.path, value)
	if err != nil || len(found) == 0 {
		return nil, false, err
	}
	return found[0], true, nil
}

func compare(left any, op string, right any) bool {
	order, ok := 0, false
	a, numberA := number(left)
	b, numberB := number(right)
	textA, isTextA := left.(string)
	textB, isTextB := right.(string)
	switch {
	case numberA && numberB:
		ok = true
		if a < b {
			order = -1
		} else if a > b {
			order = 1
		}
	case isTextA && isTextB:
		order, ok = strings.Compare(textA, textB), true
	}
	return judge(op, order, ok, left, right)
}

// judge decides by the order where there is one, else whether both are the same
// boolean or nothing.
func judge(op string, order int, ordered bool, left, right any) bool {
	equal := ordered && order == 0 || !ordered && isPlain(left) && left == right
	switch op {
	case "==":
		return equal
	case "!=":
		return !equal
	case "<":
		return ordered && order < 0
	case "<=":
		return ordered && order <= 0
	case ">":
		return ordered && order > 0
	}
	return ordered && order >= 0
}

func isPlain(value any) bool {
	_, isBool := value.(bool)
	return isBool || value == nil
}

func number(value any) (float64, bool) {
	switch n := value.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	case int:
		return float64(n), true
	}
	return 0, false
}
