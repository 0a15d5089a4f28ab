package catalog

import (
	"maps"
	"slices"
)

// supply is what a catalog has for what its bundles need. It is found out when
// it is asked for.
type supply struct {
	known  []*facts // of all bundles, by package and name; nil before they are read
	byAPI  map[gvk][]*facts
	having map[string][]*facts // what meets a need, by its text
	dead   map[*facts]bool     // what needs what cannot be had; nil before that is known
	steps  int                 // choices tried so far
}

// providers returns the bundles of the catalog that meet a need.
func (s *selector) providers(n need) []*facts {
	text := n.String()
	found, ok := s.having[text]
	if !ok {
		found = s.look(n)
		if s.having == nil {
			s.having = map[string][]*facts{}
		}
		s.having[text] = found
	}
	return found
}

// look goes through the bundles that may meet a need.
func (s *selector) look(n need) []*facts {
	if n.pkg != "" {
		return s.among(s.factsIn(n.pkg), n)
	}
	s.readAll()
	if (n.api != gvk{}) {
		return s.byAPI[n.api]
	}
	return s.among(s.known, n)
}

func (s *selector) among(all []*facts, n need) []*facts {
	return slices.DeleteFunc(slices.Clone(all), func(f *facts) bool { return !f.meets(n) })
}

// factsIn returns the facts of a package's bundles, by name.
func (s *selector) factsIn(name string) []*facts {
	var out []*facts
	if shelf := s.shelves[name]; shelf != nil {
		for _, bundle := range slices.Sorted(maps.Keys(shelf.bundles)) {
			out = append(out, s.factsOf(shelf.bundles[bundle]))
		}
	}
	return out
}

func (s *selector) readAll() {
	if s.known != nil {
		return
	}
	s.known, s.byAPI = []*facts{}, map[gvk][]*facts{}
	for _, name := range slices.Sorted(maps.Keys(s.shelves)) {
		s.known = append(s.known, s.factsIn(name)...)
	}
	for _, f := range s.known {
		for api := range f.apis {
			s.byAPI[api] = append(s.byAPI[api], f)
		}
	}
}

// viable reports whether the catalog may have all that a bundle needs, and all
// that this needs, and so on. If it does not, nothing that holds together has
// the bundle; if it does, versions that would come along may still spoil it.
func (s *selector) viable(f *facts) bool {
	if s.dead == nil {
		s.readAll()
		s.bury()
	}
	return !s.dead[f]
}

// bury finds what cannot be had: first what needs what nothing offers, then what
// needs that, until there is no more.
func (s *selector) bury() {
	s.dead = map[*facts]bool{}
	left := map[string]int{}        // how many offer what a need is about
	askers := map[string][]*facts{} // who has a need
	serves := map[*facts][]string{} // the needs that a bundle meets
	var doomed []*facts
	for _, f := range s.known {
		for _, n := range f.needs {
			text := n.String()
			if askers[text] == nil {
				providers := s.providers(n)
				left[text] = len(providers)
				for _, p := range providers {
					serves[p] = append(serves[p], text)
				}
			}
			askers[text] = append(askers[text], f)
			if left[text] == 0 {
				doomed = append(doomed, f)
			}
		}
	}
	for ; len(doomed) > 0; doomed = doomed[1:] {
		f := doomed[0]
		if s.dead[f] {
			continue
		}
		s.dead[f] = true
		for _, text := range serves[f] {
			if left[text]--; left[text] == 0 {
				doomed = append(doomed, askers[text]...)
			}
		}
	}
}
