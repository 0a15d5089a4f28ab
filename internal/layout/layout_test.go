package layout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
)

func clock() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *maker) open() *Layout {
	m.Helper()
	return open(m.T, m.dir, "stuff")
}

func open(t *testing.T, dir, name string) *Layout {
	t.Helper()
	files, err := fsys.OS(dir)
	must(t, err)
	if !Is(files) {
		t.Fatalf("%s is not recognised", dir)
	}
	l, err := Open(t.Context(), files, name)
	must(t, err)
	return l
}

func (l *Layout) registry() *registry.Registry {
	return registry.New("layout", l.CAS, l.KV, registry.Options{ReadOnly: true, Now: clock})
}

// tags lists "repository:tag digest" of all there is.
func tags(t *testing.T, l *Layout) []string {
	t.Helper()
	var out []string
	for e, err := range l.KV.List(t.Context(), repo.TagPrefix, "") {
		must(t, err)
		fact, err := repo.DecodeFact[repo.TagFact](e.Key, e.Value)
		must(t, err)
		out = append(out, strings.TrimPrefix(e.Key, repo.TagPrefix)+" "+fact.Digest.String())
	}
	return out
}

func image(name string) repotest.Image {
	return repotest.NewImage(name, repotest.NewBlob("base", 3000), repotest.NewBlob(name, 40))
}

// Tools name images in the index in one of three ways, or not at all.
func TestNames(t *testing.T) {
	tests := []struct {
		annotations []string
		want        string // "" for no tag
	}{
		{[]string{annotationRefName, "v1"}, "stuff:v1"},
		{[]string{annotationRefName, "quay.io/org/app:v2"}, "org/app:v2"},
		{[]string{annotationRefName, "localhost:5000/app:v2"}, "app:v2"},
		{[]string{annotationRefName, "v3", annotationImageName, "docker.io/library/alpine:v3"}, "library/alpine:v3"},
		{[]string{annotationRefName, "app:v4"}, "app:v4"},
		{[]string{annotationRefName, "quay.io/org/app"}, ""},
		{[]string{annotationRefName, "../../etc:v1"}, ""},
		{[]string{annotationRefName, "file://a/b:v1"}, ""},
		{[]string{annotationRefName, "-not a tag"}, ""},
		{nil, ""},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.annotations, " "), func(t *testing.T) {
			m, img := newMaker(t), image("one")
			m.entry(img, test.annotations...)
			var want []string
			if test.want != "" {
				want = []string{test.want + " " + img.Desc.Digest.String()}
			}
			l := m.open()
			if diff := cmp.Diff(want, tags(t, l)); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			name, _, _ := strings.Cut(test.want, ":")
			if name == "" {
				name = firstRepository(t, l)
			}
			r, err := l.registry().Repo(name)
			must(t, err)
			repotest.CheckManifest(t.Context(), t, r, repo.ByDigest(img.Desc.Digest), img)
			repotest.Check(t.Context(), t, r, img)
		})
	}
}

func firstRepository(t *testing.T, l *Layout) string {
	t.Helper()
	for name, err := range l.registry().Repositories(t.Context(), "") {
		must(t, err)
		return name
	}
	t.Fatal("the layout has no repository")
	return ""
}

func TestNameOfTheDirectory(t *testing.T) {
	for name, want := range map[string]string{
		"stuff": "stuff", "My Images (2)": "my-images-2", "..": "image", "": "image", "ä": "image", "a/b": "a/b",
	} {
		if got := repositoryName(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// Indexes within indexes, sparse ones too, and what refers to an image.
func TestNestedIndexes(t *testing.T) {
	m := newMaker(t)
	inner := repotest.NewDockerList(repotest.NewDockerImage("docker", repotest.NewBlob("d", 9)))
	absent := image("absent")
	outer := repotest.NewIndex(image("one"), inner, absent)
	sig := repotest.NewReferrer("sig", "application/example", outer)
	m.entry(outer, annotationRefName, "all")
	m.entry(sig)
	must(t, os.Remove(m.path(absent.Desc.Digest)))
	r, err := m.open().registry().Repo("stuff")
	must(t, err)
	repotest.CheckManifest(t.Context(), t, r, repo.ByTag("all"), outer)
	for _, img := range []repotest.Image{outer.Children[0], inner, inner.Children[0]} {
		repotest.CheckManifest(t.Context(), t, r, repo.ByDigest(img.Desc.Digest), img)
	}
	if _, err := r.Resolve(t.Context(), repo.ByDigest(absent.Desc.Digest)); !oci.IsNotFound(err) {
		t.Errorf("a child that is not there: %v", err)
	}
	var got []string
	for d, err := range r.Referrers(t.Context(), outer.Desc.Digest) {
		must(t, err)
		got = append(got, d.ArtifactType+" "+d.Digest.String())
	}
	if diff := cmp.Diff([]string{"application/example " + sig.Desc.Digest.String()}, got); diff != "" {
		t.Errorf("referrers (-want +got):\n%s", diff)
	}
}

func TestWritesNothing(t *testing.T) {
	m := newMaker(t)
	img := image("one")
	m.entry(img, annotationRefName, "v1")
	l := m.open()
	d := img.Desc.Digest
	if err := l.KV.Apply(t.Context(), []kv.Change{{Key: "t/a:b", Value: []byte("{}")}}); !errors.Is(err, kv.ErrReadOnly) {
		t.Errorf("Apply: %v", err)
	}
	_, created := l.CAS.Create(t.Context(), "id", "")
	_, resumed := l.CAS.Resume(t.Context(), "id")
	for what, err := range map[string]error{
		"Create": created, "Resume": resumed, "Delete": l.CAS.Delete(t.Context(), d),
		"DeletePartial": l.CAS.DeletePartial(t.Context(), "id"),
	} {
		if !errors.Is(err, oci.ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What is damaged or missing is told when it is read, and hides nothing else.
func TestDamage(t *testing.T) {
	good, bad := image("good"), image("bad")
	own := bad.Blobs[len(bad.Blobs)-1].Desc.Digest
	damages := map[string]func(m *maker) error{
		"manifest gone":      func(m *maker) error { return os.Remove(m.path(bad.Desc.Digest)) },
		"manifest wrong":     func(m *maker) error { return os.WriteFile(m.path(bad.Desc.Digest), good.Bytes, 0o600) },
		"manifest not JSON":  func(m *maker) error { return os.WriteFile(m.path(bad.Desc.Digest), []byte("}"), 0o600) },
		"manifest is a link": func(m *maker) error { return link(m.path(good.Desc.Digest), m.path(bad.Desc.Digest)) },
		"blob gone":          func(m *maker) error { return os.Remove(m.path(own)) },
		"blob is a link":     func(m *maker) error { return link("/etc/hostname", m.path(own)) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			m := newMaker(t)
			m.entry(good, annotationRefName, "good")
			m.entry(bad, annotationRefName, "bad")
			must(t, damage(m))
			r, err := m.open().registry().Repo("stuff")
			must(t, err)
			repotest.CheckManifest(t.Context(), t, r, repo.ByTag("good"), good)
			repotest.Check(t.Context(), t, r, good)
			_, _, err = r.Manifest(t.Context(), repo.ByTag("bad"))
			if err == nil {
				_, err = r.OpenBlob(t.Context(), own, 0)
			}
			if err == nil {
				t.Error("the damage is not noticed")
			}
		})
	}
}

func link(to, path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(to, path)
}

// A layout that is made to harm is refused with an error, and nothing outside
// of it is read.
func TestHostile(t *testing.T) {
	entry := func(digest string) string {
		return fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":3}]}`, oci.MediaTypeImageManifest, digest)
	}
	for name, index := range map[string]string{
		"not JSON":         "{",
		"digest with path": entry("sha256:../../../../etc/passwd"),
		"short digest":     entry("sha256:abc"),
		"no digest":        entry(""),
		"other algorithm":  entry("md5:d41d8cd98f00b204e9800998ecf8427e"),
		"huge":             `{"manifests":[],"x":"` + strings.Repeat("x", maxIndex) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			m := newMaker(t)
			m.rawIndex([]byte(index))
			wantRefused(t, m)
		})
	}
	t.Run("index is a link", func(t *testing.T) {
		m := newMaker(t)
		must(t, link("/etc/hostname", filepath.Join(m.dir, "index.json")))
		wantRefused(t, m)
	})
	t.Run("unknown version", func(t *testing.T) {
		m := newMaker(t)
		must(t, os.WriteFile(filepath.Join(m.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"2.0.0"}`), 0o600))
		wantRefused(t, m)
	})
	t.Run("deep", func(t *testing.T) {
		m, img := newMaker(t), image("one")
		for range oci.MaxDepth + 1 {
			img = repotest.NewIndex(img)
		}
		m.entry(img, annotationRefName, "deep")
		wantRefused(t, m)
	})
}

func wantRefused(t *testing.T, m *maker) {
	t.Helper()
	files, err := fsys.OS(m.dir)
	must(t, err)
	if _, err := Open(t.Context(), files, "x"); err == nil || !strings.Contains(err.Error(), m.dir) {
		t.Errorf("got %v, want an error that names the directory", err)
	}
}

func TestIs(t *testing.T) {
	dir := t.TempDir()
	files, err := fsys.OS(dir)
	must(t, err)
	if Is(files) {
		t.Error("an empty directory is said to be a layout")
	}
	must(t, os.Symlink("/etc/hostname", filepath.Join(dir, "oci-layout")))
	if Is(files) {
		t.Error("a link is taken for the marker")
	}
}

// A layout that holds what Fill wrote passes the suite of the contract.
func TestSuite(t *testing.T) {
	m := newMaker(t)
	base := mirrorOfFill(t, m)
	repotest.RunRead(t, func(*testing.T) repo.Registry { return open(t, m.dir, base).registry() }, repotest.Features{})
}

// mirrorOfFill writes what Fill pushes as a layout, and returns its repository.
func mirrorOfFill(t *testing.T, m *maker) string {
	t.Helper()
	src := newMemory()
	repotest.Fill(t, src)
	for name, err := range src.Repositories(t.Context(), "") {
		must(t, err)
		r, err := src.Repo(name)
		must(t, err)
		for tag, err := range r.Tags(t.Context(), "") {
			must(t, err)
			desc := m.take(t.Context(), r, repo.ByTag(tag))
			desc.Annotations = map[string]string{annotationRefName: tag}
			m.entries = append(m.entries, desc)
		}
		m.index()
		return name
	}
	t.Fatal("Fill wrote nothing")
	return ""
}

// take writes a manifest of a repository and all below it.
func (m *maker) take(ctx context.Context, r repo.Repo, target repo.Target) oci.Descriptor {
	m.Helper()
	desc, body, err := r.Manifest(ctx, target)
	must(m.T, errors.Join(err, desc.Digest.Check(body)))
	must(m.T, os.WriteFile(m.path(desc.Digest), body, 0o600))
	parsed, err := oci.ParseManifest(desc.MediaType, body)
	must(m.T, err)
	for _, child := range parsed.Manifests {
		m.take(ctx, r, repo.ByDigest(child.Digest))
	}
	for _, b := range parsed.Blobs() {
		src, err := r.OpenBlob(ctx, b.Digest, 0)
		must(m.T, err)
		var content bytes.Buffer
		_, err = content.ReadFrom(src)
		must(m.T, errors.Join(err, src.Close(), b.Digest.Check(content.Bytes())))
		must(m.T, os.WriteFile(m.path(b.Digest), content.Bytes(), 0o600))
	}
	return desc
}

// What skopeo writes is read: one that it copies to a layout, under a tag and
// under a whole reference.
func TestReadsSkopeo(t *testing.T) {
	skopeo := peer.Need(t, "skopeo")
	m, img := newMaker(t), image("one")
	m.entry(img, annotationRefName, "v1")
	to := filepath.Join(t.TempDir(), "copied")
	for from, ref := range map[string]string{"v1": "v9", "v1 ": "quay.io/org/app:v8"} {
		cmd := exec.Command(skopeo, "copy", "--quiet", "--insecure-policy",
			"oci:"+m.dir+":"+strings.TrimSpace(from), "oci:"+to+":"+ref)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	// The content is no gzip, so that skopeo compresses it and the digest is its own.
	raw, err := exec.Command(skopeo, "inspect", "--raw", "oci:"+to+":v9").Output()
	must(t, err)
	l, d := open(t, to, "copied"), oci.FromBytes(raw)
	if diff := cmp.Diff([]string{"copied:v9 " + d.String(), "org/app:v8 " + d.String()}, tags(t, l)); diff != "" {
		t.Fatalf("tags (-want +got):\n%s", diff)
	}
	for _, name := range []string{"copied", "org/app"} {
		r, err := l.registry().Repo(name)
		must(t, err)
		newMaker(t).take(t.Context(), r, repo.ByDigest(d))
	}
}
