package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// upgrades is the upgrade graph of one channel, as OLM sees it: the head is the
// entry that no other one replaces or skips, and from there the chain of
// replaces leads down. What a chain entry skips hangs beside it.
type upgrades struct {
	*Channel
	entries map[string]*Entry
	chain   []*Entry // from the head down
}

// newUpgrades looks through a channel. It returns an error for what OLM does
// not take: an empty channel, one without a head or with several, entries that
// are there twice, a circle.
func newUpgrades(c *Channel) (*upgrades, error) {
	g := &upgrades{Channel: c, entries: make(map[string]*Entry, len(c.Entries))}
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
	}
	head, err := g.findHead()
	if err != nil {
		return nil, err
	}
	return g, g.descend(head)
}

// findHead returns the entry that nothing leads away from.
func (g *upgrades) findHead() (*Entry, error) {
	left := map[string]bool{}
	for i := range g.Entries {
		left[g.Entries[i].Replaces] = true
		for _, s := range g.Entries[i].Skips {
			left[s] = true
		}
	}
	var heads []string
	for i := range g.Entries {
		if name := g.Entries[i].Name; !left[name] {
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
// the channel does not have.
func (g *upgrades) descend(head *Entry) error {
	seen := map[*Entry]bool{}
	for e := head; e != nil; e = g.entries[e.Replaces] {
		if seen[e] {
			return fmt.Errorf("its entries replace each other in a circle through %s", e.Name)
		}
		seen[e] = true
		g.chain = append(g.chain, e)
	}
	return nil
}

// head returns the name of the channel's newest bundle.
func (g *upgrades) head() string { return g.chain[0].Name }

// span returns the smallest part of the chain that leads to all targets, with
// those that are skipped there: from the lowest entry below which all of them
// are, itself included, to the last that has any. Entries between that are no
// targets belong to it, or the chain would break. A target that the chain
// does not lead to cannot be had. All targets are entries of the channel.
func (g *upgrades) span(targets map[string]bool) map[string]bool {
	counts := g.below(targets)
	top := 0
	for top+1 < len(counts) && counts[top+1] == counts[0] {
		top++
	}
	kept := map[string]bool{}
	for i := top; i < len(counts) && counts[i] > 0; i++ {
		kept[g.chain[i].Name] = true
		for _, s := range g.chain[i].Skips {
			if targets[s] {
				kept[s] = true
			}
		}
	}
	return kept
}

// below returns for each entry of the chain how many targets there are in it and
// below, each counted once.
func (g *upgrades) below(targets map[string]bool) []int {
	counts := make([]int, len(g.chain))
	seen := map[string]bool{}
	for i := len(g.chain) - 1; i >= 0; i-- {
		for _, name := range append([]string{g.chain[i].Name}, g.chain[i].Skips...) {
			if targets[name] {
				seen[name] = true
			}
		}
		counts[i] = len(seen)
	}
	return counts
}

// stranded returns the entries that neither the chain leads to nor any entry
// skips. OLM takes no channel that has one.
func (g *upgrades) stranded() []string {
	found := map[string]bool{}
	for _, e := range g.chain {
		found[e.Name] = true
	}
	for i := range g.Entries {
		for _, s := range g.Entries[i].Skips {
			found[s] = true
		}
	}
	var out []string
	for i := range g.Entries {
		if !found[g.Entries[i].Name] {
			out = append(out, g.Entries[i].Name)
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
