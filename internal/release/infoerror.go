package release

import (
	"fmt"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// NoComponentError says that a release has no component of a name.
type NoComponentError struct {
	Component string
	Release   ref.Ref
	Known     []string
}

// Error implements error, in oc's words.
func (e *NoComponentError) Error() string {
	return fmt.Sprintf("no image tag %q exists in the release image %s", e.Component, e.Release)
}

// Hint names the components with names alike, "" where there are none.
func (e *NoComponentError) Hint() string {
	var near []string
	for _, name := range slices.Sorted(slices.Values(e.Known)) {
		if e.Component != "" && (strings.Contains(name, e.Component) || strings.Contains(e.Component, name)) {
			near = append(near, name)
		}
	}
	if len(near) == 0 {
		return "the names of its components are shown by -o name"
	}
	return "it has " + strings.Join(near[:min(len(near), 10)], ", ")
}
