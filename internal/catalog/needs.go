package catalog

import (
	"encoding/json"
	"fmt"
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

// need is something that a bundle requires: a package, an API, all or one of
// several needs. The zero need is met by anything.
type need struct {
	pkg      string
	versions string // of the package, as written
	inRange  semver.Range
	api      gvk
	all, any []need
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
	case n.any != nil:
		return "one of: " + joined(n.any)
	}
	return joined(n.all)
}

func joined(needs []need) string {
	var out []string
	for _, n := range needs {
		out = append(out, n.String())
	}
	return strings.Join(out, "; ")
}

// facts are what a bundle offers and needs.
type facts struct {
	bundle  *Bundle
	version semver.Version
	valid   bool // the version is one
	apis    map[gvk]bool
	needs   []need
	unclear []string // what it needs in a form that cannot be checked here
}

// meets reports whether one bundle meets a need for a package or an API.
func (f *facts) meets(n need) bool {
	if n.pkg != "" {
		return f.bundle.Package == n.pkg && (n.inRange == nil || f.valid && n.inRange(f.version))
	}
	return f.apis[n.api]
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
		err = json.Unmarshal(p.Value, &n.api)
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
		return need{}, err
	}
	n := need{pkg: p.PackageName, versions: p.VersionRange}
	if n.versions == "" {
		return n, nil
	}
	var err error
	if n.inRange, err = semver.ParseRange(n.versions); err != nil {
		return need{}, fmt.Errorf("the range of versions %q: %w", n.versions, err)
	}
	return n, nil
}

// maxConstraintDepth bounds constraints within constraints, as OLM does.
const maxConstraintDepth = 64

// constraint is the value of an olm.constraint.
type constraint struct {
	Package json.RawMessage `json:"package"`
	GVK     *gvk            `json:"gvk"`
	All     *constraints    `json:"all"`
	Any     *constraints    `json:"any"`
	Not     json.RawMessage `json:"not"`
	CEL     json.RawMessage `json:"cel"`
}

type constraints struct {
	Constraints []json.RawMessage `json:"constraints"`
}

// constraintNeed reads a constraint. What must not be there is a matter of the
// cluster and not of the catalog, so not is always met. Expressions in CEL
// cannot be checked here. With an error it returns what is needed in any case:
// of several needs those that are clear, of alternatives none.
func constraintNeed(value []byte, depth int) (need, error) {
	var c constraint
	if err := json.Unmarshal(value, &c); err != nil {
		return need{}, err
	}
	switch {
	case depth > maxConstraintDepth:
		return need{}, fmt.Errorf("constraints are nested more than %d deep", maxConstraintDepth)
	case c.Package != nil:
		return packageNeed(c.Package)
	case c.GVK != nil:
		return need{api: *c.GVK}, nil
	case c.All != nil:
		parts, err := c.All.needs(depth)
		return need{all: parts}, err
	case c.Any != nil:
		parts, err := c.Any.needs(depth)
		if err != nil {
			return need{}, err
		}
		return need{any: parts}, nil
	case c.CEL != nil:
		return need{}, fmt.Errorf("an expression in CEL cannot be checked without a cluster")
	case c.Not != nil:
		return need{}, nil
	}
	return need{}, fmt.Errorf("it is of a kind that is not known")
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

// unmet returns the parts of a need that nothing meets. Of alternatives none or
// all are missing.
func (n need) unmet(met func(need) bool) []need {
	switch {
	case n.all != nil:
		var out []need
		for _, part := range n.all {
			out = append(out, part.unmet(met)...)
		}
		return out
	case n.any != nil:
		for _, part := range n.any {
			if len(part.unmet(met)) == 0 {
				return nil
			}
		}
		return []need{n}
	case n.pkg == "" && n.api == gvk{}, met(n):
		return nil
	}
	return []need{n}
}
