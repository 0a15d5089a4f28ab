package release_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/release"
)

func TestParseObjects(t *testing.T) {
	for name, tt := range map[string]struct{ content, want string }{
		"one":                   {"kind: A\nmetadata: {name: x}\n", "---\nkind: A\nmetadata:\n  name: x\n"},
		"several":               {"---\nkind: A\nmetadata: {name: x}\n---  # next\nkind: B\nmetadata:\n    name: \"y\"\n---\n", "---\nkind: A\nmetadata:\n  name: x\n---\nkind: B\nmetadata:\n  name: \"y\"\n"},
		"sorted keys":           {"metadata: {name: x}\nkind: A\n", "---\nkind: A\nmetadata:\n  name: x\n"},
		"json":                  {`{"metadata":{"name":"x"},"kind":"A","n":12345678901234567890}`, "---\nkind: A\nmetadata:\n  name: x\n\"n\": 12345678901234567890\n"},
		"two of json":           {"{\"kind\":\"A\",\"metadata\":{\"name\":\"x\"}}\n{\"kind\":\"B\",\"metadata\":{\"name\":\"x\"}}\n", "---\nkind: A\nmetadata:\n  name: x\n---\nkind: B\nmetadata:\n  name: x\n"},
		"nothing":               {"# a comment\n---\n---\nnull\n", ""},
		"json, then yaml":       {"{\"kind\":\"A\",\"metadata\":{\"name\":\"x\"}}\n---\nkind: B\nmetadata: {name: x}\n", "---\nkind: A\nmetadata:\n  name: x\n---\nkind: B\nmetadata:\n  name: x\n"},
		"json, after a comment": {"# ours\n---\n{\"kind\":\"A\",\"metadata\":{\"name\":\"x\"}}\n{\"kind\":\"B\",\"metadata\":{\"name\":\"x\"}}\n", "---\nkind: A\nmetadata:\n  name: x\n---\nkind: B\nmetadata:\n  name: x\n"},
		"braces of yaml":        {"{kind: A, metadata: {name: x}}\n", "---\nkind: A\nmetadata:\n  name: x\n"},
		"behind a marker":       {"kind: A\nmetadata: {name: x}\n--- {kind: B, metadata: {name: x}}\n", "---\nkind: A\nmetadata:\n  name: x\n---\nkind: B\nmetadata:\n  name: x\n"},
		"after an end":          {"%YAML 1.1\n---\nkind: A\nmetadata: {name: x}\n...\nkind: B\nmetadata: {name: x}\n", "---\nkind: A\nmetadata:\n  name: x\n---\nkind: B\nmetadata:\n  name: x\n"},
		"dashes in text":        {"kind: A\nmetadata: {name: x}\ndata: |\n  ---\n  ---x\n", "---\ndata: |\n  ---\n  ---x\nkind: A\nmetadata:\n  name: x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := release.ParseObjects([]byte(tt.content))
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for i := range objects {
				body, err := objects[i].YAML()
				if err != nil {
					t.Fatal(err)
				}
				got.Write(body)
			}
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, content := range map[string]string{
		"no kind": "metadata: {name: x}\n", "no name": "kind: A\n", "broken": "a: [\n", "broken json": `{"kind":`, "broken second json": `{"kind":"A","metadata":{"name":"x"}} {"kind":`, "yaml behind json": `{"kind":"A","metadata":{"name":"x"}} b: c`,
		"wrong end": "kind: A\nmetadata: {name: x}\n... kind: B\n",
		"text":      "hello\n",
		"twice":     "kind: A\nmetadata: {name: x}\n---\nkind: A\nmetadata: {name: x}\n",
	} {
		if objects, err := release.ParseObjects([]byte(content)); err == nil {
			t.Errorf("%s: %v", name, objects)
		}
	}
}

func FuzzParseObjects(f *testing.F) {
	f.Add([]byte("---\nkind: A\nmetadata: {name: x}\n"))
	f.Add([]byte(`{"kind":"A","metadata":{"name":"x"}} {}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		objects, err := release.ParseObjects(content)
		if err != nil {
			return
		}
		for i := range objects {
			if _, err := objects[i].YAML(); err != nil {
				t.Errorf("%q: %v", content, err)
			}
		}
	})
}

// Every manifest of the real release can be read, and reads back as the same.
func TestObjectsOfTheRealRelease(t *testing.T) {
	layer, err := os.Open(filepath.Join(testdata(t), "release-4.12.0", "payload-layer.tar.gz"))
	if err != nil {
		t.Skipf("no real inputs: %v", err)
	}
	defer layer.Close()
	manifests, requests := 0, 0
	err = release.ReadLayer(layer, func(name string, content []byte) error {
		if ext := filepath.Ext(name); ext != ".yaml" && ext != ".yml" && ext != ".json" {
			return nil
		}
		objects, err := release.ParseObjects(content)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var all []byte
		for i := range objects {
			body, err := objects[i].YAML()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			all = append(all, body...)
			if objects[i].IsCredentialsRequest() {
				requests++
			}
		}
		again, err := release.ParseObjects(all)
		if err != nil || len(again) != len(objects) {
			t.Errorf("%s reads back as %d objects of %d: %v", name, len(again), len(objects), err)
		}
		manifests++
		return nil
	})
	if err != nil && err != io.EOF { //nolint:errorlint // ReadLayer does not wrap what is no error
		t.Fatal(err)
	}
	if manifests < 500 || requests < 20 {
		t.Errorf("%d manifests, %d CredentialsRequests", manifests, requests)
	}
}

// files makes a payload of manifests given as "name: yaml".
func contents(manifests map[string]string) *release.Contents {
	c := &release.Contents{Payload: &release.Payload{Version: "4.16.1"}, References: []byte("refs"), Manifests: map[string][]byte{}}
	for name, text := range manifests {
		c.Manifests[name] = []byte(text)
	}
	return c
}

func object(kind, name string, annotations ...string) string {
	s := kind + "\nmetadata:\n  name: " + name + "\n"
	if len(annotations) > 0 {
		s += "  annotations:\n    " + strings.Join(annotations, "\n    ") + "\n"
	}
	return s
}

const (
	configMap = "apiVersion: v1\nkind: ConfigMap"
	request   = "apiVersion: cloudcredential.openshift.io/v1\nkind: CredentialsRequest"
	crd       = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition"
	gate      = "apiVersion: config.openshift.io/v1\nkind: FeatureGate"

	managed = `include.release.openshift.io/self-managed-high-availability: "true"`
)

func provider(kind string) string { return "spec:\n  providerSpec:\n    kind: " + kind + "\n" }

func names(files []release.PayloadFile) string {
	var out []string
	for _, f := range files {
		out = append(out, f.Name)
	}
	return strings.Join(out, " ")
}

func TestFilesOfCredentialsRequests(t *testing.T) {
	c := contents(map[string]string{
		"1.yaml": object(configMap, "a", managed), "2.yaml": object(request, "aws", managed) + provider("AWSProviderSpec"),
		"3.yaml": object(request, "gcp", managed) + provider("GCPProviderSpec"), "4.yaml": "kind: [\n",
	})
	for _, tt := range []struct {
		s    release.FileSelection
		want string
	}{
		{release.FileSelection{}, "1.yaml 2.yaml 3.yaml image-references"},
		{release.FileSelection{CredentialsRequests: true}, "2.yaml 3.yaml"},
		{release.FileSelection{CredentialsRequests: true, ProviderKind: release.ProviderKind("gcp")}, "3.yaml"},
	} {
		files, unread, err := c.Files(tt.s)
		if err != nil || names(files) != tt.want || len(unread) != 1 || !strings.Contains(unread[0].Error(), "4.yaml") {
			t.Errorf("%+v: %s, %v, %v", tt.s, names(files), unread, err)
		}
	}
}

func TestInclusion(t *testing.T) {
	gates := func(set, profile string) string {
		return object(gate, "cluster", "include.release.openshift.io/"+profile+": false-except-for-the-config-operator", "release.openshift.io/feature-set: "+set)
	}
	enabled := func(name string) string {
		return "status: {featureGates: [{version: x, enabled: [{name: " + name + "}]}]}\n"
	}
	files := map[string]string{
		"gates1.yaml":   gates("Default", "self-managed-high-availability") + enabled("Gate"),
		"gates2.yaml":   gates("TechPreviewNoUpgrade", "self-managed-high-availability") + enabled("Tech"),
		"gates3.yaml":   gates("Default", "ibm-cloud-managed") + enabled("Other"),
		"plain":         object(configMap, "a"),
		"managed":       object(configMap, "a", managed),
		"false":         object(configMap, "a", `include.release.openshift.io/self-managed-high-availability: "false"`),
		"default":       object(configMap, "a", managed, "release.openshift.io/feature-set: Default"),
		"tech":          object(configMap, "a", managed, "release.openshift.io/feature-set: TechPreviewNoUpgrade,DevPreviewNoUpgrade"),
		"gate":          object(configMap, "a", managed, "release.openshift.io/feature-gate: Gate"),
		"gate-off":      object(configMap, "a", managed, `release.openshift.io/feature-gate: "-Gate"`),
		"gate-none":     object(configMap, "a", managed, `release.openshift.io/feature-gate: Gate,Other`),
		"gate-not":      object(configMap, "a", managed, `release.openshift.io/feature-gate: -Other`),
		"gate-and-set":  object(configMap, "a", managed, "release.openshift.io/feature-gate: Gate", "release.openshift.io/feature-set: Default"),
		"major":         object(crd, "a", managed, `release.openshift.io/major-version: "4,5"`),
		"major-other":   object(crd, "a", managed, `release.openshift.io/major-version: "5"`),
		"major-not":     object(crd, "a", managed, `release.openshift.io/major-version: "-4"`),
		"major-but":     object(crd, "a", managed, `release.openshift.io/major-version: "-5"`),
		"major-map":     object(configMap, "a", managed, `release.openshift.io/major-version: "4"`),
		"major-bad":     object(crd, "a", managed, `release.openshift.io/major-version: "x"`),
		"console":       object(configMap, "a", managed, "capability.openshift.io/name: Console"),
		"console-and":   object(configMap, "a", managed, "capability.openshift.io/name: Console+Build"),
		"olm":           object(configMap, "a", managed, "capability.openshift.io/name: OperatorLifecycleManager"),
		"request":       object(request, "r", managed) + provider("AWSProviderSpec"),
		"request-plain": object(request, "s") + provider("AWSProviderSpec"),
	}
	manifests := map[string]string{}
	for name, text := range files {
		manifests[strings.TrimSuffix(name, ".yaml")+".yaml"] = text
	}
	const always = "console.yaml default.yaml gate-not.yaml gate.yaml image-references major-but.yaml major.yaml managed.yaml"
	for name, tt := range map[string]struct{ config, want, requests string }{
		"nothing said": {"", "console-and.yaml console.yaml default.yaml gate-not.yaml gate.yaml image-references major-but.yaml major.yaml managed.yaml olm.yaml request.yaml", "request-plain.yaml request.yaml"},
		"current":      {"capabilities: {baselineCapabilitySet: vCurrent}", "console-and.yaml console.yaml default.yaml gate-not.yaml gate.yaml image-references major-but.yaml major.yaml managed.yaml olm.yaml request.yaml", "request-plain.yaml request.yaml"},
		"v4.13":        {"capabilities: {baselineCapabilitySet: v4.13}", always + " request.yaml", "request-plain.yaml request.yaml"},
		"none and some": {
			"capabilities: {baselineCapabilitySet: None, additionalEnabledCapabilities: [OperatorLifecycleManager]}",
			"default.yaml gate-not.yaml gate.yaml image-references major-but.yaml major.yaml managed.yaml olm.yaml request.yaml", "request-plain.yaml request.yaml",
		},
		"tech preview": {
			"featureSet: TechPreviewNoUpgrade",
			"console-and.yaml console.yaml gate-not.yaml gate-off.yaml image-references major-but.yaml major.yaml managed.yaml olm.yaml request.yaml tech.yaml", "request-plain.yaml request.yaml",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := release.ParseInstallConfig([]byte("apiVersion: v1\nplatform: {aws: {region: x}}\n" + tt.config + "\n"))
			if err != nil || in.Platform != "aws" {
				t.Fatalf("platform %q, %v", in.Platform, err)
			}
			files, unread, err := contents(manifests).Files(release.FileSelection{Inclusion: in})
			if err != nil || len(unread) > 0 {
				t.Fatal(unread, err)
			}
			if diff := cmp.Diff(tt.want, names(files)); diff != "" {
				t.Error(diff)
			}
			files, _, err = contents(manifests).Files(release.FileSelection{Inclusion: in, CredentialsRequests: true})
			if diff := cmp.Diff(tt.requests, names(files)); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}

func TestParseInstallConfigErrors(t *testing.T) {
	for config, want := range map[string]string{
		"pullSecret: [hunter2\n":                                        "not valid YAML",
		"pullSecret: !!int hunter2\n":                                   "cannot decode !!str (a value)",
		"pullSecret: {{hunter2}}\n":                                     "invalid map key (a value)",
		"proxy: {httpsProxy: *hunter2}\n":                               "unknown anchor (a value)",
		"apiVersion: v2\n":                                              "it is no install-config.yaml",
		"apiVersion: v1\nplatform: {aws: {}, gcp: {}}\n":                "more than one platform",
		"apiVersion: v1\nplatform: aws\n":                               "not valid YAML",
		"apiVersion: v1\n---\napiVersion: v1\nplatform: {aws: {}}\n":    "several documents",
		"apiVersion: v1\n--- {apiVersion: v1, platform: {aws: {}}}\n":   "several documents",
		"apiVersion: v1\n...\nplatform: [\n":                            "several documents",
		"apiVersion: v1\ncapabilities: {baselineCapabilitySet: v9.9}\n": `unrecognized baselineCapabilitySet "v9.9"; known are vCurrent, None, v4.11`,
	} {
		_, err := release.ParseInstallConfig([]byte(config))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", config, err)
		}
	}
}
