package release_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

var (
	amd64  = oci.Platform{OS: "linux", Architecture: "amd64"}
	digest = cmp.Comparer(func(a, b oci.Digest) bool { return a == b })
)

const keysFile = `apiVersion: v1
kind: ConfigMap
metadata: {name: first}
---
apiVersion: v1
kind: ConfigMap
metadata:
  annotations:
    release.openshift.io/verification-config-map: ""
data:
  verifier-public-key-redhat: key
  store-b: https://b.example.com/sig
  store-a: "https://a.example.com/sig\n"
`

// payloadLayer is the top layer of a small release.
func payloadLayer(t *testing.T, version string, components ...string) []byte {
	t.Helper()
	return gzipped(t, archive(t,
		entry{name: "release-manifests/image-references", content: references(t, version, components...)},
		entry{name: "release-manifests/release-metadata", content: metadataFile},
		entry{name: "release-manifests/0000_80.yaml", content: strings.Replace(keysFile, "kind: ConfigMap", "kind: Secret", 2)},
		entry{name: "release-manifests/0000_90_keys.yaml", content: keysFile},
		entry{name: "release-manifests/0000_91_keys.yaml", content: keysFile},
	))
}

func TestRead(t *testing.T) {
	f := newFake()
	base := gzipped(t, archive(t, entry{name: "release-manifests/image-references", content: "the base has another one"}))
	top := payloadLayer(t, "4.14.3", "cli", "installer")
	image := f.image(t, "4.14.3-x86_64", "amd64", base, top)
	delete(f.blobs, oci.FromBytes(base)) // it must not be asked for

	p, err := release.Read(t.Context(), f, repo.ByTag("4.14.3-x86_64"), amd64)
	if err != nil {
		t.Fatal(err)
	}
	const from = "quay.io/openshift-release-dev/ocp-v4.0-art-dev@"
	want := &release.Payload{
		Digest: image.Digest, Version: "4.14.3", Arch: "amd64", Created: time.Date(2023, 1, 12, 18, 29, 52, 0, time.UTC),
		Components: []release.Component{
			{Name: "cli", From: ref.MustParse(from + oci.FromBytes([]byte("cli")).String())},
			{Name: "installer", From: ref.MustParse(from + oci.FromBytes([]byte("installer")).String())},
		},
		Metadata: release.Metadata{
			Raw: []byte(metadataFile), Kind: "cincinnati-metadata-v0", Version: "4.14.3", Previous: []string{"4.14.2"},
			Next: []string{"4.14.4"}, Values: map[string]string{"url": "https://example.com/errata"},
			All: map[string]any{"url": "https://example.com/errata", "n": 1.0},
		},
		Verification: release.Verification{
			File: "0000_90_keys.yaml", Keys: []string{"verifier-public-key-redhat"},
			Rings:  map[string][]byte{"verifier-public-key-redhat": []byte("key")},
			Stores: []string{"https://a.example.com/sig", "https://b.example.com/sig"},
		},
	}
	if diff := cmp.Diff(want, p, digest); diff != "" {
		t.Error(diff)
	}
	if p.Multi() || p.Root() != image.Digest || !p.Verification.Present() {
		t.Errorf("multi %v, root %s", p.Multi(), p.Root())
	}
	if n := f.read[oci.FromBytes(top)]; n != len(top) || len(f.read) != 2 {
		t.Errorf("%d bytes of the top layer's %d, and blobs %v", n, len(top), f.read)
	}
}

func TestReadGoesDownUntilComplete(t *testing.T) {
	f := newFake()
	file := func(name, content string) []byte {
		return archive(t, entry{name: "release-manifests/" + name, content: content})
	}
	lowest := file("x", "x")
	f.image(t, "v", "arm64", lowest,
		archive(t, entry{name: "release-manifests/image-references", content: references(t, "4.1.0", "old")},
			entry{name: "release-manifests/release-metadata", content: metadataFile},
			entry{name: "release-manifests/keys.yaml", content: keysFile}),
		file("image-references", references(t, "4.14.3", "cli")),
		file("keys.yaml", "kind: ConfigMap"))
	p, err := release.Read(t.Context(), f, repo.ByTag("v"), amd64)
	if err != nil {
		t.Fatal(err)
	}
	if p.Version != "4.14.3" || p.Components[0].Name != "cli" || p.Metadata.Version != "4.14.3" || p.Arch != "arm64" {
		t.Errorf("%+v", p)
	}
	if p.Verification.Present() {
		t.Error("keys of a lower layer show through a file of the same name")
	}
	if _, opened := f.read[oci.FromBytes(lowest)]; opened {
		t.Error("a layer below the complete payload was opened")
	}
}

func TestReadWithoutMetadata(t *testing.T) {
	f := newFake()
	f.image(t, "v", "amd64", archive(t, entry{name: "release-manifests/image-references", content: references(t, "4.14.3")}))
	p, err := release.Read(t.Context(), f, repo.ByTag("v"), amd64)
	if err != nil || p.Metadata.Raw != nil || len(p.Components) != 0 || p.Verification.Present() {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestReadList(t *testing.T) {
	for _, tt := range []struct {
		prefer oci.Platform
		arch   string
	}{
		{amd64, "amd64"},
		{oci.Platform{OS: "linux", Architecture: "arm64"}, "arm64"},
		{oci.Platform{OS: "linux", Architecture: "s390x"}, "arm64"},
	} {
		f := newFake()
		attestation := f.image(t, "a", "amd64")
		attestation.Platform = &oci.Platform{OS: "unknown", Architecture: "unknown"}
		arm := f.image(t, "b", "arm64", payloadLayer(t, "4.14.3", "cli"))
		amd := f.image(t, "c", "amd64", payloadLayer(t, "4.14.3", "cli"))
		list := f.list(t, "multi", attestation, arm, amd)
		nested := f.list(t, "nested", list)
		for tag, root := range map[string]oci.Digest{"multi": list.Digest, "nested": nested.Digest} {
			p, err := release.Read(t.Context(), f, repo.ByTag(tag), tt.prefer)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]oci.Digest{"arm64": arm.Digest, "amd64": amd.Digest}[tt.arch]
			if !p.Multi() || p.Root() != root || p.Digest != want || p.Arch != tt.arch {
				t.Errorf("%s, %v: %+v", tag, tt.prefer, p)
			}
		}
	}
}

func TestReadErrors(t *testing.T) {
	layer := func(refs string) []byte {
		return archive(t, entry{name: "release-manifests/image-references", content: refs},
			entry{name: "release-manifests/release-metadata", content: metadataFile})
	}
	const head = `{"kind":"ImageStream","apiVersion":"image.openshift.io/v1","metadata":{"name":"4.1.0"},"spec":{"tags":[`
	tag := func(name, from string) string {
		return fmt.Sprintf(`{"name":%q,"from":{"kind":"DockerImage","name":%q}}`, name, from)
	}
	pinned := "quay.io/a@" + oci.FromBytes(nil).String()
	for name, tt := range map[string]struct {
		layer []byte
		want  string
	}{
		"no release":  {archive(t, entry{name: "usr/x", content: "x"}), "unable to load image-references from release payload: no layer of v has"},
		"no JSON":     {layer("{"), "unable to load image-references from release payload: "},
		"no stream":   {layer(`{"kind":"List"}`), "unrecognized image-references in release payload"},
		"by tag":      {layer(head + tag("cli", "quay.io/a:v1") + "]}}"), "image-references should only contain pointers to images by digest: quay.io/a:v1"},
		"tag, digest": {layer(head + tag("cli", strings.Replace(pinned, "@", ":t@", 1)) + "]}}"), "image-references should only contain pointers to images by digest: "},
		"a file":      {layer(head + tag("cli", "file://"+pinned[8:]) + "]}}"), `release tag "cli" is not valid: it is not in a registry`},
		"bad ref":     {layer(head + tag("cli", "Quay.io//A") + "]}}"), `release tag "cli" is not valid: `},
		"bad name":    {layer(head + tag("../cli", pinned) + "]}}"), `release tag "../cli" is not valid: `},
		"twice":       {layer(head + tag("cli", pinned) + "," + tag("cli", pinned) + "]}}"), `the component "cli" twice`},
		"bad version": {layer(strings.Replace(head, "4.1.0", "4/1", 1) + "]}}"), `the version "4/1"`},
		"no archive":  {[]byte(strings.Repeat("x", 2000)), "unable to retrieve release image info: layer sha256:"},
		"no metadata": {archive(t, entry{name: "release-manifests/image-references", content: head + "]}}"},
			entry{name: "release-manifests/release-metadata", content: "["}), "unable to load release-metadata from release payload: "},
	} {
		f := newFake()
		f.image(t, "v", "amd64", tt.layer)
		_, err := release.Read(t.Context(), f, repo.ByTag("v"), amd64)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestReadPassesOverWhatIsNotAnImage(t *testing.T) {
	f := newFake()
	f.image(t, "v", "amd64", archive(t, entry{name: "release-manifests/image-references", content: `{"kind":"ImageStream",
		"apiVersion":"image.openshift.io/v1","metadata":{"name":"4.1.0"},"spec":{"tags":[{"name":"a"},
		{"name":"b","from":{"kind":"ImageStreamTag","name":"x:y"}}]}}`}))
	p, err := release.Read(t.Context(), f, repo.ByTag("v"), amd64)
	if err != nil || len(p.Components) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestReadFaults(t *testing.T) {
	f := newFake()
	_, err := release.Read(t.Context(), f, repo.ByTag("none"), amd64)
	if !errors.Is(err, oci.ErrManifestUnknown) || !strings.HasPrefix(err.Error(), "unable to retrieve release image info: ") {
		t.Errorf("missing image: %v", err)
	}

	f = newFake()
	top := payloadLayer(t, "4.14.3", "cli")
	f.image(t, "v", "amd64", top)
	wrong := append([]byte(nil), top...)
	wrong[len(wrong)-1] ^= 1 // in the length at the end of gzip, which tar never reaches
	f.blobs[oci.FromBytes(top)] = wrong
	_, err = release.Read(t.Context(), f, repo.ByTag("v"), amd64)
	if _, ok := errors.AsType[*repo.CorruptError](err); !ok {
		t.Errorf("wrong bytes: %v", err)
	}
	for _, bad := range [][]byte{top[:len(top)-20], append(append([]byte(nil), top...), 0), payloadLayer(t, "4.14.4", "cli"), {}} {
		f.blobs[oci.FromBytes(top)] = bad
		_, err = release.Read(t.Context(), f, repo.ByTag("v"), amd64)
		if _, ok := errors.AsType[*repo.CorruptError](err); !ok {
			t.Errorf("%d bytes for %d: %v", len(bad), len(top), err)
		}
	}
	delete(f.blobs, oci.FromBytes(top))
	if _, err = release.Read(t.Context(), f, repo.ByTag("v"), amd64); !errors.Is(err, oci.ErrBlobUnknown) {
		t.Errorf("missing layer: %v", err)
	}

	f.blobs[oci.FromBytes(top)] = top
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = release.Read(ctx, f, repo.ByTag("v"), amd64); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestReadForeignAndHugeLayers(t *testing.T) {
	f := newFake()
	config := f.blob(oci.MediaTypeImageConfig, []byte(`{"architecture":"amd64"}`))
	image := func(tag string, top oci.Descriptor) {
		payload := f.blob(oci.MediaTypeOCILayerGzip, payloadLayer(t, "4.14.3", "cli"))
		f.manifest(tag, mustJSON(t, map[string]any{
			"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest, "config": config,
			"layers": []oci.Descriptor{payload, top},
		}))
	}
	image("foreign", oci.Descriptor{
		MediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		Digest:    oci.FromBytes([]byte("not here")), Size: 8,
	})
	if p, err := release.Read(t.Context(), f, repo.ByTag("foreign"), amd64); err != nil || p.Version != "4.14.3" {
		t.Errorf("foreign layer: %v", err)
	}
	huge := oci.Descriptor{MediaType: oci.MediaTypeOCILayerGzip, Digest: oci.FromBytes([]byte("not here")), Size: 3 << 30}
	image("huge", huge)
	_, err := release.Read(t.Context(), f, repo.ByTag("huge"), amd64)
	if err == nil || !strings.Contains(err.Error(), "limit exceeded") {
		t.Errorf("huge layer: %v", err)
	}
}

func TestConfigMapTooLargeForACluster(t *testing.T) {
	f := newFake()
	f.image(t, "v", "amd64", archive(t, entry{name: "release-manifests/image-references", content: references(t, "4.14.3")},
		entry{name: "release-manifests/keys.yaml", content: keysFile + "  x: " + strings.Repeat("x", 1<<20)}))
	if p, err := release.Read(t.Context(), f, repo.ByTag("v"), amd64); err != nil || p.Verification.Present() {
		t.Errorf("%+v, %v", p, err)
	}
}

// The archive ends long before the layer does; what follows must be read all the same.
func TestReadVerifiesBehindTheArchive(t *testing.T) {
	f := newFake()
	top := archive(t, entry{name: "release-manifests/image-references", content: references(t, "4.14.3", "cli")},
		entry{name: "release-manifests/release-metadata", content: metadataFile})
	top = append(top, make([]byte, 200<<10)...)
	f.image(t, "v", "amd64", top)
	if _, err := release.Read(t.Context(), f, repo.ByTag("v"), amd64); err != nil || f.read[oci.FromBytes(top)] != len(top) {
		t.Fatalf("%d of %d bytes, %v", f.read[oci.FromBytes(top)], len(top), err)
	}
	wrong := append([]byte(nil), top...)
	wrong[len(wrong)-1] = 1
	f.blobs[oci.FromBytes(top)] = wrong
	p, err := release.Read(t.Context(), f, repo.ByTag("v"), amd64)
	if _, ok := errors.AsType[*repo.CorruptError](err); !ok || p != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestReadRefusesStrangeManifests(t *testing.T) {
	f := newFake()
	desc := f.image(t, "v", "amd64", payloadLayer(t, "4.14.3", "cli"))
	for range oci.MaxDepth {
		desc = f.list(t, "deep", desc)
	}
	f.list(t, "empty")
	f.manifest("schema1", []byte(`{"schemaVersion":1,"signatures":[],"mediaType":"`+oci.MediaTypeSchema1Signed+`"}`))
	f.manifest("no-config", []byte(`{"schemaVersion":2,"mediaType":"`+oci.MediaTypeImageManifest+`"}`))
	for tag, want := range map[string]string{
		"deep": "nested more than 8 deep", "empty": "has no images", "schema1": "schema 1", "no-config": "has no config",
	} {
		if _, err := release.Read(t.Context(), f, repo.ByTag(tag), amd64); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", tag, err, want)
		}
	}
}

// The real payload of 4.12.0, above a layer that must not be opened.
func TestRead412(t *testing.T) {
	top, err := os.ReadFile(filepath.Join(testdata(t), "release-4.12.0", "payload-layer.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	f := newFake()
	base := gzipped(t, archive(t, entry{name: "usr/bin/x", content: "x"}))
	f.image(t, "4.12.0-x86_64", "amd64", base, top)
	p, err := release.Read(t.Context(), f, repo.ByTag("4.12.0-x86_64"), amd64)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.Components); n != 183 || p.Version != "4.12.0" || p.Metadata.Version != "4.12.0" || len(p.Metadata.Previous) != 21 ||
		p.Metadata.Values["url"] != "https://access.redhat.com/errata/RHSA-2022:7399" {
		t.Errorf("%d components of %s, %+v", n, p.Version, p.Metadata)
	}
	if _, opened := f.read[oci.FromBytes(base)]; opened || f.read[oci.FromBytes(top)] != len(top) {
		t.Errorf("read %v", f.read)
	}
	want := release.Verification{
		File: "0000_90_cluster-update-keys_configmap.yaml", Keys: []string{"verifier-public-key-redhat"},
		Stores: []string{
			"https://storage.googleapis.com/openshift-release/official/signatures/openshift/release",
			"https://mirror.openshift.com/pub/openshift-v4/signatures/openshift/release",
		},
	}
	if diff := cmp.Diff(want, p.Verification, cmpopts.IgnoreFields(release.Verification{}, "Rings")); diff != "" {
		t.Error(diff)
	}
	if ring := p.Verification.Rings["verifier-public-key-redhat"]; len(ring) != 3234 {
		t.Errorf("the key ring has %d bytes", len(ring))
	}
	checkGolden(t, p)
}

// checkGolden compares the tags that the document's command gives to 4.12.0.
func checkGolden(t *testing.T, p *release.Payload) {
	t.Helper()
	to, err := release.ParseTemplate("reg.example.com:5000/ocp4/openshift4")
	if err != nil {
		t.Fatal(err)
	}
	targets, err := release.Targets(p, ref.MustParse("quay.io/openshift-release-dev/ocp-release:4.12.0-x86_64"), release.Naming{To: to})
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, m := range targets[1:] { // the release image's own digest is of this test's making
		fmt.Fprintf(&lines, "%s %s\n", m.Source.Digest, m.Destinations[0])
	}
	const golden = "testdata/4.12.0-targets.txt"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), lines.String()); diff != "" {
		t.Error(diff)
	}
}
