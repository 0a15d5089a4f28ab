package graph

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/blang/semver/v4"
)

// Query asks for one release: a version, or the highest one of a channel.
type Query struct {
	Version string // "4.14.3", "" where a channel is asked for
	Channel string // "stable-4.14"
	Arch    Arch
}

// String is how the query is named in messages: "4.14.3 for x86_64".
func (q Query) String() string { return q.Version + q.Channel + " for " + q.Arch.String() }

// IsZero reports whether nothing is asked for.
func (q Query) IsZero() bool { return q == Query{} }

// partVersion is a version that lacks something: 4, 4.14.
var partVersion = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// ParseQuery reads what a user may write for a release that is to be looked
// up: a version, also with an architecture behind it as tags have it
// (4.14.3-x86_64), or a channel. ok is false for all else, which may be a
// reference to an image. The query's Arch is "" where the text has none.
func ParseQuery(s string) (q Query, ok bool, err error) {
	if partVersion.MatchString(s) {
		return q, true, fmt.Errorf("%s is not a whole version: name one, as %s.3, or a channel, as stable-%s", s, minorOf(s), minorOf(s))
	}
	if _, _, isChannel := splitChannel(s); isChannel || channelName.MatchString(s) {
		return Query{Channel: s}, true, nil
	}
	version, arch := cutArch(strings.TrimPrefix(s, "v")) // v4.14.3 is how tags of sources are named
	v, err := semver.Parse(version)
	if err != nil || len(v.Build) > 0 {
		return q, false, nil //nolint:nilerr // it may be the name of an image
	}
	return Query{Version: version, Arch: arch}, true, nil
}

// minorOf makes "4.14" of "4.14", and of "4" too: for an example.
func minorOf(s string) string {
	if strings.Contains(s, ".") {
		return s
	}
	return s + ".14"
}

// cutArch takes the architecture from a version written as a tag. A + comes
// before it where a graph of several architectures has it.
func cutArch(s string) (version string, arch Arch) {
	for _, a := range archs {
		for _, suffix := range []string{"-" + a.String(), "-" + string(a), "+" + string(a)} {
			if rest, ok := strings.CutSuffix(s, suffix); ok {
				return rest, a
			}
		}
	}
	return s, ""
}

// NotFoundError says that no release is what was asked for.
type NotFoundError struct {
	Query Query
	// Looked are the channels that were looked through, in their order.
	Looked []string
	// Versions and Channels are the nearest that there are, in order. Archs
	// are those that have the release.
	Versions, Channels []string
	Archs              []Arch
	// MadeFor, if not "", is the channel that a saved graph was made for.
	MadeFor string
}

// Error implements error.
func (e *NotFoundError) Error() string {
	parts := []string{e.what()}
	switch {
	case len(e.Archs) > 0 && e.Query.Version == "":
		parts = append(parts, "it has some for "+joined(e.Archs))
	case len(e.Archs) > 0:
		parts = append(parts, "it has it for "+joined(e.Archs))
	case len(e.Versions) > 0:
		parts = append(parts, "the nearest are "+strings.Join(e.Versions, ", "))
	case len(e.Channels) > 0:
		parts = append(parts, "the nearest channels are "+strings.Join(e.Channels, ", "))
	}
	return strings.Join(parts, "; ")
}

func (e *NotFoundError) what() string {
	switch {
	case e.MadeFor != "":
		return fmt.Sprintf("the update graph was made for %s and has only a part of %s", e.MadeFor, e.Query.Channel)
	case len(e.Looked) > 0 && e.Query.Version != "":
		return fmt.Sprintf("the update graph has no %s in %s", e.Query, strings.Join(e.Looked, ", "))
	case e.Query.Channel != "":
		return fmt.Sprintf("the update graph has no releases in the channel %s", e.Query)
	case e.Query.Version == "":
		return "the update graph has no releases for " + e.Query.Arch.String()
	}
	return fmt.Sprintf("the update graph has no %s", e.Query)
}

func joined(archs []Arch) string {
	var out []string
	for _, a := range archs {
		out = append(out, a.String())
	}
	return strings.Join(out, ", ")
}

// Lookup answers a query from a graph that was saved. The error is a
// NotFoundError.
func (g *Graph) Lookup(q Query) (Node, error) {
	n, ok := g.answer(q)
	if !ok {
		return Node{}, g.notFound(q)
	}
	if made := g.madeFor(); q.Channel != "" && made != "" && !g.covers(q.Channel, made) {
		return Node{}, &NotFoundError{Query: q, MadeFor: made}
	}
	return n, nil
}

func (g *Graph) answer(q Query) (Node, bool) {
	if q.Channel != "" {
		return g.Highest(q.Channel, q.Arch)
	}
	return g.Find(q.Version, q.Arch)
}

// madeFor returns the channel that the graph was made for: the narrowest of
// those that have all its releases, "" where none has.
func (g *Graph) madeFor() string {
	common := g.common()
	for _, c := range common {
		if !slices.ContainsFunc(narrower(c), func(n string) bool { return slices.Contains(common, n) }) {
			return c
		}
	}
	return ""
}

// covers reports whether a graph made for one channel may have all that another
// has. Channels of later minor versions have all earlier releases too.
func (g *Graph) covers(channel, made string) bool {
	_, wanted, ok := splitChannel(channel)
	_, top, known := splitChannel(made)
	return slices.Contains(g.common(), channel) && (!ok || !known || wanted == top)
}

// notFound says what the graph has in place of what was asked for.
func (g *Graph) notFound(q Query) *NotFoundError {
	e := &NotFoundError{Query: q, Archs: g.archsOf(q)}
	if q.Channel != "" {
		e.Channels = nearestChannels(q.Channel, g.Channels())
		return e
	}
	if v, err := semver.Parse(q.Version); err == nil {
		e.Versions = nearestVersions(v, g.Releases("", q.Arch))
	}
	return e
}

// archsOf returns the architectures that have what was asked for, if the graph
// tells them apart.
func (g *Graph) archsOf(q Query) []Arch {
	var out []Arch
	for _, q.Arch = range g.Archs() {
		if _, ok := g.answer(q); ok {
			out = append(out, q.Arch)
		}
	}
	return out
}

// Doubt says why a saved graph may not have the highest release of a channel,
// "" where nothing hints at it: all its releases are in a narrower one too.
func (g *Graph) Doubt(channel string) string {
	common := g.common()
	for _, other := range narrower(channel) {
		if slices.Contains(common, other) {
			return fmt.Sprintf("all its releases are in %s too: if it was made for that, later ones of %s are missing", other, channel)
		}
	}
	return ""
}
