//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/signature"
)

// realRelease is a release image made of the real payload layer of 4.12.0, in memory.
type realRelease struct {
	repo.Source // what reading a payload does not need
	layer       []byte
	config      []byte
	manifest    []byte
}

func openRealRelease() (*realRelease, error) {
	layer, err := os.ReadFile(filepath.Join(testdata(), "release-4.12.0", "payload-layer.tar.gz"))
	if err != nil {
		return nil, err
	}
	r := &realRelease{layer: layer, config: []byte(`{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}`)}
	r.manifest, err = json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeDockerManifest,
		"config": described(oci.MediaTypeDockerConfig, r.config),
		"layers": []oci.Descriptor{described(oci.MediaTypeDockerLayer, layer)},
	})
	return r, err
}

// testdata is the directory of real inputs, as for the tests.
func testdata() string {
	if dir := os.Getenv("AIRBRIDGE_TESTDATA"); dir != "" {
		return dir
	}
	return filepath.Join("..", "shared", "data")
}

func described(mediaType string, content []byte) oci.Descriptor {
	return oci.Descriptor{MediaType: mediaType, Digest: oci.FromBytes(content), Size: int64(len(content))}
}

// Manifest implements repo.Source.
func (r *realRelease) Manifest(context.Context, repo.Target) (oci.Descriptor, []byte, error) {
	return described(oci.MediaTypeDockerManifest, r.manifest), r.manifest, nil
}

// OpenBlob implements repo.Source.
func (r *realRelease) OpenBlob(_ context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	content := r.layer
	if d == oci.FromBytes(r.config) {
		content = r.config
	}
	return io.NopCloser(bytes.NewReader(content[offset:])), nil
}

// s9: what a release costs before its first image is copied: the payload read,
// and the signature verified, against unpacking and hashing the same bytes.
func s9(ctx context.Context, b *bench) error {
	r, err := openRealRelease()
	if err != nil {
		return err
	}
	signed, err := openSigned()
	if err != nil {
		return err
	}
	var ratios, floors []float64
	for range 10 * b.rounds {
		floor, err := timed(func() error { return unpackAndHash(r.layer) })
		if err != nil {
			return err
		}
		ours, err := timed(func() error {
			_, err := release.Read(ctx, r, repo.ByTag("4.12.0-x86_64"), oci.Platform{OS: "linux", Architecture: "amd64"})
			if err == nil {
				err = signed.verify()
			}
			return err
		})
		if err != nil {
			return err
		}
		floors, ratios = append(floors, floor*1e3), append(ratios, ours/floor)
	}
	fmt.Printf("gunzip and sha256 of the payload layer of 4.12.0, %d bytes: %s ms\n\n", len(r.layer), spreadOf(floors))
	printGoal("payload read and signature verified / gunzip and sha256", spreadOf(ratios), 3)
	return b.extractBytes(ctx)
}

func timed(work func() error) (seconds float64, err error) {
	begin := time.Now()
	err = work()
	return time.Since(begin).Seconds(), err
}

func unpackAndHash(layer []byte) error {
	hash := sha256.New()
	z, err := gzip.NewReader(io.TeeReader(bytes.NewReader(layer), hash))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, z)
	return err
}

// realSignature is a real signature of a release, and what verifies it.
type realSignature struct {
	body []byte
	of   oci.Digest
	keys signature.Keys
}

// signedDigest is that of 4.15.0 for x86_64, which the signature is about.
const signedDigest = "sha256:0da6316466d60a3a4535d5fed3589feb0391989982fba59d47d4c729912d6363"

func openSigned() (*realSignature, error) {
	body, err := os.ReadFile(filepath.Join(testdata(), "signatures", "4.15.0-x86_64-signature-1"))
	if err != nil {
		return nil, err
	}
	ring, err := os.ReadFile(filepath.Join(testdata(), "keys", "redhat-release.asc"))
	if err != nil {
		return nil, err
	}
	s := &realSignature{body: body}
	if s.of, err = oci.ParseDigest(signedDigest); err != nil {
		return nil, err
	}
	s.keys, err = signature.Keys{}.Carry(ring)
	return s, err
}

func (s *realSignature) verify() error {
	_, err := signature.Verify(s.body, s.of, s.keys, time.Now)
	return err
}
