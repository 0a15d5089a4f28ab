//go:build unix

package ocdir

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// copyTree copies a tree of media the way a program does that names files and
// treats links in its own way.
func copyTree(t *testing.T, from, to string, rename func(string) string, link func(from, to string) error) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, filepath.Dir(rel), rename(filepath.Base(rel)))
		switch {
		case e.IsDir():
			return os.MkdirAll(target, 0o755)
		case e.Type() == fs.ModeSymlink:
			return link(path, target)
		}
		return dereference(path, target)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func asIs(name string) string { return name }

// separated renames files of digests.
func separated(sep string) func(string) string {
	return func(name string) string { return strings.Replace(name, ":", sep, 1) }
}

// dereference copies what a path leads to.
func dereference(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

// linkAs makes a link again, its text changed; linkText makes a file of it.
func linkAs(change func(string) string) func(from, to string) error {
	return func(from, to string) error {
		text, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(change(text), to)
	}
}

func linkText(change func(string) string) func(from, to string) error {
	return func(from, to string) error {
		text, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.WriteFile(to, []byte(change(text)), 0o600)
	}
}

// Media are read as copying programs leave them.
func TestReadsCopies(t *testing.T) {
	copies := map[string]struct {
		rename func(string) string
		link   func(from, to string) error
	}{
		"cp -L, zip, robocopy":      {asIs, dereference},
		"git on Windows":            {asIs, linkText(asIs)},
		"text with a line end":      {asIs, linkText(func(s string) string { return s + "\r\n" })},
		"written on Windows":        {separated("-"), linkAs(separated("-"))},
		"Windows, dereferenced":     {separated("-"), dereference},
		"Windows, link text":        {separated("-"), linkText(separated("-"))},
		"colons replaced by unzip":  {separated("_"), linkAs(asIs)},
		"colons mapped by ntfs-3g":  {separated("\uf03a"), linkAs(asIs)},
		"links with a path":         {asIs, linkAs(func(s string) string { return "../manifests/" + s })},
		"links with a Windows path": {separated("-"), linkText(func(s string) string { return `.\` + separated("-")(s) })},
	}
	for name, c := range copies {
		t.Run(name, func(t *testing.T) {
			media := realMedia(t)
			for _, tree := range []string{"release", "images"} {
				to := filepath.Join(t.TempDir(), tree)
				copyTree(t, filepath.Join(media, tree), to, c.rename, c.link)
				checkWhole(t, openDir(t, to, true), printedTags(t, filepath.Join(media, tree+".stdout")))
			}
		})
	}
}

// The real programs, as far as they are here.
func TestReadsCopiesOfPrograms(t *testing.T) {
	media := realMedia(t)
	for name, args := range map[string][]string{
		"cp -L": {"cp", "-rL", media + "/release", "COPY"},
		"cp -a": {"cp", "-a", media + "/release", "COPY"},
		"tar -h": {
			"sh", "-c", `mkdir "$2" && tar -C "$1" -chf - . | tar -C "$2" -xf -`, "sh", media + "/release", "COPY",
		},
	} {
		t.Run(name, func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), "copy")
			args[len(args)-1] = copied
			if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
				t.Skipf("%v: %s", err, out)
			}
			checkWhole(t, openDir(t, copied, true), printedTags(t, media+"/release.stdout"))
		})
	}
}

// A manifest without its copy in blobs/ is still read.
func TestManifestWithoutCopyInBlobs(t *testing.T) {
	media := realMedia(t)
	found, err := filepath.Glob(media + "/images/v2/*/*/manifests/sha256:*")
	if err != nil || len(found) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for _, path := range found {
		if err := os.Remove(strings.Replace(path, "/manifests/", "/blobs/", 1)); err != nil {
			t.Fatal(err)
		}
	}
	checkWhole(t, openDir(t, media+"/images", true), printedTags(t, media+"/images.stdout"))
}

// Media that were written with hyphens are gone on with in hyphens.
func TestGoesOnWithHyphens(t *testing.T) {
	media, windows := realMedia(t), t.TempDir()
	copyTree(t, media+"/images", windows, separated("-"), linkAs(separated("-")))
	dir := openDir(t, windows, false)
	copyTags(t, openDir(t, media+"/release", true), dir)
	if err := dir.Close(); err != nil {
		t.Fatal(err)
	}
	want := printedTags(t, media+"/images.stdout")
	maps.Copy(want, printedTags(t, media+"/release.stdout"))
	checkWhole(t, openDir(t, windows, true), want)
	for path, what := range describeTree(t, windows) {
		if strings.Contains(path, ":") || strings.Contains(what, "-> sha256:") {
			t.Errorf("%s %s", path, what)
		}
	}
}

// For a new directory the operating system decides, as with oc.
func TestNamingOfNewDirectories(t *testing.T) {
	files := newFS(t)
	for goos, want := range map[string]string{"linux": ":", "darwin": ":", "windows": "-"} {
		if got := naming(files, goos); got != want {
			t.Errorf("%s: separator %q, want %q", goos, got, want)
		}
	}
}

// Strange things on a medium are passed over, and nothing outside is read.
func TestHostileMedia(t *testing.T) {
	media := realMedia(t)
	two := media + "/images/v2/lists/two/"
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte(`{"schemaVersion":2,"manifests":[]}`), 0o600))
	must(t, os.Symlink(secret, two+"manifests/v2"))
	must(t, os.Symlink("sha256:"+strings.Repeat("a", 64)+"/../../../../../etc/passwd", two+"manifests/v3"))
	must(t, os.Symlink(secret, two+"manifests/sha256:"+strings.Repeat("b", 64)))
	must(t, os.Symlink(secret, two+"blobs/sha256:"+strings.Repeat("c", 64)))
	must(t, os.Symlink(filepath.Dir(secret), media+"/images/v2/away"))
	must(t, os.Symlink(two+"blobs", media+"/images/v2/single/image/more"))
	must(t, os.MkdirAll(two+"manifests/v4", 0o755))
	must(t, os.WriteFile(two+"manifests/README.txt", []byte("hello"), 0o600))
	must(t, os.WriteFile(two+"manifests/notes.json", []byte(`{"a":1}`), 0o600))
	must(t, os.WriteFile(two+"manifests/.tmp-123", []byte("x"), 0o600))
	must(t, os.WriteFile(two+"manifests/sha256:"+strings.Repeat("d", 64), nil, 0o600))
	must(t, os.MkdirAll(media+"/images/v2/UPPER/Case/manifests", 0o755))
	must(t, os.Symlink("sha256:"+strings.Repeat("e", 64), media+"/images/v2/UPPER/Case/manifests/v1"))
	must(t, syscall.Mkfifo(two+"manifests/pipe", 0o600))
	must(t, syscall.Mkfifo(two+"blobs/sha256:"+strings.Repeat("f", 64), 0o600))

	dir := openDir(t, media+"/images", true)
	checkWhole(t, dir, printedTags(t, media+"/images.stdout"))
	for _, key := range []string{
		"t/lists/two:v3", "t/lists/two:../../../is.json", "t/../single:v1", "t/away:v1", "m/lists/two@../../x",
		"m/lists/two@sha256:" + strings.Repeat("b", 64), "b/lists/two@sha256:" + strings.Repeat("c", 64),
		"m/lists/two@sha256:" + strings.Repeat("d", 64), "b/lists/two@sha256:" + strings.Repeat("f", 64), "x", "",
	} {
		if value, err := dir.KV.Get(t.Context(), key); err == nil {
			t.Errorf("%s: got %s", key, value)
		}
	}
	for e, err := range dir.KV.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(e.Key, "away") || strings.Contains(e.Key, "UPPER") {
			t.Errorf("listed: %s", e.Key)
		}
	}
}

// A component that is a link is no repository, also where it is asked for.
func TestLinkedRepositoryIsNone(t *testing.T) {
	media := realMedia(t)
	must(t, os.Symlink("lists", media+"/images/v2/alias"))
	dir := openDir(t, media+"/images", true)
	if _, err := dir.KV.Get(t.Context(), "t/alias/two:v1"); err != kv.ErrNotFound { //nolint:errorlint // exactly this
		t.Errorf("got %v, want %v", err, kv.ErrNotFound)
	}
}
