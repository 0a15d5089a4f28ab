package oci

import (
	"fmt"
	"regexp"
)

// maxFilter bounds the text of a filter in bytes.
const maxFilter = 1024

// PlatformFilter selects platforms by a regular expression, as the
// --filter-by-os of oc does (oc.md 3). The zero PlatformFilter keeps everything.
type PlatformFilter struct {
	expr *regexp.Regexp
}

// ParsePlatformFilter reads a regular expression that is looked for anywhere in
// os/arch[/variant]: "linux/arm64" also finds linux/arm64/v8. An empty text and
// ".*" keep everything.
func ParsePlatformFilter(expr string) (PlatformFilter, error) {
	if expr == "" || expr == ".*" {
		return PlatformFilter{}, nil
	}
	if len(expr) > maxFilter {
		return PlatformFilter{}, fmt.Errorf("the platform filter has %d characters, more than %d", len(expr), maxFilter)
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return PlatformFilter{}, fmt.Errorf("the platform filter %q is not a regular expression: %w", expr, err)
	}
	return PlatformFilter{re}, nil
}

// All reports whether the filter keeps everything, also what has no platform.
func (f PlatformFilter) All() bool { return f.expr == nil }

// Match reports whether a platform is kept.
func (f PlatformFilter) Match(p Platform) bool {
	return f.All() || f.expr.MatchString(p.String())
}

// String returns the regular expression.
func (f PlatformFilter) String() string {
	if f.All() {
		return ".*"
	}
	return f.expr.String()
}
