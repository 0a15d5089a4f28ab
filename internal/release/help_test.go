package release_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// testdata is the directory of real inputs: $AIRBRIDGE_TESTDATA, else beside
// the repository. Its absence is the one reason to skip that CI allows.
func testdata(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("AIRBRIDGE_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no real inputs: %v", err)
	}
	return dir
}

// fake is a source in memory that counts what is read from it. The methods it
// lacks are not for reading a payload.
type fake struct {
	repo.Source
	manifests map[string][]byte // by tag and by digest
	blobs     map[oci.Digest][]byte
	read      map[oci.Digest]int // bytes of each blob that was opened
}

func newFake() *fake {
	return &fake{manifests: map[string][]byte{}, blobs: map[oci.Digest][]byte{}, read: map[oci.Digest]int{}}
}

func (f *fake) Manifest(_ context.Context, t repo.Target) (oci.Descriptor, []byte, error) {
	body, ok := f.manifests[t.String()]
	if !ok {
		return oci.Descriptor{}, nil, oci.ErrManifestUnknown.With("no manifest " + t.String())
	}
	m, err := oci.ParseManifest("", body)
	if err != nil {
		return oci.Descriptor{}, nil, err
	}
	return oci.Descriptor{MediaType: m.MediaType, Digest: oci.FromBytes(body), Size: int64(len(body))}, body, nil
}

func (f *fake) OpenBlob(_ context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	content, ok := f.blobs[d]
	if !ok {
		return nil, oci.ErrBlobUnknown.With("no blob " + d.String())
	}
	f.read[d] += 0
	return &counter{f, d, bytes.NewReader(content[offset:])}, nil
}

type counter struct {
	f *fake
	d oci.Digest
	r io.Reader
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.f.read[c.d] += n
	return n, err
}

func (c *counter) Close() error { return nil }

func (f *fake) blob(mediaType string, content []byte) oci.Descriptor {
	d := oci.FromBytes(content)
	f.blobs[d] = content
	return oci.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(content))}
}

// image adds an image of layers, the lowest first, under a tag.
func (f *fake) image(t *testing.T, tag, arch string, layers ...[]byte) oci.Descriptor {
	t.Helper()
	config := f.blob(oci.MediaTypeImageConfig, mustJSON(t, map[string]any{"os": "linux", "architecture": arch}))
	m := map[string]any{"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest, "config": config}
	var descs []oci.Descriptor
	for _, l := range layers {
		descs = append(descs, f.blob(oci.MediaTypeOCILayerGzip, l))
	}
	m["layers"] = descs
	desc := f.manifest(tag, mustJSON(t, m))
	desc.Platform = &oci.Platform{OS: "linux", Architecture: arch}
	return desc
}

func (f *fake) list(t *testing.T, tag string, children ...oci.Descriptor) oci.Descriptor {
	t.Helper()
	return f.manifest(tag, mustJSON(t, map[string]any{"schemaVersion": 2, "mediaType": oci.MediaTypeImageIndex, "manifests": children}))
}

func (f *fake) manifest(tag string, body []byte) oci.Descriptor {
	m, err := oci.ParseManifest("", body)
	if err != nil {
		panic(err)
	}
	d := oci.FromBytes(body)
	f.manifests[tag], f.manifests[d.String()] = body, body
	return oci.Descriptor{MediaType: m.MediaType, Digest: d, Size: int64(len(body))}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// entry is a file of a layer; with a link it is a symbolic link.
type entry struct{ name, content, link string }

// archive is a plain tar of entries.
func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Size: int64(len(e.content)), Mode: 0o644, Typeflag: tar.TypeReg}
		if e.link != "" {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, e.link, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func gzipped(t *testing.T, content []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstandard(t *testing.T, content []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(content, nil)
}

// references is an image-references file with components in one repository.
func references(t *testing.T, version string, components ...string) string {
	t.Helper()
	var tags []any
	for _, c := range components {
		from := "quay.io/openshift-release-dev/ocp-v4.0-art-dev@" + oci.FromBytes([]byte(c)).String()
		tags = append(tags, map[string]any{"name": c, "from": map[string]string{"kind": "DockerImage", "name": from}})
	}
	return string(mustJSON(t, map[string]any{
		"kind": "ImageStream", "apiVersion": "image.openshift.io/v1",
		"metadata": map[string]string{"name": version, "creationTimestamp": "2023-01-12T18:29:52Z"},
		"spec":     map[string]any{"tags": tags},
	}))
}

const metadataFile = `{"kind":"cincinnati-metadata-v0","version":"4.14.3","previous":["4.14.2"],"next":["4.14.4"],` +
	`"metadata":{"url":"https://example.com/errata","n":1}}`
