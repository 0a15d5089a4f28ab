package sample_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

func content(t *testing.T, b sample.Blob, offset int64) []byte {
	t.Helper()
	r, err := b.Open(t.Context(), offset)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestContentIsWhatItsDescriptorSays(t *testing.T) {
	m := sample.New(1)
	for _, size := range []int64{0, 1, 511, 512, 65535, 65536, 1 << 20} {
		b := m.Layer(size)
		whole := content(t, b, 0)
		if err := b.Desc.Digest.Check(whole); err != nil || int64(len(whole)) != b.Desc.Size {
			t.Errorf("layer of %d: %d bytes of %d: %v", size, len(whole), b.Desc.Size, err)
		}
		for _, offset := range []int64{1, 10, 15, b.Desc.Size / 2, b.Desc.Size} {
			if !bytes.Equal(content(t, b, offset), whole[offset:]) {
				t.Errorf("layer of %d: content from %d is not the rest", size, offset)
			}
		}
	}
}

func TestOpenBeyondTheEndFails(t *testing.T) {
	b := sample.New(1).Layer(10)
	if _, err := b.Open(t.Context(), b.Desc.Size+1); !errors.Is(err, io.EOF) {
		t.Errorf("error %v, want EOF", err)
	}
}

// unpack reads a layer as a container engine does.
func unpack(t *testing.T, b sample.Blob) map[string][]byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(content(t, b, 0)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if got := oci.FromBytes(plain); got != b.DiffID {
		t.Errorf("tar is %s, diff id %s", got, b.DiffID)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(plain)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLayersAreGzippedTars(t *testing.T) {
	for _, size := range []int64{0, 1, 512, 200_000} {
		for name, body := range unpack(t, sample.New(3).Layer(size)) {
			if int64(len(body)) != size {
				t.Errorf("%s has %d bytes, want %d", name, len(body), size)
			}
		}
	}
	want := map[string][]byte{"a": []byte("x"), "b/c": bytes.Repeat([]byte("y"), 1000)}
	if diff := cmp.Diff(want, unpack(t, sample.Files(sample.File{Name: "a", Body: want["a"]}, sample.File{Name: "b/c", Body: want["b/c"]}))); diff != "" {
		t.Error(diff)
	}
}

func TestLayersDoNotCompress(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	b := sample.New(1).Layer(1 << 20)
	if _, err := z.Write(content(t, b, 0)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if int64(packed.Len()) < b.Desc.Size*99/100 {
		t.Errorf("%d bytes compress to %d", b.Desc.Size, packed.Len())
	}
}

func digests(seed uint64, spec sample.LoadSpec) []oci.Digest {
	var out []oci.Digest
	for _, im := range sample.Load(seed, spec) {
		out = append(out, im.Image.Desc.Digest)
	}
	return out
}

func TestSeedDecidesEverything(t *testing.T) {
	a, b := digests(1, sample.TinyLoad), digests(1, sample.TinyLoad)
	if diff := cmp.Diff(a, b, cmp.Comparer(func(x, y oci.Digest) bool { return x == y })); diff != "" {
		t.Error(diff)
	}
	if other := digests(2, sample.TinyLoad); slices.Contains(other, a[0]) {
		t.Error("another seed gives the same image")
	}
	// Whoever changes what is generated throws away cached loads and golden
	// files; this digest makes that a decision.
	const want = "sha256:dec31e864d26c432424495dbadb3cdd8ff2275f9f3266ea661ccc1bd933a3c7e"
	h := sha256.New()
	for _, d := range a {
		io.WriteString(h, d.String())
	}
	if got := oci.NewDigest(oci.SHA256, h.Sum(nil)).String(); got != want {
		t.Errorf("the tiny load is %s, was %s", got, want)
	}
}

func TestLargerLoadBeginsWithTheSmaller(t *testing.T) {
	small := sample.TinyLoad
	large := small
	large.Images, large.Small = large.Images+5, large.Small+5
	a, b := digests(1, small), digests(1, large)
	if n := small.Images; !slices.Equal(a[:n], b[:n]) {
		t.Error("the larger load has other images")
	}
}

func TestLoadHasTheShapeAskedFor(t *testing.T) {
	spec := sample.TinyLoad
	load := sample.Load(1, spec)
	if len(load) != spec.Images+1 {
		t.Fatalf("%d images, want %d and the payload", len(load), spec.Images)
	}
	lists, formats, tags := 0, map[string]int{}, map[string]bool{}
	for _, im := range load {
		tags[im.Tag] = true
		formats[im.Image.Desc.MediaType]++
		if n := len(im.Image.Children); n != 0 {
			lists++
			if n != 4 {
				t.Errorf("%s has %d platforms", im.Tag, n)
			}
		}
		for _, one := range im.Image.All() {
			if _, err := oci.ParseManifest(one.Desc.MediaType, one.Body); err != nil {
				t.Errorf("%s: %v", im.Tag, err)
			}
		}
	}
	if lists != spec.Lists || len(tags) != len(load) || len(formats) < 3 {
		t.Errorf("%d lists, %d tags, formats %v", lists, len(tags), formats)
	}
}

func TestReleaseHasAPayloadThatNamesItsComponents(t *testing.T) {
	r := sample.New(1).Release(sample.ReleaseSpec{Version: "4.13.5", Platform: sample.ARM64, Components: 20})
	if r.Tag() != "4.13.5-aarch64" {
		t.Errorf("tag %s", r.Tag())
	}
	blobs := r.Image.Blobs
	files := unpack(t, blobs[len(blobs)-1])
	var stream struct {
		Metadata struct{ Name string }
		Spec     struct {
			Tags []struct {
				Name string
				From struct{ Kind, Name string }
			}
		}
	}
	if err := json.Unmarshal(files["release-manifests/image-references"], &stream); err != nil {
		t.Fatal(err)
	}
	if stream.Metadata.Name != "4.13.5" || len(stream.Spec.Tags) != 20 {
		t.Errorf("payload %s with %d components", stream.Metadata.Name, len(stream.Spec.Tags))
	}
	for i, tag := range stream.Spec.Tags {
		want := sample.ComponentRepository + "@" + r.Components[i].Image.Desc.Digest.String()
		if tag.Name != r.Components[i].Name || tag.From.Name != want || tag.From.Kind != "DockerImage" {
			t.Errorf("component %d is %+v, want %s", i, tag, want)
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(n string) bool { return strings.Contains(n, "cluster-update-keys") }) {
		t.Error("no verification keys")
	}
}

// recorder is a repository that keeps what is put, in the order it came.
type recorder struct {
	repo.Repo
	order []string
	tags  map[string]oci.Digest
}

func (r *recorder) Name() string { return "recorder" }

func (r *recorder) PutBlob(ctx context.Context, d oci.Descriptor, open repo.Opener, _ string) (repo.Outcome, error) {
	v, err := repo.NewVerifier(ctx, d, open, "sample")
	if err != nil {
		return 0, err
	}
	defer v.Close()
	_, err = io.Copy(io.Discard, v)
	r.order = append(r.order, d.Digest.String())
	return repo.Sent, err
}

func (r *recorder) PutManifest(_ context.Context, d oci.Descriptor, body []byte, tags ...string) error {
	m, err := oci.ParseManifest(d.MediaType, body)
	if err != nil {
		return err
	}
	for _, need := range append(m.Blobs(), m.Manifests...) {
		if !slices.Contains(r.order, need.Digest.String()) {
			return oci.ErrManifestBlobUnknown.With(need.Digest.String())
		}
	}
	r.order = append(r.order, d.Digest.String())
	for _, tag := range tags {
		r.tags[tag] = d.Digest
	}
	return d.Digest.Check(body)
}

func TestPushSendsEverythingInOrder(t *testing.T) {
	r := &recorder{tags: map[string]oci.Digest{}}
	load := sample.Load(1, sample.TinyLoad)
	for _, im := range load {
		if err := im.Image.Push(t.Context(), r, im.Tag); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.tags) != len(load) {
		t.Errorf("%d tags, want %d", len(r.tags), len(load))
	}
	release := sample.New(1).Release(sample.ReleaseSpec{})
	if err := release.Push(t.Context(), r, r); err != nil {
		t.Fatal(err)
	}
	if r.tags["4.12.0-x86_64"] != release.Image.Desc.Digest {
		t.Errorf("release tag is %v", r.tags["4.12.0-x86_64"])
	}
}

func TestMeasureCountsOnce(t *testing.T) {
	base := sample.New(1).Layer(100)
	a := sample.NewImage(sample.ImageSpec{Layers: []sample.Blob{base}})
	b := sample.NewImage(sample.ImageSpec{Layers: []sample.Blob{base}, Labels: map[string]string{"x": "y"}})
	want := sample.Size{
		Manifests: 2, Blobs: 3,
		Bytes: base.Desc.Size + a.Blobs[0].Desc.Size + b.Blobs[0].Desc.Size + a.Desc.Size + b.Desc.Size,
	}
	if got := sample.Measure(a, b, a); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
