package crashfs

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
)

// Crash returns what a new process may find after the power was cut: all that
// was durable, and of the rest what r chooses. This disk stays as it is, so that
// it can crash in many ways; its processes go on or not, as the test likes.
func (f *FS) Crash(r *rand.Rand) *FS {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	c := crash{rand: r, done: map[*node]*node{}, luck: luck(r), kept: map[*node]map[string]*node{}}
	c.choose(f.d.changes)
	return (&disk{
		rand: rand.New(rand.NewPCG(r.Uint64(), 0)), root: c.copy(f.d.root), mode: f.d.mode, clock: f.d.clock,
		dirty: map[*node]bool{}, locks: map[*node]*FS{},
	}).process()
}

// luck is how likely what is not durable survives: often nothing or all of it,
// because these are the cases that careless code gets wrong.
func luck(r *rand.Rand) float64 {
	return [...]float64{0, 1, 0.5, r.Float64()}[r.IntN(4)]
}

// crash builds the tree that is left.
type crash struct {
	rand *rand.Rand
	luck float64
	done map[*node]*node
	kept map[*node]map[string]*node // directories that surviving changes altered
}

// choose lets some changes survive. One that is gone takes the later changes
// of its names with it.
func (c *crash) choose(changes []change) {
	gone := map[entry]bool{}
	for _, ch := range changes {
		if c.rand.Float64() >= c.luck || ch.touches(gone) {
			ch.mark(gone)
			continue
		}
		for _, e := range ch.edits {
			set(c.entries(e.dir), e)
		}
	}
}

func (c *crash) entries(dir *node) map[string]*node {
	if c.kept[dir] == nil {
		c.kept[dir] = maps.Clone(dir.kept)
	}
	return c.kept[dir]
}

func (c *crash) copy(n *node) *node {
	if made := c.done[n]; made != nil {
		return made
	}
	made := &node{mode: n.mode, mtime: n.mtime}
	c.done[n] = made
	if !n.mode.IsDir() {
		made.data = c.tear(n.durable, n.data)
		made.durable = slices.Clone(made.data)
		return made
	}
	made.entries, made.kept = map[string]*node{}, map[string]*node{}
	for _, name := range sortedKeys(c.entries(n)) {
		sub := c.copy(c.entries(n)[name])
		made.entries[name], made.kept[name] = sub, sub
	}
	return made
}

// tear mixes, block by block, what is durable of a file with what was written
// since. A block behind the durable end that was not written is zeros.
func (c *crash) tear(durable, data []byte) []byte {
	if slices.Equal(durable, data) {
		return slices.Clone(data)
	}
	out := make([]byte, c.size(len(durable), len(data)))
	block := 1 << c.rand.IntN(13)
	for i := 0; i < len(out); i += block {
		end := min(i+block, len(out))
		from := durable
		if c.rand.Float64() < c.luck {
			from = data
		}
		if i < len(from) {
			copy(out[i:end], from[i:])
		}
	}
	return out
}

// size is the durable size, the size at last, or one between.
func (c *crash) size(durable, last int) int {
	switch c.luck {
	case 0:
		return durable
	case 1:
		return last
	}
	low, high := min(durable, last), max(durable, last)
	return [...]int{durable, last, low + c.rand.IntN(high-low+1)}[c.rand.IntN(3)]
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
