package image_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fake is a source of manifests and blobs that are kept by what they are asked for.
type fake struct {
	repo.Source
	manifests map[string][]byte
	blobs     map[oci.Digest][]byte
}

func newFake() *fake { return &fake{manifests: map[string][]byte{}, blobs: map[oci.Digest][]byte{}} }

func (f *fake) Manifest(_ context.Context, t repo.Target) (oci.Descriptor, []byte, error) {
	body, ok := f.manifests[t.String()]
	if !ok {
		return oci.Descriptor{}, nil, oci.ErrManifestUnknown.With("no manifest " + t.String())
	}
	return oci.Descriptor{Digest: oci.FromBytes(body)}, body, nil
}

func (f *fake) OpenBlob(_ context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	body, ok := f.blobs[d]
	if !ok {
		return nil, oci.ErrBlobUnknown.With("no blob " + d.String())
	}
	return io.NopCloser(bytes.NewReader(body[offset:])), nil
}

func (f *fake) put(tag string, manifest any) oci.Descriptor {
	body, _ := json.Marshal(manifest)
	d := oci.FromBytes(body)
	f.manifests[tag], f.manifests[d.String()] = body, body
	return oci.Descriptor{Digest: d, Size: int64(len(body)), MediaType: oci.MediaTypeImageManifest}
}

func (f *fake) image(tag, config string, layers ...oci.Descriptor) oci.Descriptor {
	d := oci.FromBytes([]byte(config))
	f.blobs[d] = []byte(config)
	return f.put(tag, map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest, "layers": layers,
		"config": oci.Descriptor{MediaType: oci.MediaTypeImageConfig, Digest: d, Size: int64(len(config))},
	})
}

func (f *fake) list(tag string, children ...oci.Descriptor) oci.Descriptor {
	d := f.put(tag, map[string]any{"schemaVersion": 2, "mediaType": oci.MediaTypeImageIndex, "manifests": children})
	d.MediaType = oci.MediaTypeImageIndex
	return d
}

func on(d oci.Descriptor, os, arch string) oci.Descriptor {
	d.Platform = &oci.Platform{OS: os, Architecture: arch}
	return d
}

const fullConfig = `{"created":"2025-12-30T00:00:00Z","author":"me","architecture":"arm64","variant":"v8","os":"linux","stop":1,
"config":{"User":"1001","WorkingDir":"/w","Env":["A=b","PATH=/x"],"Entrypoint":["/bin/x","-y"],"Cmd":["z"],"StopSignal":"TERM",
"ExposedPorts":{"8080/tcp":{},"53/udp":{}},"Volumes":{"/d":{},"/c":{}},"Labels":{"b":"2","a":"1\u001b[31m\nx"}},
"rootfs":{"type":"layers","diff_ids":[]},"big":12345678901234567890}`

func layer(name string, size int64) oci.Descriptor {
	return oci.Descriptor{MediaType: oci.MediaTypeOCILayerGzip, Digest: oci.FromBytes([]byte(name)), Size: size}
}

func read(t *testing.T, f *fake, tag string) *image.Image {
	t.Helper()
	images, err := image.Read(t.Context(), f, repo.ByTag(tag), image.Prefer(oci.Platform{OS: "linux", Architecture: "amd64"}))
	if err != nil || len(images) != 1 {
		t.Fatal(images, err)
	}
	images[0].Name = "registry.example.com/x:" + tag
	return images[0]
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	name := filepath.Join("testdata", file)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

// Everything that an image may say, and images that say little.
func TestText(t *testing.T) {
	f := newFake()
	full := f.image("full", fullConfig, layer("one", 123_456_789), layer("two", 0), layer("three", 999))
	f.list("list", on(full, "linux", "arm64"))
	f.image("silent", `{}`)
	f.image("unsized", `{"os":"linux","config":{}}`, layer("x", 0))
	f.put("signature", map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest, "artifactType": "application/vnd.example.sig", "annotations": map[string]string{"k": "v\t1"},
		"config": oci.Descriptor{MediaType: oci.MediaTypeEmpty, Digest: oci.FromBytes([]byte("{}")), Size: 2}, "layers": []oci.Descriptor{layer("sig", 70)},
	})
	for _, tag := range []string{"full", "list", "silent", "unsized", "signature"} {
		im := read(t, f, tag)
		golden(t, tag+".txt", im.Text(now))
		body, err := json.MarshalIndent(im, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, tag+".json", string(body))
	}
	byDigest := read(t, f, "full")
	byDigest.Asked = byDigest.Digest
	if strings.Contains(byDigest.Text(now), "Digest:") {
		t.Error("the digest is shown although it is in the name, which oc does not do")
	}
}

func TestReadErrors(t *testing.T) {
	f := newFake()
	f.put("schema1", map[string]any{"schemaVersion": 1, "signatures": []int{}})
	f.image("no-json", `{`)
	good := f.image("gone", `{"os":"linux"}`)
	delete(f.blobs, oci.FromBytes([]byte(`{"os":"linux"}`)))
	f.image("wrong", `{"os":"plan9"}`)
	f.blobs[oci.FromBytes([]byte(`{"os":"plan9"}`))] = []byte(`{"os":"plan8"}`)
	f.put("huge", map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
		"config": oci.Descriptor{MediaType: oci.MediaTypeImageConfig, Digest: good.Digest, Size: oci.MaxManifestSize + 1},
	})
	deep := good
	for range oci.MaxDepth + 1 {
		deep = f.list("deep", deep)
	}
	f.list("empty")
	f.list("attested", on(good, "unknown", "unknown"))
	f.put("broken", []string{})
	for tag, want := range map[string]string{
		"schema1": "schema 1", "no-json": "unable to parse image configuration", "gone": "no blob", "wrong": "is corrupt", "huge": "more than 8388608",
		"deep": "nested more than 8 deep", "empty": "no images", "attested": "no images", "nowhere": "no manifest nowhere", "broken": "not valid JSON",
	} {
		_, err := image.Read(t.Context(), f, repo.ByTag(tag), image.Prefer(oci.Platform{}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", tag, err, want)
		}
	}
}

func TestPick(t *testing.T) {
	f := newFake()
	amd, arm := on(f.image("a", `{"architecture":"amd64"}`), "linux", "amd64"), on(f.image("b", `{"architecture":"arm64"}`), "linux", "arm64")
	attestation, silent := on(f.image("c", `{"c":1}`), "unknown", "unknown"), f.image("d", `{"architecture":"silent"}`)
	f.list("list", attestation, arm, amd)
	f.list("silent", silent)
	filter := func(text string) oci.PlatformFilter {
		parsed, err := oci.ParsePlatformFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	linux := func(arch string) oci.Platform { return oci.Platform{OS: "linux", Architecture: arch} }
	for name, c := range map[string]struct {
		tag  string
		pick image.Pick
		want string // architectures, or the beginning of an error
	}{
		"preferred":            {"list", image.Prefer(linux("amd64")), "amd64"},
		"not there":            {"list", image.Prefer(linux("s390x")), "arm64"},
		"without platform":     {"silent", image.Prefer(linux("s390x")), "silent"},
		"one":                  {"list", image.Filter(filter("amd64"), false), "amd64"},
		"several":              {"list", image.Filter(filter("linux/.*"), false), "the image is a manifest list and contains multiple images"},
		"all":                  {"list", image.Filter(filter("linux/.*"), true), "arm64 amd64"},
		"none":                 {"list", image.Filter(filter("s390x"), true), "the image is a manifest list and contains no image that"},
		"any":                  {"list", image.Filter(filter(""), true), "arm64 amd64"},
		"any of one":           {"silent", image.Filter(filter(""), false), "silent"},
		"within, preferred":    {"list", image.Within(filter("linux"), linux("amd64")), "amd64"},
		"within, first":        {"list", image.Within(filter("linux/a"), linux("s390x")), "arm64"},
		"within, only":         {"list", image.Within(filter("amd64"), linux("arm64")), "amd64"},
		"within, none":         {"list", image.Within(filter("s390x"), linux("arm64")), "the image is a manifest list and contains no image that"},
		"within without bound": {"list", image.Within(filter(""), linux("amd64")), "amd64"},
	} {
		var got []string
		images, err := image.Read(t.Context(), f, repo.ByTag(c.tag), c.pick)
		if err != nil {
			got = append(got, err.Error())
		}
		for _, im := range images {
			got = append(got, im.Platform().Architecture)
		}
		if text := strings.Join(got, " "); text != c.want && (err == nil || !strings.HasPrefix(text, c.want)) {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
	}
	_, err := image.Read(t.Context(), f, repo.ByTag("list"), image.Filter(filter(""), false))
	several, ok := errors.AsType[*image.SeveralError](err)
	if !ok {
		t.Fatal(err)
	}
	want := "  OS              DIGEST\n  unknown/unknown " + attestation.Digest.String() + "\n  linux/arm64     " + arm.Digest.String() + "\n  linux/amd64     " + amd.Digest.String() + "\n"
	if diff := cmp.Diff(want, several.Table()); diff != "" || several.Matching != 2 {
		t.Error(diff, several.Matching)
	}
}

// What a list says of platforms is made fit for one line of an error.
func TestSeveralErrorIsBounded(t *testing.T) {
	e := &image.SeveralError{}
	for range 30 {
		e.Children = append(e.Children, on(oci.Descriptor{}, "x\x1b[2J\n", "y"))
	}
	if text := e.Error(); !strings.HasSuffix(text, `, x\x1b[2J\n/y, and 10 more`) || strings.Contains(text, "\x1b") {
		t.Error(text)
	}
}

func TestAge(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		-time.Minute: "<invalid>", -1900 * time.Millisecond: "0s", 0: "0s", 59 * time.Second: "59s", time.Minute: "1m", 59 * time.Minute: "59m",
		time.Hour: "1h", 23 * time.Hour: "23h", day: "1d", 364 * day: "364d", 365 * day: "1y", 800 * day: "2y",
	} {
		if got := image.Age(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0B", 999: "999B", 1000: "1kB", 1234: "1.234kB", 999_999: "1000kB", 123_456_789: "123.5MB", 5_000_000_000: "5GB", 1 << 62: "4.612EB",
	} {
		if got := image.Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(fullConfig))
	f.Add([]byte(`{"created":null,"config":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := image.ParseConfig(body)
		if err != nil {
			return
		}
		im := &image.Image{Config: c}
		if text := im.Text(now); strings.Contains(text, "\x1b") {
			t.Error("an escape reaches the terminal")
		}
		if _, err := json.Marshal(im); err != nil {
			t.Error(err)
		}
	})
}
