package graph

import (
	"fmt"
	"strings"
)

// Arch is the architecture of a release in the words of the update graph,
// which are Go's: "amd64". Multi is a release of several. The zero value is
// not known.
type Arch string

// Multi is a release whose images are lists of several architectures.
const Multi Arch = "multi"

// archNames has what the tags of releases call an architecture, by what the
// graph calls it. These are all that releases are made for.
var archNames = map[Arch]string{
	"amd64": "x86_64", "arm64": "aarch64", "ppc64le": "ppc64le", "s390x": "s390x", Multi: "multi",
}

// archList is for messages: archNames as they should be typed.
const archList = "x86_64, aarch64, ppc64le, s390x or multi"

// ParseArch reads the name of an architecture as releases or Go have it, in
// any case: "x86_64", "AMD64".
func ParseArch(s string) (Arch, error) {
	lower := strings.ToLower(strings.TrimSpace(s))
	for arch, name := range archNames {
		if lower == string(arch) || lower == name {
			return arch, nil
		}
	}
	return "", fmt.Errorf("there are no releases for the architecture %.50q: it must be %s", s, archList)
}

// String is the name that the tags of releases have: "x86_64".
func (a Arch) String() string {
	if name, ok := archNames[a]; ok {
		return name
	}
	return string(a)
}
