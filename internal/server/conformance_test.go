package server_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/conformance"
)

// The handlers alone: the fake has no rules that could hide a fault of theirs.
func TestConformanceOverTheContracts(t *testing.T) {
	conformance.Everything(t, server.New(newFake(), server.Options{Now: time.Now}))
}

func TestConformanceOverMemory(t *testing.T) {
	reg := registry.New("memory", cas.Mem(), kv.Mem(), registry.Options{Now: time.Now, Sparse: true})
	conformance.Everything(t, server.New(reg, server.Options{Now: time.Now}))
}

func TestConformanceOverDisk(t *testing.T) {
	reg := openStore(t, filepath.Join(t.TempDir(), "store"), false)
	conformance.Everything(t, server.New(reg, server.Options{Now: time.Now}))
}

// openStore opens a store on disk, the content beside the facts.
func openStore(t *testing.T, dir string, readOnly bool) *registry.Registry {
	t.Helper()
	fs, err := fsys.Make(dir)
	if err != nil {
		t.Fatal(err)
	}
	facts, err := kv.OpenLog(fs, kv.LogOptions{Dir: "facts", ReadOnly: readOnly, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	reg := registry.New(dir, cas.FS(fs), facts, registry.Options{Now: time.Now, ReadOnly: readOnly, Sparse: true})
	t.Cleanup(func() {
		if err := reg.Close(t.Context()); !readOnly && err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		if err := facts.Close(); err != nil {
			t.Error(err)
		}
	})
	return reg
}

// fill pushes an image, an index of it and a referrer through the server.
func fill(t *testing.T, h http.Handler) conformance.Content {
	t.Helper()
	r := newServed(t, h)
	blob := noise(100000)
	d := oci.FromBytes(blob)
	r.want(201, "", r.do("POST", "/v2/a/b/blobs/uploads/?digest="+d.String(), strings.NewReader(string(blob))))
	layer := `{"mediaType":"` + oci.MediaTypeOctetStream + `","digest":"` + d.String() + `","size":100000}`
	image := r.push("a/b", "v1", `{"schemaVersion":2,"config":`+layer+`,"layers":[`+layer+`]}`)
	subject := `{"mediaType":"` + oci.MediaTypeImageManifest + `","digest":"` + image.String() + `","size":1}`
	referrer := r.push("a/b", "v2", `{"schemaVersion":2,"config":`+layer+`,"subject":`+subject+`}`)
	return conformance.Content{
		Repo: "a/b", Tags: []string{"v1", "v2"}, Blobs: []string{d.String()},
		Manifests: []string{image.String(), referrer.String()}, Referrers: []string{image.String()},
	}
}

func TestConformanceReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	var content conformance.Content
	t.Run("fill", func(t *testing.T) {
		content = fill(t, server.New(openStore(t, dir, false), server.Options{Now: time.Now}))
	})
	conformance.ReadOnly(t, server.New(openStore(t, dir, true), server.Options{Now: time.Now, ReadOnly: true}), content)
}

// Unless told otherwise our registry refuses an image one of whose layers it was
// not given, because on this side of the gap nobody can send it later. A sparse
// index it takes.
func TestSparse(t *testing.T) {
	reg := registry.New("memory", cas.Mem(), kv.Mem(), registry.Options{Now: time.Now})
	r := newRig(t, reg, server.Options{})
	absent := `{"mediaType":"` + oci.MediaTypeImageManifest + `","digest":"sha256:` + strings.Repeat("0", 64) + `","size":1}`
	index := `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageIndex + `","manifests":[` + absent + `]}`
	r.want(201, "", r.do("PUT", "/v2/a/manifests/v1", strings.NewReader(index), "Content-Type", oci.MediaTypeImageIndex))
	image := `{"schemaVersion":2,"config":` + absent + `,"layers":[]}`
	r.want(404, oci.ErrManifestBlobUnknown, r.do("PUT", "/v2/a/manifests/v2", strings.NewReader(image), "Content-Type", oci.MediaTypeImageManifest))
}
