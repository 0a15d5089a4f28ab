package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/blang/semver/v4"
)

// gvk names an API of Kubernetes.
type gvk struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

// String returns the API as people write it.
func (g gvk) String() string { return g.Kind + "." + g.Version + "." + g.Group }

// need is something that a bundle requires: that there is one bundle which is of
// a package, has an API, or answers to all, one or none of several needs at
// once, as OLM takes it. The zero need is met by any bundle.
type need struct {
	pkg           string
	versions      string // of the package, as written
	inRange       semver.Range
	api           gvk
	all, any, not []need
	unclear       bool // what is needed cannot be told here
}

// String names the need, for messages.
func (n need) String() string {
	switch {
	case n.pkg != "" && n.versions != "":
		return fmt.Sprintf("package %s in a version %s", n.pkg, n.versions)
	case n.pkg != "":
		return "package " + n.pkg
	case n.api != gvk{}:
		return "the API " + n.api.String()
	case n.all != nil:
		return "one bundle with all of: " + joined(n.all)
	case n.any != nil:
		return "one of: " + joined(n.any)
	case n.not != nil:
		return "a bundle with none of: " + joined(n.not)
	case n.unclear:
		return "what cannot be checked here"
	}
	return "any bundle"
}

func joined(needs []need) string {
	var out []string
	for _, n := range needs {
		text := n.String()
		if n.all != nil || n.any != nil || n.not != nil {
			text = "(" + text + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// answer is whether a bundle is what is needed.
type answer int

// The answers, in this order: the answer to all of several needs is the
// least, to one of them the greatest.
const (
	no answer = iota
	maybe
	yes
)

// facts are what a bundle offers and needs.
type facts struct {
	bundle  *Bundle
	version semver.Version
	valid   bool // the version is one
	apis    map[gvk]bool
	needs   []need
	unclear []string // what it needs in a form that cannot be checked here
}

// meets reports whether a bundle is what is needed, as far as that can be told.
func (f *facts) meets(n need) bool { return f.answer(n) != no }

func (f *facts) answer(n need) answer {
	switch {
	case n.pkg != "":
		return certain(f.bundle.Package == n.pkg && (n.inRange == nil || f.valid && n.inRange(f.version)))
	case n.api != gvk{}:
		return certain(f.apis[n.api])
	case n.all != nil:
		return f.least(n.all)
	case n.any != nil:
		return f.greatest(n.any)
	case n.not != nil:
		return yes - f.greatest(n.not)
	case n.unclear:
		return maybe
	}
	return yes
}

// alternative returns which of alternatives the bundle is, counted from 0.
func (f *facts) alternative(n need) int {
	return max(0, slices.IndexFunc(n.any, f.meets))
}

func certain(met bool) answer {
	if met {
		return yes
	}
	return no
}

func (f *facts) least(needs []need) answer {
	out := yes
	for _, n := range needs {
		out = min(out, f.answer(n))
	}
	return out
}

func (f *facts) greatest(needs []need) answer {
	out := no
	for _, n := range needs {
		out = max(out, f.answer(n))
	}
	return out
}

// newFacts reads the properties of a bundle.
func newFacts(b *Bundle) *facts {
	f := &facts{bundle: b, apis: map[gvk]bool{}}
	v, err := semver.Parse(b.Version)
	f.version, f.valid = v, err == nil
	for _, p := range b.Properties {
		if err := f.property(p); err != nil {
			f.unclear = append(f.unclear, fmt.Sprintf("its %s: %v", p.Type, err))
		}
	}
	return f
}

func (f *facts) property(p Property) error {
	var n need
	var err error
	switch p.Type {
	case PropertyGVK:
		var api gvk
		err = json.Unmarshal(p.Value, &api)
		f.apis[api] = true
		return err
	case PropertyPackageRequired:
		n, err = packageNeed(p.Value)
	case PropertyGVKRequired:
		n, err = apiNeed(p.Value)
	case PropertyConstraint:
		n, err = constraintNeed(p.Value, 0)
	default:
		return nil
	}
	f.needs = append(f.needs, n) // as far as it is clear
	return err
}

func packageNeed(value []byte) (need, error) {
	var p struct{ PackageName, VersionRange string }
	if err := json.Unmarshal(value, &p); err != nil {
		return need{unclear: true}, err
	}
	n := need{pkg: p.PackageName, versions: p.VersionRange}
	if n.versions == "" {
		return n, nil
	}
	var err error
	if n.inRange, err = semver.ParseRange(n.versions); err != nil {
		return need{unclear: true}, fmt.Errorf("the range of versions %q: %w", n.versions, err)
	}
	return n, nil
}

func apiNeed(value []byte) (need, error) {
	var n need
	if err := json.Unmarshal(value, &n.api); err != nil {
		return need{unclear: true}, err
	}
	return n, nil
}

// maxConstraintDepth bounds constraints within constraints. OLM bounds the bytes
// of a constraint instead; none is made that deep.
const maxConstraintDepth = 64

// constraint is the value of an olm.constraint.
type constraint struct {
	Package json.RawMessage `json:"package"`
	GVK     *gvk            `json:"gvk"`
	All     *constraints    `json:"all"`
	Any     *constraints    `json:"any"`
	Not     *constraints    `json:"not"`
	CEL     json.RawMessage `json:"cel"`
}

type constraints struct {
	Constraints []json.RawMessage `json:"constraints"`
}

// constraintNeed reads a constraint. Expressions in CEL cannot be checked here.
// With an error it returns what is needed as far as it is clear.
func constraintNeed(value []byte, depth int) (need, error) {
	var c constraint
	if err := json.Unmarshal(value, &c); err != nil {
		return need{unclear: true}, err
	}
	switch {
	case depth > maxConstraintDepth:
		return need{unclear: true}, fmt.Errorf("constraints are nested more than %d deep", maxConstraintDepth)
	case c.GVK != nil:
		return need{api: *c.GVK}, nil
	case c.Package != nil:
		return packageNeed(c.Package)
	case c.All != nil:
		parts, err := c.All.needs(depth)
		return need{all: parts}, err
	case c.Any != nil:
		parts, err := c.Any.needs(depth)
		return need{any: parts}, err
	case c.Not != nil:
		parts, err := c.Not.needs(depth)
		return need{not: parts}, err
	case c.CEL != nil:
		return need{unclear: true}, errors.New("an expression in CEL cannot be checked without a cluster")
	}
	return need{unclear: true}, errors.New("it is of a kind that is not known")
}

// needs reads all constraints, and returns the first error.
func (c *constraints) needs(depth int) ([]need, error) {
	out := []need{}
	var unclear error
	for _, value := range c.Constraints {
		n, err := constraintNeed(value, depth+1)
		if err != nil && unclear == nil {
			unclear = err
		}
		out = append(out, n)
	}
	return out, unclear
}
