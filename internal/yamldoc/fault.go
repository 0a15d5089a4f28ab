package yamldoc

import (
	"regexp"
	"strings"
)

// quotation is what the YAML libraries quote of the content in their errors:
// values, names of anchors, keys that are no names, and what belongs to these.
var quotation = regexp.MustCompile("(?s)`.*`" + `|(anchor )'.*'|(invalid map key): .*|(unsupported map key of type: [^,]*), key: .*`)

// preambles come before what an error says.
var preambles = []string{"error converting YAML to JSON: ", "error unmarshaling JSON: ", "while decoding JSON: ", "yaml: ", "unmarshal errors:"}

// Fault returns what an error of go.yaml.in/yaml or sigs.k8s.io/yaml says, the
// line and what kind of thing is wrong there, on one line. What is quoted of the
// content is left out, since it may be secret, but for names of fields that are
// there twice.
func Fault(err error) string {
	text := err.Error()
	for _, preamble := range preambles {
		text = strings.TrimPrefix(text, preamble)
	}
	text = quotation.ReplaceAllString(text, "${1}${2}${3} (a value)")
	return strings.Join(strings.Fields(text), " ")
}
