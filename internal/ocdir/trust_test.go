package ocdir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

// pushed is a directory on disk with one image, closed again.
func pushed(t *testing.T) (path string, img repotest.Image) {
	t.Helper()
	path, img = t.TempDir(), repotest.NewImage("one", repotest.NewBlob("layer", 3000))
	dir := openDir(t, path, false)
	repotest.Push(t.Context(), t, mustRepo(t, registryOf(dir, optionsOf(false)), "a"), img, "v1")
	must(t, dir.Close())
	return path, img
}

// A manifest whose blobs are not all there counts for nothing where it can be
// replaced, and for what it is where it can only be read.
func TestIncompleteImages(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"gone":  os.Remove,
		"short": func(path string) error { return os.Truncate(path, 10) },
		"empty": func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			path, img := pushed(t)
			layer := img.Blobs[len(img.Blobs)-1].Desc.Digest
			must(t, damage(filepath.Join(path, blobsPath("a"), layer.String())))
			for readOnly, want := range map[bool]error{true: nil, false: kv.ErrNotFound} {
				dir := openDir(t, path, readOnly)
				_, err := dir.KV.Get(t.Context(), repo.ManifestKey("a", img.Desc.Digest))
				if !errors.Is(err, want) {
					t.Errorf("read-only %t: %v, want %v", readOnly, err, want)
				}
			}
		})
	}
}

// An empty file is what oc leaves when it is stopped, and no blob.
func TestEmptyFilesAreNoBlobs(t *testing.T) {
	path, img := pushed(t)
	must(t, os.Truncate(filepath.Join(path, blobsPath("a"), img.Blobs[0].Desc.Digest.String()), 0))
	empty := oci.FromBytes(nil)
	must(t, os.WriteFile(filepath.Join(path, blobsPath("a"), empty.String()), nil, 0o600))
	dir := openDir(t, path, true)
	if _, err := dir.KV.Get(t.Context(), repo.BlobKey("a", img.Blobs[0].Desc.Digest)); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("the fact of an empty file: %v", err)
	}
	if _, err := dir.CAS.Stat(t.Context(), img.Blobs[0].Desc.Digest); !errors.Is(err, oci.ErrBlobUnknown) {
		t.Errorf("the content of an empty file: %v", err)
	}
	mustFact[repo.BlobFact](t, dir.KV, repo.BlobKey("a", empty)) // whose content is nothing
}

// What was derived from a file is derived again when the file changes.
func TestChangedFilesAreReadAgain(t *testing.T) {
	path, img := pushed(t)
	tag := filepath.Join(path, manifestsPath("a"), "v2")
	other := repotest.NewImage("two, with a longer name", repotest.NewBlob("layer", 3000), repotest.NewBlob("more", 3))
	dir := openDir(t, path, true)
	for _, content := range [][]byte{img.Bytes, other.Bytes} {
		must(t, os.WriteFile(tag, content, 0o600))
		if got := mustFact[repo.TagFact](t, dir.KV, "t/a:v2"); got.Digest != oci.FromBytes(content) {
			t.Errorf("the tag is %s, want %s", got.Digest, oci.FromBytes(content))
		}
	}
}

// A name that can be both is what its content says.
func TestNamesThatCanBeBoth(t *testing.T) {
	path, img := pushed(t)
	d := img.Desc.Digest
	dir := openDir(t, path, true)
	fallback := fileName(oci.FromBytes([]byte("a subject")), "-")
	must(t, os.WriteFile(filepath.Join(path, manifestsPath("a"), fallback), img.Bytes, 0o600))
	must(t, os.WriteFile(filepath.Join(path, manifestsPath("a"), fileName(d, "-")), img.Bytes, 0o600))
	if got := mustFact[repo.TagFact](t, dir.KV, "t/a:"+fallback); got.Digest != d {
		t.Errorf("the tag is %s, want %s", got.Digest, d)
	}
	want := []string{"m/a@" + d.String(), "t/a:" + fallback, "t/a:v1"}
	got := append(keys(t, dir.KV, "m/", ""), keys(t, dir.KV, "t/", "")...)
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("listed: %v, want %v", got, want)
	}
}

// watched calls a function after each rename, before it returns.
type watched struct {
	fsys.FS
	renamed func()
}

func (w *watched) Rename(from, to string) error {
	err := w.FS.Rename(from, to)
	w.renamed()
	return err
}

// Between the stage and v2/ content is in neither for those who look: they
// have to wait.
func TestReadersWaitForMoves(t *testing.T) {
	files := &watched{FS: crashfs.New(1), renamed: func() {}}
	dir := openFS(t, files, false)
	content := repotest.NewBlob("x", 10)
	w, err := dir.CAS.Create(t.Context(), "id", "")
	must(t, err)
	_, err = w.Write(content.Bytes)
	must(t, err)
	must(t, w.Commit(t.Context(), content.Desc.Digest))
	must(t, dir.CAS.Sync(t.Context()))
	moves := 0
	files.renamed = func() {
		moves++
		if m := &dir.CAS.(*blobs).write.moving; m.TryRLock() {
			m.RUnlock()
			t.Error("a reader may look while content is moved")
		}
	}
	must(t, dir.KV.Apply(t.Context(), []kv.Change{blobChange("a", content.Desc.Digest)}))
	if moves != 1 {
		t.Errorf("%d renames, want 1", moves)
	}
}

// A lock on a file that was removed keeps nobody out.
func TestLockOfARemovedFile(t *testing.T) {
	files := newFS(t)
	must(t, files.MkdirAll(ownDir))
	lock, err := files.Lock(lockFile)
	must(t, err)
	defer lock.Close()
	if !current(files, lock) {
		t.Error("a lock is not taken for good")
	}
	must(t, files.Remove(lockFile))
	if current(files, lock) {
		t.Error("the file is gone, and the lock on it is taken for good")
	}
	must(t, writeFile(files, lockFile, ""))
	if current(files, lock) {
		t.Error("the file is another, and the lock is taken for good")
	}
}

// A link in the place of the lock is no lock, and is not followed.
func TestLinkedLock(t *testing.T) {
	files := newFS(t)
	must(t, files.MkdirAll(ownDir))
	must(t, files.Symlink("../elsewhere", lockFile))
	if _, err := Open(files, false, time.Now); !errors.Is(err, fsys.ErrLink) {
		t.Errorf("got %v, want %v", err, fsys.ErrLink)
	}
}
