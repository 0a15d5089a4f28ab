package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
)

// randomBlob is deterministic content of n bytes with its descriptor.
func randomBlob(seed uint64, n int) ([]byte, oci.Descriptor) {
	content := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(content)
	return content, oci.Descriptor{MediaType: oci.MediaTypeOctetStream, Digest: oci.FromBytes(content), Size: int64(n)}
}

func opener(content []byte) repo.Opener {
	return func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content[offset:])), nil
	}
}

func mustRepo(t *testing.T, r repo.Registry, name string) repo.Repo {
	t.Helper()
	p, err := r.Repo(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func readBlob(t *testing.T, p repo.Repo, d oci.Digest, offset int64) ([]byte, error) {
	t.Helper()
	rc, err := p.OpenBlob(t.Context(), d, offset)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(rc)
}

// pushImage pushes an image of a config and the given layers and returns its
// descriptor and manifest.
func pushImage(t *testing.T, p repo.Repo, layers [][]byte, tags ...string) (oci.Descriptor, []byte) {
	t.Helper()
	config := []byte(`{"architecture":"amd64","os":"linux"}`)
	body := `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageManifest + `","config":` + descriptor(oci.MediaTypeImageConfig, config) + `,"layers":[`
	for i, content := range append([][]byte{config}, layers...) {
		d := oci.Descriptor{Digest: oci.FromBytes(content), Size: int64(len(content))}
		if _, err := p.PutBlob(t.Context(), d, opener(content), ""); err != nil {
			t.Fatal(err)
		}
		if i > 1 {
			body += ","
		}
		if i > 0 {
			body += descriptor(oci.MediaTypeOCILayerGzip, content)
		}
	}
	manifest := []byte(body + "]}")
	d := oci.Descriptor{MediaType: oci.MediaTypeImageManifest, Digest: oci.FromBytes(manifest), Size: int64(len(manifest))}
	if err := p.PutManifest(t.Context(), d, manifest, tags...); err != nil {
		t.Fatal(err)
	}
	return d, manifest
}

func TestPushAndPullDockerRegistry(t *testing.T) {
	server := peer.DockerRegistry(t, peer.RegistryOptions{Auth: true})
	file := filepath.Join(t.TempDir(), "auth.json")
	writeAuth(t, file, server.Addr, peer.User+":"+peer.Password)
	store, err := auth.Load(auth.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	r := remote.New(remote.Options{Now: time.Now, Insecure: true, Credentials: store}).Registry(server.Addr)
	if err := r.CanPush(t.Context(), "a/b/c"); err != nil {
		t.Fatal(err)
	}
	p := mustRepo(t, r, "a/b/c")
	layer, desc := randomBlob(1, 300<<10)
	missing, err := p.Missing(t.Context(), []oci.Descriptor{desc, desc})
	if err != nil || len(missing) != 2 {
		t.Fatalf("Missing = %v, %v, want both", missing, err)
	}
	image, manifest := pushImage(t, p, [][]byte{layer, {}}, "v1", "v2")
	if missing, err = p.Missing(t.Context(), []oci.Descriptor{desc}); err != nil || len(missing) != 0 {
		t.Fatalf("Missing after the push = %v, %v, want none", missing, err)
	}
	for _, target := range []repo.Target{repo.ByTag("v1"), repo.ByTag("v2"), repo.ByDigest(image.Digest)} {
		resolved, err := p.Resolve(t.Context(), target)
		if err != nil || resolved.Digest != image.Digest || resolved.MediaType != image.MediaType || resolved.Size != image.Size {
			t.Errorf("Resolve(%s) = %+v, %v, want %+v", target, resolved, err, image)
		}
		got, body, err := p.Manifest(t.Context(), target)
		if err != nil || got.Digest != image.Digest || !bytes.Equal(body, manifest) {
			t.Errorf("Manifest(%s) = %+v, %v", target, got, err)
		}
	}
	for _, offset := range []int64{0, 1, 300<<10 - 1, 300 << 10} {
		if got, err := readBlob(t, p, desc.Digest, offset); err != nil || !bytes.Equal(got, layer[offset:]) {
			t.Errorf("blob from %d: %d bytes, %v", offset, len(got), err)
		}
	}
	var tags []string
	for tag, err := range p.Tags(t.Context(), "v1") {
		if err != nil {
			t.Fatal(err)
		}
		tags = append(tags, tag)
	}
	if !slices.Equal(tags, []string{"v2"}) {
		t.Errorf("tags after v1 = %v, want v2", tags)
	}
	outcome, err := mustRepo(t, r, "other").PutBlob(t.Context(), desc, opener(nil), "a/b/c")
	if err != nil || outcome != repo.Mounted {
		t.Errorf("PutBlob from a/b/c = %v, %v, want mounted", outcome, err)
	}
}

func TestWrongContentNeverCompletes(t *testing.T) {
	server := peer.DockerRegistry(t, peer.RegistryOptions{})
	p := mustRepo(t, remote.New(remote.Options{Now: time.Now, Insecure: true}).Registry(server.Addr), "wrong")
	for _, size := range []int{100, 3 << 20} {
		content, desc := randomBlob(2, size)
		content[size-1] ^= 1
		_, err := p.PutBlob(t.Context(), desc, opener(content), "")
		if _, ok := errors.AsType[*repo.CorruptError](err); !ok {
			t.Errorf("%d bytes: PutBlob = %v, want a CorruptError", size, err)
		}
		if _, err := p.StatBlob(t.Context(), desc.Digest); !oci.IsNotFound(err) {
			t.Errorf("%d bytes: StatBlob = %v, want not found", size, err)
		}
	}
}

func writeAuth(t *testing.T, file, host, userPassword string) {
	t.Helper()
	content := `{"auths":{"` + host + `":{"auth":"` + b64(userPassword) + `"}}}`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
