package plan

import "github.com/airbridge-dev/airbridge/internal/ref"

// Mapping says where one image goes: what collectors make of the user's words,
// before anything was looked up. Source has a tag or a digest; a destination
// has a tag, or none where the image is pushed by its digest alone.
type Mapping struct {
	Source       ref.Ref
	Destinations []ref.Ref
	// Last says that the image waits for all others of its release: a release
	// image, which must not be found before its components.
	Last bool
	// Release tells releases of one run apart: what one image waits for. Images
	// with none belong to each.
	Release string
}

// SameRelease reports whether one image may wait for the other.
func SameRelease(a, b string) bool { return a == "" || b == "" || a == b }
