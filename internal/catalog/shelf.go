package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/spelling"
)

// shelf is one package of a catalog with all that belongs to it.
type shelf struct {
	name     string
	packages []*Package // one, where the catalog is right
	channels []*Channel
	bundles  map[string]*Bundle
	graphs   map[string]*upgrades // of the channels looked at so far
}

// shelves are the packages of a catalog.
type shelves map[string]*shelf

// newShelves sorts a catalog by package. Documents without one are left out.
func newShelves(c *Catalog) shelves {
	out := shelves{}
	for i := range c.Packages {
		s := out.of(c.Packages[i].Name)
		s.packages = append(s.packages, &c.Packages[i])
	}
	for i := range c.Channels {
		s := out.of(c.Channels[i].Package)
		s.channels = append(s.channels, &c.Channels[i])
	}
	for i := range c.Bundles {
		b := &c.Bundles[i]
		if s := out.of(b.Package); s.bundles[b.Name] == nil {
			s.bundles[b.Name] = b
		}
	}
	return out
}

func (all shelves) of(name string) *shelf {
	s := all[name]
	if s == nil {
		s = &shelf{name: name, bundles: map[string]*Bundle{}, graphs: map[string]*upgrades{}}
		all[name] = s
	}
	return s
}

// names returns the packages that a catalog offers, sorted.
func (all shelves) names() []string {
	var out []string
	for name, s := range all {
		if len(s.packages) > 0 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// find returns a package that can be offered.
func (all shelves) find(name string) (*shelf, error) {
	s := all[name]
	switch {
	case s == nil || len(s.packages) == 0 && len(s.channels) == 0:
		return nil, selectError{ErrNotInCatalog, fmt.Sprintf("the catalog has no package %s%s", name, all.hint(name))}
	case len(s.packages) == 0:
		return nil, selectError{ErrBroken, fmt.Sprintf("package %s: the catalog has no %s document for it", name, SchemaPackage)}
	case len(s.packages) > 1:
		return nil, selectError{ErrBroken, fmt.Sprintf("package %s: the catalog has it twice, in %s and %s", name, s.packages[0].where(), s.packages[1].where())}
	case len(s.channels) == 0:
		return nil, selectError{ErrBroken, fmt.Sprintf("package %s: it has no channels", name)}
	}
	return s, nil
}

// where says where a document stands, for messages.
func (m *Meta) where() string {
	if m.File == "" {
		return "the database"
	}
	return fmt.Sprintf("%s, line %d", m.File, m.Line)
}

// hint says which packages there are instead.
func (all shelves) hint(name string) string {
	names := all.names()
	if len(names) == 0 {
		return ", and no others"
	}
	if len(names) <= maxNamed {
		return "; it has " + some(names)
	}
	near := nearest(name, names)
	if len(near) == 0 {
		return fmt.Sprintf(", but %d others", len(names))
	}
	return fmt.Sprintf(", but %d others; the nearest are %s", len(names), some(near))
}

// channelNames returns the names of the channels, sorted.
func (s *shelf) channelNames() []string {
	var out []string
	for _, c := range s.channels {
		out = append(out, c.Name)
	}
	slices.Sort(out)
	return out
}

// graph returns the upgrade graph of a channel.
func (s *shelf) graph(channel string) (*upgrades, error) {
	if g := s.graphs[channel]; g != nil {
		return g, nil
	}
	c, err := s.channel(channel)
	if err != nil {
		return nil, err
	}
	g, err := newUpgrades(c)
	if err != nil {
		return nil, selectError{ErrBroken, fmt.Sprintf("package %s: channel %s cannot be used: %v", s.name, channel, err)}
	}
	s.graphs[channel] = g
	return g, nil
}

func (s *shelf) channel(name string) (*Channel, error) {
	var found *Channel
	for _, c := range s.channels {
		switch {
		case c.Name != name:
		case found != nil:
			return nil, selectError{ErrBroken, fmt.Sprintf("package %s: the catalog has its channel %s twice, in %s and %s", s.name, name, found.where(), c.where())}
		default:
			found = c
		}
	}
	if found == nil {
		return nil, selectError{ErrNotInCatalog, fmt.Sprintf("package %s has no channel %s; it has %s", s.name, name, some(s.channelNames()))}
	}
	return found, nil
}

// nearest returns the names that look most like one that does not exist: those
// that contain it or that it contains, then those with few different letters.
func nearest(name string, names []string) []string {
	return spelling.Nearest(names, 5, func(n string) (int, bool) {
		far := spelling.Distance(name, n)
		if strings.Contains(n, name) || strings.Contains(name, n) {
			far = 0
		}
		return far, far <= max(2, len(name)/3)
	})
}
