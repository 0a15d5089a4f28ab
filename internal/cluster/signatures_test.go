package cluster_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/oci"
)

var signed = oci.MustDigest("sha256:81154f5c03294534e1eaf0319bef7a601134f891689ccede5d705ef659aa8c92")

const goldenMap = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"sha256-81154f5c03294534e1eaf0319bef7a601134f891689ccede5d705ef659aa8c92",` +
	`"namespace":"openshift-config-managed","creationTimestamp":null,"labels":{"release.openshift.io/verification-signatures":""}},` +
	`"binaryData":{"sha256-81154f5c03294534e1eaf0319bef7a601134f891689ccede5d705ef659aa8c92-1":"Zmlyc3Q=",` +
	`"sha256-81154f5c03294534e1eaf0319bef7a601134f891689ccede5d705ef659aa8c92-2":"c2Vjb25k"}}` + "\n"

func TestSignatureMap(t *testing.T) {
	got := cluster.SignatureMap(signed, [][]byte{[]byte("first"), []byte("second")})
	want := cluster.File{Name: "signature-sha256-81154f5c03294534.json", Content: []byte(goldenMap)}
	if diff := cmp.Diff(string(want.Content), string(got.Content)); diff != "" || got.Name != want.Name {
		t.Errorf("%s: %s", got.Name, diff)
	}
}

func TestParseSignatureMap(t *testing.T) {
	var bodies [][]byte
	for i := range 12 { // 10 comes after 9, not after 1
		bodies = append(bodies, fmt.Appendf(nil, "signature %d", i+1))
	}
	written := cluster.SignatureMap(signed, bodies).Content
	old, err := yaml.JSONToYAML(written)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(written), `"creationTimestamp":null,`, "", 1)
	for name, content := range map[string]string{"ours": string(written), "YAML": string(old), "newer": newer} {
		d, got, err := cluster.ParseSignatureMap([]byte(content))
		if err != nil || d != signed {
			t.Errorf("%s: %s, %v", name, d, err)
		}
		if diff := cmp.Diff(bodies, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestParseSignatureMapRefuses(t *testing.T) {
	many := map[string][]byte{}
	for i := range 101 {
		many[fmt.Sprintf("%s-%d", cluster.SignatureMapName(signed), i)] = []byte("x")
	}
	crowd, err := json.Marshal(map[string]any{"kind": "ConfigMap", "metadata": map[string]string{"name": cluster.SignatureMapName(signed)}, "binaryData": many})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ content, want string }{
		"empty":       {"", "kind"},
		"no YAML":     {"\t{", "config map"},
		"cut":         {goldenMap[:200], "config map"},
		"several":     {"kind: ConfigMap\nmetadata: {name: x}\n--- {kind: Secret}\n", "several documents, the second on line 3"},
		"a secret":    {strings.Replace(goldenMap, "ConfigMap", "Secret", 1), "Secret"},
		"no digest":   {strings.Replace(goldenMap, `"name":"sha256-8`, `"name":"sha256-`, 1), "no digest"},
		"no base64":   {strings.Replace(goldenMap, "Zmlyc3Q=", "%%%", 1), "config map"},
		"empty map":   {goldenMap[:strings.Index(goldenMap, `"binaryData"`)] + `"binaryData":{}}`, "no signature"},
		"of another":  {strings.Replace(goldenMap, `"name":"sha256-8`, `"name":"sha256-9`, 1), "no signature"},
		"a crowd":     {string(crowd), "over 100"},
		"much of all": {strings.Repeat(" ", cluster.MaxSignatureMap+1), "over"},
	} {
		if _, _, err := cluster.ParseSignatureMap([]byte(c.content)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzParseSignatureMap(f *testing.F) {
	f.Add([]byte(goldenMap))
	f.Add([]byte("kind: ConfigMap\nmetadata: {name: sha256-81}\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, signatures, err := cluster.ParseSignatureMap(content)
		if err == nil && (d.IsZero() || len(signatures) == 0) {
			t.Errorf("%s has %d signatures and no error", d, len(signatures))
		}
	})
}
