package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// lack is a need of a kept bundle that no kept bundle meets.
type lack struct {
	by *Bundle
	need
	// standard is a package that was added and lacks its default channel, without
	// which OLM takes no package; there is no need then.
	standard *shelf
}

// depend sees to it that what kept bundles need is kept too: it is an error, or
// added.
//
// Of all choices the first that works is made, see search. Where none does, the
// first choices are made all the same: they tell what is wrong, or what is not
// met is allowed not to be.
func (s *selector) depend() error {
	if s.options.WithDependencies && s.hopeful() && s.search(nil) {
		return nil
	}
	return s.settle()
}

// hopeful reports whether nothing that is wanted needs what cannot be had.
func (s *selector) hopeful() bool {
	return len(s.lacks()) == 0 || !slices.ContainsFunc(s.keptFacts().list, func(f *facts) bool { return !s.viable(f) })
}

// settle makes first choices, again and again until nothing is missing. Each
// round adds a bundle or gives a need up, so that comes to an end.
func (s *selector) settle() error {
	for {
		lacks := s.lacks()
		if len(lacks) == 0 {
			return nil
		}
		var errs []error
		for _, l := range lacks {
			if !s.met(l.need, s.keptFacts()) { // by what was added just now
				errs = append(errs, s.allow(l, s.resolve(l)))
			}
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
}

// lacks returns what is missing, each need once. A package has to be in a
// certain version: it is chosen before others are looked for that offer an API.
func (s *selector) lacks() []lack {
	kept := s.keptFacts()
	var out []lack
	told := map[string]bool{}
	for _, f := range kept.list {
		s.noteUnclear(f)
		for _, n := range f.needs {
			if text := n.String(); !told[text] && !s.allowed[text] && !s.met(n, kept) {
				told[text] = true
				out = append(out, lack{by: f.bundle, need: n})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b lack) int { return cmp.Compare(b.pkg, a.pkg) })
	return out
}

// allow makes a note of a need that is not met, where that is allowed.
func (s *selector) allow(l lack, err error) error {
	if !s.options.AllowUnmet || !errors.Is(err, ErrUnmet) && !errors.Is(err, ErrDependency) {
		return err
	}
	s.allowed[l.String()] = true
	s.notes = append(s.notes, err.Error())
	return nil
}

// met reports whether one of the bundles that are kept meets a need.
func (s *selector) met(n need, kept *keptFacts) bool {
	return slices.ContainsFunc(s.providers(n), func(f *facts) bool { return kept.has[f] })
}

func (s *selector) noteUnclear(f *facts) {
	for _, text := range f.unclear {
		note := fmt.Sprintf("package %s: whether bundle %s has all that it needs is not known: %s", f.bundle.Package, f.bundle.Name, text)
		if !slices.Contains(s.notes, note) {
			s.notes = append(s.notes, note)
		}
	}
}

// keptFacts are the facts of the kept bundles, by package and name.
type keptFacts struct {
	list []*facts
	has  map[*facts]bool
}

func (s *selector) keptFacts() *keptFacts {
	out := &keptFacts{has: map[*facts]bool{}}
	for _, pkg := range slices.Sorted(maps.Keys(s.picked)) {
		for _, f := range s.keptOf(s.picked[pkg]) {
			out.list, out.has[f] = append(out.list, f), true
		}
	}
	return out
}

// keptOf returns the facts of the kept bundles of a package, by name.
func (s *selector) keptOf(c *choices) []*facts {
	if c.kept != nil {
		return c.kept
	}
	names := map[string]bool{}
	for _, channel := range c.channels {
		maps.Copy(names, channel.kept())
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if b := c.bundles[name]; b != nil {
			c.kept = append(c.kept, s.factsOf(b))
		}
	}
	return c.kept
}

func (s *selector) factsOf(b *Bundle) *facts {
	f := s.facts[b]
	if f == nil {
		f = newFacts(b)
		s.facts[b] = f
	}
	return f
}

// resolve adds what is missing, or says where it could come from.
func (s *selector) resolve(l lack) error {
	offers := s.offers(l.need)
	switch {
	case len(offers) == 0:
		return selectError{ErrUnmet, fmt.Sprintf("package %s: bundle %s needs %s, which the catalog does not have%s%s", l.by.Package, l.by.Name, l.need, s.instead(l.need), s.noOther(l.by))}
	case !s.options.WithDependencies:
		return selectError{ErrDependency, fmt.Sprintf("package %s: bundle %s needs %s, which is not among what is wanted; in the catalog %s", l.by.Package, l.by.Name, l.need, offeredBy(offers))}
	}
	return s.add(offers[max(0, slices.IndexFunc(offers, func(o offer) bool { return s.viable(o.bundle) }))], l)
}

// noOther says how a bundle that cannot be had would have come in, if the user
// does not want it, and that nothing else does.
func (s *selector) noOther(b *Bundle) string {
	why, others := "it would come along with what other bundles need", "no other choice will do"
	switch by := s.picked[b.Package].neededBy; {
	case by != "":
		why = fmt.Sprintf("the package would be added because bundle %s needs it", by)
	case s.steps == 0:
		return ""
	}
	if s.steps > maxSteps {
		others = fmt.Sprintf("of the other choices the first %d will not do either", maxSteps)
	}
	return fmt.Sprintf("; %s, and %s", why, others)
}

// instead says what there is of a package that has no fitting version.
func (s *selector) instead(n need) string {
	if shelf := s.shelves[n.pkg]; n.pkg != "" && shelf != nil {
		return fmt.Sprintf("; it has %s", some(shelf.versions(nil)))
	}
	return ""
}

// offer is a bundle that meets a need, or a part of it.
type offer struct {
	*shelf
	graph  *upgrades
	bundle *facts
	// The lower the better: which alternative of a need it is, and its place in
	// the package.
	alternative, class int
}

// The classes of offers. Heads are what OLM installs when it is left to itself.
const (
	defaultHead = iota
	otherHead
	inDefault
	inOther
)

// offers returns the bundles that meet a need, the best first: of alternatives
// those of the first.
func (s *selector) offers(n need) []offer {
	packages := map[string]bool{}
	for _, f := range s.providers(n) {
		packages[f.bundle.Package] = true
	}
	var out []offer
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		out = append(out, s.offersOf(name, n)...)
	}
	slices.SortStableFunc(out, s.compare)
	return out
}

// offersOf returns what one package offers, in channels that are in order.
func (s *selector) offersOf(name string, n need) []offer {
	shelf, err := s.shelves.find(name)
	if err != nil {
		return nil
	}
	var out []offer
	for _, channel := range shelf.channelNames() {
		g, err := shelf.graph(channel)
		if err != nil {
			continue
		}
		for _, entry := range g.inOrder() {
			b := shelf.bundles[entry]
			if b == nil || !s.factsOf(b).meets(n) {
				continue
			}
			f := s.factsOf(b)
			out = append(out, offer{shelf, g, f, f.alternative(n), s.class(shelf, g, entry)})
		}
	}
	return out
}

func (s *selector) class(shelf *shelf, g *upgrades, entry string) int {
	inDefaultChannel := g.Name == s.defaultOf(shelf)
	switch head := entry == g.head(); {
	case head && inDefaultChannel:
		return defaultHead
	case head:
		return otherHead
	case inDefaultChannel:
		return inDefault
	}
	return inOther
}

// defaultOf returns the default channel that a package will have.
func (s *selector) defaultOf(shelf *shelf) string {
	var instead string
	if c := s.picked[shelf.name]; c != nil {
		instead = c.standard
	}
	return cmp.Or(s.options.DefaultChannels[shelf.name], instead, shelf.packages[0].DefaultChannel)
}

// compare orders offers: alternatives, packages that are kept anyway, heads, the newest
// version. Names decide last, so that the same catalog gives the same result.
func (s *selector) compare(a, b offer) int {
	return cmp.Or(
		cmp.Compare(a.alternative, b.alternative),
		cmp.Compare(s.distanceOf(a), s.distanceOf(b)),
		cmp.Compare(a.class, b.class),
		cmp.Compare(a.shelf.name, b.shelf.name),
		b.bundle.version.Compare(a.bundle.version),
		cmp.Compare(a.graph.Name, b.graph.Name),
	)
}

// distanceOf is 0 for packages that are kept anyway.
func (s *selector) distanceOf(o offer) int {
	if s.picked[o.shelf.name] != nil {
		return 0
	}
	return 1
}

// add keeps the bundle of an offer, and with a package that is new the head of
// the default channel.
func (s *selector) add(o offer, l lack) error {
	isNew := s.picked[o.shelf.name] == nil
	if err := s.keep(o, l); err != nil || !isNew {
		return err
	}
	c, channel := s.picked[o.shelf.name], s.defaultOf(o.shelf)
	if channel == "" || c.channels[channel] != nil {
		return nil // what is wrong is told at the end
	}
	g, err := o.shelf.graph(channel)
	if err != nil {
		return err
	}
	c.add(g, g.head())
	return nil
}

// keep keeps the bundle of an offer and nothing else.
func (s *selector) keep(o offer, l lack) error {
	c, name := s.picked[o.shelf.name], o.bundle.bundle.Name
	if c == nil {
		c = &choices{shelf: o.shelf, channels: map[string]*choice{}, neededBy: l.by.Name}
		s.picked[o.shelf.name] = c
		s.notes = append(s.notes, fmt.Sprintf("package %s is added, because bundle %s needs %s", c.name, l.by.Name, l.need))
	} else if l.standard == nil {
		s.notes = append(s.notes, fmt.Sprintf("package %s: %s of channel %s is added, because bundle %s needs %s", c.name, name, o.graph.Name, l.by.Name, l.need))
	}
	c.add(o.graph, name)
	if !c.channels[o.graph.Name].kept()[name] {
		return selectError{ErrBroken, fmt.Sprintf("package %s: bundle %s, which %s needs, cannot be added: no upgrades of channel %s lead to it", c.name, name, l.by.Name, o.graph.Name)}
	}
	return nil
}

// add keeps one more entry of a channel.
func (c *choices) add(g *upgrades, entry string) {
	found := c.channels[g.Name]
	if found == nil {
		found = &choice{upgrades: g, targets: map[string]bool{}, alone: true}
		c.channels[g.Name] = found
	}
	found.targets[entry] = true
	c.kept = nil
}

// offeredBy says which packages have what is missing.
func offeredBy(offers []offer) string {
	names := offered(offers)
	verb := "has it"
	if len(names) > 1 {
		verb = "have it"
	}
	best := offers[0]
	return fmt.Sprintf("%s %s (%s in channel %s)", some(names), verb, best.bundle.bundle.Name, best.graph.Name)
}

// offered returns the packages of offers, sorted.
func offered(offers []offer) []string {
	names := map[string]bool{}
	for _, o := range offers {
		names[o.shelf.name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
