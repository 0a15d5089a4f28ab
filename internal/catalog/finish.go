package catalog

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// finish makes the catalog of what was picked.
func (s *selector) finish() (*Catalog, Selection, error) {
	var errs []error
	var selection Selection
	kept := map[string]*remains{}
	for _, name := range slices.Sorted(maps.Keys(s.picked)) {
		r, err := s.remainsOf(s.picked[name])
		errs = append(errs, err)
		if err == nil {
			kept[name] = r
			selection.Packages = append(selection.Packages, r.selected())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, Selection{}, err
	}
	selection.Notes = s.notes
	out, err := reduce(s.catalog, kept)
	return out, selection, err
}

// remains are what stays of one package.
type remains struct {
	*choices
	defaultChannel string
	entries        map[string]map[string]bool // by channel
	bundles        map[string]bool
}

// remainsOf finds out what stays of a package, and whether OLM will take it.
func (s *selector) remainsOf(c *choices) (*remains, error) {
	r := &remains{choices: c, entries: map[string]map[string]bool{}, bundles: map[string]bool{}}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.channels)) {
		r.entries[name] = c.channels[name].kept()
		errs = append(errs, s.check(r, c.channels[name]))
		maps.Copy(r.bundles, r.entries[name])
	}
	r.defaultChannel = cmp.Or(s.options.DefaultChannels[c.name], c.standard)
	errs = append(errs, r.checkDefault())
	return r, errors.Join(errs...)
}

// check sees to it that OLM will take a channel as it will be, and makes a note
// of what only some of its versions take.
func (s *selector) check(r *remains, c *choice) error {
	g, err := r.reduced(c, r.entries[c.Name])
	if err != nil {
		return err
	}
	if left := g.cutOff(); len(left) > 0 {
		s.notes = append(s.notes, fmt.Sprintf("package %s: channel %s is refused by opm since v1.58.0, as it is in the original: entries that are replaced are skipped too, which cuts off %s", r.name, c.Name, some(left)))
	}
	return nil
}

// reduced returns a channel as it will be. It is an error if it has no head,
// does not hold together or has no bundle for one of its entries.
func (s *shelf) reduced(c *choice, kept map[string]bool) (*upgrades, error) {
	reduced := &Channel{Meta: c.Meta}
	var missing []string
	for _, e := range c.Entries {
		if !kept[e.Name] {
			continue
		}
		reduced.Entries = append(reduced.Entries, e)
		if s.bundles[e.Name] == nil {
			missing = append(missing, e.Name)
		}
	}
	if len(missing) > 0 {
		return nil, selectError{ErrBroken, fmt.Sprintf("package %s: channel %s has entries that the catalog has no bundle for: %s", s.name, c.Name, some(missing))}
	}
	g, err := newUpgrades(reduced)
	if err == nil && len(g.stranded()) > 0 {
		err = fmt.Errorf("no upgrades lead from its head %s to %s", g.head(), some(g.stranded()))
	}
	if err != nil {
		return nil, selectError{ErrBroken, fmt.Sprintf("package %s: channel %s cannot be used: %v", s.name, c.Name, err)}
	}
	return g, nil
}

// checkDefault settles the default channel, which has to be one of those kept.
func (r *remains) checkDefault() error {
	names := slices.Sorted(maps.Keys(r.channels))
	own := r.packages[0].DefaultChannel
	switch chosen := r.defaultChannel; {
	case chosen != "" && r.channels[chosen] == nil:
		return selectError{ErrDefaultChannel, fmt.Sprintf("package %s: %s is to be its default channel, but is not among those wanted: %s", r.name, chosen, some(names))}
	case chosen != "":
		return nil
	case own == "":
		return selectError{ErrDefaultChannel, fmt.Sprintf("package %s: the catalog names no default channel for it; one of those wanted has to be: %s", r.name, some(names))}
	case r.channels[own] == nil:
		return selectError{ErrDefaultChannel, fmt.Sprintf("package %s: nothing is wanted of its default channel %s, and OLM takes no package without; another of those wanted has to be its default: %s", r.name, own, some(names))}
	}
	r.defaultChannel = own
	return nil
}

func (r *remains) selected() Selected {
	out := Selected{Package: r.name, DefaultChannel: r.defaultChannel, NeededBy: r.neededBy}
	for _, name := range slices.Sorted(maps.Keys(r.channels)) {
		c := SelectedChannel{Name: name}
		for _, e := range r.channels[name].inOrder() {
			if r.entries[name][e] {
				c.Bundles = append(c.Bundles, e)
			}
		}
		c.Head = c.Bundles[0]
		out.Channels = append(out.Channels, c)
	}
	return out
}

// reduce returns the documents of a catalog that remain.
func reduce(c *Catalog, kept map[string]*remains) (*Catalog, error) {
	out := &Catalog{}
	for _, p := range c.Packages {
		if r := kept[p.Name]; r != nil {
			out.Packages = append(out.Packages, withDefault(p, r.defaultChannel))
		}
	}
	for _, channel := range c.Channels {
		if r := kept[channel.Package]; r != nil && r.entries[channel.Name] != nil {
			out.Channels = append(out.Channels, withEntries(channel, r.entries[channel.Name]))
		}
	}
	seen := map[[2]string]*Bundle{}
	for i := range c.Bundles {
		b := &c.Bundles[i]
		if r := kept[b.Package]; r == nil || !r.bundles[b.Name] {
			continue
		}
		if first := seen[[2]string{b.Package, b.Name}]; first != nil {
			return nil, selectError{ErrBroken, fmt.Sprintf("package %s: the catalog has its bundle %s twice, in %s and %s", b.Package, b.Name, first.where(), b.where())}
		}
		seen[[2]string{b.Package, b.Name}] = b
		out.Bundles = append(out.Bundles, *b)
	}
	for _, m := range c.Deprecations {
		if r := kept[m.Package]; r != nil {
			out.Deprecations = appendDeprecations(out.Deprecations, m, r)
		}
	}
	for _, m := range c.Others {
		if m.Package == "" || kept[m.Package] != nil {
			out.Others = append(out.Others, m)
		}
	}
	return out, nil
}

// withDefault gives a package its default channel.
func withDefault(p Package, channel string) Package {
	if p.DefaultChannel != channel {
		p.DefaultChannel = channel
		p.Raw = withField(p.Raw, "defaultChannel", quoted(channel))
	}
	return p
}

// withEntries leaves the kept entries in a channel, each as it is written.
func withEntries(c Channel, kept map[string]bool) Channel {
	if len(kept) == len(c.Entries) {
		return c
	}
	var raw [][]byte
	for element := range jsonElements(field(c.Raw, "entries")) {
		raw = append(raw, element)
	}
	var entries []Entry
	var left [][]byte
	for i, e := range c.Entries {
		if kept[e.Name] {
			entries = append(entries, e)
			left = append(left, raw[i])
		}
	}
	c.Entries, c.Raw = entries, withField(c.Raw, "entries", listOf(left))
	return c
}

// appendDeprecations adds what a document says about bundles and channels that
// stay. OLM takes no catalog that deprecates what it does not have.
func appendDeprecations(to []Meta, m Meta, r *remains) []Meta {
	list, err := asList("entries", field(m.Raw, "entries"))
	if err != nil || list == nil {
		return append(to, m)
	}
	var left [][]byte
	all := 0
	for element := range jsonElements(list) {
		if all++; r.has(element) {
			left = append(left, element)
		}
	}
	switch {
	case len(left) == 0 && all > 0:
		return to
	case len(left) < all:
		m.Raw = withField(m.Raw, "entries", listOf(left))
	}
	return append(to, m)
}

// has reports whether what a deprecation is about stays.
func (r *remains) has(deprecation []byte) bool {
	var d struct {
		Reference struct{ Schema, Name string }
	}
	if json.Unmarshal(deprecation, &d) != nil {
		return true // not for us to judge
	}
	switch d.Reference.Schema {
	case SchemaBundle:
		return r.bundles[d.Reference.Name]
	case SchemaChannel:
		return r.entries[d.Reference.Name] != nil
	}
	return true
}
