package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/yamldoc"
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

// ParseObjects reads a manifest file of the payload: documents, each of YAML or of
// JSON objects one after the other. Empty documents are passed over. Objects without kind or
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

// splitObjects returns the objects of all documents as JSON.
func splitObjects(content []byte) (out [][]byte, err error) {
	for doc := range yamldoc.Split(content) {
		objects, err := objectsOf(doc)
		if err != nil {
			return nil, err
		}
		out = append(out, objects...)
	}
	return out, nil
}

// objectsOf returns the objects of a document as JSON. What begins like JSON and
// is none may be YAML, which has braces too.
func objectsOf(doc yamldoc.Document) ([][]byte, error) {
	if !bytes.HasPrefix(doc.Body, []byte("{")) {
		raw, err := yaml.YAMLToJSON(doc.Text)
		return [][]byte{raw}, err
	}
	out, err := jsonStream(doc.Body)
	if err == nil {
		return out, nil
	}
	if _, second := yamldoc.Only(doc.Text); second == 0 {
		if raw, err := yaml.YAMLToJSON(doc.Text); err == nil {
			return [][]byte{raw}, nil
		}
	}
	return nil, err
}

func jsonStream(content []byte) (out [][]byte, err error) {
	for dec := json.NewDecoder(bytes.NewReader(content)); dec.More(); {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	return out, nil
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
