//go:build unix

package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// TestCatalogCut ends adm catalog mirror in the middle of a blob. The manifests
// are whole by then, no image is named that is not there, and the same command
// does the rest.
func TestCatalogCut(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			src := newSlowSource(t, 1<<20)
			mirror, addr := servedRegistry(t)
			manifests := filepath.Join(t.TempDir(), "manifests")
			args := []string{"adm", "catalog", "mirror", "--insecure", "--to-manifests=" + manifests, catalogOf(t, src), addr + "/olm"}
			run := start(t, args...)
			<-src.reached
			before := filesBelow(t, manifests)
			for _, name := range []string{"mapping.txt", "catalogSource.yaml", "imageDigestMirrorSet.yaml", "imageContentSourcePolicy.yaml", "imageTagMirrorSet.yaml", "olm-v1/clusterCatalog.yaml"} {
				if before[name] == "" {
					t.Errorf("%s is not there while images are copied", name)
				}
			}
			send(t, run, signal)
			_ = run.cmd.Wait() // killed
			if d := cmp.Diff(before, filesBelow(t, manifests)); d != "" {
				t.Errorf("the cut changed the manifests: %s", d)
			}
			if holds(t, mirror, "olm/redhat-index", repo.ByTag("v1")) {
				t.Error("the index image is there, and an image of it is not")
			}
			src.letGo()
			start(t, args...).exits(t, 0, "2 images: ")
			if d := cmp.Diff(before, filesBelow(t, manifests)); d != "" {
				t.Errorf("the second run changed the manifests: %s", d)
			}
			if !holds(t, mirror, "olm/redhat-index", repo.ByTag("v1")) || !holds(t, mirror, "olm/team-app", repo.ByDigest(src.image.Desc.Digest)) {
				t.Error("the second run did not bring what was missing")
			}
		})
	}
}

// servedRegistry starts a registry in memory.
func servedRegistry(t *testing.T) (reg repo.Registry, addr string) {
	t.Helper()
	f, handler := newRegistry("registry")
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return f.reg, srv.Listener.Addr().String()
}

// catalogOf serves an index image whose one bundle is the slow source's image.
func catalogOf(t *testing.T, src *slowSource) string {
	t.Helper()
	const documents = `{"schema":"olm.package","name":"x","defaultChannel":"s"}
{"schema":"olm.channel","name":"s","package":"x","entries":[{"name":"x.v1"}]}
{"schema":"olm.bundle","name":"x.v1","package":"x","image":"%s/team/app@%s","properties":[{"type":"olm.package","value":{"packageName":"x","version":"1.0.0"}}]}
`
	body := fmt.Sprintf(documents, src.addr, src.image.Desc.Digest)
	index := sample.NewImage(sample.ImageSpec{
		Labels: map[string]string{sample.ConfigsLabel: "/configs"},
		Layers: []sample.Blob{sample.Files(sample.File{Name: "configs/x/catalog.json", Body: []byte(body)})},
	})
	reg, addr := servedRegistry(t)
	rp, err := reg.Repo("redhat/index")
	if err == nil {
		err = index.Push(t.Context(), rp, "v1")
	}
	if err != nil {
		t.Fatal(err)
	}
	return addr + "/redhat/index:v1"
}

// filesBelow returns the content of all files of a directory by their names.
func filesBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name) // it is below
		out[filepath.ToSlash(rel)] = string(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// holds reports whether a registry has an image.
func holds(t *testing.T, reg repo.Registry, repository string, image repo.Target) bool {
	t.Helper()
	rp, err := reg.Repo(repository)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rp.Resolve(t.Context(), image)
	return err == nil
}
