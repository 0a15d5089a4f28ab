package cluster

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/yamldoc"
)

// PullSecret is the Secret that holds a cluster's registry credentials, as
// "oc get secret/pull-secret -n openshift-config -o yaml" (or json) writes it.
type PullSecret struct {
	// Document is what the Secret holds; it may be changed before Encode.
	Document *auth.Document
	fields   map[string]any
	json     bool // as the input was
}

// dockerConfig is the member of the Secret's data, and the end of its type.
const dockerConfig = ".dockerconfigjson"

// serverFields are what the API server, or oc apply, keeps about the object in
// the cluster that it was read from. They do not belong to a manifest, and the
// last applied configuration would bring the old credentials along.
var serverFields = []string{"resourceVersion", "uid", "managedFields", "creationTimestamp", "selfLink", "generation"}

// ParsePullSecret reads an exported Secret. The error shows nothing of it but
// names of fields and numbers of lines.
func ParsePullSecret(data []byte) (*PullSecret, error) {
	if len(data) > 2*auth.MaxFile {
		return nil, errors.New("too large for a Secret")
	}
	doc, second := yamldoc.Only(data)
	if second > 0 {
		return nil, errors.New("it has several documents, and only the Secret can be written: name a file with it alone")
	}
	p := &PullSecret{json: bytes.HasPrefix(doc.Body, []byte("{"))}
	if err := yaml.Unmarshal(doc.Text, &p.fields); err != nil {
		return nil, errors.New("not a manifest in YAML or JSON" + lineOf(err))
	}
	if kind, _ := p.fields["kind"].(string); kind != "Secret" {
		return nil, fmt.Errorf("kind is %.40q, not \"Secret\"", kind)
	}
	if kind, _ := p.fields["type"].(string); kind != "kubernetes.io/dockerconfigjson" {
		return nil, fmt.Errorf("type is %.60q, not \"kubernetes.io/dockerconfigjson\"", kind)
	}
	raw, _ := p.object("data")[dockerConfig].(string)
	text, err := base64.StdEncoding.DecodeString(raw)
	if err != nil || raw == "" {
		return nil, fmt.Errorf("data[%q] is missing, or not base64", dockerConfig)
	}
	if p.Document, err = auth.ParseDocument(text); err != nil {
		return nil, fmt.Errorf("data[%q]: %w", dockerConfig, err)
	}
	return p, nil
}

// lineNumber finds the place in an error of the YAML parser, which may quote more.
var lineNumber = regexp.MustCompile(`line [0-9]+`)

func lineOf(err error) string {
	if at := lineNumber.FindString(err.Error()); at != "" {
		return ": wrong at " + at
	}
	return ""
}

// object returns a member that is an object, nil where there is none.
func (p *PullSecret) object(name string) map[string]any {
	o, _ := p.fields[name].(map[string]any)
	return o
}

// Name returns the Secret's namespace and name, "openshift-config/pull-secret"
// for the one that all of a cluster uses.
func (p *PullSecret) Name() string {
	meta := p.object("metadata")
	namespace, _ := meta["namespace"].(string)
	name, _ := meta["name"].(string)
	return namespace + "/" + name
}

// Encode returns the manifest with the document as its data, in the form (YAML
// or JSON) of the input, ready for oc replace or oc apply.
func (p *PullSecret) Encode() ([]byte, error) {
	meta := p.object("metadata")
	for _, name := range serverFields {
		delete(meta, name)
	}
	if notes, ok := meta["annotations"].(map[string]any); ok {
		delete(notes, "kubectl.kubernetes.io/last-applied-configuration")
		if len(notes) == 0 {
			delete(meta, "annotations")
		}
	}
	p.object("data")[dockerConfig] = base64.StdEncoding.EncodeToString(p.Document.Encode(""))
	if !p.json {
		return yaml.Marshal(p.fields)
	}
	out, err := json.MarshalIndent(p.fields, "", "    ")
	return append(out, '\n'), err
}
