package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Arch is the architecture of a release in the words of the update graph,
// which are Go's: "amd64". Multi is a release of several. The zero value is
// not known.
type Arch string

// Multi is a release whose images are lists of several architectures.
const Multi Arch = "multi"

// archs are all that releases are made for.
var archs = []Arch{"amd64", "arm64", "ppc64le", "s390x", Multi}

// archList is for messages: archs as they should be typed.
const archList = "x86_64, aarch64, ppc64le, s390x or multi"

// ParseArch reads the name of an architecture as releases or Go have it, in
// any case: "x86_64", "AMD64".
func ParseArch(s string) (Arch, error) {
	if arch := Arch(oci.GoArch(strings.ToLower(strings.TrimSpace(s)))); slices.Contains(archs, arch) {
		return arch, nil
	}
	return "", fmt.Errorf("there are no releases for the architecture %.50q: it must be %s", s, archList)
}

// String is the name that the tags of releases have: "x86_64".
func (a Arch) String() string { return oci.Machine(string(a)) }
