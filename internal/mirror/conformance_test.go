package mirror

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/testkit/conformance"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// serveReadOnly runs the suite's read-only mode over a directory.
func serveReadOnly(t *testing.T, dir string, form Form, repository string, im *sample.Image) {
	t.Helper()
	d, err := OpenDirectory(t.Context(), dir, DirectoryOptions{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if d.Form != form {
		t.Fatalf("opened as %s, want %s", d.Form, form)
	}
	h := server.New(d.Registry, server.Options{ReadOnly: true, Now: time.Now})
	conformance.ReadOnly(t, h, conformance.Content{
		Repo: repository, Tags: []string{"v1"}, Manifests: []string{im.Desc.Digest.String()}, Blobs: []string{im.Blobs[1].Desc.Digest.String()},
	})
	if err := d.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConformanceOfDirectories(t *testing.T) {
	im := image(1, sample.AMD64)
	for _, form := range []Form{FormOC, FormStore} {
		t.Run(string(form), func(t *testing.T) {
			w := newWorld(t)
			w.push("src.test/r/x:v1", im)
			dir := t.TempDir()
			if form == FormStore {
				if err := InitStore(dir); err != nil {
					t.Fatal(err)
				}
			}
			w.regs.o.To = dir
			wishes := []Wish{wish("src.test/r/x:v1", "file://a/b:v1")}
			if _, err := Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer()); err != nil {
				t.Fatal(err)
			}
			if err := w.regs.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			serveReadOnly(t, dir, form, "a/b", im)
		})
	}
	t.Run(string(FormLayout), func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "lay")
		writeLayout(t, dir, im)
		serveReadOnly(t, dir, FormLayout, "lay", im)
	})
}

// writeLayout writes an image as an OCI layout with the tag v1.
func writeLayout(t *testing.T, dir string, im *sample.Image) {
	t.Helper()
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(path string, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(blobs, im.Desc.Digest.Hex()), im.Body)
	for _, b := range im.Blobs {
		rc, err := b.Open(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(blobs, b.Desc.Digest.Hex()), content)
	}
	top := im.Desc.Bare()
	top.Annotations = map[string]string{"org.opencontainers.image.ref.name": "v1"}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []oci.Descriptor{top}})
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(dir, "index.json"), index)
	write(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
}

// A layout is read by every file:// form.
func TestLayoutIsASource(t *testing.T) {
	w := newWorld(t)
	im := image(1, sample.AMD64)
	dir := filepath.Join(t.TempDir(), "lay")
	writeLayout(t, dir, im)
	w.regs.o.From = dir
	if _, err := Copy(t.Context(), w.regs, []Wish{wish("file://lay:v1", "dst.test/x:v1")}, CopyOptions{}, w.observer()); err != nil {
		t.Fatal(err)
	}
	rp, err := w.host("dst.test").Repo(ref.MustParse("dst.test/x").Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rp.StatBlob(t.Context(), im.Blobs[0].Desc.Digest); err != nil {
		t.Error(err)
	}
}
