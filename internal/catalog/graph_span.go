package catalog

import "slices"

// position is where an entry is: in the chain, or beside an entry of it.
type position struct {
	at     int // in the chain
	beside bool
	by     string // what skips it, if that is beside the chain too
}

// hang finds out where the entries are. What several entries of the chain skip
// hangs on the lowest; what none of them skips hangs on what does.
func (g *upgrades) hang() {
	g.positions = make(map[string]position, len(g.entries))
	g.beside = make([][]string, len(g.chain))
	for i, e := range g.chain {
		g.positions[e.Name] = position{at: i}
	}
	var waiting []string
	for i, e := range slices.Backward(g.chain) {
		waiting = append(waiting, g.hangOn(e, position{at: i, beside: true})...)
	}
	for ; len(waiting) > 0; waiting = waiting[1:] {
		p := position{at: g.positions[waiting[0]].at, beside: true, by: waiting[0]}
		waiting = append(waiting, g.hangOn(g.entries[waiting[0]], p)...)
	}
}

// hangOn gives a position to what an entry skips, and returns what had none.
func (g *upgrades) hangOn(e *Entry, p position) []string {
	var found []string
	for _, name := range e.Skips {
		if _, ok := g.positions[name]; !ok && g.entries[name] != nil {
			g.positions[name] = p
			found = append(found, name)
		}
	}
	g.beside[p.at] = append(g.beside[p.at], found...)
	return found
}

// inOrder returns all entries: the chain from the head down, after each what
// hangs on it, and at last what nothing leads to.
func (g *upgrades) inOrder() []string {
	var out []string
	for i, e := range g.chain {
		out = append(append(out, e.Name), g.beside[i]...)
	}
	for i := range g.Entries {
		if _, ok := g.positions[g.Entries[i].Name]; !ok {
			out = append(out, g.Entries[i].Name)
		}
	}
	return out
}

// span returns the smallest part of the channel that has all targets and that
// opm takes wherever it takes the channel: the chain from the lowest entry that
// leads to all targets to the last that leads to any, and what of the targets
// hangs beside it. Entries between that are no targets belong to it, or the
// chain would break. All of the channel is kept where no less would do. A target
// that is stranded cannot be had. All targets are entries of the channel.
func (g *upgrades) span(targets map[string]bool) map[string]bool {
	p := g.reach(targets)
	top, ok := p.begin()
	if !ok {
		return g.all()
	}
	kept := p.sides
	for _, e := range g.chain[top : p.last+1] {
		kept[e.Name] = true
	}
	return kept
}

func (g *upgrades) all() map[string]bool {
	out := make(map[string]bool, len(g.entries))
	for name := range g.entries {
		out[name] = true
	}
	return out
}

// part is what is kept of a channel.
type part struct {
	*upgrades
	top, last int             // of the chain; last is -1 where nothing is kept
	sides     map[string]bool // what is kept beside the chain
	lost      bool            // a target is skipped by what nothing leads to alone
}

// reach finds out what of the chain and beside it leads to the targets.
func (g *upgrades) reach(targets map[string]bool) *part {
	p := &part{upgrades: g, top: len(g.chain), last: -1, sides: map[string]bool{}}
	for name := range targets {
		at, ok := p.positions[name]
		if !ok {
			p.lost = p.lost || g.skipped[name]
			continue
		}
		p.top, p.last = min(p.top, at.at), max(p.last, at.at)
		for at.beside && !p.sides[name] {
			p.sides[name] = true
			name, at = at.by, p.positions[at.by]
		}
	}
	return p
}

// begin returns the lowest position where the part of the chain can begin, so
// that opm takes it. There is none where the entries that would be needed are
// not kept.
func (p *part) begin() (top int, ok bool) {
	if p.last < 0 || p.lost {
		return 0, !p.lost
	}
	m := margin{part: p, head: len(p.chain), gone: make([]bool, len(p.chain)), skips: make([]bool, len(p.chain)), cut: len(p.chain)}
	for name := range p.sides {
		m.leave(p.entries[name])
	}
	strict := len(p.cutOff()) == 0
	for m.head = p.last; m.head >= 0; m.head-- {
		m.join(m.head + 1)
		m.leave(p.chain[m.head])
		if m.head <= p.top && !m.gone[m.head] && (!strict || m.holds()) {
			return m.head, true
		}
	}
	return 0, false
}

// margin tells whether a part of the chain holds together, while that grows
// upwards entry by entry.
type margin struct {
	*part
	head  int
	gone  []bool // entries of the chain that a kept one replaces or skips
	skips []bool // those that one skips
	cut   int    // the first below the head that is skipped: there the chain ends for opm
	free  int    // how many below the head are not skipped
}

// join takes account of an entry that is below the head now.
func (m *margin) join(i int) {
	switch {
	case i > m.last:
	case m.skips[i]:
		m.cut = i
	default:
		m.free++
	}
}

// leave takes account of what a kept entry replaces and skips.
func (m *margin) leave(e *Entry) {
	if at, ok := m.positions[e.Replaces]; ok && !at.beside {
		m.gone[at.at] = true
	}
	for _, name := range e.Skips {
		at, ok := m.positions[name]
		if !ok || at.beside || m.skips[at.at] {
			continue
		}
		m.gone[at.at], m.skips[at.at] = true, true
		if at.at > m.head && at.at <= m.last {
			m.free--
			m.cut = min(m.cut, at.at)
		}
	}
}

// holds reports whether all that is not skipped is above the cut, and a circle
// below it.
func (m *margin) holds() bool {
	end := min(m.cut, m.last+1)
	if round, ok := m.positions[m.chain[m.last].Replaces]; ok && !round.beside && round.at >= m.head && round.at <= m.last && end > m.last {
		return false
	}
	return m.free == end-m.head-1
}
