package yamldoc_test

import (
	"errors"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	sigs "sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/yamldoc"
)

// faults reads a text in every way we have and returns what is said of it.
func faults(text string) (out []string) {
	var loose, strict, typed any
	var fields struct {
		A map[string][]string `json:"a"`
	}
	var node yaml.Node
	err := yaml.Unmarshal([]byte(text), &node)
	if err == nil {
		err = node.Decode(&typed)
	}
	for _, err := range []error{err, sigs.Unmarshal([]byte(text), &loose), sigs.UnmarshalStrict([]byte(text), &strict), sigs.Unmarshal([]byte(text), &fields)} {
		if err != nil {
			out = append(out, yamldoc.Fault(err))
		}
	}
	return out
}

// No error shows what stands in the file, but for names of fields.
func TestFaultQuotesNothing(t *testing.T) {
	for text, want := range map[string]string{
		"a: !!int s3cret":                  "cannot decode !!str (a value) as a !!int",
		"a: !!float \"s3cret`\ns3cret\"":   "cannot decode !!str (a value) as a !!float",
		"a: {? {s3cret: s3cret} : b}":      "invalid map key (a value)",
		"a: {{s3cret}}":                    "invalid map key (a value)",
		"a: {[s3cret]: s3cret}":            "invalid map key (a value)",
		"a: {~: \"s3cret\\ns3cret\"}":      "unsupported map key of type: ",
		"a: *s3cret":                       "unknown anchor (a value) referenced",
		"a: &s3cret [*s3cret]":             "anchor (a value) value contains itself",
		"a: !!binary s3cret%":              "!!binary value contains invalid base64 data",
		"a: s3cret":                        "json: cannot unmarshal string into Go struct field .a of type map[string][]string",
		"b: s3cret\na: [s3cret\nc: s3cret": "line 2: did not find expected ',' or ']'",
		"b: s3cret\nb: s3cret":             `line 2: mapping key "b" already defined at line 1`,
		"b: s3cret\nc: 's3cret\n\nd: \"":   "line 4: found unexpected end of stream",
	} {
		got := faults(text)
		all := strings.Join(got, "\n")
		if !strings.Contains(all, want) || strings.Contains(all, "s3cret") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestFaultIsOneLine(t *testing.T) {
	err := errors.New("error converting YAML to JSON: yaml: unmarshal errors:\n  line 2: x\n  line 3: y")
	if got := yamldoc.Fault(err); got != "line 2: x line 3: y" {
		t.Errorf("%q", got)
	}
}
