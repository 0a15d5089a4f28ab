package image

import (
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/table"
)

// SeveralError says that a list matches with more or fewer images than one.
type SeveralError struct {
	Matching int              // how many the filter kept
	Children []oci.Descriptor // all that there are
}

// named is how many platforms an error names.
const named = 20

// Error implements error: one line that names the platforms.
func (e *SeveralError) Error() string {
	var names []string
	for _, c := range e.Children[:min(len(e.Children), named)] {
		names = append(names, table.Printable(platformOf(c).String()))
	}
	if more := len(e.Children) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	what := "contains multiple images"
	if e.Matching == 0 {
		what = "contains no image that --filter-by-os matches"
	}
	return fmt.Sprintf("the image is a manifest list and %s - use --filter-by-os to select from: %s", what, strings.Join(names, ", "))
}

// Hint says how to name one.
func (e *SeveralError) Hint() string {
	return "choose one with --filter-by-os, as --filter-by-os=linux/arm64, or name it by its digest"
}

// Table lists the platforms with their digests, as oc does (oc.md 17).
func (e *SeveralError) Table() string {
	var b strings.Builder
	table.Columns(&b, 1, func(w *table.Table) {
		w.Row("  OS", "DIGEST")
		for _, c := range e.Children {
			w.Row("  "+platformOf(c).String(), c.Digest.String())
		}
	})
	return b.String()
}

// platformOf returns the platform of a child, "unknown/unknown" where the list
// does not say.
func platformOf(d oci.Descriptor) oci.Platform {
	if d.Platform == nil {
		return oci.Platform{OS: "unknown", Architecture: "unknown"}
	}
	return *d.Platform
}

// Filter returns a Pick of the children that match. all lets there be several;
// without it exactly one must match, else it fails with a *SeveralError.
// Attestations of build tools are never meant.
func Filter(f oci.PlatformFilter, all bool) Pick {
	return func(children []oci.Descriptor) ([]oci.Descriptor, error) {
		var out []oci.Descriptor
		for _, c := range children {
			if p := platformOf(c); f.Match(p) && (c.Platform == nil || !p.IsAttestation()) {
				out = append(out, c)
			}
		}
		if len(out) == 0 || len(out) > 1 && !all {
			return nil, &SeveralError{Matching: len(out), Children: children}
		}
		return out, nil
	}
}

// Prefer returns a Pick of one image: of the preferred platform, else the first
// that is an image.
func Prefer(p oci.Platform) Pick {
	return func(children []oci.Descriptor) ([]oci.Descriptor, error) {
		var out []oci.Descriptor
		for _, c := range children {
			is := platformOf(c)
			if is.OS == p.OS && is.Architecture == p.Architecture {
				return []oci.Descriptor{c}, nil
			}
			if len(out) == 0 && (c.Platform == nil || !is.IsAttestation()) {
				out = append(out, c)
			}
		}
		if len(out) == 0 {
			return nil, oci.ErrManifestInvalid.With("the list has no images")
		}
		return out, nil
	}
}

// Within returns a Pick of one of the images that match: of the preferred
// platform, else the first. Where none matches it fails with a *SeveralError.
func Within(f oci.PlatformFilter, p oci.Platform) Pick {
	if f.All() {
		return Prefer(p)
	}
	return func(children []oci.Descriptor) ([]oci.Descriptor, error) {
		matching, err := Filter(f, true)(children)
		if err != nil {
			return nil, err
		}
		return Prefer(p)(matching)
	}
}
