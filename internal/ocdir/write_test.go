//go:build unix

package ocdir

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// copyTags copies every tag of one directory to another, as a mirror run does:
// blobs, children, the manifest with its tag, and a checkpoint at the end.
func copyTags(t *testing.T, from, to *Dir) {
	t.Helper()
	src := registryOf(from, registry.Options{ReadOnly: true})
	dst := registryOf(to, registry.Options{Batch: true})
	for name, err := range src.Repositories(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		s, d := mustRepo(t, src, name), mustRepo(t, dst, name)
		for tag, err := range s.Tags(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			copyManifest(t, s, d, repo.ByTag(tag), tag)
		}
	}
	if err := dst.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func copyManifest(t *testing.T, src, dst repo.Repo, target repo.Target, tags ...string) {
	t.Helper()
	desc, body, err := src.Manifest(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	m, err := oci.ParseManifest(desc.MediaType, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, child := range m.Manifests {
		copyManifest(t, src, dst, repo.ByDigest(child.Digest))
	}
	for _, blob := range m.Blobs() {
		if _, err := dst.PutBlob(t.Context(), blob, opener(src, blob.Digest), ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := dst.PutManifest(t.Context(), desc, body, tags...); err != nil {
		t.Fatal(err)
	}
}

// What we write is what oc writes: the same names with the same kinds, modes,
// link texts and content, and manifests that are hard links to their blobs.
func TestWritesTheTreeOfRealOc(t *testing.T) {
	for _, name := range []string{"release", "images"} {
		t.Run(name, func(t *testing.T) {
			theirs, ours := filepath.Join(realMedia(t), name), t.TempDir()
			dst := openDir(t, ours, false)
			copyTags(t, openDir(t, theirs, true), dst)
			if err := dst.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(describeTree(t, theirs), describeTree(t, ours)); diff != "" {
				t.Errorf("the trees differ (-oc +ours):\n%s", diff)
			}
			checkManifestLinks(t, ours)
		})
	}
}

// describeTree lists a tree: kind, mode, size or link text of each path.
func describeTree(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + oci.FromBytes(content).String()
		}
		if e.Type() == fs.ModeSymlink {
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " -> " + to
		}
		out[strings.TrimPrefix(path, root)] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func checkManifestLinks(t *testing.T, root string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "v2/*/*/manifests/sha256:*"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for _, path := range found {
		if !sameFile(t, path, strings.Replace(path, "/manifests/", "/blobs/", 1)) {
			t.Errorf("%s is not a hard link to the file in blobs/", path)
		}
	}
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.Lstat(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.Lstat(b)
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(x, y)
}

// Content that several repositories have takes its place on the disk once.
func TestRepositoriesShareContent(t *testing.T) {
	ours := t.TempDir()
	copyTags(t, openDir(t, filepath.Join(realMedia(t), "images"), true), openDir(t, ours, false))
	shared := "blobs/sha256:acd7cf5f81f8bb15ea0a28afd6b8ef0624e1c4b5c081bd71b29b46fd5e4e4d17"
	if !sameFile(t, filepath.Join(ours, "v2/lists/two", shared), filepath.Join(ours, "v2/single/image", shared)) {
		t.Error("two repositories have a copy each of the same layer")
	}
}

// A second run over what is there changes nothing, and sends nothing.
func TestSecondRunChangesNothing(t *testing.T) {
	media, ours := openDir(t, filepath.Join(realMedia(t), "images"), true), t.TempDir()
	for range 2 {
		dst := openDir(t, ours, false)
		copyTags(t, media, dst)
		if err := dst.Close(); err != nil {
			t.Fatal(err)
		}
	}
	inodes := func() map[string]uint64 {
		out := map[string]uint64{}
		for path := range describeTree(t, ours) {
			var st syscall.Stat_t
			if err := syscall.Lstat(ours+path, &st); err != nil {
				t.Fatal(err)
			}
			out[path] = st.Ino
		}
		return out
	}
	before := inodes()
	dst := openDir(t, ours, false)
	copyTags(t, media, dst)
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, inodes()); diff != "" {
		t.Errorf("files were written again:\n%s", diff)
	}
}

// A run repairs what oc or a faulty medium left: empty, cut and wrong files,
// manifests without blobs, links that lead nowhere, left-over .download files.
func TestRunRepairs(t *testing.T) {
	const (
		two      = "images/v2/lists/two/"
		shared   = two + "blobs/sha256:acd7cf5f81f8bb15ea0a28afd6b8ef0624e1c4b5c081bd71b29b46fd5e4e4d17"
		own      = two + "blobs/sha256:586a5eccec172b709b224edd807c53b2904c3570e7eaa56ed14e414ce615cd0c"
		manifest = two + "manifests/sha256:a1dd89e29347f27452fb20c95960031d1e57a07ab18ec106b4b0f4b70cf6b0b9"
		tag      = two + "manifests/v1"
	)
	damages := map[string]func() error{
		"empty blob":         func() error { return os.Truncate(own, 0) },
		"cut blob":           func() error { return os.Truncate(own, 1000) },
		"wrong blob":         func() error { return overwrite(own) },
		"wrong shared blob":  func() error { return overwrite(shared) },
		"blob gone":          func() error { return os.Remove(own) },
		"blob is a link":     func() error { return relink("/etc/hostname", own) },
		"empty manifest":     func() error { return os.Truncate(manifest, 0) },
		"wrong manifest":     func() error { return overwrite(manifest) },
		"manifest is a link": func() error { return relink("../blobs/"+filepath.Base(manifest), manifest) },
		"tag leads nowhere":  func() error { return relink("sha256:abc", tag) },
		"tag leads away":     func() error { return relink("/etc/passwd", tag) },
		"tag is a file":      func() error { return refile("something", tag) },
		"left-over link":     func() error { return os.Symlink(filepath.Base(manifest), tag+".download") },
		"left-over download": func() error { return os.WriteFile(own+".download", []byte("x"), 0o600) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			whole, media := filepath.Join(realMedia(t), "images"), realMedia(t)
			t.Chdir(media)
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			dir := openDir(t, filepath.Join(media, "images"), false)
			copyTags(t, openDir(t, whole, true), dir)
			if err := dir.Close(); err != nil {
				t.Fatal(err)
			}
			again := openDir(t, filepath.Join(media, "images"), true)
			checkWhole(t, again, printedTags(t, media+"/images.stdout"))
			if _, err := os.Stat(filepath.Join(media, "images", "airbridge")); err == nil {
				t.Error("airbridge/ is left behind")
			}
		})
	}
}

// overwrite changes one byte and keeps the size.
func overwrite(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	content[len(content)/2] ^= 1
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Close()
}

func relink(text, path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(text, path)
}

func refile(content, path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o600)
}
