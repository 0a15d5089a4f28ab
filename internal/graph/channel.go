package graph

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/blang/semver/v4"

	"github.com/airbridge-dev/airbridge/internal/spelling"
)

// minor is the part of a version that channels are named after: 4.14.
type minor struct{ major, minor uint64 }

func (m minor) String() string { return fmt.Sprintf("%d.%d", m.major, m.minor) }

// below reports whether a version is of a later minor version.
func (m minor) below(v semver.Version) bool {
	return v.Major > m.major || v.Major == m.major && v.Minor > m.minor
}

// channelName is stable-4.14, eus-4.14, stable-scos-4: words and a version.
var channelName = regexp.MustCompile(`^([a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*)-([0-9]{1,4})(?:\.([0-9]{1,4}))?$`)

// splitChannel takes a channel's name apart. ok is false for names that do not
// end in a minor version.
func splitChannel(name string) (prefix string, m minor, ok bool) {
	parts := channelName.FindStringSubmatch(name)
	if parts == nil {
		return name, m, false
	}
	m.major, _ = strconv.ParseUint(parts[2], 10, 64)
	m.minor, _ = strconv.ParseUint(parts[3], 10, 64)
	return parts[1], m, parts[3] != ""
}

func compareChannels(a, b string) int {
	prefixA, minorA, _ := splitChannel(a)
	prefixB, minorB, _ := splitChannel(b)
	return cmp.Or(cmp.Compare(minorA.major, minorB.major), cmp.Compare(minorA.minor, minorB.minor),
		strings.Compare(prefixA, prefixB), strings.Compare(a, b))
}

// usual are the channels in which a version is looked for, in this order (oc.md
// 12.1). Each of stable, fast and candidate has what those before it have.
var usual = []string{"fast", "stable", "candidate"}

func usualChannels(m minor) []string {
	var out []string
	for _, prefix := range usual {
		out = append(out, prefix+"-"+m.String())
	}
	return out
}

// narrower are the channels of the same minor version whose releases are all
// in the named one too.
func narrower(channel string) []string {
	prefix, m, _ := splitChannel(channel)
	switch prefix {
	case "fast":
		return []string{"stable-" + m.String()}
	case "candidate":
		return []string{"stable-" + m.String(), "fast-" + m.String()}
	}
	return nil
}

// maxNamed is how many versions or channels an error proposes.
const maxNamed = 4

// nearestChannels chooses from names those that look most like a channel.
func nearestChannels(channel string, names []string) []string {
	out := spelling.Nearest(names, maxNamed, func(name string) (int, bool) { return spelling.Distance(channel, name), true })
	slices.SortFunc(out, compareChannels)
	return out
}

// nearestVersions chooses from releases in order those around a version.
func nearestVersions(v semver.Version, releases []Node) []string {
	at, _ := slices.BinarySearchFunc(releases, v, func(n Node, v semver.Version) int { return n.order.Compare(v) })
	low, high := max(0, at-maxNamed/2), min(len(releases), at+maxNamed/2)
	if at == len(releases) { // all are older: the newest are of use
		low = max(0, at-maxNamed)
	}
	var out []string
	for _, n := range releases[low:high] {
		out = append(out, n.Version)
	}
	return slices.Compact(out)
}
