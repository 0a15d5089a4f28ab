//go:build unix

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// TestCatalogCut ends adm catalog mirror in the middle of a blob. The manifests
// are whole by then, no image is named that is not there, and the same command
// does the rest. Nothing is left of what the first run read of the index image:
// each run fetches its layer once.
func TestCatalogCut(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			src := newSlowSource(t, 1<<20)
			mirror := servedRegistry(t)
			manifests := filepath.Join(t.TempDir(), "manifests")
			args := []string{"adm", "catalog", "mirror", "--insecure", "--to-manifests=" + manifests, catalogOf(t, src), mirror.addr + "/olm"}
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
			if n := fetches(src.near, src.layer); n != 1 {
				t.Errorf("the layer of the index image was fetched %d times", n)
			}
			if d := cmp.Diff(before, filesBelow(t, manifests)); d != "" {
				t.Errorf("the cut changed the manifests: %s", d)
			}
			if holds(t, mirror.reg, "olm/redhat-index", repo.ByTag("v1")) {
				t.Error("the index image is there, and an image of it is not")
			}
			src.letGo()
			start(t, args...).exits(t, 0, "2 images: ")
			if n := fetches(src.near, src.layer); n != 1 {
				t.Errorf("the second run fetched the layer of the index image %d times", n)
			}
			if d := cmp.Diff(before, filesBelow(t, manifests)); d != "" {
				t.Errorf("the second run changed the manifests: %s", d)
			}
			if !holds(t, mirror.reg, "olm/redhat-index", repo.ByTag("v1")) || !holds(t, mirror.reg, "olm/team-app", repo.ByDigest(src.image.Desc.Digest)) {
				t.Error("the second run did not bring what was missing")
			}
		})
	}
}

// TestCatalogCutFromMedium ends adm catalog mirror in the middle of a push from a
// disk. The same command does the rest, and neither run asks the source.
func TestCatalogCutFromMedium(t *testing.T) {
	near, disk := servedRegistry(t), t.TempDir()
	made := sample.New(5).Catalog(sample.CatalogSpec{Host: near.addr, Packages: 1, Bundles: 1})
	rp, err := near.reg.Repo("redhat/index")
	if err == nil {
		err = made.Push(t.Context(), rp, "v1", near.reg.Repo)
	}
	if err != nil {
		t.Fatal(err)
	}
	command := []string{"adm", "catalog", "mirror", "--insecure", "--to-manifests=" + filepath.Join(t.TempDir(), "manifests")}
	start(t, append(command, near.addr+"/redhat/index:v1", "--dir="+disk)...).exits(t, 0)
	forgetRequests(near)

	far, handler := newRegistry("far")
	reached, release := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(holding(handler, reached, release))
	t.Cleanup(srv.Close)
	letGo := sync.OnceFunc(func() { close(release) })
	t.Cleanup(letGo)
	command = append(command, "--from-dir="+disk, "file://local/index/redhat/index:v1", srv.Listener.Addr().String()+"/olm")
	run := start(t, command...)
	<-reached
	send(t, run, syscall.SIGKILL)
	_ = run.cmd.Wait() // killed
	letGo()
	if holds(t, far.reg, "olm/local-index-redhat-index", repo.ByTag("v1")) {
		t.Error("the index image is there, and an image of it is not")
	}
	start(t, command...).exits(t, 0, "5 images: ")
	if !holds(t, far.reg, "olm/local-index-redhat-index", repo.ByDigest(made.Index.Desc.Digest)) {
		t.Error("the second run did not bring the index image")
	}
	if asked := forgetRequests(near); len(asked) > 0 {
		t.Errorf("the source was asked: %q", asked)
	}
}

// holding holds up the first blob that is sent until release is closed, and closes
// reached then.
func holding(next http.Handler, reached chan<- struct{}, release <-chan struct{}) http.Handler {
	var some atomic.Bool
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := r.Method == http.MethodPatch || r.Method == http.MethodPut
		if sent && strings.Contains(r.URL.Path, "/blobs/uploads/") && !some.Swap(true) {
			close(reached)
			<-release
		}
		next.ServeHTTP(w, r)
	})
}

// forgetRequests returns the requests since it was called last.
func forgetRequests(f *fakeRegistry) (out []string) {
	for len(f.log) > 0 {
		out = append(out, <-f.log)
	}
	return out
}

// fetches counts the requests for a blob since the last count.
func fetches(f *fakeRegistry, blob oci.Digest) (n int) {
	for _, request := range forgetRequests(f) {
		if strings.HasPrefix(request, "GET ") && strings.HasSuffix(request, "/blobs/"+blob.String()) {
			n++
		}
	}
	return n
}

// servedRegistry starts a registry in memory.
func servedRegistry(t *testing.T) *fakeRegistry {
	t.Helper()
	f, handler := newRegistry("registry")
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	f.addr = srv.Listener.Addr().String()
	return f
}

// catalogOf serves an index image with one layer, whose one bundle is the slow
// source's image.
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
	src.near, src.layer = servedRegistry(t), index.Blobs[1].Desc.Digest
	rp, err := src.near.reg.Repo("redhat/index")
	if err == nil {
		err = index.Push(t.Context(), rp, "v1")
	}
	if err != nil {
		t.Fatal(err)
	}
	return src.near.addr + "/redhat/index:v1"
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
