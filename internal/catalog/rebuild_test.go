package catalog_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/oci"
)

// entriesOf lists a layer: mode, owner, name, size.
func entriesOf(t *testing.T, l catalog.Layer) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(l.Body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil || oci.FromBytes(plain) != l.DiffID || oci.FromBytes(l.Body) != l.Digest {
		t.Errorf("%v, digests %s and %s", err, l.DiffID, l.Digest)
	}
	var out strings.Builder
	for r := tar.NewReader(bytes.NewReader(plain)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 {
			t.Errorf("%s is of %s", h.Name, h.ModTime)
		}
		fmt.Fprintf(&out, "%o %d:%d %s %d\n", h.Mode, h.Uid, h.Gid, h.Name, h.Size)
	}
}

func TestLayers(t *testing.T) {
	c := catalogOf(t, []pkg{{name: "a", standard: "s", channels: []string{"s: 1"}}, {name: "b", standard: "s", channels: []string{"s: 1"}}})
	sizes := map[string]int{}
	for name, body := range c.Files() {
		sizes[name] = len(body)
	}
	for dir, want := range map[string][2]string{
		"/configs/": {
			"644 0:0 .wh.configs 0\n",
			"755 0:0 configs/ 0\n755 0:0 configs/a/ 0\n644 0:0 configs/a/catalog.json %d\n755 0:0 configs/b/ 0\n644 0:0 configs/b/catalog.json %d\n",
		},
		"var//lib/../x/c": {
			"755 0:0 var/ 0\n755 0:0 var/x/ 0\n644 0:0 var/x/.wh.c 0\n",
			"755 0:0 var/ 0\n755 0:0 var/x/ 0\n755 0:0 var/x/c/ 0\n755 0:0 var/x/c/a/ 0\n644 0:0 var/x/c/a/catalog.json %d\n755 0:0 var/x/c/b/ 0\n644 0:0 var/x/c/b/catalog.json %d\n",
		},
	} {
		layers, err := catalog.Layers(dir, c)
		if err != nil {
			t.Fatal(err)
		}
		want[1] = fmt.Sprintf(want[1], sizes["a/catalog.json"], sizes["b/catalog.json"])
		for i := range want {
			if got := entriesOf(t, layers[i]); got != want[i] {
				t.Errorf("%s: got\n%swant\n%s", dir, got, want[i])
			}
		}
	}
	if _, err := catalog.Layers("/", c); err == nil {
		t.Error("the root directory can be replaced")
	}
}

// The digests are those of every machine and every day. Where a change of the
// code changes them, every rebuilt catalog in a mirror is copied anew.
func TestLayersStayTheSame(t *testing.T) {
	c := catalogOf(t, plain)
	layers, err := catalog.Layers("/configs", c)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"sha256:849cafe4313c3c17a5971111d13f7ee80fb5efd1a01da7c333373ec10ffb01f0",
		"sha256:5bd0f7564ebfe5545a78c029b0a4a239ada602f2facdc2921e6ab2efaf48b36d",
	} {
		if got := layers[i].DiffID.String(); got != want {
			t.Errorf("layer %d: %s", i, got)
		}
	}
}

func TestRebuildConfig(t *testing.T) {
	r := catalog.Rebuild{Dir: "/configs", Original: oci.FromBytes([]byte("list")), Layers: []catalog.Layer{{DiffID: oci.FromBytes(nil), CreatedBy: "made"}}}
	base := oci.FromBytes([]byte("image"))
	labels := fmt.Sprintf(`"operators.operatorframework.io.index.configs.v1":"/configs","org.opencontainers.image.base.digest":%q,"dev.airbridge.catalog.original":%q`, base.String(), r.Original.String())
	for _, test := range []struct{ in, want string }{
		{ // as opm makes them today
			`{"created":"2024-01-02T03:04:05Z","os":"linux", "x" : [1, 2], "config":{"User":"1001","Entrypoint":["/bin/opm"],"Cmd":["serve","/configs","--cache-dir=/tmp/cache"],"Labels":{"operators.operatorframework.io.index.configs.v1":"/configs","a":"b"}},"rootfs":{"type":"layers","diff_ids":["sha256:1"]},"history":[{"created_by":"x"}]}`,
			`{"created":"2024-01-02T03:04:05Z","os":"linux","x":[1, 2],"config":{"User":"1001","Entrypoint":["/bin/opm"],"Cmd":["serve","/configs"],"Labels":{"operators.operatorframework.io.index.configs.v1":"/configs","a":"b",` + strings.SplitN(labels, ",", 2)[1] + `}},"rootfs":{"type":"layers","diff_ids":["sha256:1",DIFFID]},"history":[{"created_by":"x"},{"created_by":"made","created":"2024-01-02T03:04:05Z"}]}`,
		},
		{ // from a database, everything in the entry point, no history
			`{"config":{"Entrypoint":["/bin/opm","registry","serve","--database","/database/index.db"],"Cmd":null,"Labels":{"operators.operatorframework.io.index.database.v1":"/database/index.db"}}}`,
			`{"config":{"Entrypoint":["/bin/opm"],"Cmd":["serve","/configs"],"Labels":{` + labels + `}},"rootfs":{"diff_ids":[DIFFID]}}`,
		},
		{ // from a database, everything in the command
			`{"config":{"Cmd":["opm","registry","serve","--database","d"]}}`,
			`{"config":{"Cmd":["opm","serve","/configs"],"Labels":{` + labels + `}},"rootfs":{"diff_ids":[DIFFID]}}`,
		},
		{ // the cache in two words, and more about it
			`{"config":{"Entrypoint":["/bin/opm","serve","--cache-dir","/tmp/cache"],"Cmd":["/configs","--cache-enforce-integrity=true","--termination-log=/t"]}}`,
			`{"config":{"Entrypoint":["/bin/opm","serve"],"Cmd":["/configs","--termination-log=/t"],"Labels":{` + labels + `}},"rootfs":{"diff_ids":[DIFFID]}}`,
		},
		{ // files alone, for servers that OLM brings
			" {}\n",
			`{"config":{"Labels":{` + labels + `}},"rootfs":{"diff_ids":[DIFFID]}}`,
		},
	} {
		got, err := r.Config([]byte(test.in), base)
		want := strings.ReplaceAll(test.want, "DIFFID", fmt.Sprintf("%q", oci.FromBytes(nil).String()))
		if err != nil || string(got) != want || !json.Valid(got) {
			t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
		}
	}
	for in, want := range map[string]string{
		`{"config":{"Entrypoint":["/bin/registry-server"],"Cmd":["--database","bundles.db"]}}`: "does not start opm, so it can only serve the catalog that it was made for: it starts /bin/registry-server --database bundles.db",
		`{"config":{"Entrypoint":["/bin/opm"],"Cmd":["render","/configs"]}}`:                   "it starts /bin/opm render /configs",
		`{"config":{"Entrypoint":["registry","serve"]}}`:                                       "it starts registry serve",
		`[]`: "no JSON object", ``: "no JSON object", `{"config":{"Cmd":"serve"}}`: "Cmd is a string, not a list",
		`{"config":{"Cmd":[1]}}`: "what Cmd has is a number", `{"history":{}}`: "history is an object", `{"rootfs":{"diff_ids":"x"}}`: "diff_ids is a string",
	} {
		if got, err := r.Config([]byte(in), base); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
}

func TestRebuildManifests(t *testing.T) {
	r := catalog.Rebuild{Original: oci.FromBytes([]byte("list")), Layers: []catalog.Layer{{Body: []byte("abc"), Digest: oci.FromBytes([]byte("abc"))}}}
	desc := func(content string, more string) string {
		return fmt.Sprintf(`{"mediaType":"m","digest":%q,"size":%d%s}`, oci.FromBytes([]byte(content)).String(), len(content), more)
	}
	base := oci.Descriptor{MediaType: oci.MediaTypeImageManifest, Digest: oci.FromBytes([]byte("base"))}
	annotations := fmt.Sprintf(`"org.opencontainers.image.base.digest":%q,"dev.airbridge.catalog.original":%q`, base.Digest.String(), r.Original.String())
	got, err := r.Manifest(base, []byte(`{"x":1,"config":`+desc("old", `,"data":"b2xk","urls":["https://old.example.com"]`)+`,"layers":[`+desc("l", "")+`]}`), []byte("new one"))
	layer := strings.Replace(desc("abc", ""), `"m"`, `"application/vnd.oci.image.layer.v1.tar+gzip"`, 1)
	if want := `{"x":1,"config":` + desc("new one", "") + `,"layers":[` + desc("l", "") + `,` + layer + `],"annotations":{` + annotations + `}}`; err != nil || string(got) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
	docker := oci.Descriptor{MediaType: oci.MediaTypeDockerManifest, Digest: base.Digest}
	got, err = r.Manifest(docker, []byte(`{"config":`+desc("old", "")+`,"layers":[]}`), []byte("new"))
	layer = strings.Replace(desc("abc", ""), `"m"`, `"application/vnd.docker.image.rootfs.diff.tar.gzip"`, 1)
	if want := `{"config":` + desc("new", "") + `,"layers":[` + layer + `]}`; err != nil || string(got) != want {
		t.Errorf("docker's: %v, got\n%s\nwant\n%s", err, got, want)
	}
	list := []byte(`{"manifests":[` + desc("a", `,"platform":{"os":"linux"}`) + `,` + desc("b", "") + `,` + desc("c", "") + `],"annotations":{"k":"v"}}`)
	base.MediaType = oci.MediaTypeImageIndex
	got, err = r.Index(base, list, []catalog.Child{{Base: oci.FromBytes([]byte("a")), Body: []byte("new a")}, {Base: oci.FromBytes([]byte("b"))}})
	if want := `{"manifests":[` + desc("new a", `,"platform":{"os":"linux"}`) + `],"annotations":{"k":"v",` + annotations + `}}`; err != nil || string(got) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
	base.MediaType = oci.MediaTypeDockerList
	got, err = r.Index(base, []byte(`{"manifests":[`+desc("a", "")+`]}`), []catalog.Child{{Base: oci.FromBytes([]byte("a")), Body: []byte("new a")}})
	if want := `{"manifests":[` + desc("new a", "") + `]}`; err != nil || string(got) != want {
		t.Errorf("docker's list: %v, got %s", err, got)
	}
	if _, err := r.Index(base, list, nil); err == nil {
		t.Error("a list of nothing")
	}
}

// Whatever the configuration of a stranger's image holds, the result is JSON.
func FuzzRebuildConfig(f *testing.F) {
	f.Add([]byte(`{"config":{"Entrypoint":["opm"],"Cmd":["serve","--cache-dir"],"Labels":null},"config":{},"rootfs":[],"history":[null]}`))
	f.Add([]byte(` {"config":{"Cmd":["registry","serve"]}} `))
	layer := catalog.Layer{DiffID: oci.FromBytes(nil), CreatedBy: "made"}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := catalog.Rebuild{Dir: "configs", Layers: []catalog.Layer{layer}}
		got, err := r.Config(body, oci.FromBytes(body))
		if err == nil && !json.Valid(got) {
			t.Errorf("%s", got)
		}
		desc := oci.Descriptor{MediaType: oci.MediaTypeImageManifest, Digest: oci.FromBytes(body)}
		if m, err := oci.ParseManifest(desc.MediaType, body); err == nil && !m.IsIndex() {
			got, err := r.Manifest(desc, body, []byte("{}"))
			if err == nil && !json.Valid(got) {
				t.Errorf("%s", got)
			}
		}
	})
}
