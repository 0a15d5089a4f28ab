package catalog

import (
	"fmt"
	"strings"
)

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

func hasSchema(object []byte) bool {
	for name := range jsonFields(object) {
		if fieldName(name) == "schema" {
			return true
		}
	}
	return false
}

// withFieldNames returns an object with the fields of its first level in the
// case that everything else of this package expects.
func withFieldNames(object []byte) []byte {
	out := []byte{'{'}
	for name, value := range jsonFields(object) {
		out = appendField(out, fieldName(name), value)
	}
	return append(out, '}')
}

// spelledTwice returns an error for an object that has a field in two spellings. Which of
// them counts depends on the version of OLM, and new ones take no such catalog: an image
// that one of them names must not be left out unseen. A field that is there twice in
// one spelling is nothing of the kind, the last one counts everywhere.
func spelledTwice(object []byte) error {
	seen := map[string]string{}
	for name := range jsonFields(object) {
		folded := strings.ToLower(strings.ToUpper(name)) // both, for the letters beyond ASCII that fold to one
		if first, ok := seen[folded]; ok && first != name {
			return fmt.Errorf("it has the field %s twice, as %.100q and %.100q", folded, first, name)
		}
		seen[folded] = name
	}
	return nil
}
