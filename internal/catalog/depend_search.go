package catalog

import (
	"maps"
	"slices"
)

// maxSteps bounds how many choices are tried. Real catalogs take some dozens:
// what cannot be had at all is known before, so only versions that come along
// with others can make a choice fail.
const maxSteps = 2000

// search adds what is missing. It tries the choices of each need in their order,
// goes back where one leads to what cannot be had, and finds what meets all
// needs if there is such a thing and it takes no more than maxSteps. Then all of
// it is kept, else nothing more than before. pending is what is to be looked at
// before anything else.
func (s *selector) search(pending []lack) bool {
	if pending = s.stillMissing(pending); len(pending) == 0 {
		if pending = s.lacks(); len(pending) == 0 {
			return true
		}
	}
	l := pending[0]
	for _, o := range s.choicesFor(l) {
		if s.steps++; s.steps > maxSteps {
			return false
		}
		undo := s.mark(o)
		if s.keep(o, l) == nil && s.sound(o) && s.search(append(s.standardOf(o, l), pending[1:]...)) {
			return true
		}
		undo()
	}
	return false
}

// stillMissing leaves out of lacks what something else met in the meantime.
func (s *selector) stillMissing(lacks []lack) []lack {
	if len(lacks) == 0 {
		return nil
	}
	kept := s.keptFacts()
	return slices.DeleteFunc(slices.Clone(lacks), func(l lack) bool {
		return l.standard == nil && s.met(l.need, kept)
	})
}

// choicesFor returns the offers for what is missing that may do.
func (s *selector) choicesFor(l lack) []offer {
	var out []offer
	if l.standard == nil {
		out = s.offers(l.need)
	} else if g, err := l.standard.graph(s.defaultOf(l.standard)); err == nil {
		for _, entry := range g.inOrder() {
			if b := l.standard.bundles[entry]; b != nil {
				out = append(out, offer{shelf: l.standard, graph: g, bundle: s.factsOf(b)})
			}
		}
	}
	return slices.DeleteFunc(out, func(o offer) bool { return !s.viable(o.bundle) })
}

// standardOf returns that a package lacks its default channel, if it does
// after an offer was kept. Of packages that the user wants it is told at the end.
func (s *selector) standardOf(o offer, l lack) []lack {
	c := s.picked[o.shelf.name]
	if c.neededBy == "" || c.channels[s.defaultOf(o.shelf)] != nil {
		return nil
	}
	return []lack{{by: l.by, need: l.need, standard: o.shelf}}
}

// sound reports whether the channel of an offer that is kept holds together and
// has nothing that cannot be had.
func (s *selector) sound(o offer) bool {
	c := s.picked[o.shelf.name]
	kept := c.channels[o.graph.Name].kept()
	if _, err := c.reduced(c.channels[o.graph.Name], kept); err != nil {
		return false
	}
	for name := range kept {
		if !s.viable(s.factsOf(c.bundles[name])) {
			return false
		}
	}
	return true
}

// mark returns what takes back that an offer is kept, and all that came after.
func (s *selector) mark(o offer) (undo func()) {
	notes, c := len(s.notes), s.picked[o.shelf.name]
	if c == nil {
		return func() {
			s.notes = s.notes[:notes]
			delete(s.picked, o.shelf.name)
		}
	}
	before, had := c.channels[o.graph.Name]
	if had {
		targets := maps.Clone(before.targets)
		before = &choice{before.upgrades, targets, before.alone, before.all}
	}
	return func() {
		s.notes = s.notes[:notes]
		c.kept = nil
		delete(c.channels, o.graph.Name)
		if had {
			c.channels[o.graph.Name] = before
		}
	}
}
