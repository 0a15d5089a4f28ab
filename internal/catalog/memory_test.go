package catalog_test

import (
	"bytes"
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

var indexDigest = oci.FromBytes([]byte("index"))

// remembered is the memory of a first run to a directory.
func remembered(t testing.TB, dest string) catalog.Memory {
	t.Helper()
	n := catalog.Naming{Index: ref.MustParse(rhIndex), Dest: ref.MustParse(dest)}
	names, err := n.Names(images(apicast, "docker.io/a/b:v1@"+etcd, "docker.io/a/b:v2", "quay.io/a/b:v1", "quay.io/a/b:v2", "ghcr.io/a/b:v1", "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	return names.Remember(indexDigest)
}

func TestMemoryRoundTrip(t *testing.T) {
	m := remembered(t, "file://local/index")
	got, err := catalog.ParseMemory(m.Encode())
	if err != nil {
		t.Fatalf("%v in\n%s", err, m.Encode())
	}
	if !reflect.DeepEqual(got, m) {
		t.Errorf("%v is read, want %v", got, m)
	}
	for _, image := range m.Images {
		if at, ok := got.Find(image.Original); !ok || at != image.At {
			t.Errorf("%s is at %s, %v, want %s", image.Original, at, ok, image.At)
		}
	}
	if at, ok := got.Find(ref.MustParse("quay.io/a/b:v3")); ok {
		t.Errorf("an image that is not there is at %s", at)
	}
}

func TestMemoryIsAsDocumented(t *testing.T) {
	n := catalog.Naming{Index: ref.MustParse(rhIndex), Dest: ref.MustParse("file://local/index")}
	names, err := n.Names(images(apicast, "quay.io/a/b:v1"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"kind":"airbridge catalog memory","version":1,"index":"local/index/redhat/redhat-operator-index:v4.14",` +
		`"digest":"` + indexDigest.String() + `","original":"registry.redhat.io/redhat/redhat-operator-index:v4.14","images":[
["quay.io/a/b:v1","local/index/redhat/redhat-operator-index/a/b:v1"],
["` + apicast + `","local/index/redhat/redhat-operator-index/3scale-amp2/apicast-gateway-rhel8:` + catalog.HashTag(apicast) + `"]
]}
`
	if diff := cmp.Diff(want, string(names.Remember(indexDigest).Encode())); diff != "" {
		t.Error(diff)
	}
}

func TestParseMemoryRefuses(t *testing.T) {
	good := string(remembered(t, "file://local/index").Encode())
	for name, edit := range map[string]func(string) string{
		"nothing":             func(string) string { return "" },
		"another kind":        func(s string) string { return strings.Replace(s, "catalog memory", "memory", 1) },
		"no version":          func(s string) string { return strings.Replace(s, `"version":1`, `"version":0`, 1) },
		"an unknown field":    func(s string) string { return strings.Replace(s, `"version":1`, `"version":1,"more":1`, 1) },
		"more at the end":     func(s string) string { return s + "{}" },
		"cut off":             func(s string) string { return s[:len(s)-10] },
		"a path outside":      func(s string) string { return strings.Replace(s, `"local/index/`, `"../index/`, 1) },
		"an absolute path":    func(s string) string { return strings.Replace(s, `"local/index/`, `"/local/index/`, 1) },
		"a place without tag": func(s string) string { return strings.Replace(s, `:v2"]`, `"]`, 1) },
		"no digest":           func(s string) string { return strings.Replace(s, `"digest":"sha256:`, `"digest":"sha256:zz`, 1) },
		"a file as original":  func(s string) string { return strings.Replace(s, `["quay.io/a/b:v2"`, `["file://quay.io/a/b:v2"`, 1) },
		"a short name":        func(s string) string { return strings.Replace(s, `["docker.io/library/busybox`, `["busybox`, 1) },
		"a repository alone":  func(s string) string { return strings.Replace(s, `["quay.io/a/b:v1"`, `["quay.io/a/b"`, 1) },
		"another order":       func(s string) string { return strings.Replace(s, `["quay.io/a/b:v1"`, `["quay.io/a/b:v9"`, 1) },
		"three in a line":     func(s string) string { return strings.Replace(s, `["quay.io/a/b:v2",`, `["quay.io/a/b:v2","x",`, 1) },
	} {
		text := edit(good)
		if text == good {
			t.Errorf("%s: the edit changes nothing", name)
		}
		if m, err := catalog.ParseMemory([]byte(text)); err == nil {
			t.Errorf("%s is accepted: %v", name, m)
		}
	}
	newer := strings.Replace(good, `"version":1`, `"version":2,"more":1`, 1)
	if _, err := catalog.ParseMemory([]byte(newer)); !errors.Is(err, catalog.ErrNewerMemory) {
		t.Errorf("a newer version: %v", err)
	}
}

// A medium may have many catalogs, the same one twice, and files of no use.
func TestReadMemories(t *testing.T) {
	here, there := remembered(t, "file://local/index"), remembered(t, "file://there")
	other := here
	other.Digest = oci.FromBytes([]byte("other"))
	v2 := fstest.MapFS{}
	if m, problems, err := catalog.ReadMemories(v2, indexDigest); m != nil || problems != nil || err != nil {
		t.Errorf("a medium of oc: %v, %v, %v", m, problems, err)
	}
	for _, m := range []catalog.Memory{here, there, other} {
		v2[m.Path()] = &fstest.MapFile{Data: m.Encode()}
	}
	v2[strings.Replace(here.Path(), ".json", "0.json", 1)] = &fstest.MapFile{Data: here.Encode()}
	v2[strings.Replace(here.Path(), ".json", "1.json", 1)] = &fstest.MapFile{Data: []byte("{")}
	v2[strings.Replace(here.Path(), ".json", "2.json", 1)] = &fstest.MapFile{Data: []byte("{"), Mode: fs.ModeNamedPipe} // nobody waits for it
	memories, problems, err := catalog.ReadMemories(v2, indexDigest)
	if err != nil || len(memories) != 2 || len(problems) != 2 {
		t.Fatalf("%d memories, problems %v, %v", len(memories), problems, err)
	}
	for index, want := range map[string]ref.Ref{
		onDisk: here.Index, "file://there/redhat/redhat-operator-index:v4.14": there.Index,
		"file://there/redhat/redhat-operator-index@" + indexDigest.String(): there.Index,
		"m.io/olm/local-index-redhat-redhat-operator-index:v4.14":           here.Index,
		"m.io/olm/there-redhat-redhat-operator-index:v9":                    there.Index,
		"m.io/olm/redhat-redhat-operator-index:v4.14":                       memories[0].Index,
	} {
		if m := naming(index, "m.io/olm", 2).Recall(memories); m == nil || m.Index != want {
			t.Errorf("%s has %v, want that of %s", index, m, want)
		}
	}
	for _, index := range []string{"file://elsewhere/x:v1", "m.io/olm/elsewhere-x:v1"} {
		if m := naming(index, "m.io/olm", 2).Recall(memories); m != nil {
			t.Errorf("%s has the memory of %s", index, m.Index)
		}
	}
	if m := naming("m.io/olm/renamed:v1", "m.io/olm", 2).Recall(memories[1:]); m == nil || m.Index != memories[1].Index {
		t.Errorf("the only memory of an image is not that of its copy: %v", m)
	}
}

// The file's name is one that FAT takes, and its directory is no repository's.
func TestMemoryPath(t *testing.T) {
	m := remembered(t, "file://local/index")
	if strings.ContainsAny(m.Path(), `:*?"<>|\`) {
		t.Errorf("%s", m.Path())
	}
	if err := oci.CheckName(catalog.MemoryDir); err == nil {
		t.Errorf("%s is the name of a repository", catalog.MemoryDir)
	}
}

func FuzzParseMemory(f *testing.F) {
	f.Add(remembered(f, "file://local/index").Encode())
	f.Add([]byte(`{"kind":"airbridge catalog memory","version":1,"images":[["a/b:c","d:e"]]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := catalog.ParseMemory(content)
		if err != nil {
			return
		}
		if !bytes.Equal(m.Encode(), content) {
			t.Errorf("%q is read, %q is written", content, m.Encode())
		}
		for _, image := range m.Images {
			if at, ok := m.Find(image.Original); !ok || at != image.At {
				t.Errorf("%s is not found", image.Original)
			}
			if oci.CheckName(image.At.Path) != nil || oci.CheckTag(image.At.Tag) != nil {
				t.Errorf("%s is not a place", image.At)
			}
		}
	})
}
