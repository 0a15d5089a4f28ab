package release

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/yamldoc"
)

// verificationMark is the annotation of the ConfigMap that says how the
// release's signatures are checked (oc.md 11).
const verificationMark = "release.openshift.io/verification-config-map"

// maxConfigMap is the largest ConfigMap that a cluster takes, in bytes.
const maxConfigMap = 1 << 20

// Verification names the keys and signature stores that a payload carries. It
// says nothing about whether the release is genuine.
type Verification struct {
	File   string            // the payload file, "" where the payload has none
	Keys   []string          // names, "verifier-public-key-redhat", sorted
	Rings  map[string][]byte // by those names: OpenPGP keys, armored or binary, as found
	Stores []string          // addresses, in the order of their names
}

// Present reports whether the payload carries a key to verify releases with.
func (v Verification) Present() bool { return len(v.Keys) > 0 }

// parseVerification reads a payload file, which may have several YAML
// documents. ok tells whether one of them is the ConfigMap. What cannot be read
// is not it: the keys only inform, and do not decide anything.
func parseVerification(file string, content []byte) (v Verification, ok bool) {
	if !bytes.Contains(content, []byte(verificationMark)) || len(content) > maxConfigMap {
		return Verification{}, false
	}
	for doc := range yamldoc.Split(content) {
		var m configMap
		if yaml.Unmarshal(doc.Text, &m) == nil && m.isVerification() {
			return m.verification(file), true
		}
	}
	return Verification{}, false
}

type configMap struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Data       map[string]string `json:"data"`
	BinaryData map[string][]byte `json:"binaryData"`
}

func (m *configMap) isVerification() bool {
	_, marked := m.Metadata.Annotations[verificationMark]
	return marked && m.Kind == "ConfigMap"
}

func (m *configMap) verification(file string) Verification {
	v := Verification{File: file, Rings: map[string][]byte{}}
	data := maps.Clone(m.BinaryData)
	if data == nil {
		data = map[string][]byte{}
	}
	for name, text := range m.Data {
		data[name] = []byte(text)
	}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		switch {
		case strings.HasPrefix(name, "verifier-public-key-"):
			v.Keys = append(v.Keys, name)
			v.Rings[name] = data[name]
		case strings.HasPrefix(name, "store-"):
			v.Stores = append(v.Stores, strings.TrimSpace(string(data[name])))
		}
	}
	return v
}
