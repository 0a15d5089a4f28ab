package cluster_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/cluster"
)

func secretYAML(config string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata:\n  name: pull-secret\n  namespace: openshift-config\n  uid: u\ntype: kubernetes.io/dockerconfigjson\ndata:\n  .dockerconfigjson: %s\n  other: eA==\n",
		base64.StdEncoding.EncodeToString([]byte(config)))
}

func TestPullSecret(t *testing.T) {
	p, err := cluster.ParsePullSecret([]byte("\ufeff" + secretYAML(`{"auths":{"quay.io":{"auth":"dTpw"}},"x":1}`)))
	if err != nil || p.Name() != "openshift-config/pull-secret" {
		t.Fatal(p, err)
	}
	p.Document.Set(auth.Key{Host: "r.example"}, auth.Credential{Username: "u", Password: "p"}, "")
	out, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Kind     string
		Metadata map[string]any
		Data     map[string][]byte
	}
	if err := yaml.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if text := string(got.Data[".dockerconfigjson"]); text != `{"auths":{"quay.io":{"auth":"dTpw"},"r.example":{"auth":"dTpw"}},"x":1}` {
		t.Errorf("data: %s", text)
	}
	if len(got.Metadata) != 2 || got.Metadata["uid"] != nil || got.Kind != "Secret" || string(got.Data["other"]) != "x" {
		t.Errorf("manifest: %s", out)
	}
}

func TestWrongSecrets(t *testing.T) {
	good := secretYAML("{}")
	for text, want := range map[string]string{
		"":              `kind is ""`,
		"geheim":        "not a manifest",
		"a: [geheim\nb": "wrong at line",
		strings.Replace(good, "Secret", "List", 1):                                             `kind is "List"`,
		strings.Replace(good, "dockerconfigjson", "dockercfg", 1):                              "type is",
		strings.Replace(good, ".dockerconfigjson:", ".dockerconfig:", 1):                       "is missing",
		strings.Replace(good, "e30=", "geheim!", 1):                                            "not base64",
		good + "---\nkind: ConfigMap\n":                                                        "several documents",
		"kind: ConfigMap\n---\n" + good:                                                        "several documents",
		good + "...\nkind: ConfigMap\n":                                                        "several documents",
		good + "--- {kind: ConfigMap}\n":                                                       "several documents",
		good + "---\n[":                                                                        "several documents",
		`{"kind":"Secret"}{"kind":"ConfigMap"}`:                                                "several documents",
		"# a comment\n---\n" + strings.Replace(good, "Secret", "List", 1) + "---\n# nothing\n": `kind is "List"`,
		secretYAML(`{"auths": geheim}`):                                                        "line 1, column 11",
		"kind: Secret\ntype: kubernetes.io/dockerconfigjson\ndata: geheim":                     "is missing",
	} {
		_, err := cluster.ParsePullSecret([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %v, want %q and no secret", text, err, want)
		}
	}
}

// What is around the Secret, and how it is written, does not matter.
func TestPullSecretIsFoundInItsStream(t *testing.T) {
	good := secretYAML("{}")
	for name, text := range map[string]string{
		"empty documents": "---\n# nothing\n---\n" + good + "---\nnull\n...\n", "directive": "# c\n%YAML 1.1\n---\n" + good, "marker": "\ufeff---\r\n" + good,
		"words of dashes": good + "other: |\n  ---\n  a\n#---\n", "utf-16": inUTF16(good),
	} {
		if p, err := cluster.ParsePullSecret([]byte(text)); err != nil || p.Name() != "openshift-config/pull-secret" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// inUTF16 is a text as PowerShell writes it.
func inUTF16(text string) string {
	out := []byte("\xff\xfe")
	for _, b := range []byte(text) {
		out = append(out, b, 0)
	}
	return string(out)
}

func FuzzParsePullSecret(f *testing.F) {
	f.Add(secretYAML("{}"))
	f.Add(`{"kind":"Secret","type":"kubernetes.io/dockerconfigjson","data":{".dockerconfigjson":"e30="},"metadata":null}`)
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := cluster.ParsePullSecret([]byte(text))
		if err != nil {
			return
		}
		p.Document.Set(auth.Key{Host: "r.example"}, auth.Credential{Username: "u", Password: "p"}, "")
		out, err := p.Encode()
		if err != nil {
			return // a manifest that JSON cannot express
		}
		again, err := cluster.ParsePullSecret(out)
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, out)
		}
		if c, err := again.Document.Credential("r.example"); err != nil || c.Username != "u" {
			t.Errorf("the entry is lost: %v, %v", c, err)
		}
	})
}
