package release_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// golden compares a text with a file, and writes it with UPDATE_GOLDEN.
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

func readInfo(t *testing.T, f *fake, tag string) *release.Info {
	t.Helper()
	c, err := release.ReadContents(t.Context(), f, repo.ByTag(tag), image.Prefer(amd64))
	if err != nil {
		t.Fatal(err)
	}
	info, err := release.NewInfo(ref.MustParse("quay.io/openshift-release-dev/ocp-release:"+tag), c)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// The real payload of 4.12.0 is listed completely.
func TestInfo412(t *testing.T) {
	top, err := os.ReadFile(filepath.Join(testdata(t), "release-4.12.0", "payload-layer.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	f := newFake()
	f.image(t, "4.12.0-x86_64", "amd64", top)
	info := readInfo(t, f, "4.12.0-x86_64")
	if len(info.Tags) != 183 || len(info.Manifests) != 643 || len(info.Others) != 1 {
		t.Errorf("%d components, %d manifests, %d other files", len(info.Tags), len(info.Manifests), len(info.Others))
	}
	golden(t, "4.12.0-digests.txt", info.Text(release.Digests, now))
	golden(t, "4.12.0-pullspecs.txt", info.Text(release.PullSpecs, now))
	golden(t, "4.12.0-commits.txt", info.Text(release.Commits, now))
	golden(t, "4.12.0-commit-urls.txt", info.Text(release.CommitURLs, now))
	text := info.Contents.Text()
	if n := strings.Count(text, "\n# 0000_") + strings.Count(text, "\n# image-references"); n < 640 || !strings.HasPrefix(text, "# image-references\n{") {
		t.Errorf("%d files begin with %.40q", n, text)
	}
	var decoded struct {
		References struct{ Spec struct{ Tags []any } }
		Metadata   struct{ Previous []string }
		Versions   map[string]release.ComponentVersion `json:"displayVersions"`
	}
	body, err := json.Marshal(info)
	if err == nil {
		err = json.Unmarshal(body, &decoded)
	}
	if err != nil || len(decoded.References.Spec.Tags) != 183 || len(decoded.Metadata.Previous) != 21 || decoded.Versions["kubernetes"].Version != "1.25.4" {
		t.Errorf("%v %+v", err, decoded.Versions)
	}
}

// A small release with everything that real ones lack: odd texts, versions that
// contradict each other, images that could not be read.
func oddRelease(t *testing.T, f *fake, version string, tags ...map[string]any) *release.Info {
	t.Helper()
	stream := map[string]any{
		"kind": "ImageStream", "apiVersion": "image.openshift.io/v1",
		"metadata": map[string]string{"name": version, "creationTimestamp": "2023-01-12T18:29:52Z"},
		"spec":     map[string]any{"tags": tags},
	}
	meta := map[string]any{
		"kind": "cincinnati-metadata-v0", "version": version, "previous": []string{"4.10.0", "4.9.11", "4.14.2"},
		"metadata": map[string]any{"url": "https://example.com", "odd": "a\tb\x1b[2J", "empty": "", "list": []int{}, "n": 3},
	}
	f.image(t, version, "amd64", archive(t,
		entry{name: "release-manifests/image-references", content: string(mustJSON(t, stream))},
		entry{name: "release-manifests/release-metadata", content: string(mustJSON(t, meta))},
		entry{name: "release-manifests/b.yaml", content: "of: " + version},
		entry{name: "release-manifests/a.yml", content: "same\n"},
		entry{name: "release-manifests/notes.txt", content: "x"},
	))
	return readInfo(t, f, version)
}

func tag(name, id, commit string, annotations ...string) map[string]any {
	all := map[string]string{"io.openshift.build.commit.id": commit, "io.openshift.build.source-location": "https://github.com/openshift/" + name}
	for i := 0; i < len(annotations); i += 2 {
		all[annotations[i]] = annotations[i+1]
	}
	from := "quay.io/x/art@" + oci.FromBytes([]byte(id)).String()
	return map[string]any{"name": name, "annotations": all, "from": map[string]string{"kind": "DockerImage", "name": from}}
}

const (
	versions     = "io.openshift.build.versions"
	displayNames = "io.openshift.build.version-display-names"
	source       = "io.openshift.build.source-location"
)

func TestInfoOfAnOddRelease(t *testing.T) {
	info := oddRelease(t, newFake(), "4.14.3",
		tag("cli", "1", "c1", versions, "kubectl=1.27.4+meta", displayNames, "kubectl=the tool"),
		tag("hyperkube", "2", "c2", versions, "kubernetes=1.27.6,kubectl=1.27.9"),
		tag("pod", "3", "c3", versions, "kubernetes=1.27.5,kubectl=1.27.8", displayNames, "kubernetes=odd"),
		tag("coreos", "4", "c4", versions, "machine-os=414.92.1", displayNames, "machine-os=CoreOS"),
		tag("extensions", "5", "c5", versions, "machine-os=414.90.0", source, "git@github.com:openshift/os"),
		tag("bad", "6", "c6", versions, "kubernetes=one", source, "https://gitlab.example.com/x\x1b]0;y"),
	)
	golden(t, "odd-digests.txt", info.Text(release.Digests, now))
	golden(t, "odd-commit-urls.txt", info.Text(release.CommitURLs, now))
	if want := "multiple versions reported for the kubectl: 1.27.4 (cli), 1.27.8 (pod), 1.27.9 (hyperkube)"; info.Notice != want {
		t.Errorf("%q", info.Notice)
	}
	if want := map[string]string{"kubectl": "pod", "kubernetes": "pod", "machine-os": "extensions"}; !cmp.Equal(want, info.VersionTags) {
		t.Errorf("%v", info.VersionTags)
	}
	golden(t, "odd-contents.txt", info.Contents.Text())
}

func TestInfoSizes(t *testing.T) {
	info := oddRelease(t, newFake(), "4.14.3",
		tag("cli", "1", ""), tag("etcd", "2", ""), tag("gone", "3", ""), tag("pod", "4", ""), tag("podagain", "5", ""), tag("empty", "6", ""))
	layer := func(name string, size int64) oci.Descriptor {
		return oci.Descriptor{Digest: oci.FromBytes([]byte(name)), Size: size}
	}
	config := &image.Config{Created: now.Add(-100 * 24 * time.Hour)}
	add := func(name string, layers ...oci.Descriptor) {
		info.AddImage(name, &image.Image{Layers: layers, Config: config}, nil)
	}
	add("cli", layer("base1", 90<<20), layer("cli", 5<<20))
	add("etcd", layer("base1", 90<<20), layer("etcd", 7<<20), layer("more", 1<<19))
	add("pod", layer("base2", 30<<20), layer("pod", 1<<20))
	add("podagain", layer("base2", 30<<20), layer("pod", 1<<20))
	add("empty")
	info.AddImage("gone", nil, errors.New("manifest unknown"))
	golden(t, "odd-sizes.txt", info.Text(release.Sizes, now))
	for n := range 6 {
		add([]string{"cli", "etcd", "gone", "pod", "podagain", "empty"}[n], layer(string(rune('a'+n)), 1<<20))
	}
	golden(t, "odd-sizes-many.txt", info.Text(release.Sizes, now))
}

func TestImageFor(t *testing.T) {
	info := oddRelease(t, newFake(), "4.14.3", tag("cli", "1", ""), tag("cli-artifacts", "2", ""), tag("etcd", "3", ""))
	at, err := info.ImageFor("cli")
	if err != nil || at.Digest != oci.FromBytes([]byte("1")) {
		t.Error(at, err)
	}
	for name, hint := range map[string]string{"cli-art": "it has cli, cli-artifacts", "": "-o name", "nowhere": "-o name"} {
		_, err := info.ImageFor(name)
		e, ok := errors.AsType[*release.NoComponentError](err)
		if !ok || !strings.Contains(e.Hint(), hint) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A single image and a list are told apart, and so is what does not say what it is.
func TestInfoPlatform(t *testing.T) {
	f := newFake()
	layer := payloadLayer(t, "4.14.3", "cli")
	list := f.list(t, "multi", f.image(t, "arm", "arm64", layer), f.image(t, "amd", "amd64", layer))
	f.image(t, "silent", "", layer)
	info := readInfo(t, f, "multi")
	if info.Platform() != "multi (linux/amd64)" || !strings.Contains(info.Text(release.Digests, now), "Digest:    "+list.Digest.String()) {
		t.Error(info.Text(release.Digests, now))
	}
	if p := readInfo(t, f, "silent").Platform(); p != "linux/unknown" {
		t.Error(p)
	}
	exact, err := oci.ParsePlatformFilter("linux/s390x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = release.ReadContents(t.Context(), f, repo.ByTag("multi"), image.Filter(exact, false))
	if _, ok := errors.AsType[*image.SeveralError](err); !ok {
		t.Error(err)
	}
}

func TestDiff(t *testing.T) {
	f := newFake()
	from := oddRelease(t, f, "4.14.2",
		tag("same", "s", "1"), tag("changed", "c1", "1"), tag("rebuilt", "r1", "1"), tag("gone", "g", "1"), tag("moved", "m1", "1", source, "https://example.com/old"),
		tag("nowhere", "n1", "1"), tag("unsaid", "u1", "", source, "https://example.com/unsaid"))
	to := oddRelease(t, f, "4.14.3",
		tag("same", "s", "1"), tag("changed", "c2", "2"), tag("rebuilt", "r2", "1"), tag("new-one", "n", "7"), tag("moved", "m2", "2"),
		tag("nowhere", "n2", "2", source, ""), tag("unsaid", "u2", "9"))
	diff := release.Compare(from, to)
	golden(t, "diff.txt", diff.Text(false, now))
	golden(t, "diff-commits.txt", diff.Text(true, now))
	body, err := json.MarshalIndent(diff, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "diff.json", string(body))
	if text := release.Compare(from, from).Text(false, now); text != "Releases are identical\n" {
		t.Error(text)
	}
}
