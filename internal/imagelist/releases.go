package imagelist

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// releaseTag is VERSION-ARCH[-COMPONENT], as "adm release mirror" names what it
// writes (oc.md 12.2). A version's pre-release part has a dot in its first
// word (rc.8, 0.nightly-2023-01-09-095104), which the name of a component has not.
var releaseTag = regexp.MustCompile(
	`^([0-9]+\.[0-9]+\.[0-9]+(?:-[0-9a-z]+\.[0-9A-Za-z.-]+?)?)-(?:x86_64|aarch64|ppc64le|s390x|riscv64|amd64|arm64|multi)(-.+)?$`)

// plainVersion is a version without pre-release part.
var plainVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+`)

// Releases returns the versions of the releases that tags belong to, each once
// and oldest first. Other tags are passed over.
func Releases(tags []string) []string {
	var out []string
	for _, tag := range tags {
		if m := releaseTag.FindStringSubmatch(tag); m != nil {
			out = append(out, m[1])
		}
	}
	slices.SortFunc(out, compareVersions)
	return slices.Compact(out)
}

// IsRelease reports whether a tag is that of a release image: VERSION-ARCH. The
// tags of components go on, and one may go on where another ends: cli and
// cli-artifacts.
func IsRelease(tag string) bool {
	m := releaseTag.FindStringSubmatch(tag)
	return m != nil && m[2] == ""
}

// Further returns the releases that a wildcard matched besides the one it
// names: 4.14.1* also matches 4.14.10. tags are those that matched. Where the
// wildcard names no single release (4.14*), several are all returned, and one
// alone is no surprise.
func Further(glob string, tags []string) []string {
	found := Releases(tags)
	named, _, _ := strings.Cut(glob, "*")
	if m := releaseTag.FindStringSubmatch(named); m != nil {
		named = m[1]
	}
	others := slices.DeleteFunc(slices.Clone(found), func(v string) bool { return v == named })
	if plainVersion.MatchString(named) || len(found) > 1 {
		return others
	}
	return nil
}

// compareVersions orders by semantic versioning (semver.org, 11).
func compareVersions(a, b string) int {
	a, preA, _ := strings.Cut(a, "-")
	b, preB, _ := strings.Cut(b, "-")
	if c := compareWords(a, b); c != 0 || preA == preB {
		return c
	}
	if preA == "" || preB == "" { // the release itself comes after its candidates
		return cmp.Compare(len(preB), len(preA))
	}
	return compareWords(preA, preB)
}

// compareWords compares word by word between dots, numbers as numbers and
// before other words.
func compareWords(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		n, errX := strconv.ParseUint(x, 10, 64)
		m, errY := strconv.ParseUint(y, 10, 64)
		switch {
		case errX == nil && errY == nil:
			return cmp.Compare(n, m)
		case errX == nil:
			return -1
		case errY == nil:
			return 1
		}
		return strings.Compare(x, y)
	})
}
