package rootfs

import (
	"errors"
	"path"
	"slices"
	"strings"
)

// errUnproved ends an extraction that skipped layers which may have something
// at the path after all.
var errUnproved = errors.New("a layer that was skipped may have something at the path")

// The most links and places that a proof goes by. With more of them it is
// cheaper to read what would be skipped.
const (
	maxProofLinks = 100_000
	maxReach      = 1_000
)

// proof is why layers may be skipped. What they write to (Reader.Writes) is a
// path as it was asked for, while their entries lie where the links on the way
// led. It holds if
//
//   - no link outside the path, in a layer that was read, leads to what lies at
//     the path or above it. Then whoever begins elsewhere stays elsewhere;
//   - no skipped layer is written to by way of another one, whose links are not
//     known, nor one step of it by way of another.
//
// The first is known when all other layers were read, so that layers are skipped
// on trust and the proof is made at the end. A nil proof skips nothing.
type proof struct {
	path   string
	writes [][]string // of the layers that may be skipped, clean; nil for the others
	taken  []string   // what the layers write to that were skipped

	links  map[string][]string // that were seen: where they lead, by their names
	number int
	broken bool
}

// newProof chooses the layers that may be skipped, from the base up.
func newProof(name string, writes [][]string, layers int) *proof {
	if len(writes) != layers {
		return nil
	}
	p := &proof{path: name, writes: make([][]string, layers), links: map[string][]string{}}
	var chosen []string
	for i, paths := range writes {
		clean, ok := elsewhere(paths, append([]string{name}, chosen...))
		if ok {
			p.writes[i], chosen = clean, append(chosen, clean...)
		}
	}
	return p
}

// elsewhere cleans the paths of a layer. It returns false where they are not
// known, or one is related to another of them or to one of those named.
func elsewhere(paths, named []string) ([]string, bool) {
	clean := []string{}
	for _, p := range paths {
		at, ok := EntryName(p)
		if !ok || slices.ContainsFunc(append(clean, named...), func(other string) bool { return related(at, other) }) {
			return nil, false
		}
		clean = append(clean, at)
	}
	return clean, paths != nil
}

// related reports whether one of two paths lies at or below the other.
func related(a, b string) bool { return Covers(a, b) || Covers(b, a) }

// skip reports whether a layer is skipped, and remembers it.
func (p *proof) skip(layer int) bool {
	if p == nil || p.writes[layer] == nil {
		return false
	}
	p.taken = append(p.taken, p.writes[layer]...)
	return true
}

// skipped reports whether any layer was, in vain where it writes nothing.
func (p *proof) skipped() bool { return p != nil && len(p.taken) > 0 }

// see takes in an entry of a layer that is read. Links at the path and below it
// are only met by who is there already.
func (p *proof) see(h header) {
	if p == nil || p.broken || h.link != symbolic || Covers(p.path, h.name) {
		return
	}
	to, ok := leads(h)
	p.number++
	if !ok || related(to, p.path) || p.number > maxProofLinks {
		p.broken, p.links = true, nil
		return
	}
	if !slices.Contains(p.links[h.name], to) {
		p.links[h.name] = append(p.links[h.name], to)
	}
}

// leads returns where a symbolic link leads. It is not known of one that goes
// down and up again, because what it goes down to may be a link itself.
func leads(h header) (string, bool) {
	down := strings.TrimLeft(h.target, "/")
	for strings.HasPrefix(down, "../") {
		down = strings.TrimLeft(down[len("../"):], "/")
	}
	known := down == ".." || !slices.Contains(strings.Split(down, "/"), "..")
	return Resolve(h.name, h.target), known
}

// cut says how many layers further down are not read.
func (p *proof) cut(below int) {
	if p.skipped() && below > 0 {
		p.broken = true
	}
}

// holds reports whether the layers that were skipped have nothing at the path.
func (p *proof) holds() bool {
	if !p.skipped() {
		return true
	}
	var all []string
	for _, from := range p.taken {
		reached, ok := p.reach(from)
		if !ok || slices.ContainsFunc(reached, func(at string) bool {
			return slices.ContainsFunc(all, func(other string) bool { return related(at, other) })
		}) {
			return false
		}
		all = append(all, reached...)
	}
	return !p.broken
}

// reach returns all places that writing to a path may get to over the links
// that were seen, at it, above it and below it; false where they are too many.
func (p *proof) reach(from string) ([]string, bool) {
	out := []string{from}
	for i := 0; i < len(out); i++ {
		for name, targets := range p.links {
			if !related(name, out[i]) {
				continue
			}
			rest := strings.TrimPrefix(out[i], name)
			if !Covers(name, out[i]) {
				rest = ""
			}
			for _, to := range targets {
				if to = path.Join(to, rest); !slices.Contains(out, to) {
					out = append(out, to)
				}
			}
		}
		if len(out) > maxReach {
			return nil, false
		}
	}
	return out, true
}
