package cluster_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// golden compares with a file of testdata; UPDATE_GOLDEN=1 writes it anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s:\n%s", name, diff)
	}
}

func refs(texts ...string) []ref.Ref {
	var out []ref.Ref
	for _, s := range texts {
		out = append(out, ref.MustParse(s))
	}
	return out
}

const (
	mirror  = "reg.example.com:5000/ocp4/openshift4"
	release = "quay.io/openshift-release-dev/ocp-release"
	art     = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
)

var sources = cluster.MirrorSources(refs(art+":x", release+":4.14.3-x86_64"), refs(mirror, mirror+":4.14.3-x86_64"))

func TestMirrorSources(t *testing.T) {
	a, z := "quay.io/a", "quay.io/z"
	for _, tt := range []struct {
		sources, mirrors []string
		want             []cluster.MirrorSource
	}{
		{
			[]string{z, a + ":1", a + "@sha256:" + strings.Repeat("0", 64)},
			[]string{"r.x/z", "r.x/a:1", "r.x/z:2"},
			[]cluster.MirrorSource{{Mirrors: []string{"r.x/z", "r.x/a"}, Source: a}, {Mirrors: []string{"r.x/z", "r.x/a"}, Source: z}},
		},
		{[]string{a}, nil, nil},
		{nil, []string{"r.x/a"}, nil},
	} {
		got := cluster.MirrorSources(refs(tt.sources...), refs(tt.mirrors...))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v: %s", tt.sources, diff)
		}
	}
}

func TestReport(t *testing.T) {
	base := cluster.Report{
		Program: "oc", UpdateImage: ref.MustParse(mirror + ":4.14.3-x86_64"),
		To: mirror, ToReleaseImage: mirror + ":4.14.3-x86_64", Sources: sources,
	}
	for name, change := range map[string]func(r *cluster.Report){
		"icsp.txt":  func(*cluster.Report) {},
		"idms.txt":  func(r *cluster.Report) { r.Kind = cluster.IDMS; r.ToReleaseImage = "" },
		"none.txt":  func(r *cluster.Report) { r.Kind = cluster.None },
		"local.txt": func(r *cluster.Report) { r.Sources = nil },
		"templated.txt": func(r *cluster.Report) {
			r.Templated, r.To, r.ToReleaseImage, r.SignatureDir = true, mirror+":${component}", "", "/m/config"
		},
		"disk.txt": func(r *cluster.Report) {
			pattern, err := ref.ParsePattern("file://openshift/release:4.14.3-x86_64*")
			if err != nil {
				t.Fatal(err)
			}
			*r = cluster.Report{
				Program: "airbridge", UpdateImage: ref.MustParse("file://openshift/release:4.14.3-x86_64"),
				Upload: pattern, Sources: sources, To: "file://openshift/release",
			}
		},
	} {
		r := base
		change(&r)
		golden(t, name, r.String())
	}
}

// The standard output of real oc, behind the lines of its copying.
func TestReportIsThatOfRealOc(t *testing.T) {
	stdout := realOutput(t)
	_, want, _ := strings.Cut(stdout, "\n\n")
	pattern, err := ref.ParsePattern("file://openshift/release:4.14.3-x86_64*")
	if err != nil {
		t.Fatal(err)
	}
	got := cluster.Report{
		Program: "oc", UpdateImage: ref.MustParse("file://openshift/release:4.14.3-x86_64"), Upload: pattern, FromDir: "release",
	}.String()
	if diff := cmp.Diff("\n"+want, got); diff != "" {
		t.Error(diff)
	}
}

// realOutput is release.stdout of the real inputs, whose absence is the one
// reason to skip that CI allows.
func realOutput(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("AIRBRIDGE_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(dir, "oc-media.tar.gz"))
	if err != nil {
		t.Skipf("no real inputs: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatal("no release.stdout in oc-media.tar.gz")
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "release.stdout" {
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
}

func TestUploadCommandIsOneWordAnArgument(t *testing.T) {
	pattern, err := ref.ParsePattern("file://a:1*")
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"":              "oc image mirror 'file://a:1*' R",
		"/media/usb/m":  "oc image mirror --from-dir=/media/usb/m 'file://a:1*' R",
		"/media/my usb": "oc image mirror --from-dir='/media/my usb' 'file://a:1*' R",
		"it's":          `oc image mirror --from-dir='it'\''s' 'file://a:1*' R`,
		"$HOME":         "oc image mirror --from-dir='$HOME' 'file://a:1*' R",
		`C:\mirror`:     `oc image mirror --from-dir='C:\mirror' 'file://a:1*' R`,
	} {
		got := cluster.Report{Program: "oc", UpdateImage: ref.MustParse("file://a:1"), Upload: pattern, FromDir: dir}.String()
		if !strings.Contains(got, "\n    "+want) {
			t.Errorf("%q: %s", dir, got)
		}
	}
}

func TestFiles(t *testing.T) {
	files := cluster.Files("Mirror_4.14.3", sources)
	for _, f := range files {
		golden(t, f.Name, string(f.Content))
		var back map[string]any
		if err := yaml.UnmarshalStrict(f.Content, &back); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		text := fmt.Sprint(back)
		if !strings.Contains(text, release) || !strings.Contains(text, art) || strings.Count(text, mirror) != 2 {
			t.Errorf("%s reads back as %s", f.Name, text)
		}
	}
	if len(files) != 4 || cluster.Files("x", nil) != nil {
		t.Errorf("%d files, and without sources %v", len(files), cluster.Files("x", nil))
	}
}

func TestParseKind(t *testing.T) {
	for s, want := range map[string]cluster.Kind{"": cluster.ICSP, "icsp": cluster.ICSP, "idms": cluster.IDMS, "none": cluster.None} {
		if got, err := cluster.ParseKind(s); got != want || err != nil {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	if _, err := cluster.ParseKind("ICSP"); err == nil {
		t.Error("ICSP: no error")
	}
}

func TestObjectName(t *testing.T) {
	for in, want := range map[string]string{
		"mirror-4.14.3": "mirror-4.14.3", "local/index/My_Catalog": "local-index-my-catalog", "": "mirror", "...": "mirror",
		"-a-.-b-": "a.b", "4.12.0-rc.8": "4.12.0-rc.8", "a..b": "a.b", "Größe": "gr--e",
		strings.Repeat("a", 252) + "-b": strings.Repeat("a", 252),
	} {
		if got := cluster.ObjectName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzObjectName(f *testing.F) {
	f.Add("local/index/x")
	f.Add("-.-")
	valid := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	f.Fuzz(func(t *testing.T, s string) {
		if got := cluster.ObjectName(s); len(got) > 253 || !valid.MatchString(got) || cluster.ObjectName(got) != got {
			t.Errorf("%q becomes %q", s, got)
		}
	})
}
