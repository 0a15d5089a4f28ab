package cluster

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/yamldoc"
)

// A cluster that cannot reach the signature stores looks for the signatures of
// a release in config maps of one namespace that have one label (oc.md 12.5).
const (
	signatureNamespace = "openshift-config-managed"
	signatureLabel     = "release.openshift.io/verification-signatures"
)

// Limits of a signature config map, which may come from a foreign medium.
const (
	MaxSignatureMap = 1 << 20 // bytes, the most that a cluster takes
	maxSignatures   = 100
)

// configMap has its fields in the order in which oc writes them.
type configMap struct {
	Kind       string            `json:"kind"`
	APIVersion string            `json:"apiVersion"`
	Metadata   configMapMetadata `json:"metadata"`
	BinaryData map[string][]byte `json:"binaryData"`
}

type configMapMetadata struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	CreationTimestamp *string           `json:"creationTimestamp"`
	Labels            map[string]string `json:"labels"`
}

// SignaturePrefix begins the names of all files of SignatureMap.
const SignaturePrefix = "signature-"

// SignatureStem is the name of the file of SignatureMap without its extension;
// older versions of oc wrote YAML.
func SignatureStem(d oci.Digest) string {
	return SignaturePrefix + d.Algorithm() + "-" + d.Hex()[:16]
}

// SignatureMapName is the name of the config map of an image's signatures.
func SignatureMapName(d oci.Digest) string { return d.Algorithm() + "-" + d.Hex() }

// SignatureMap is the config map of an image's signatures as a file for "oc
// apply", byte for byte what oc writes. Signatures are numbered from 1.
func SignatureMap(d oci.Digest, signatures [][]byte) File {
	name := SignatureMapName(d)
	m := configMap{
		Kind: "ConfigMap", APIVersion: "v1",
		Metadata:   configMapMetadata{Name: name, Namespace: signatureNamespace, Labels: map[string]string{signatureLabel: ""}},
		BinaryData: map[string][]byte{},
	}
	for i, s := range signatures {
		m.BinaryData[fmt.Sprintf("%s-%d", name, i+1)] = s
	}
	content, err := json.Marshal(m)
	if err != nil {
		panic(err) // maps of bytes can always be printed
	}
	return File{SignatureStem(d) + ".json", append(content, '\n')}
}

// ParseSignatureMap reads what SignatureMap or oc wrote, JSON or YAML: the
// image, and its signatures in the order of their numbers.
func ParseSignatureMap(content []byte) (oci.Digest, [][]byte, error) {
	if len(content) > MaxSignatureMap {
		return oci.Digest{}, nil, fmt.Errorf("it has over %d bytes", MaxSignatureMap)
	}
	var m configMap
	if err := unmarshal(content, &m); err != nil {
		return oci.Digest{}, nil, fmt.Errorf("it is no signature config map: %w", err)
	}
	if m.Kind != "ConfigMap" {
		return oci.Digest{}, nil, fmt.Errorf("it is no signature config map: its kind is %.100q", m.Kind)
	}
	d, err := oci.ParseDigest(strings.Replace(m.Metadata.Name, "-", ":", 1))
	if err != nil {
		return oci.Digest{}, nil, fmt.Errorf("it is no signature config map: its name %.150q is no digest", m.Metadata.Name)
	}
	signatures, err := m.signatures(m.Metadata.Name)
	return d, signatures, err
}

func unmarshal(content []byte, m *configMap) error {
	if bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) {
		return json.Unmarshal(content, m)
	}
	doc, second := yamldoc.Only(content)
	if second > 0 { // "oc apply" would take all of them
		return fmt.Errorf("it has several documents, the second on line %d", second)
	}
	return yaml.Unmarshal(doc.Text, m)
}

// signatures are those under keys that begin with the name, as a cluster reads
// them.
func (m *configMap) signatures(name string) ([][]byte, error) {
	var keys []string
	for key := range m.BinaryData {
		if strings.HasPrefix(key, name) {
			keys = append(keys, key)
		}
	}
	switch {
	case len(keys) == 0:
		return nil, errors.New("it has no signature")
	case len(keys) > maxSignatures:
		return nil, fmt.Errorf("it has over %d signatures", maxSignatures)
	}
	number := func(key string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(key, name+"-")) // 0 for what is no number
		return n
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(number(a), number(b)), strings.Compare(a, b)) })
	var out [][]byte
	for _, key := range keys {
		out = append(out, m.BinaryData[key])
	}
	return out, nil
}
