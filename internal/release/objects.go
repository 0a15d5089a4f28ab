package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// Object is one Kubernetes object of the payload.
type Object struct {
	Group, Version, Kind string
	Namespace, Name      string
	Annotations          map[string]string
	// ProviderKind is the spec.providerSpec.kind of a CredentialsRequest.
	ProviderKind string

	raw []byte // JSON
}

// identity is what no two objects of a file have in common.
type identity struct{ group, kind, namespace, name string }

func (o *Object) identity() identity { return identity{o.Group, o.Kind, o.Namespace, o.Name} }

// wireObject is the part of an object that counts.
type wireObject struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name        string         `json:"name"`
		Namespace   string         `json:"namespace"`
		Annotations map[string]any `json:"annotations"`
	} `json:"metadata"`
}

// annotations returns those that are texts, as all ought to be.
func (w *wireObject) annotations() map[string]string {
	out := map[string]string{}
	for name, value := range w.Metadata.Annotations {
		if text, ok := value.(string); ok {
			out[name] = text
		}
	}
	return out
}

// providerKind is where a CredentialsRequest names its cloud.
type providerKind struct {
	Spec struct {
		ProviderSpec struct {
			Kind string `json:"kind"`
		} `json:"providerSpec"`
	} `json:"spec"`
}

// ParseObjects reads a manifest file of the payload: YAML documents, or one
// JSON object after the other. Empty documents are passed over. Objects without kind or
// name, and two that are the same object, are errors, as for oc.
func ParseObjects(content []byte) ([]Object, error) {
	documents, err := splitObjects(content)
	if err != nil {
		return nil, err
	}
	var out []Object
	seen := map[identity]bool{}
	for _, raw := range documents {
		if len(raw) == 0 || string(raw) == "null" {
			continue
		}
		o, err := parseObject(raw)
		if err != nil {
			return nil, err
		}
		if seen[o.identity()] {
			return nil, fmt.Errorf("it has %s %q twice", o.Kind, o.Name)
		}
		seen[o.identity()] = true
		out = append(out, o)
	}
	return out, nil
}

// splitObjects returns the documents as JSON.
func splitObjects(content []byte) (out [][]byte, err error) {
	if bytes.HasPrefix(bytes.TrimLeft(content, " \t\r\n"), []byte("{")) {
		for dec := json.NewDecoder(bytes.NewReader(content)); dec.More(); {
			var raw json.RawMessage
			if err := dec.Decode(&raw); err != nil {
				return nil, err
			}
			out = append(out, raw)
		}
		return out, nil
	}
	for _, doc := range yamlDocuments(content) {
		raw, err := yaml.YAMLToJSON(doc)
		if err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	return out, nil
}

// yamlDocuments splits at lines of "---", after which only a comment may stand.
func yamlDocuments(content []byte) [][]byte {
	var out [][]byte
	var current []byte
	for line := range bytes.Lines(content) {
		after, separator := bytes.CutPrefix(line, []byte("---"))
		if after = bytes.TrimSpace(after); separator && (len(after) == 0 || after[0] == '#') {
			out, current = append(out, current), nil
			continue
		}
		current = append(current, line...)
	}
	return append(out, current)
}

func parseObject(raw []byte) (Object, error) {
	var w wireObject
	if err := json.Unmarshal(raw, &w); err != nil {
		return Object{}, err
	}
	if w.Kind == "" || w.Metadata.Name == "" {
		return Object{}, errors.New("an object in it has no kind or no name")
	}
	o := Object{
		Kind: w.Kind, Namespace: w.Metadata.Namespace, Name: w.Metadata.Name, Annotations: w.annotations(), raw: raw,
		Version: w.APIVersion,
	}
	if group, version, ok := strings.Cut(w.APIVersion, "/"); ok {
		o.Group, o.Version = group, version
	}
	if o.IsCredentialsRequest() {
		var p providerKind
		if err := json.Unmarshal(raw, &p); err != nil {
			return Object{}, fmt.Errorf("CredentialsRequest %q: %w", o.Name, err)
		}
		o.ProviderKind = p.Spec.ProviderSpec.Kind
	}
	return o, nil
}

// IsCredentialsRequest reports whether a cluster asks with the object for an
// account in its cloud.
func (o *Object) IsCredentialsRequest() bool {
	return o.Group == "cloudcredential.openshift.io" && o.Version == "v1" && o.Kind == "CredentialsRequest"
}

// YAML returns the object as a YAML document with sorted keys and the line of
// dashes before it (oc.md 13.2).
func (o *Object) YAML() ([]byte, error) {
	body, err := yaml.JSONToYAML(o.raw)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", o.Kind, o.Name, err)
	}
	return append([]byte("---\n"), body...), nil
}
