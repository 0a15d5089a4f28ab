package graph

import (
	"context"
	"errors"
	"slices"

	"github.com/blang/semver/v4"
)

// Lookup asks the update service for a release. A version is looked for in the
// usual channels of its minor version. Where nothing is found the error is a
// NotFoundError; where the service fails, a FetchError or the context's.
func (a API) Lookup(ctx context.Context, q Query) (Node, error) {
	if q.Channel != "" {
		return a.channel(ctx, q)
	}
	v, err := semver.Parse(q.Version)
	if err != nil {
		return Node{}, err
	}
	s := &search{api: a, query: q}
	return s.version(ctx, v)
}

// search is a version being looked for.
type search struct {
	api    API
	query  Query
	looked []string // channels that there are
	seen   []Node
	refuse error // of the first channel that the service did not know
}

func (s *search) version(ctx context.Context, v semver.Version) (Node, error) {
	at := minor{v.Major, v.Minor}
	for _, channel := range usualChannels(at) {
		g, err := s.fetch(ctx, channel)
		if err != nil {
			return Node{}, err
		}
		if n, ok := g.Find(s.query.Version, s.query.Arch); ok {
			return n, nil
		}
		s.seen = append(s.seen, g.Nodes...)
	}
	e := &NotFoundError{Query: s.query, Looked: s.looked}
	if len(s.seen) == 0 {
		return Node{}, s.nothing(ctx, e, at)
	}
	all := &Graph{Nodes: s.seen}
	slices.SortFunc(all.Nodes, Node.compare)
	e.Versions = nearestVersions(v, unique(all.Releases("", s.query.Arch)))
	return Node{}, e
}

// nothing is the error where no release was seen at all.
func (s *search) nothing(ctx context.Context, e *NotFoundError, at minor) error {
	e.Channels = s.api.channelsNear(ctx, usual[1]+"-"+at.String(), s.query.Arch)
	if len(e.Channels) == 0 && s.refuse != nil {
		return s.refuse
	}
	return e
}

// fetch reads a channel; one that the service does not know has no releases.
func (s *search) fetch(ctx context.Context, channel string) (*Graph, error) {
	g, err := s.api.Fetch(ctx, channel, s.query.Arch)
	if e, ok := errors.AsType[*FetchError](err); ok && e.noChannel() {
		if s.refuse == nil {
			s.refuse = err
		}
		return &Graph{}, nil
	}
	if err != nil {
		return nil, err
	}
	if len(g.Nodes) > 0 {
		s.looked = append(s.looked, channel)
	}
	return g, nil
}

// unique drops the releases that several channels have, of sorted ones.
func unique(nodes []Node) []Node {
	return slices.CompactFunc(nodes, func(a, b Node) bool { return a.compare(b) == 0 })
}

func (a API) channel(ctx context.Context, q Query) (Node, error) {
	s := &search{api: a, query: q}
	g, err := s.fetch(ctx, q.Channel)
	if err != nil {
		return Node{}, err
	}
	if n, ok := g.Highest(q.Channel, q.Arch); ok {
		return n, nil
	}
	e := g.notFound(q)
	if len(e.Channels) == 0 && len(e.Archs) == 0 {
		e.Channels = a.channelsNear(ctx, q.Channel, q.Arch)
	}
	if len(e.Channels) == 0 && len(e.Archs) == 0 && s.refuse != nil {
		return Node{}, s.refuse
	}
	return Node{}, e
}

// channelsNear returns the channels that look most like one that there is not.
func (a API) channelsNear(ctx context.Context, channel string, arch Arch) []string {
	_, at, _ := splitChannel(channel)
	return nearestChannels(channel, a.channelsAround(ctx, at, arch))
}

// stepsDown is how many earlier minor versions are tried for channels: the
// service cannot be asked which there are.
const stepsDown = 3

// channelsAround returns the channels that the releases of a minor version, or
// of one just before it, are in. A failure means that nothing is known.
func (a API) channelsAround(ctx context.Context, at minor, arch Arch) []string {
	for range stepsDown {
		for _, channel := range usualChannels(at) {
			g, err := a.Fetch(ctx, channel, arch)
			if e, ok := errors.AsType[*FetchError](err); err != nil && (!ok || !e.noChannel()) {
				return nil
			}
			if err == nil && len(g.Channels()) > 0 {
				return g.Channels()
			}
		}
		if at.minor == 0 {
			break
		}
		at.minor--
	}
	return nil
}
