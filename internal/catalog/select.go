package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/blang/semver/v4"
)

// The reasons why a catalog cannot be had as it is wanted. What is wrong and
// what exists instead is in the text.
var (
	// ErrNotInCatalog: there is no such package, channel or version.
	ErrNotInCatalog = errors.New("not in the catalog")
	// ErrBroken: the catalog does not hold together there, and OLM would not
	// take it.
	ErrBroken = errors.New("the catalog is broken")
	// ErrDefaultChannel: the default channel of a package is not wanted, and no
	// other is named to take its place.
	ErrDefaultChannel = errors.New("the default channel is missing")
	// ErrDependency: a bundle needs what is in the catalog, but not wanted.
	ErrDependency = errors.New("a dependency is missing")
	// ErrUnmet: a bundle needs what the catalog does not have.
	ErrUnmet = errors.New("a dependency cannot be met")
)

// selectError is an error with a reason, which is not in its text.
type selectError struct {
	reason error
	text   string
}

// Error implements error.
func (e selectError) Error() string { return e.text }
func (e selectError) Unwrap() error { return e.reason }

// SelectOptions says how a catalog is reduced.
type SelectOptions struct {
	// WithDependencies adds what the wanted bundles need.
	WithDependencies bool
	// AllowUnmet makes notes of what wanted bundles need and do not get: another
	// catalog of the cluster may have it.
	AllowUnmet bool
	// DefaultChannels are the default channels that packages get, by package.
	DefaultChannels map[string]string
}

// Selection says what was selected.
type Selection struct {
	Packages []Selected `json:"packages"` // by name
	// Notes are what the user should know: versions that come along although
	// they were not wanted, dependencies that cannot be checked.
	Notes []string `json:"notes,omitempty"`
}

// Selected is a package of a selection.
type Selected struct {
	Package        string            `json:"package"`
	DefaultChannel string            `json:"defaultChannel"`
	Channels       []SelectedChannel `json:"channels"` // by name
	// NeededBy is the bundle that the package was added for, "" where it was wanted.
	NeededBy string `json:"neededBy,omitempty"`
}

// SelectedChannel is a channel of a selection, with its bundles from the head down.
type SelectedChannel struct {
	Name    string   `json:"name"`
	Head    string   `json:"head"`
	Bundles []string `json:"bundles"`
}

// choice is what is kept of one channel.
type choice struct {
	*upgrades
	targets map[string]bool // the entries that it is about
	alone   bool            // the only target comes without what leads to it
	all     bool
}

// kept returns the names of the entries that are kept.
func (c *choice) kept() map[string]bool {
	switch {
	case c.all:
		return c.targets
	case c.alone && len(c.targets) == 1 && !c.circular(c.targets):
		return c.targets
	}
	return c.span(c.targets)
}

// choices are what is kept of the channels of one package, by channel.
type choices struct {
	*shelf
	channels map[string]*choice
	neededBy string
	standard string   // takes the place of the default channel, "" where nothing does
	kept     []*facts // of its bundles; nil before it is asked for, and after a change
}

// selector makes a selection.
type selector struct {
	catalog *Catalog
	options SelectOptions
	shelves shelves
	picked  map[string]*choices // by package
	facts   map[*Bundle]*facts
	allowed map[string]bool // needs that need not be met
	notes   []string
	supply
}

// Select returns the part of a catalog that is wanted, with everything that
// OLM asks of a catalog: each channel has one head and is connected, each
// package has its default channel, each entry its bundle. Several things may be
// wanted of a package: what is said of a channel comes before what is said of
// every channel. Documents that belong to no package are kept. If nothing is
// wanted, the catalog stays whole and is not looked into.
//
// What an entry replaces and skips stays as it is written, although the catalog
// may not have it any more: OLM takes that at the end of a chain, and clusters
// that run such a version find their way to the new one by it.
//
// The errors, one for each package at least, match ErrNotInCatalog, ErrBroken,
// ErrDefaultChannel, ErrDependency or ErrUnmet.
func Select(c *Catalog, want []Wanted, o SelectOptions) (*Catalog, Selection, error) {
	if len(want) == 0 {
		return c, Selection{}, nil
	}
	s := &selector{catalog: c, options: o, shelves: newShelves(c), picked: map[string]*choices{}, facts: map[*Bundle]*facts{}, allowed: map[string]bool{}}
	if err := s.pickAll(want); err != nil {
		return nil, Selection{}, err
	}
	if err := s.depend(); err != nil {
		return nil, Selection{}, err
	}
	return s.finish()
}

// pickAll chooses what is wanted of each package.
func (s *selector) pickAll(want []Wanted) error {
	byName := map[string][]Wanted{}
	for _, w := range want {
		byName[w.Package] = append(byName[w.Package], w)
	}
	every := byName[EveryPackage]
	delete(byName, EveryPackage)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		errs = append(errs, s.pick(name, byName[name]))
	}
	if every != nil {
		errs = append(errs, s.pickOthers(every, byName))
	}
	for _, name := range slices.Sorted(maps.Keys(s.options.DefaultChannels)) {
		if byName[name] == nil && (every == nil || s.shelves[name] == nil) {
			errs = append(errs, selectError{ErrDefaultChannel, fmt.Sprintf("package %s: it is given a default channel, but is not wanted", name)})
		}
	}
	return errors.Join(errs...)
}

// pickOthers chooses what is wanted of every package that was not named. Those
// that have nothing of it are left out, which is told in one note; that none
// has it is an error.
func (s *selector) pickOthers(every []Wanted, named map[string][]Wanted) error {
	if _, _, err := byChannel(every); err != nil {
		return err
	}
	var without []string
	var errs []error
	others := 0
	for _, name := range s.shelves.names() {
		if named[name] != nil {
			continue
		}
		others++
		err := s.pick(name, every)
		if errors.As(err, new(noVersionError)) {
			without = append(without, name)
			continue
		}
		if err == nil {
			s.replaceDefault(s.picked[name], every[0].versions())
		}
		errs = append(errs, err)
	}
	errs = append(errs, s.leaveOut(without, others, every[0].versions()))
	return errors.Join(errs...)
}

// replaceDefault gives a package another default channel where its own has
// nothing of what is wanted of every package: nobody can name one for each. It is
// the one with the newest version.
func (s *selector) replaceDefault(c *choices, versions string) {
	own := c.packages[0].DefaultChannel
	if s.options.DefaultChannels[c.name] != "" || c.channels[own] != nil || !slices.Contains(c.channelNames(), own) {
		return
	}
	var newest *facts
	for _, name := range slices.Sorted(maps.Keys(c.channels)) {
		found := c.channels[name]
		kept := found.kept()
		for _, entry := range found.inOrder() {
			b := c.bundles[entry]
			if b == nil || !kept[entry] || newest != nil && s.factsOf(b).version.LTE(newest.version) {
				continue
			}
			newest, c.standard = s.factsOf(b), name
		}
	}
	s.notes = append(s.notes, fmt.Sprintf("package %s: its default channel %s has no version %s; %s takes its place, unless another is named", c.name, own, versions, c.standard))
}

// leaveOut tells which of the other packages have none of the versions that are
// wanted of each.
func (s *selector) leaveOut(without []string, others int, versions string) error {
	switch len(without) {
	case 0:
		return nil
	case others:
		return selectError{ErrNotInCatalog, fmt.Sprintf("none of the packages that * stands for has a version %s", versions)}
	}
	s.notes = append(s.notes, fmt.Sprintf("left out, because they have no version %s: %s", versions, some(without)))
	return nil
}

// noVersionError: a package has none of the versions that are wanted of it.
type noVersionError struct{ selectError }

// Unwrap returns the error with its reason.
func (e noVersionError) Unwrap() error { return e.selectError }

// pick chooses what is wanted of one package.
func (s *selector) pick(name string, want []Wanted) error {
	shelf, err := s.shelves.find(name)
	if err != nil {
		return err
	}
	named, every, err := byChannel(want)
	if err != nil {
		return err
	}
	c := &choices{shelf: shelf, channels: map[string]*choice{}}
	var errs []error
	for _, channel := range slices.Sorted(maps.Keys(named)) {
		errs = append(errs, s.pickChannel(c, named[channel], channel))
	}
	if every != nil {
		for _, channel := range shelf.channelNames() {
			if _, ok := named[channel]; !ok {
				errs = append(errs, s.pickChannel(c, *every, channel))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if len(c.channels) == 0 {
		return noVersionError{selectError{ErrNotInCatalog, fmt.Sprintf("package %s has no version %s; it has %s", name, every.versions(), some(shelf.versions(nil)))}}
	}
	s.picked[name] = c
	return nil
}

// byChannel sorts what is wanted of one package: of channels, and of every other.
func byChannel(want []Wanted) (named map[string]Wanted, every *Wanted, err error) {
	named = map[string]Wanted{}
	for _, w := range want {
		other, twice := named[w.Channel]
		if twice && other != w {
			return nil, nil, fmt.Errorf("%s and %s: of one channel only one range of versions can be wanted", other, w)
		}
		named[w.Channel] = w
	}
	if w, ok := named[""]; ok {
		every = &w
		delete(named, "")
	}
	return named, every, nil
}

// pickChannel chooses what is wanted of one channel. One that was not named and
// has nothing of it is left out.
func (s *selector) pickChannel(c *choices, w Wanted, channel string) error {
	g, err := c.graph(channel)
	if err != nil {
		return err
	}
	found, err := c.targets(g, w)
	if err != nil {
		return err
	}
	s.noteEarlier(c, w, found)
	if len(found.targets) > 0 {
		c.channels[channel] = found
		s.noteSpan(c, w, found)
		return nil
	}
	if w.Channel != "" {
		return selectError{ErrNotInCatalog, fmt.Sprintf("package %s: channel %s has no version %s; it has %s", c.name, channel, w.versions(), some(c.versions(g)))}
	}
	return nil
}

// noteSpan tells which versions come along although they are not wanted.
func (s *selector) noteSpan(c *choices, w Wanted, found *choice) {
	var extra []string
	kept := found.kept()
	for _, e := range found.Entries {
		if kept[e.Name] && !found.targets[e.Name] {
			extra = append(extra, e.Name)
		}
	}
	if len(extra) > 0 {
		s.notes = append(s.notes, fmt.Sprintf("package %s: channel %s keeps %s, which %s does not ask for, because the upgrades to what it asks for lead through it", c.name, found.Name, some(extra), w))
	}
}

// noteEarlier tells which versions are left out although they look like the
// first one that is wanted: 1.2.0-5, as some vendors count their builds, comes
// before 1.2.0 in the order of versions.
func (s *selector) noteEarlier(c *choices, w Wanted, found *choice) {
	if w.Min == "" {
		return
	}
	from := semver.MustParse(w.Min)
	for _, e := range found.Entries {
		b := c.bundles[e.Name]
		if b == nil || found.targets[e.Name] {
			continue
		}
		if v, err := semver.Parse(b.Version); err == nil && v.LT(from) && v.FinalizeVersion() == from.FinalizeVersion() {
			s.notes = append(s.notes, fmt.Sprintf("package %s: channel %s has %s, which comes before %s in the order of versions and is left out; ask for %s to have it", c.name, found.Name, b.Version, w.Min, b.Version))
		}
	}
}
