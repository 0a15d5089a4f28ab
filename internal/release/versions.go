package release

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/blang/semver/v4"
)

// ComponentVersion is the version of something that a release is made of, and
// the name that people know it by. Its JSON keys are oc's.
type ComponentVersion struct {
	Version     string
	DisplayName string
}

var (
	versionKey  = regexp.MustCompile(`^[a-z0-9][-a-z0-9]*[a-z0-9]$`)
	displayName = regexp.MustCompile(`^[a-zA-Z0-9\-:\s().]+$`)
)

// severalAllowed may have more than one version in a release: it comes for two
// generations of the operating system.
const severalAllowed = "machine-os"

// readVersions gathers the versions that the components announce. Where they
// contradict each other the lowest wins, as in oc, with a warning.
func (i *Info) readVersions() {
	all := versionSets{versions: map[string][]string{}, names: map[string][]string{}, kubectl: map[string][]string{}}
	i.VersionTags = map[string]string{}
	for _, tag := range i.Tags {
		if tag.Annotations[annotationVersions] == "" {
			continue
		}
		found, err := parseVersions(tag.Annotations[annotationVersions], tag.Annotations[annotationDisplayNames])
		if err != nil {
			i.Warnings = append(i.Warnings, fmt.Sprintf("the referenced image %s had an invalid version annotation: %v", tag.Name, err))
		}
		for name, v := range found {
			i.VersionTags[name] = tag.Name
			all.add(name, v, tag.Name)
		}
	}
	i.Versions = all.lowest()
	if several := all.several(); len(several) > 0 {
		i.Warnings = append(i.Warnings, "multiple versions or display names reported for the following component(s): "+strings.Join(several, ",  "))
	}
	i.Notice = all.kubectls()
}

// versionSets has what is announced for each name: sorted, each once.
type versionSets struct {
	versions, names map[string][]string
	kubectl         map[string][]string // components by their version of kubectl
}

// add takes a version. Many components bring a kubectl of their own; that of
// the release is the one that comes with the command-line tools.
func (s versionSets) add(name string, v ComponentVersion, component string) {
	if name == "kubectl" {
		insert(s.kubectl, v.Version, component)
		if component != "cli" && component != "cli-artifacts" {
			return
		}
	}
	insert(s.versions, name, v.Version)
	insert(s.names, name, v.DisplayName)
}

func insert(into map[string][]string, key, value string) {
	list := into[key]
	if at, found := slices.BinarySearch(list, value); !found {
		into[key] = slices.Insert(list, at, value)
	}
}

func (s versionSets) lowest() map[string]ComponentVersion {
	if len(s.versions) == 0 {
		return nil
	}
	out := map[string]ComponentVersion{}
	for name := range s.versions {
		out[name] = ComponentVersion{s.versions[name][0], s.names[name][0]}
	}
	return out
}

// several names what has more than one version or display name.
func (s versionSets) several() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.versions)) {
		if name != severalAllowed && (len(s.versions[name]) > 1 || len(s.names[name]) > 1) {
			out = append(out, name)
		}
	}
	return out
}

// kubectls tells of more versions of kubectl than one for each generation of
// the operating system.
func (s versionSets) kubectls() string {
	if len(s.kubectl) <= 2 {
		return ""
	}
	var out []string
	for _, version := range slices.Sorted(maps.Keys(s.kubectl)) {
		out = append(out, fmt.Sprintf("%s (%s)", version, strings.Join(s.kubectl[version], ", ")))
	}
	return "multiple versions reported for the kubectl: " + strings.Join(out, ", ")
}

// parseVersions reads "kubernetes=1.27.6,kubectl=1.27.6" and the display names
// in the same form. Of a version, build metadata is dropped.
func parseVersions(versions, names string) (map[string]ComponentVersion, error) {
	display, err := parseNames(names)
	if err != nil {
		return nil, err
	}
	out := map[string]ComponentVersion{}
	for pair := range strings.SplitSeq(strings.TrimSpace(versions), ",") {
		pair = strings.TrimSpace(pair)
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("the version pair %q must be NAME=VERSION", pair)
		}
		if err := checkVersionKey(name); err != nil {
			return nil, err
		}
		v, err := semver.Parse(value)
		if err != nil {
			return nil, fmt.Errorf("the version pair %q must have a valid semantic version: %w", pair, err)
		}
		v.Build = nil
		out[name] = ComponentVersion{v.String(), display[name]}
	}
	return out, nil
}

func parseNames(names string) (map[string]string, error) {
	out := map[string]string{}
	if names == "" {
		return out, nil
	}
	for pair := range strings.SplitSeq(names, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			return nil, fmt.Errorf("the display name pair %q must be NAME=DISPLAYNAME", pair)
		}
		if err := checkVersionKey(name); err != nil {
			return nil, err
		}
		if !displayName.MatchString(value) {
			return nil, fmt.Errorf("the display name %q must only be alphanumerics, spaces, and symbols in [().:-]", value)
		}
		out[name] = value
	}
	return out, nil
}

func checkVersionKey(name string) error {
	switch {
	case len(name) < 2:
		return fmt.Errorf("the version name %q must be at least 2 characters", name)
	case !versionKey.MatchString(name):
		return fmt.Errorf("the version name %q must only be ASCII alphanumerics and internal hyphens", name)
	}
	return nil
}

// sortVersions returns versions in their order; as they are where one of them
// is none.
func sortVersions(versions []string) []string {
	parsed := make([]semver.Version, len(versions))
	for n, text := range versions {
		v, err := semver.Parse(text)
		if err != nil {
			return versions
		}
		parsed[n] = v
	}
	semver.Sort(parsed)
	out := make([]string, len(parsed))
	for n, v := range parsed {
		out[n] = v.String()
	}
	return out
}
