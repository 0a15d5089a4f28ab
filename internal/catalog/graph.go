package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// upgrades is the upgrade graph of one channel, as OLM sees it: the head is the
// entry that no other one replaces or skips, and from there the chain of
// replaces leads down. What an entry skips hangs beside it.
type upgrades struct {
	*Channel
	entries map[string]*Entry
	skipped map[string]bool // by any entry
	chain   []*Entry        // from the head down
	// beside are the entries that hang on each of the chain, positions where all
	// are that the chain leads to.
	beside    [][]string
	positions map[string]position
}

// newUpgrades looks through a channel. It returns an error for what OLM does
// not take: an empty channel, one without a head or with several, entries that
// are there twice, a circle.
func newUpgrades(c *Channel) (*upgrades, error) {
	g := &upgrades{Channel: c, entries: make(map[string]*Entry, len(c.Entries)), skipped: map[string]bool{}}
	if len(c.Entries) == 0 {
		return nil, errors.New("it is empty: no bundle belongs to it")
	}
	for i := range c.Entries {
		e := &c.Entries[i]
		if e.Name == "" {
			return nil, errors.New("an entry of it has no name")
		}
		if g.entries[e.Name] != nil {
			return nil, fmt.Errorf("its entry %s is there twice", e.Name)
		}
		g.entries[e.Name] = e
		for _, name := range e.Skips {
			g.skipped[name] = true
		}
	}
	head, err := g.findHead()
	if err != nil {
		return nil, err
	}
	if err := g.descend(head); err != nil {
		return nil, err
	}
	g.hang()
	return g, nil
}

// findHead returns the entry that nothing leads away from.
func (g *upgrades) findHead() (*Entry, error) {
	replaced := map[string]bool{}
	for i := range g.Entries {
		replaced[g.Entries[i].Replaces] = true
	}
	var heads []string
	for i := range g.Entries {
		if name := g.Entries[i].Name; !replaced[name] && !g.skipped[name] {
			heads = append(heads, name)
		}
	}
	switch len(heads) {
	case 1:
		return g.entries[heads[0]], nil
	case 0:
		return nil, fmt.Errorf("it has no head: each of its %d entries is replaced or skipped by another", len(g.Entries))
	}
	slices.Sort(heads)
	return nil, fmt.Errorf("it has more than one head: %s", some(heads))
}

// descend follows the chain of replaces from the head. Its end may replace what
// the channel does not have. A circle below an entry that is skipped as well is
// not seen by opm since v1.58.0, see counted.
func (g *upgrades) descend(head *Entry) error {
	seen := map[*Entry]bool{}
	ended := false
	for e := head; e != nil && (!ended || !seen[e]); e = g.entries[e.Replaces] {
		if seen[e] {
			return fmt.Errorf("its entries replace each other in a circle through %s", e.Name)
		}
		seen[e] = true
		ended = ended || g.skipped[e.Name]
		g.chain = append(g.chain, e)
	}
	return nil
}

// head returns the name of the channel's newest bundle.
func (g *upgrades) head() string { return g.chain[0].Name }

// circular reports whether one of some entries replaces or skips itself: such a
// one can be no head.
func (g *upgrades) circular(names map[string]bool) bool {
	for name := range names {
		if e := g.entries[name]; e.Replaces == name || slices.Contains(e.Skips, name) {
			return true
		}
	}
	return false
}

// counted returns the part of the chain that opm takes into account since
// v1.58.0 (September 2025): it ends before the first entry that is skipped as well.
func (g *upgrades) counted() []*Entry {
	for i, e := range g.chain {
		if g.skipped[e.Name] {
			return g.chain[:i]
		}
	}
	return g.chain
}

// stranded returns the entries that neither the chain leads to nor any entry
// skips. No opm takes a channel that has one.
func (g *upgrades) stranded() []string { return g.apart(g.chain) }

// cutOff returns the entries that are stranded for opm since v1.58.0; an older one
// takes channels that have some.
func (g *upgrades) cutOff() []string { return g.apart(g.counted()) }

// apart returns the entries that are not of the chain and that nothing skips.
func (g *upgrades) apart(chain []*Entry) []string {
	found := map[string]bool{}
	for _, e := range chain {
		found[e.Name] = true
	}
	var out []string
	for i := range g.Entries {
		if name := g.Entries[i].Name; !found[name] && !g.skipped[name] {
			out = append(out, name)
		}
	}
	return out
}

// maxNamed is how many names a message lists.
const maxNamed = 20

// some lists names for a message.
func some(names []string) string {
	switch n := len(names) - maxNamed; {
	case len(names) == 0:
		return "none"
	case n > 0:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), n)
	}
	return strings.Join(names, ", ")
}
