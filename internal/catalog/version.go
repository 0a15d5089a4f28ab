package catalog

import (
	"fmt"
	"slices"

	"github.com/blang/semver/v4"
)

// targets returns the entries of a channel that are wanted.
func (s *shelf) targets(g *upgrades, w Wanted) (*choice, error) {
	found := &choice{upgrades: g, targets: map[string]bool{}, all: w.All}
	switch {
	case w.heads():
		found.targets[g.head()], found.alone = true, true
		return found, nil
	case w.All:
		found.targets = g.all()
		return found, nil
	}
	versions, err := s.parsed(g)
	if err != nil {
		return nil, err
	}
	if w.exact() {
		found.alone = true
		if name := g.exactly(versions, semver.MustParse(w.Min)); name != "" {
			found.targets[name] = true
		}
		return found, nil
	}
	for name, v := range versions {
		if w.includes(v) {
			found.targets[name] = true
		}
	}
	return found, nil
}

// includes reports whether a version is in the range. Build metadata does not count.
func (w Wanted) includes(v semver.Version) bool {
	if w.Min != "" && v.LT(semver.MustParse(w.Min)) {
		return false
	}
	return w.Max == "" || v.LTE(semver.MustParse(w.Max))
}

// exactly returns the entry that has a version. Several may differ in their
// build metadata: then the one that has the same is meant, else the newest, as
// the chain of upgrades has it.
func (g *upgrades) exactly(versions map[string]semver.Version, want semver.Version) string {
	found := ""
	for _, name := range g.inOrder() {
		v, ok := versions[name]
		if !ok || v.NE(want) {
			continue
		}
		if slices.Equal(v.Build, want.Build) {
			return name
		}
		if found == "" {
			found = name
		}
	}
	return found
}

// parsed returns the versions of a channel's entries. Those without a bundle
// have none.
func (s *shelf) parsed(g *upgrades) (map[string]semver.Version, error) {
	out := make(map[string]semver.Version, len(g.Entries))
	for i := range g.Entries {
		b := s.bundles[g.Entries[i].Name]
		if b == nil {
			continue
		}
		v, err := semver.Parse(b.Version)
		if err != nil {
			return nil, selectError{ErrBroken, fmt.Sprintf("package %s: bundle %s has the version %q, which cannot be compared with others: %v", s.name, b.Name, b.Version, err)}
		}
		out[b.Name] = v
	}
	return out, nil
}

// versions returns the versions of a channel, of all channels if that is nil, in
// ascending order. It is for messages: those that cannot be read are left out.
func (s *shelf) versions(g *upgrades) []string {
	var found []semver.Version
	for name, b := range s.bundles {
		if v, err := semver.Parse(b.Version); err == nil && (g == nil || g.entries[name] != nil) {
			found = append(found, v)
		}
	}
	semver.Sort(found)
	var out []string
	for _, v := range found {
		out = append(out, v.String())
	}
	return out
}
