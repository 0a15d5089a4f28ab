package graph

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Line is a minor version with its releases.
type Line struct {
	Minor    string   `json:"version"` // "4.14"
	Newest   string   `json:"newest"`  // release: of a stable channel, if any
	Channels []string `json:"channels"`
}

// Lines returns the minor versions that a graph has releases of for an
// architecture, oldest first, with the channels called after them.
func (g *Graph) Lines(arch Arch) []Line {
	found := map[minor]*Line{}
	var order []minor
	stable := map[minor]bool{}
	for _, n := range g.Releases("", arch) { // oldest first
		at := minor{n.order.Major, n.order.Minor}
		l := found[at]
		if l == nil {
			l = &Line{Minor: at.String(), Channels: []string{}}
			found[at], order = l, append(order, at)
		}
		isStable := n.in("stable-" + at.String())
		if isStable || !stable[at] {
			l.Newest, stable[at] = n.Version, isStable
		}
		for _, c := range n.Channels {
			if _, m, ok := splitChannel(c); ok && m == at && !slices.Contains(l.Channels, c) {
				l.Channels = append(l.Channels, c)
			}
		}
	}
	out := make([]Line, len(order))
	for i, at := range order {
		out[i] = *found[at]
		slices.Sort(out[i].Channels)
	}
	return out
}

// Minor returns the releases of a minor version, as "4.14", for an architecture.
func (g *Graph) Minor(version string, arch Arch) []Node {
	var out []Node
	for _, n := range g.Releases("", arch) {
		if (minor{n.order.Major, n.order.Minor}).String() == version {
			out = append(out, n)
		}
	}
	return out
}

// The service cannot be asked which minor versions there are: they are tried
// from the first on, some at a time, until none of those has a release.
const (
	firstMinor = 1
	lastMinor  = 99
	atATime    = 8
	major      = 4
)

// All reads the releases of all minor versions that the service knows: of the
// stable channels, and of the candidates of a version that has none yet.
func (a API) All(ctx context.Context, arch Arch) (*Graph, error) {
	all := &Graph{}
	for from := firstMinor; from <= lastMinor; from += atATime {
		found := make([][]Node, atATime)
		g, gctx := errgroup.WithContext(ctx)
		for i := range found {
			g.Go(func() (err error) {
				found[i], err = a.tried(gctx, minor{major, uint64(from + i)}, arch)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		nodes := slices.Concat(found...)
		if len(nodes) == 0 && (len(all.Nodes) > 0 || from > 4*atATime) {
			break
		}
		all.Nodes = append(all.Nodes, nodes...)
	}
	all.Nodes = merged(all.Nodes)
	return all, nil
}

// tried returns the releases of one minor version, none where there is none.
func (a API) tried(ctx context.Context, at minor, arch Arch) ([]Node, error) {
	for _, prefix := range []string{"stable", "candidate"} {
		g, err := a.Known(ctx, prefix+"-"+at.String(), arch)
		if err != nil || len(g.Nodes) > 0 {
			return g.Nodes, err
		}
	}
	return nil, nil
}

// Known is Fetch for a channel that there may not be: it has no releases then.
func (a API) Known(ctx context.Context, channel string, arch Arch) (*Graph, error) {
	g, err := a.Fetch(ctx, channel, arch)
	if e, ok := errors.AsType[*FetchError](err); ok && e.noChannel() {
		return &Graph{}, nil
	}
	if err != nil {
		return &Graph{}, err
	}
	return g, nil
}

// merged makes one of the releases that several graphs have.
func merged(nodes []Node) []Node {
	slices.SortStableFunc(nodes, Node.compare)
	var out []Node
	for _, n := range nodes {
		if last := len(out) - 1; last >= 0 && out[last].Version == n.Version && out[last].Arch == n.Arch {
			channels := append(slices.Clone(out[last].Channels), n.Channels...)
			slices.Sort(channels)
			out[last].Channels = slices.Compact(channels)
			continue
		}
		out = append(out, n)
	}
	return out
}
