package ocdir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

func TestIs(t *testing.T) {
	files := newFS(t)
	if Is(files) {
		t.Error("an empty directory is said to have oc's form")
	}
	must(t, files.MkdirAll("v2"))
	if !Is(files) {
		t.Error("v2/ is not recognised")
	}
}

// Two that write to one directory would take each other's partials for theirs.
func TestOneWriter(t *testing.T) {
	path := t.TempDir()
	dir := openDir(t, path, false)
	files, err := fsys.OS(path)
	must(t, err)
	_, err = Open(files, false, time.Now)
	locked, ok := errors.AsType[*repo.LockedError](err)
	if want := fmt.Sprintf("process %d", os.Getpid()); !ok || locked.Holder != want {
		t.Errorf("a second writer gets %v, want one that names %s", err, want)
	}
	must(t, os.WriteFile(filepath.Join(path, lockFile), []byte("12\x1b[31m"), 0o600))
	_, err = Open(files, false, time.Now)
	if locked, ok := errors.AsType[*repo.LockedError](err); !ok || locked.Holder != "another process" {
		t.Errorf("a lock with a strange text: %v", err)
	}
	openDir(t, path, true) // readers are free
	must(t, dir.Close())
	openDir(t, path, false)
}

// Nothing is written for reading, not even a lock.
func TestReadingWritesNothing(t *testing.T) {
	files := crashfs.New(1)
	if _, err := work(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	files.SetReadOnly()
	must(t, soundTags(t.Context(), files, len(pushes())))
	dir := openFS(t, files, true)
	if err := dir.KV.Apply(t.Context(), nil); !errors.Is(err, kv.ErrReadOnly) {
		t.Errorf("Apply: %v", err)
	}
	_, err := dir.CAS.Create(t.Context(), "id", "")
	for what, err := range map[string]error{"Create": err, "Delete": dir.CAS.Delete(t.Context(), oci.FromBytes(nil))} {
		if !errors.Is(err, oci.ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestPossible(t *testing.T) {
	files := newFS(t)
	must(t, Possible(files))
	if left, err := files.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("the probe leaves %v, %v", left, err)
	}
	// A process that was killed in the middle of it leaves its link.
	must(t, files.MkdirAll(ownDir))
	must(t, files.Symlink("x", tempPrefix+fileName(oci.FromBytes(nil), naming(files, runtime.GOOS))))
	must(t, Possible(files))
	fat := plain{files}
	if err := Possible(fat); !errors.Is(err, errNoLinks) {
		t.Errorf("without links: %v", err)
	}
}

// plain is a file system without links.
type plain struct{ fsys.FS }

var errNoLinks = errors.New("no links here")

func (plain) Symlink(string, string) error { return errNoLinks }
func (plain) Link(string, string) error    { return errNoLinks }

// noHardLinks has symbolic links only.
type noHardLinks struct{ fsys.FS }

func (noHardLinks) Link(string, string) error { return errNoLinks }

// Without hard links content is copied, whole and verified.
func TestCopiesWhereThereAreNoHardLinks(t *testing.T) {
	files := noHardLinks{crashfs.New(1)}
	if _, err := work(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	must(t, soundTags(t.Context(), files, len(pushes())))
}

// A killed run is gone on with inside a blob.
func TestResumesInsideABlob(t *testing.T) {
	files := crashfs.New(1)
	dir := openFS(t, files, false)
	w, err := dir.CAS.Create(t.Context(), "id", "")
	must(t, err)
	_, err = io.WriteString(w, "first half, ")
	must(t, err)
	after := openFS(t, files.Kill(), false)
	w, err = after.CAS.Resume(t.Context(), "id")
	must(t, err)
	if w.Offset() != 12 {
		t.Errorf("resumed at %d, want 12", w.Offset())
	}
	_, err = io.WriteString(w, "second half")
	must(t, err)
	d := oci.FromBytes([]byte("first half, second half"))
	must(t, w.Commit(t.Context(), d))
	must(t, after.KV.Apply(t.Context(), []kv.Change{blobChange("a/b", d)}))
	readBlob(t, after, d)
}

func blobChange(name string, d oci.Digest) kv.Change {
	return kv.Change{Key: repo.BlobKey(name, d), Value: repo.EncodeFact(repo.BlobFact{Size: 1})}
}

// Apply alone does not make a name of content that could still be lost.
func TestApplySyncsContentFirst(t *testing.T) {
	for seed := range uint64(20) {
		files := crashfs.New(seed)
		dir := openFS(t, files, false)
		content := []byte(strings.Repeat("content ", 1000))
		d := oci.FromBytes(content)
		w, err := dir.CAS.Create(t.Context(), "id", "")
		must(t, err)
		_, err = w.Write(content)
		must(t, err)
		must(t, w.Commit(t.Context(), d))
		must(t, dir.KV.Apply(t.Context(), []kv.Change{blobChange("a/b", d)}))
		readBlob(t, openFS(t, files.Crash(rand.New(rand.NewPCG(seed, 1))), true), d)
	}
}

// What a killed run had committed is hashed before it is believed.
func TestStagedContentIsHashed(t *testing.T) {
	files := newFS(t)
	d := oci.FromBytes([]byte("right"))
	must(t, files.MkdirAll(filepath.Dir(stagedPath(d))))
	must(t, writeFile(files, stagedPath(d), "wrong"))
	dir := openFS(t, files, false)
	if err := dir.KV.Apply(t.Context(), []kv.Change{blobChange("a/b", d)}); err == nil {
		t.Fatal("wrong content came into v2/")
	}
	if _, err := dir.CAS.Stat(t.Context(), d); !errors.Is(err, oci.ErrBlobUnknown) {
		t.Errorf("the wrong content is still there: %v", err)
	}
	w, err := dir.CAS.Create(t.Context(), "id", "")
	must(t, err)
	_, err = io.WriteString(w, "right")
	must(t, err)
	must(t, w.Commit(t.Context(), d))
	must(t, dir.KV.Apply(t.Context(), []kv.Change{blobChange("a/b", d)}))
	readBlob(t, dir, d)
}

func writeFile(files fsys.FS, name, content string) error {
	f, err := files.OpenFile(name, os.O_CREATE|os.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, content)
	return errors.Join(err, f.Close())
}

// Facts that have no form in the directory are refused, and nothing is made.
func TestRefusedFacts(t *testing.T) {
	files := crashfs.New(1)
	dir := openFS(t, files, false)
	d := oci.FromBytes([]byte("x"))
	tag := repo.EncodeFact(repo.TagFact{Digest: d})
	for _, c := range []kv.Change{
		{Key: "t/a:v1.download", Value: tag},
		{Key: "t/a:" + d.String(), Value: tag},
		{Key: "t/a:../x", Value: tag},
		{Key: "t/../a:v1", Value: tag},
		{Key: "t/a:v1", Value: []byte("{}")},
		{Key: "b/a@sha256:../..", Value: []byte("{}")},
		{Key: "q/a:v1", Value: []byte("{}")},
		{Key: "", Value: []byte("{}")},
	} {
		if err := dir.KV.Apply(t.Context(), []kv.Change{c}); err == nil {
			t.Errorf("%s went through", c.Key)
		}
	}
	if made, err := files.ReadDir(top); err != nil || len(made) > 0 {
		t.Errorf("v2/ holds %v, %v", made, err)
	}
}

// A directory has oc's form from the opening on, so that a killed run leaves
// something that is known for what it is; nothing stays where nothing came.
func TestFormAtOnce(t *testing.T) {
	files := newFS(t)
	dir := openFS(t, files, false)
	if !Is(files) {
		t.Error("no v2/ after opening")
	}
	must(t, dir.Close())
	if left, err := files.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left after nothing was written: %v, %v", left, err)
	}
}

// On a medium with hyphens a tag could be mistaken for a manifest's name.
func TestRefusesTagsLikeDigests(t *testing.T) {
	d := oci.FromBytes([]byte("x"))
	change := kv.Change{Key: "t/a:" + fileName(d, "-"), Value: repo.EncodeFact(repo.TagFact{Digest: d})}
	for sep, want := range map[string]bool{":": true, "-": false} {
		dir, err := open(newFS(t), false, sep, time.Now)
		must(t, err)
		if err := dir.KV.Apply(t.Context(), []kv.Change{change}); (err == nil) != want {
			t.Errorf("separator %s: %v", sep, err)
		}
		must(t, dir.Close())
	}
}

func TestConditions(t *testing.T) {
	dir := openFS(t, crashfs.New(1), false)
	key := "t/a:v1"
	set := func(content string, c kv.Condition) error {
		value := repo.EncodeFact(repo.TagFact{Digest: oci.FromBytes([]byte(content))})
		return dir.KV.Apply(t.Context(), []kv.Change{{Key: key, Value: value, If: c}})
	}
	must(t, set("one", kv.Absent()))
	if err := set("two", kv.Absent()); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("Absent of a tag that is there: %v", err)
	}
	present, err := dir.KV.Get(t.Context(), key)
	must(t, err)
	must(t, set("two", kv.Equals(present)))
	if err := set("three", kv.Equals(present)); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("Equals of a tag that moved: %v", err)
	}
}

// Deleting a manifest leaves the blobs, and the tag goes first.
func TestDeletes(t *testing.T) {
	dir := openFS(t, crashfs.New(1), false)
	reg := registryOf(dir, optionsOf(false))
	r := mustRepo(t, reg, "a/b")
	img := repotest.NewImage("one", repotest.NewBlob("layer", 10))
	repotest.Push(t.Context(), t, r, img, "one", "two")
	must(t, r.DeleteTag(t.Context(), "two"))
	if _, err := r.Resolve(t.Context(), repo.ByTag("two")); !oci.IsNotFound(err) {
		t.Errorf("the deleted tag: %v", err)
	}
	must(t, r.DeleteManifest(t.Context(), img.Desc.Digest))
	for _, target := range []repo.Target{repo.ByTag("one"), repo.ByDigest(img.Desc.Digest)} {
		if _, err := r.Resolve(t.Context(), target); !oci.IsNotFound(err) {
			t.Errorf("%s after its manifest is deleted: %v", target, err)
		}
	}
	for _, b := range img.Blobs {
		repotest.CheckBlob(t.Context(), t, r, b)
	}
}

// Listings are in the order of keys, and begin and end where they should.
func TestListings(t *testing.T) {
	dir := openFS(t, crashfs.New(1), false)
	reg := registryOf(dir, optionsOf(false))
	for _, name := range []string{"a", "a-b", "a/b", "a.b", "a0", "b/blobs", "b/manifests/x", "a_b"} {
		img := repotest.NewImage(name, repotest.NewBlob(name, 10))
		sig := repotest.NewReferrer(name, "application/x", img)
		repotest.Push(t.Context(), t, mustRepo(t, reg, name), img, "v1", "v10", "V2")
		repotest.Push(t.Context(), t, mustRepo(t, reg, name), sig)
	}
	all := keys(t, dir.KV, "", "")
	const each = 3 + 2 + 1 + 4 // tags, manifests, referrer, blobs
	if !slices.IsSorted(all) || len(all) != 8*each {
		t.Fatalf("%d keys, want %d, sorted %t:\n%s", len(all), 8*each, slices.IsSorted(all), strings.Join(all, "\n"))
	}
	want := kv.Mem()
	for _, key := range all {
		value, err := dir.KV.Get(t.Context(), key)
		must(t, err)
		must(t, want.Apply(t.Context(), []kv.Change{{Key: key, Value: value}}))
	}
	r := rand.New(rand.NewPCG(1, 2))
	cut := func() string { k := all[r.IntN(len(all))]; return k[:r.IntN(len(k)+1)] }
	for range 300 {
		prefix, after := cut(), cut()
		if diff := cmp.Diff(keys(t, want, prefix, after), keys(t, dir.KV, prefix, after)); diff != "" {
			t.Fatalf("List(%q, %q) (-want +got):\n%s", prefix, after, diff)
		}
	}
}

func keys(t *testing.T, store kv.Store, prefix, after string) []string {
	t.Helper()
	var out []string
	for e, err := range store.List(t.Context(), prefix, after) {
		must(t, err)
		out = append(out, e.Key)
	}
	return out
}

// What oc writes while the directory is open is seen.
func TestSeesWhatOthersWrite(t *testing.T) {
	media, ours := realMedia(t), t.TempDir()
	must(t, os.MkdirAll(filepath.Join(ours, "v2"), 0o755))
	dir := openDir(t, ours, true)
	if got := keys(t, dir.KV, "", ""); len(got) != 0 {
		t.Fatalf("an empty directory lists %v", got)
	}
	must(t, os.CopyFS(filepath.Join(ours, "v2/openshift"), skipLinks{os.DirFS(media + "/release/v2/openshift")}))
	for key, d := range printedTags(t, media+"/release.stdout") {
		_, name, tag, _ := repo.SplitKey(key)
		must(t, os.Symlink(d.String(), filepath.Join(ours, "v2", name, "manifests", tag)))
	}
	checkWhole(t, dir, printedTags(t, media+"/release.stdout"))
}

// skipLinks hides links, which os.CopyFS of Go 1.26 would copy in its own way.
type skipLinks struct{ fs.FS }

func (s skipLinks) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Type() == fs.ModeSymlink }), err
}

// A directory of many images is opened and listed with little reading: the
// content of manifests once, of blobs never.
func TestManyImages(t *testing.T) {
	const repositories, images = 40, 10
	files := crashfs.New(1)
	dir := openFS(t, files, false)
	reg := registryOf(dir, batchOptions())
	for i := range repositories {
		r := mustRepo(t, reg, fmt.Sprintf("local/index/ns/repo%d", i))
		for j := range images {
			name := fmt.Sprintf("image %d %d", i, j)
			repotest.Push(t.Context(), t, r, repotest.NewImage(name, repotest.NewBlob(name, 10)), fmt.Sprintf("v%d", j))
		}
	}
	must(t, reg.Checkpoint(t.Context()))
	must(t, dir.Close())
	counted := files.Process()
	read := registryOf(openFS(t, counted, true), optionsOf(true))
	count := 0
	for name, err := range read.Repositories(t.Context(), "") {
		must(t, err)
		r := mustRepo(t, read, name)
		for tag, err := range r.Tags(t.Context(), "") {
			must(t, err)
			if _, err := r.Resolve(t.Context(), repo.ByTag(tag)); err != nil {
				t.Fatal(err)
			}
			count++
		}
	}
	if count != repositories*images {
		t.Fatalf("%d tags, want %d", count, repositories*images)
	}
	if perImage := counted.Ops() / count; perImage > 15 {
		t.Errorf("%d calls of the file system an image", perImage)
	}
}

func mustRepo(t *testing.T, r repo.Registry, name string) repo.Repo {
	t.Helper()
	out, err := r.Repo(name)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
