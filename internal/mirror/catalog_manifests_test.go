package mirror_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// Two runs in one second have a directory each.
func TestMakeManifestsDir(t *testing.T) {
	t.Chdir(t.TempDir())
	index := ref.MustParse("file://local/index/redhat/redhat-operator-index:v4.14")
	for _, want := range []string{"manifests-index/redhat/redhat-operator-index-7", "manifests-index/redhat/redhat-operator-index-8"} {
		dir, err := mirror.MakeManifestsDir(index, 7)
		if err != nil || dir != want {
			t.Errorf("the directory is %s, %v, want %s", dir, err, want)
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestMakeManifestsDirFails(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("manifests-index", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if dir, err := mirror.MakeManifestsDir(ref.MustParse("file://local/index/x:v1"), 7); err == nil {
		t.Errorf("%s below a file", dir)
	}
}

func TestWriteManifests(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out", "here")
	write := func(files ...cluster.File) []string {
		t.Helper()
		replaced, err := mirror.WriteManifests(dir, files)
		if err != nil {
			t.Fatal(err)
		}
		return replaced
	}
	mapping := cluster.File{Name: mirror.MappingFile, Content: []byte("a=b\n")}
	v1 := cluster.File{Name: cluster.ClusterCatalogFile, Content: []byte("x\n")}
	if replaced := write(mapping, v1); replaced != nil {
		t.Errorf("replaced in a new directory: %v", replaced)
	}
	if replaced := write(mapping, v1); replaced != nil {
		t.Errorf("replaced by the same: %v", replaced)
	}
	own := filepath.Join(dir, "own.yaml")
	if err := os.WriteFile(own, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	reader := filepath.Join(dir, "reader") // whoever has the old file open
	if err := os.Link(filepath.Join(dir, mirror.MappingFile), reader); err != nil {
		t.Skip(err)
	}
	mapping.Content = []byte("a=c\n")
	if diff := cmp.Diff([]string{mirror.MappingFile, cluster.ClusterCatalogFile}, write(mapping)); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(filepath.Join(dir, cluster.ClusterCatalogFile)); err == nil {
		t.Error("a file of an earlier run is left")
	}
	if _, err := os.Stat(own); err != nil {
		t.Errorf("a file of the user's: %v", err)
	}
	if got, err := os.ReadFile(reader); err != nil || string(got) != "a=b\n" {
		t.Errorf("a file is written over where it lies: %q, %v", got, err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, mirror.MappingFile)); err != nil || string(got) != "a=c\n" {
		t.Errorf("%q, %v", got, err)
	}
}
