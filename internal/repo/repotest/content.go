package repotest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Blob is made-up content with its descriptor.
type Blob struct {
	Desc  oci.Descriptor
	Bytes []byte
}

// NewBlob returns a layer of a size in bytes. The same name and size are always
// the same bytes, and different names different ones; they do not compress.
func NewBlob(name string, size int) Blob {
	content := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(name))).Read(content) // cannot fail
	return Blob{oci.Descriptor{MediaType: oci.MediaTypeOCILayerGzip, Digest: oci.FromBytes(content), Size: int64(size)}, content}
}

// SHA512 returns the same content under its sha512 digest.
func (b Blob) SHA512() Blob {
	sum := sha512.Sum512(b.Bytes)
	b.Desc.Digest = oci.NewDigest(oci.SHA512, sum[:])
	return b
}

// As returns the blob with another media type.
func (b Blob) As(mediaType string) Blob {
	b.Desc.MediaType = mediaType
	return b
}

// Opener opens the blob at any offset.
func (b Blob) Opener() repo.Opener { return opener(b.Bytes) }

func opener(content []byte) repo.Opener {
	return func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content[offset:])), nil
	}
}

// Image is a manifest or an index with all that it names.
type Image struct {
	Blob
	Blobs    []Blob  // config and layers
	Children []Image // of an index
}

// document is the JSON of all kinds of manifests.
type document struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        *oci.Descriptor   `json:"config,omitempty"`
	Layers        []oci.Descriptor  `json:"layers,omitempty"`
	Manifests     []oci.Descriptor  `json:"manifests,omitempty"`
	Subject       *oci.Descriptor   `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

func (d document) image() Image {
	d.SchemaVersion = 2
	body, err := json.MarshalIndent(d, "", "   ")
	if err != nil {
		panic(err) // no value of these types does this
	}
	desc := oci.Descriptor{MediaType: d.MediaType, Digest: oci.FromBytes(body), Size: int64(len(body))}
	return Image{Blob: Blob{desc, body}}
}

// NewImage returns an OCI image of layers, with a config made from the name.
func NewImage(name string, layers ...Blob) Image {
	return newImage(oci.MediaTypeImageManifest, config(name, oci.MediaTypeImageConfig), layers)
}

// NewDockerImage is NewImage with Docker's media types.
func NewDockerImage(name string, layers ...Blob) Image {
	typed := make([]Blob, len(layers))
	for i, l := range layers {
		typed[i] = l.As(oci.MediaTypeDockerLayer)
	}
	return newImage(oci.MediaTypeDockerManifest, config(name, oci.MediaTypeDockerConfig), typed)
}

func config(name, mediaType string) Blob {
	text := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"author":"` + name + `"}`)
	return Blob{oci.Descriptor{MediaType: mediaType, Digest: oci.FromBytes(text), Size: int64(len(text))}, text}
}

func newImage(mediaType string, config Blob, layers []Blob) Image {
	doc := document{MediaType: mediaType, Config: &config.Desc}
	for _, l := range layers {
		doc.Layers = append(doc.Layers, l.Desc)
	}
	img := doc.image()
	img.Blobs = append([]Blob{config}, layers...)
	return img
}

// NewIndex returns an OCI index of images.
func NewIndex(children ...Image) Image { return newIndex(oci.MediaTypeImageIndex, children) }

// NewDockerList returns a Docker manifest list of images.
func NewDockerList(children ...Image) Image { return newIndex(oci.MediaTypeDockerList, children) }

func newIndex(mediaType string, children []Image) Image {
	doc := document{MediaType: mediaType}
	for i, c := range children {
		d := c.Desc
		d.Platform = &oci.Platform{OS: "linux", Architecture: []string{"amd64", "arm64", "s390x", "ppc64le"}[i%4]}
		doc.Manifests = append(doc.Manifests, d)
	}
	img := doc.image()
	img.Children = children
	return img
}

// NewReferrer returns an artifact about another image, of an artifact type.
func NewReferrer(name, artifactType string, subject Image) Image {
	empty := Blob{oci.Descriptor{MediaType: oci.MediaTypeEmpty, Digest: oci.FromBytes([]byte("{}")), Size: 2}, []byte("{}")}
	layer := NewBlob(name, 32)
	about := subject.Desc.Bare()
	img := document{
		MediaType: oci.MediaTypeImageManifest, ArtifactType: artifactType, Subject: &about,
		Config: &empty.Desc, Layers: []oci.Descriptor{layer.Desc}, Annotations: map[string]string{"name": name},
	}.image()
	img.Blobs = []Blob{empty, layer}
	return img
}

// Push puts an image into a repository: blobs, children, itself, its tags.
func Push(ctx context.Context, t testing.TB, r repo.Repo, img Image, tags ...string) {
	t.Helper()
	for _, b := range img.Blobs {
		PutBlob(ctx, t, r, b)
	}
	for _, child := range img.Children {
		Push(ctx, t, r, child)
	}
	if err := r.PutManifest(ctx, img.Desc, img.Bytes, tags...); err != nil {
		t.Fatalf("putting manifest %s %v into %s: %v", img.Desc.Digest, tags, r.Name(), err)
	}
}

// PutBlob puts a blob into a repository.
func PutBlob(ctx context.Context, t testing.TB, r repo.Repo, b Blob) repo.Outcome {
	t.Helper()
	outcome, err := r.PutBlob(ctx, b.Desc, b.Opener(), "")
	if err != nil {
		t.Fatalf("putting blob %s into %s: %v", b.Desc.Digest, r.Name(), err)
	}
	return outcome
}

// Check reads an image with all that it names and compares every byte.
func Check(ctx context.Context, t testing.TB, r repo.Repo, img Image) {
	t.Helper()
	CheckManifest(ctx, t, r, repo.ByDigest(img.Desc.Digest), img)
	for _, b := range img.Blobs {
		CheckBlob(ctx, t, r, b)
	}
	for _, child := range img.Children {
		Check(ctx, t, r, child)
	}
}

// CheckManifest reads a manifest by tag or digest, both ways.
func CheckManifest(ctx context.Context, t testing.TB, r repo.Repo, target repo.Target, want Image) {
	t.Helper()
	desc, err := r.Resolve(ctx, target)
	if err != nil {
		t.Fatalf("resolving %s in %s: %v", target, r.Name(), err)
	}
	sameManifest(t, "resolving "+target.String(), desc, want)
	desc, body, err := r.Manifest(ctx, target)
	if err != nil {
		t.Fatalf("reading manifest %s in %s: %v", target, r.Name(), err)
	}
	sameManifest(t, "reading "+target.String(), desc, want)
	if !bytes.Equal(body, want.Bytes) {
		t.Errorf("manifest %s has other bytes than were put:\n%s", target, body)
	}
}

func sameManifest(t testing.TB, what string, got oci.Descriptor, want Image) {
	t.Helper()
	if got.Digest != want.Desc.Digest || got.MediaType != want.Desc.MediaType {
		t.Errorf("%s: got %s %s, want %s %s", what, got.MediaType, got.Digest, want.Desc.MediaType, want.Desc.Digest)
	}
	if got.Size != want.Desc.Size && got.Size != -1 {
		t.Errorf("%s: size is %d, want %d or -1", what, got.Size, want.Desc.Size)
	}
}

// CheckBlob asks for a blob and reads it from several offsets.
func CheckBlob(ctx context.Context, t testing.TB, r repo.Repo, want Blob) {
	t.Helper()
	desc, err := r.StatBlob(ctx, want.Desc.Digest)
	if err != nil {
		t.Fatalf("asking %s for blob %s: %v", r.Name(), want.Desc.Digest, err)
	}
	if desc.Digest != want.Desc.Digest || desc.Size != want.Desc.Size {
		t.Errorf("blob is %s of %d bytes, want %s of %d", desc.Digest, desc.Size, want.Desc.Digest, want.Desc.Size)
	}
	for _, offset := range []int64{0, want.Desc.Size / 3, max(want.Desc.Size-1, 0)} {
		got, err := readBlob(ctx, r, want.Desc.Digest, offset)
		if err != nil {
			t.Fatalf("reading blob %s of %s from %d: %v", want.Desc.Digest, r.Name(), offset, err)
		}
		if !bytes.Equal(got, want.Bytes[offset:]) {
			t.Errorf("blob %s from %d: got %d other bytes than were put", want.Desc.Digest, offset, len(got))
		}
	}
}

func readBlob(ctx context.Context, r repo.Repo, d oci.Digest, offset int64) ([]byte, error) {
	src, err := r.OpenBlob(ctx, d, offset)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return io.ReadAll(src)
}
