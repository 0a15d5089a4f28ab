package samples_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/samples"
)

const digest = "sha256:f30638f60452062aba36a26ee6c036feead2f03b28f2c47f2b0a991e4182331e"

const exported = `apiVersion: v1
kind: ConfigMap
metadata:
  name: imagestreamtag-to-image
  annotations: {samples.operator.openshift.io/version: 4.14.3}
data:
  ruby_3.0_ubi_8: registry.redhat.io/ubi8/ruby-30:latest
  java_11: registry.redhat.io/ubi8/openjdk-11:1.1
  java_8: registry.redhat.io/ubi8/openjdk-8:1.3
`

func TestParse(t *testing.T) {
	want := []samples.Stream{
		{Name: "java", Tags: []samples.Tag{
			{Name: "11", Image: "registry.redhat.io/ubi8/openjdk-11:1.1"}, {Name: "8", Image: "registry.redhat.io/ubi8/openjdk-8:1.3"},
		}},
		{Name: "ruby", Tags: []samples.Tag{{Name: "3.0_ubi_8", Image: "registry.redhat.io/ubi8/ruby-30:latest"}}},
	}
	indented := strings.ReplaceAll(strings.TrimSuffix(exported, "\n"), "\n", "\n  ")
	for name, text := range map[string]string{
		"yaml": exported,
		"list": "kind: List\nitems:\n- kind: ConfigMap\n  metadata: {name: kube-root-ca.crt}\n  data: {ca.crt: x}\n- " + indented + "\n",
		"json": `{"kind": "ConfigMap", "metadata": {"name": "imagestreamtag-to-image", "uid": "1", "annotations": {"samples.operator.openshift.io/version": "4.14.3"}},
			"data": {"java_8": "registry.redhat.io/ubi8/openjdk-8:1.3", "ruby_3.0_ubi_8": "registry.redhat.io/ubi8/ruby-30:latest", "java_11": "registry.redhat.io/ubi8/openjdk-11:1.1"}}`,
	} {
		c, err := samples.Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, c.Streams); diff != "" || c.Version != "4.14.3" || c.FileName() != "samples-4.14.3.json" {
			t.Errorf("%s: %s %s: %s", name, c.Version, c.FileName(), diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     `its kind is ""`,
		"- a\n":                                "it is not an object",
		exported + "---\n" + exported:          "several documents, the second on line 10",
		"a: b\n\tc: d":                         "not valid YAML or JSON: line 2",
		"kind: Config\n":                       `its kind is "Config"`,
		"kind: ConfigMap\n":                    "has no data",
		"kind: ConfigMap\ndata: {java_8: 8}\n": "its field data is a number",
		"kind: ConfigMap\ndata: {java_8: a, java_8: b}\n":     `key "java_8" already set`,
		"kind: ConfigMap\ndata: {ca.crt: x}\n":                `its entry "ca.crt" is not named IMAGESTREAM_TAG`,
		"kind: ConfigMap\ndata: {_8: x}\n":                    "is not named IMAGESTREAM_TAG",
		"kind: ConfigMap\ndata: {java_: x}\n":                 "is not named IMAGESTREAM_TAG",
		"kind: List\nitems: [{kind: ConfigMap}]\n":            "none of its 1 objects",
		"# " + strings.Repeat("x", 9<<20):                     "more than 8388608",
		"kind: ConfigMap\ndata: {java_8: a}\nairbridge: {}\n": "it has the format 0",
	} {
		if _, err := samples.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v, want %q", text, err, want)
		}
	}
}

// Where the operator looks for an image once its samplesRegistry is set.
func TestImageAt(t *testing.T) {
	for name, want := range map[string]string{
		"registry.redhat.io/ubi8/openjdk-8:1.3":     "reg.x:5000/s/ubi8/openjdk-8:1.3",
		"registry.access.redhat.com/ubi8/openjdk-8": "reg.x:5000/s/ubi8/openjdk-8:latest",
		"quay.io/a/b@" + digest:                     "reg.x:5000/s/a/b@" + digest,
		"quay.io/a/b:t@" + digest:                   "reg.x:5000/s/a/b@" + digest,
		"other.example.com:5000/a/b:1":              "reg.x:5000/s/a/b:1",
		"a/b:1":                                     "reg.x:5000/s/a/b:1",
		"b:1":                                       "reg.x:5000/s/b:1",
		"quay.io/b:1":                               "reg.x:5000/s/quay.io/b:1",
		"quay.io/a/b/c:1":                           "reg.x:5000/s/quay.io/a/b/c:1",
		"quay.io:443/a/b:1":                         "",
		"quay.io.example.com/a/b:1":                 "",
		"other.example.com:5000/a/b/c:1":            "",
		"":                                          "",
		"file://a/b:1":                              "",
		"Not A Name":                                "",
	} {
		images, bad := samples.Images([]samples.Stream{{Name: "s", Tags: []samples.Tag{{Name: "1", Image: name}}}})
		if want == "" {
			if len(images) != 0 || bad[name] == nil {
				t.Errorf("%q: %v, %v", name, images, bad)
			}
			continue
		}
		if len(images) != 1 {
			t.Errorf("%q: %v", name, bad)
			continue
		}
		at, err := images[0].At(ref.MustParse("reg.x:5000/s"))
		if err != nil || at.String() != want {
			t.Errorf("%q: %s, %v; want %s", name, at, err, want)
		}
		on, err := images[0].At(ref.MustParse("file://" + samples.Repository))
		if err != nil || on.Path != "openshift/samples"+strings.TrimPrefix(at.Path, "s") || on.Label != "" {
			t.Errorf("%q on a medium: %s, %v", name, on, err)
		}
	}
}

func TestImagesAreThereOnce(t *testing.T) {
	tags := func(names ...string) (out []samples.Tag) {
		for i, name := range names {
			out = append(out, samples.Tag{Name: fmt.Sprint(i), Image: name})
		}
		return out
	}
	images, bad := samples.Images([]samples.Stream{
		{Name: "a", Tags: tags("quay.io/x/y:1", "quay.io/x/y:1", "docker.io/x/z:1")},
		{Name: "b", Tags: tags("quay.io/x/y:1", "x/z:1", "registry.redhat.io/x/y:1", "quay.io/x/y", "quay.io/x/y:latest")},
	})
	var names []string
	for _, i := range images {
		names = append(names, i.Name)
	}
	// x/z is docker.io/x/z; and :latest is what a name without tag stands for
	if want := []string{"quay.io/x/y:1", "docker.io/x/z:1", "x/z:1", "quay.io/x/y", "quay.io/x/y:latest"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	if err := bad["registry.redhat.io/x/y:1"]; len(bad) != 1 || err == nil || err.Error() != "in a mirror it would have the name of quay.io/x/y:1" {
		t.Errorf("%v", bad)
	}
}

func names(streams []samples.Stream) (out []string) {
	for _, s := range streams {
		out = append(out, s.Name)
	}
	return out
}

func TestChoice(t *testing.T) {
	all := []samples.Stream{{Name: "dotnet"}, {Name: "java"}, {Name: "java-runtime"}, {Name: "ruby"}}
	for _, tt := range []struct {
		choice samples.Choice
		want   string
		left   []string
	}{
		{samples.Choice{}, "dotnet java java-runtime ruby", nil},
		{samples.Choice{Include: []string{"java*", "ruby"}}, "java java-runtime ruby", []string{"dotnet"}},
		{samples.Choice{Exclude: []string{"java*"}}, "dotnet ruby", []string{"java", "java-runtime"}},
		{samples.Choice{Include: []string{"java*"}, Exclude: []string{"java"}}, "java-runtime", []string{"dotnet", "java", "ruby"}},
		{samples.Choice{Include: []string{"perl"}}, "no image stream matches perl: there are dotnet, java, java-runtime, ruby", nil},
		{samples.Choice{Exclude: []string{"*"}}, "all 4 image streams are excluded", nil},
	} {
		wanted, left, err := tt.choice.Apply(all)
		got := strings.Join(names(wanted), " ")
		if err != nil {
			got = err.Error()
		}
		if got != tt.want || !slices.Equal(names(left), tt.left) {
			t.Errorf("%+v: %q, %q", tt.choice, got, names(left))
		}
	}
	if c := (samples.Choice{Include: []string{"ruby"}, Exclude: []string{"java*"}}); !c.Excludes(all[1]) || c.Excludes(all[0]) {
		t.Error("what is excluded is not what is merely left")
	}
	if err := (samples.Choice{Include: []string{"a", "["}}).Check(); err == nil {
		t.Error("[ is no error")
	}
}

// What is on a medium reads back, grows, and is found out when it is changed.
func TestRecord(t *testing.T) {
	c, err := samples.Parse([]byte(exported))
	if err != nil {
		t.Fatal(err)
	}
	d := oci.MustDigest(digest)
	const java, ruby = "registry.redhat.io/ubi8/openjdk-8:1.3", "registry.redhat.io/ubi8/ruby-30:latest"
	c.Put(map[string]oci.Digest{java: d, "quay.io/no/more:1": d})
	file := c.Encode()
	first, err := samples.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := first.Recorded(java); !ok || got != d || len(first.Record.Digests) != 1 || !slices.Equal(first.Encode(), file) {
		t.Errorf("%+v", first.Record)
	}
	second, err := samples.Parse([]byte(exported))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := second.Recorded(java); ok {
		t.Error("a map from a cluster has a record")
	}
	second.Take(first)
	second.Put(map[string]oci.Digest{ruby: d})
	if again, err := samples.Parse(second.Encode()); err != nil || len(again.Record.Digests) != 2 || len(first.Record.Digests) != 1 {
		t.Errorf("%v: %+v, and the first %+v", err, again, first.Record)
	}
	for _, change := range [][2]string{{"openjdk-8:1.3", "openjdk-8:1.4"}, {"sha256:f3", "sha256:e3"}, {"java_8", "java_9"}} {
		changed := strings.Replace(string(file), change[0], change[1], 1)
		if _, err := samples.Parse([]byte(changed)); !isRecordError(err) {
			t.Errorf("%v: %v", change, err)
		}
	}
	if _, err := samples.Parse([]byte(strings.Replace(string(file), `"format": 1`, `"format": 2`, 1))); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("format 2: %v", err)
	}
}

func isRecordError(err error) bool {
	_, ok := errors.AsType[*samples.RecordError](err)
	return ok
}

func TestFileNames(t *testing.T) {
	got := samples.FileNames([]string{"v2", "samples.json", "samples-4.14.3.json", "samples-..json", "samples-a/b.json", "xsamples.json", "samples-.json", "samples-4.json.bak"})
	if want := []string{"samples-4.14.3.json", "samples.json"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	c := samples.ConfigMap{Version: "../../etc"}
	if c.FileName() != "samples.json" {
		t.Error(c.FileName())
	}
}

func TestSkippedAndOperatorConfig(t *testing.T) {
	streams := []samples.Stream{
		{Name: "b", Tags: []samples.Tag{{Name: "1", Image: "q/ok"}, {Name: "2", Image: "q/gone"}, {Name: "3", Image: "q/gone"}}},
		{Name: "a", Tags: []samples.Tag{{Name: "1", Image: "q/ok"}}},
	}
	skip := samples.Skipped(streams, func(image string) string {
		if image == "q/gone" {
			return "it is gone"
		}
		return ""
	})
	if diff := cmp.Diff([]samples.Skip{{Stream: "b", Why: "tag 2, q/gone: it is gone"}}, skip); diff != "" {
		t.Error(diff)
	}
	const head = "apiVersion: samples.operator.openshift.io/v1\nkind: Config\nmetadata:\n  name: cluster\nspec:\n  managementState: Managed\n  samplesRegistry: r.x:5000/s\n"
	if got := string(samples.OperatorConfig("r.x:5000/s", append(skip, samples.Skip{Stream: "a"}))); got != head+"  skippedImagestreams:\n  - a\n  - b\n" {
		t.Error(got)
	}
	if got := string(samples.OperatorConfig("r.x:5000/s", nil)); got != head+"  skippedImagestreams: []\n" {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(exported))
	f.Add([]byte(`{"kind":"List","items":[{"metadata":{"name":"imagestreamtag-to-image"},"kind":"ConfigMap","data":{"a_b":"c/d:e"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := samples.Parse(text)
		if err != nil {
			return
		}
		images, bad := samples.Images(c.Streams)
		for _, i := range images {
			at, err := i.At(ref.MustParse("file://" + samples.Repository))
			if err != nil || !strings.HasPrefix(at.Path, samples.Repository+"/") || strings.Contains(at.Path, "..") || at.Label != "" {
				t.Errorf("%q goes to %+v, %v", i.Name, at, err)
			}
		}
		if len(images)+len(bad) == 0 {
			t.Errorf("%q: no image", text)
		}
		if again, err := samples.Parse(c.Encode()); err != nil || len(again.Streams) != len(c.Streams) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
