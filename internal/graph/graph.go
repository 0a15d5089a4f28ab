// Package graph reads update graphs: which releases there are, in which
// channels, where their images are and which updates lead from one to another.
// A graph comes from the update service's API (Cincinnati, version 1) or from
// a file in which its answer was saved (oc.md 12.1, oc-mirror.md 3.1). Nothing
// in it is trusted: it says what to ask for, never that it is genuine.
package graph

import (
	"cmp"
	"slices"
	"strings"

	"github.com/blang/semver/v4"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// The keys of a node's metadata that are understood.
const (
	keyChannels = "io.openshift.upgrades.graph.release.channels"
	keyArch     = "io.openshift.upgrades.graph.release.arch"
	keyMulti    = "release.openshift.io/architecture" // only ever "multi"
)

// Graph is an update graph.
type Graph struct {
	// Nodes are in the order of their versions.
	Nodes []Node
	// Edges are the updates without conditions: indices of Nodes, from and to.
	Edges [][2]int
	// Conditional are updates that clusters take only where no risk applies.
	Conditional []Conditional
}

// Node is a release.
type Node struct {
	// Version is without the architecture that some graphs append: "4.14.3".
	Version string
	// Arch is "" where the graph does not say: it was made for one then.
	Arch Arch
	// Payload is the release image, by digest.
	Payload ref.Ref
	// Channels are those that have the release; none where the graph does not say.
	Channels []string
	Metadata map[string]string

	order semver.Version
}

// Conditional is an update that some clusters should not take.
type Conditional struct {
	From, To string // versions
	Risks    []string
}

// Find returns the release of a version for an architecture.
func (g *Graph) Find(version string, arch Arch) (Node, bool) {
	for _, n := range g.Nodes {
		if n.Version == version && n.isFor(arch) {
			return n, true
		}
	}
	return Node{}, false
}

// Releases returns the releases of a channel for an architecture, oldest
// first. With "" for the channel it returns those of all.
func (g *Graph) Releases(channel string, arch Arch) []Node {
	var out []Node
	for _, n := range g.Nodes {
		if n.isFor(arch) && (channel == "" || n.in(channel)) {
			out = append(out, n)
		}
	}
	return out
}

// Highest returns the highest release of a channel: never of a minor version
// above the channel's, which only graphs that do not tell channels apart have.
func (g *Graph) Highest(channel string, arch Arch) (Node, bool) {
	_, top, bounded := splitChannel(channel)
	for _, n := range slices.Backward(g.Releases(channel, arch)) {
		if !bounded || !top.below(n.order) {
			return n, true
		}
	}
	return Node{}, false
}

// Channels returns the channels that releases are said to be in, in order:
// by minor version, then by name.
func (g *Graph) Channels() []string {
	var out []string
	for _, n := range g.Nodes {
		out = append(out, n.Channels...)
	}
	slices.SortFunc(out, compareChannels)
	return slices.Compact(out)
}

// Archs returns the architectures that the graph says it has releases for.
func (g *Graph) Archs() []Arch {
	var out []Arch
	for _, n := range g.Nodes {
		if n.Arch != "" && !slices.Contains(out, n.Arch) {
			out = append(out, n.Arch)
		}
	}
	slices.Sort(out)
	return out
}

// common returns the channels that all releases are in: the one that the graph
// was made for, and wider ones.
func (g *Graph) common() []string {
	out := g.Channels()
	for _, n := range g.Nodes {
		out = slices.DeleteFunc(out, func(c string) bool { return !n.in(c) })
	}
	return out
}

// isFor reports whether a release may be for an architecture.
func (n Node) isFor(arch Arch) bool { return n.Arch == "" || n.Arch == arch }

func (n Node) in(channel string) bool {
	return len(n.Channels) == 0 || slices.Contains(n.Channels, channel)
}

func channelsOf(metadata map[string]string) []string {
	var out []string
	for name := range strings.SplitSeq(metadata[keyChannels], ",") {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// compare orders nodes by version, then by architecture.
func (n Node) compare(m Node) int {
	return cmp.Or(n.order.Compare(m.order), strings.Compare(string(n.Arch), string(m.Arch)))
}
