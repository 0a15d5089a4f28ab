package catalog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/blang/semver/v4"
)

// Wanted is what a user wants of one package.
type Wanted struct {
	Package string // EveryPackage for all that are not wanted by name
	Channel string // "" for every channel that is not wanted by name
	// Min and Max bound the versions that are wanted, both included; "" is open.
	// The same version twice is that one version and nothing else. With neither,
	// the head of the channel is wanted, or all of it if All is set.
	Min, Max string
	All      bool
}

// EveryPackage stands for all packages of a catalog.
const EveryPackage = "*"

// wantedForm is what is expected, for errors.
const wantedForm = "expected PACKAGE[:CHANNEL[:VERSIONS]], where VERSIONS is 1.2.3, 1.2.3.., ..1.2.3, 1.2.3..2.0.0, or .. for all"

// ParseWanted reads what is wanted of a package: its name, a channel, and
// versions of it. An empty channel is every channel. A version may have an "="
// or a "v" before it.
func ParseWanted(s string) (Wanted, error) {
	w, err := parseWanted(s)
	if err != nil {
		return Wanted{}, fmt.Errorf("%q: %w; %s", s, err, wantedForm)
	}
	return w, nil
}

func parseWanted(s string) (Wanted, error) {
	name, rest, hasChannel := strings.Cut(s, ":")
	channel, versions, hasVersions := strings.Cut(rest, ":")
	w := Wanted{Package: name, Channel: channel}
	switch {
	case name == "":
		return w, errors.New("the name of the package is missing")
	case strings.ContainsAny(name+channel, " \t\r\n/,="):
		return w, errors.New("names of packages and channels have no spaces, slashes, commas or equal signs")
	case strings.ContainsRune(name, '*') && name != EveryPackage:
		return w, errors.New("* stands for every package, and not for a part of a name")
	case strings.Contains(channel, "..") && !hasVersions:
		return w, fmt.Errorf("versions come after a second colon: %s::%s", name, channel)
	case name == EveryPackage && channel != "":
		return w, errors.New("of every package no one channel can be wanted")
	case hasVersions && versions == "":
		return w, errors.New("the versions are missing after the second colon")
	case hasChannel && !hasVersions && channel == "":
		return w, errors.New("the channel is missing after the colon")
	case !hasVersions:
		return w, nil
	}
	return w.between(versions)
}

// between reads a range of versions.
func (w Wanted) between(versions string) (Wanted, error) {
	from, to, isRange := strings.Cut(versions, "..")
	if !isRange {
		from = strings.TrimPrefix(from, "=")
		to = from
	}
	lo, err := bound(from)
	if err != nil {
		return w, err
	}
	hi, err := bound(to)
	if err != nil {
		return w, err
	}
	if from != "" && to != "" && lo.GT(hi) {
		return w, fmt.Errorf("%s is later than %s", from, to)
	}
	w.Min, w.Max = strings.TrimPrefix(from, "v"), strings.TrimPrefix(to, "v")
	w.All = from == "" && to == ""
	return w, nil
}

// bound reads one end of a range, which may be open.
func bound(s string) (semver.Version, error) {
	if s == "" {
		return semver.Version{}, nil
	}
	v, err := semver.Parse(strings.TrimPrefix(s, "v"))
	if err != nil {
		return v, fmt.Errorf("%q is no version: it has to be like 1.2.3 or 1.2.3-rc.1+build", s)
	}
	return v, nil
}

// String returns what ParseWanted reads.
func (w Wanted) String() string {
	versions := w.versions()
	switch {
	case versions != "":
		return w.Package + ":" + w.Channel + ":" + versions
	case w.Channel != "":
		return w.Package + ":" + w.Channel
	}
	return w.Package
}

// versions returns the range as it is written, "" for the head.
func (w Wanted) versions() string {
	switch {
	case w.All:
		return ".."
	case w.Min == "" && w.Max == "":
		return ""
	case w.Min == w.Max:
		return w.Min
	}
	return w.Min + ".." + w.Max
}

// exact reports whether one version is wanted and nothing else.
func (w Wanted) exact() bool { return w.Min != "" && w.Min == w.Max }

// heads reports whether the heads of channels are wanted.
func (w Wanted) heads() bool { return !w.All && w.Min == "" && w.Max == "" }
