package catalog

import "strings"

// fieldNames are the fields that every document may have.
var fieldNames = []string{"schema", "package", "name", "image", "relatedImages", "defaultChannel", "entries", "properties"}

// fieldName returns the field that a name means: OLM does not look at the case of
// letters, so a catalog may have "Image", and that image is one of a cluster.
func fieldName(name string) string {
	for _, known := range fieldNames {
		if strings.EqualFold(name, known) {
			return known
		}
	}
	return name
}

// withFieldNames returns an object with the fields of its first level in the
// case that everything else of this package expects.
func withFieldNames(object []byte) []byte {
	out := []byte{'{'}
	for name, value := range jsonFields(object) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, quoted(fieldName(name))...), ':'), value...)
	}
	return append(out, '}')
}
