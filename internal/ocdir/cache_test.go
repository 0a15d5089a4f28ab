package ocdir

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// The cache stays small, and takes nothing that was derived while a file
// changed: two changes can have the same time.
func TestCache(t *testing.T) {
	info, err := os.Lstat(".")
	must(t, err)
	c := newCache[int](10, clock)
	for i := range 100 {
		c.put(c.moment(), fmt.Sprint(i), info, i)
	}
	if len(c.entries) != 10 {
		t.Errorf("%d entries, want 10", len(c.entries))
	}
	before := c.moment()
	c.drop("99")
	if _, ok := c.get("99", info); ok {
		t.Error("what was dropped is still there")
	}
	c.put(before, "99", info, 1)
	if _, ok := c.get("99", info); ok {
		t.Error("what was derived before a change is taken after it")
	}
}

func repoOf(t *testing.T, reg repo.Registry) repo.Repo {
	t.Helper()
	r, err := reg.Repo("a")
	must(t, err)
	return r
}

// Another process can change a directory or a file twice within what its file
// system has one time for: what was read in between is not remembered, and what
// has rested is.
func TestTwoChangesOfOneTime(t *testing.T) {
	path, at := t.TempDir(), clock()
	files, err := fsys.OS(path)
	must(t, err)
	now := at.Add(coarsest)
	dir, err := Open(files, true, func() time.Time { return now })
	must(t, err)
	manifests := filepath.Join(path, "v2", "a", "manifests")
	subject := repotest.NewImage("i", repotest.NewBlob("l", 10))
	from := repoOf(t, registryOf(openDir(t, path, false), registry.Options{}))
	to := repoOf(t, registryOf(dir, registry.Options{ReadOnly: true}))
	repotest.Push(t.Context(), t, from, subject, "i")

	refer := func(n int) {
		t.Helper()
		repotest.Push(t.Context(), t, from, repotest.NewReferrer(fmt.Sprint(n), "application/x", subject))
		must(t, os.Chtimes(manifests, at, at))
	}
	wants := func(what string, want int) {
		t.Helper()
		got := 0
		for _, err := range to.Referrers(t.Context(), subject.Desc.Digest) {
			must(t, err)
			got++
		}
		if got != want {
			t.Errorf("%s: %d referrers, want %d", what, got, want)
		}
	}
	for n := range 3 {
		refer(n + 1)
		wants("a change of the same time", n+1)
	}
	remembered := dir.KV.(*facts).tree.referrers
	if len(remembered.entries) != 0 {
		t.Error("what had not rested is remembered")
	}
	now = now.Add(1)
	wants("after a rest", 3)
	if len(remembered.entries) != 1 {
		t.Error("what has rested is not remembered")
	}
}

// The same for a tag that is a file: one is as long as another.
func TestTagMovedTwiceAtOneTime(t *testing.T) {
	path, at := t.TempDir(), clock()
	w := openDir(t, path, false)
	from := repoOf(t, registryOf(w, registry.Options{}))
	var images []repotest.Image
	for i := range 3 {
		images = append(images, repotest.NewImage(fmt.Sprint(i), repotest.NewBlob("l", 10)))
		repotest.Push(t.Context(), t, from, images[i], fmt.Sprint("own", i))
	}
	must(t, w.Close())
	files, err := fsys.OS(path)
	must(t, err)
	dir, err := Open(files, true, func() time.Time { return at.Add(coarsest) })
	must(t, err)
	to := repoOf(t, registryOf(dir, registry.Options{ReadOnly: true}))
	tag := filepath.Join(path, "v2", "a", "manifests", "moved")
	for _, im := range images {
		must(t, os.WriteFile(tag, []byte(im.Desc.Digest.String()), 0o600))
		must(t, os.Chtimes(tag, at, at))
		desc, err := to.Resolve(t.Context(), repo.ByTag("moved"))
		must(t, err)
		if desc.Digest != im.Desc.Digest {
			t.Errorf("the tag is %s, want %s", desc.Digest, im.Desc.Digest)
		}
	}
}
