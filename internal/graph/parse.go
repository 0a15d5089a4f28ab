package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/blang/semver/v4"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// The limits of what is read. All channels of all architectures together have
// some thousand releases and fill about a tenth of it.
const (
	MaxSize    = 32 << 20 // bytes
	maxEntries = 1 << 20  // of one list
)

// ErrNotGraph is what all errors of Parse match.
var ErrNotGraph = errors.New("it is not an update graph")

// wire is the graph as JSON. Members that are not known are passed over: the
// format may grow.
type wire struct {
	Version     *int                  `json:"version"`
	Nodes       *list[wireNode]       `json:"nodes"`
	Edges       list[wireEdge]        `json:"edges"`
	Conditional list[wireConditional] `json:"conditionalEdges"`
}

type wireNode struct {
	Version  string            `json:"version"`
	Payload  string            `json:"payload"`
	Metadata map[string]string `json:"metadata"`
}

type wireEdge [2]int

type wireConditional struct {
	Edges list[struct {
		From string `json:"from"`
		To   string `json:"to"`
	}] `json:"edges"`
	Risks list[struct {
		Name string `json:"name"`
	}] `json:"risks"`
}

// list is a list whose length is bounded while it is read.
type list[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *list[T]) UnmarshalJSON(body []byte) error {
	if string(body) == "null" {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if first, err := dec.Token(); err != nil || first != json.Delim('[') {
		return errors.New("a list is not a list")
	}
	for dec.More() {
		if len(*l) == maxEntries {
			return fmt.Errorf("a list has more than %d entries", maxEntries)
		}
		var v T
		if err := dec.Decode(&v); err != nil {
			return err
		}
		*l = append(*l, v)
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *wireEdge) UnmarshalJSON(body []byte) error {
	var pair []int
	if err := json.Unmarshal(body, &pair); err != nil {
		return err
	}
	if len(pair) != len(e) {
		return fmt.Errorf("an edge has %d ends", len(pair))
	}
	copy(e[:], pair)
	return nil
}

// Parse reads a graph. All errors match ErrNotGraph, but for those of r.
func Parse(r io.Reader) (*Graph, error) {
	body, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > MaxSize:
		return nil, fmt.Errorf("%w: it is larger than %d MiB", ErrNotGraph, MaxSize>>20)
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // as editors on Windows leave it
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
		return nil, fmt.Errorf("%w but a web page, as a proxy or a login page sends it", ErrNotGraph)
	}
	var w wire
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotGraph, err)
	}
	g, err := w.graph()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotGraph, err)
	}
	return g, nil
}

func (w *wire) graph() (*Graph, error) {
	switch {
	case w.Nodes == nil:
		return nil, errors.New("it has no list of nodes")
	case w.Version != nil && *w.Version != 1:
		return nil, fmt.Errorf("its format has the version %d, and 1 is known", *w.Version)
	}
	g := &Graph{}
	for i, n := range *w.Nodes {
		node, err := n.node()
		if err != nil {
			return nil, fmt.Errorf("node %d: %w", i, err)
		}
		g.Nodes = append(g.Nodes, node)
	}
	if err := g.setEdges(w.Edges); err != nil {
		return nil, err
	}
	for _, c := range w.Conditional {
		g.addConditional(c)
	}
	return g, g.sort()
}

func (n wireNode) node() (Node, error) {
	v, err := semver.Parse(n.Version)
	if err != nil {
		return Node{}, fmt.Errorf("version %.100q: %w", n.Version, err)
	}
	payload, err := ref.Parse(n.Payload)
	if err == nil {
		err = payload.RequireRepository()
	}
	if err == nil && (payload.Scheme != ref.Registry || payload.Digest.IsZero()) {
		err = errors.New("it is not an image in a registry by its digest")
	}
	if err != nil {
		return Node{}, fmt.Errorf("payload %.200q of %s: %w", n.Payload, n.Version, err)
	}
	out := Node{Payload: payload, Metadata: n.Metadata, Channels: channelsOf(n.Metadata), order: v}
	if out.Arch, err = archOf(v, n.Metadata); err != nil {
		return out, fmt.Errorf("%s: %w", n.Version, err)
	}
	out.order.Build = nil
	out.Version = out.order.String()
	return out, nil
}

// archOf returns what a node says about its architecture: graphs of several
// append it to the version.
func archOf(v semver.Version, metadata map[string]string) (Arch, error) {
	said := metadata[keyArch]
	if said == "" {
		said = metadata[keyMulti]
	}
	if len(v.Build) == 1 {
		if suffix := v.Build[0]; said == "" || said == suffix {
			said = suffix
		} else {
			return "", fmt.Errorf("it says that it is for %.50q", said)
		}
	}
	if arch, err := ParseArch(said); err == nil {
		return arch, nil
	}
	return Arch(said), nil // of an architecture that nobody asks for
}

// setEdges takes the edges, whose ends must be nodes.
func (g *Graph) setEdges(edges []wireEdge) error {
	g.Edges = make([][2]int, len(edges))
	for i, e := range edges {
		for _, end := range e {
			if end < 0 || end >= len(g.Nodes) {
				return fmt.Errorf("edge %d leads to node %d of %d", i, end, len(g.Nodes))
			}
		}
		g.Edges[i] = e
	}
	return nil
}

func (g *Graph) addConditional(c wireConditional) {
	var risks []string
	for _, r := range c.Risks {
		risks = append(risks, r.Name)
	}
	for _, e := range c.Edges {
		g.Conditional = append(g.Conditional, Conditional{From: e.From, To: e.To, Risks: risks})
	}
}

// sort puts the nodes in order, and lets the edges follow.
func (g *Graph) sort() error {
	by := make([]int, len(g.Nodes)) // old indices in the new order
	for i := range by {
		by[i] = i
	}
	slices.SortStableFunc(by, func(i, j int) int { return g.Nodes[i].compare(g.Nodes[j]) })
	nodes, now := make([]Node, len(by)), make([]int, len(by))
	for i, old := range by {
		nodes[i], now[old] = g.Nodes[old], i
		if i > 0 && nodes[i-1].compare(nodes[i]) == 0 {
			return fmt.Errorf("it has %s twice", nodes[i].Version)
		}
	}
	for i, e := range g.Edges {
		g.Edges[i] = [2]int{now[e[0]], now[e[1]]}
	}
	g.Nodes = nodes
	return nil
}
