package samples

import (
	"slices"

	"sigs.k8s.io/yaml"
)

// Skip is an image stream that the operator is told to pass over.
type Skip struct {
	Stream string
	Why    string // "" for one that was not wanted
}

// Skipped returns the streams of which an image is missing, each with the first
// reason that why gives: "" for an image that is there.
func Skipped(streams []Stream, why func(image string) string) []Skip {
	var out []Skip
	for _, s := range streams {
		for _, t := range s.Tags {
			if reason := why(t.Image); reason != "" {
				out = append(out, Skip{s.Name, "tag " + t.Name + ", " + t.Image + ": " + reason})
				break
			}
		}
	}
	return out
}

// OperatorConfig is the configuration of the operator as a YAML document: the
// mirror, the streams that it does not have, and that the others are wanted.
func OperatorConfig(samplesRegistry string, skip []Skip) []byte {
	names := []string{} // also where it is empty: it takes the place of a list that is there
	for _, s := range skip {
		names = append(names, s.Stream)
	}
	slices.Sort(names)
	out, err := yaml.Marshal(map[string]any{
		"apiVersion": "samples.operator.openshift.io/v1",
		"kind":       "Config",
		"metadata":   map[string]string{"name": "cluster"},
		"spec": map[string]any{
			"managementState":     "Managed",
			"samplesRegistry":     samplesRegistry,
			"skippedImagestreams": names,
		},
	})
	if err != nil {
		panic(err) // strings can always be printed
	}
	return out
}
