package layout

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
)

// maker writes a layout by hand.
type maker struct {
	*testing.T
	dir     string
	entries []oci.Descriptor
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	m := &maker{T: t, dir: t.TempDir()}
	must(t, os.WriteFile(filepath.Join(m.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o600))
	for _, alg := range []string{oci.SHA256, oci.SHA512} {
		must(t, os.MkdirAll(filepath.Join(m.dir, "blobs", alg), 0o755))
	}
	m.index()
	return m
}

func (m *maker) path(d oci.Digest) string {
	return filepath.Join(m.dir, "blobs", d.Algorithm(), d.Hex())
}

func (m *maker) blob(b repotest.Blob) {
	m.Helper()
	must(m.T, os.WriteFile(m.path(b.Desc.Digest), b.Bytes, 0o600))
}

// image writes an image and all it needs, without an entry in the index.
func (m *maker) image(img repotest.Image) {
	m.Helper()
	m.blob(img.Blob)
	for _, b := range img.Blobs {
		m.blob(b)
	}
	for _, child := range img.Children {
		m.image(child)
	}
}

// entry adds an image to the index, under the annotations given in pairs.
func (m *maker) entry(img repotest.Image, annotations ...string) {
	m.Helper()
	m.image(img)
	desc := img.Desc
	desc.Annotations = map[string]string{}
	for i := 0; i < len(annotations); i += 2 {
		desc.Annotations[annotations[i]] = annotations[i+1]
	}
	m.entries = append(m.entries, desc)
	m.index()
}

func (m *maker) index() {
	m.Helper()
	text, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": m.entries})
	must(m.T, err)
	m.rawIndex(text)
}

func (m *maker) rawIndex(text []byte) {
	m.Helper()
	must(m.T, os.WriteFile(filepath.Join(m.dir, "index.json"), text, 0o600))
}
