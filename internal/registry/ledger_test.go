package registry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// spyBlobs is a blob store that tells of its syncs.
type spyBlobs struct {
	cas.Store
	sync func() error
}

func (s spyBlobs) Sync(ctx context.Context) error {
	if err := s.sync(); err != nil {
		return err
	}
	return s.Store.Sync(ctx)
}

// spyFacts is a store of facts that tells of its changes.
type spyFacts struct {
	kv.Store
	apply func([]kv.Change) error
}

func (s spyFacts) Apply(ctx context.Context, changes []kv.Change) error {
	if err := s.apply(changes); err != nil {
		return err
	}
	return s.Store.Apply(ctx, changes)
}

func newRepo(t *testing.T, reg *registry.Registry, name string) repo.Repo {
	t.Helper()
	r, err := reg.Repo(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGroupCommit pushes at once: while the first push flushes, the others
// gather, and one more flush is all they take together.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		syncs, applies := 0, 0
		first := make(chan struct{})
		blobs := spyBlobs{cas.Mem(), func() error {
			mu.Lock()
			syncs++
			wait := syncs == 1
			mu.Unlock()
			if wait {
				<-first
			}
			return nil
		}}
		facts := spyFacts{kv.Mem(), func([]kv.Change) error { mu.Lock(); applies++; mu.Unlock(); return nil }}
		reg := registry.New("test", blobs, facts, registry.Options{Now: fixed})
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() { repotest.PutBlob(t.Context(), t, newRepo(t, reg, "a"), repotest.NewBlob(fmt.Sprint(i), 100)) })
		}
		synctest.Wait()
		close(first)
		all.Wait()
		if syncs != 2 || applies != 2 {
			t.Errorf("50 pushes took %d syncs and %d applies, want 2 of each", syncs, applies)
		}
	})
}

// TestLeaderLeaves cancels the push that happens to lead a flush: the others
// must not suffer from it.
func TestLeaderLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		blobs := spyBlobs{cas.Mem(), func() error { <-release; return nil }}
		facts := kv.Mem()
		reg := registry.New("test", blobs, facts, registry.Options{Now: fixed})
		r := newRepo(t, reg, "a")
		leader, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			b := repotest.NewBlob("leader", 10)
			_, _ = r.PutBlob(leader, b.Desc, b.Opener(), "") // it may succeed or not
		})
		synctest.Wait()
		follower := repotest.NewBlob("follower", 10)
		all.Go(func() { repotest.PutBlob(t.Context(), t, r, follower) })
		impatient, giveUp := context.WithCancel(t.Context())
		all.Go(func() {
			b := repotest.NewBlob("impatient", 10)
			if _, err := r.PutBlob(impatient, b.Desc, b.Opener(), ""); !errors.Is(err, context.Canceled) {
				t.Errorf("a push that is given up: got error %v, want %v", err, context.Canceled)
			}
		})
		synctest.Wait()
		cancel()
		giveUp()
		synctest.Wait()
		close(release)
		all.Wait()
		repotest.CheckBlob(t.Context(), t, r, follower)
	})
}

// TestOrder watches what reaches the disk: content before facts, and of these
// what is named before what names it, also within one flush.
func TestOrder(t *testing.T) {
	var log []string
	blobs := spyBlobs{cas.Mem(), func() error { log = append(log, "sync"); return nil }}
	facts := spyFacts{kv.Mem(), func(changes []kv.Change) error {
		for _, c := range changes {
			kind := c.Key[:1]
			if c.Value == nil {
				kind = "-" + kind
			}
			if log[len(log)-1] != kind {
				log = append(log, kind)
			}
		}
		return nil
	}}
	reg := registry.New("test", blobs, facts, registry.Options{Now: fixed, Batch: true})
	ctx, r := t.Context(), newRepo(t, reg, "a")
	img := repotest.NewImage("img", repotest.NewBlob("layer", 10))
	about := repotest.NewReferrer("sig", "application/x.sig", img)
	repotest.Push(ctx, t, r, img, "tag")
	repotest.Push(ctx, t, r, about)
	checkpoint(t, reg)
	if err := r.DeleteManifest(ctx, img.Desc.Digest); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteManifest(ctx, about.Desc.Digest); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteBlob(ctx, img.Blobs[1].Desc.Digest); err != nil {
		t.Fatal(err)
	}
	checkpoint(t, reg)
	want := strings.Fields("sync b m r t sync b -t -r -m -b")
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("what reached the disk (-want +got):\n%s", diff)
	}
}

func checkpoint(t *testing.T, reg *registry.Registry) {
	t.Helper()
	if err := reg.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestBatch sees that a batch is whole for this process and nothing for others
// until its checkpoint, deletions and listings included.
func TestBatch(t *testing.T) {
	blobs, facts := cas.Mem(), kv.Mem()
	ctx := t.Context()
	open := func() *registry.Registry {
		return registry.New("test", blobs, facts, registry.Options{Now: fixed, Batch: true})
	}
	reg := open()
	r := newRepo(t, reg, "a")
	img := repotest.NewImage("one", repotest.NewBlob("1", 10))
	repotest.Push(ctx, t, r, img, "b", "d")
	if _, err := newRepo(t, open(), "a").Resolve(ctx, repo.ByTag("b")); !oci.IsNotFound(err) {
		t.Errorf("another process sees a tag before the checkpoint: error %v", err)
	}
	checkpoint(t, reg)
	other := newRepo(t, open(), "a")
	repotest.Check(ctx, t, other, img)

	two := repotest.NewImage("two", repotest.NewBlob("2", 10))
	repotest.Push(ctx, t, r, two, "a", "c", "d", "e")
	for _, tag := range []string{"b", "e"} {
		if err := r.DeleteTag(ctx, tag); err != nil {
			t.Fatal(err)
		}
	}
	tags(t, r, "a", "c", "d")
	tags(t, other, "b", "d")
	repotest.CheckManifest(ctx, t, r, repo.ByTag("d"), two)
	repotest.CheckManifest(ctx, t, other, repo.ByTag("d"), img)
	if err := reg.Close(ctx); err != nil {
		t.Fatal(err)
	}
	tags(t, other, "a", "c", "d")
}

func tags(t *testing.T, r repo.Repo, want ...string) {
	t.Helper()
	var got []string
	for tag, err := range r.Tags(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, tag)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

// TestUnacknowledged sees that a durable registry shows nothing to readers that
// a crash could take back.
func TestUnacknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		blobs := spyBlobs{cas.Mem(), func() error { <-release; return nil }}
		reg := registry.New("test", blobs, kv.Mem(), registry.Options{Now: fixed})
		r, b := newRepo(t, reg, "a"), repotest.NewBlob("b", 10)
		var all sync.WaitGroup
		all.Go(func() { repotest.PutBlob(t.Context(), t, r, b) })
		synctest.Wait()
		if _, err := r.StatBlob(t.Context(), b.Desc.Digest); !oci.IsNotFound(err) {
			t.Errorf("a blob that is not durable is told of: error %v", err)
		}
		second := false
		all.Go(func() { repotest.PutBlob(t.Context(), t, r, b); second = true })
		synctest.Wait()
		if second {
			t.Error("the same blob again is acknowledged before it is durable")
		}
		close(release)
		all.Wait()
		repotest.CheckBlob(t.Context(), t, r, b)
	})
}

// TestFailedFlush sees that the first failure is the end: nothing after it is
// acknowledged, and nothing of it reaches the facts.
func TestFailedFlush(t *testing.T) {
	for _, where := range []string{"sync", "apply"} {
		t.Run(where, func(t *testing.T) {
			broken := errors.New("the disk is broken")
			fail := ""
			at := func(place string) error {
				if fail == place {
					return broken
				}
				return nil
			}
			blobs := spyBlobs{cas.Mem(), func() error { return at("sync") }}
			store := kv.Mem()
			facts := spyFacts{store, func([]kv.Change) error { return at("apply") }}
			reg := registry.New("test", blobs, facts, registry.Options{Now: fixed})
			r := newRepo(t, reg, "a")
			before := repotest.NewImage("before")
			repotest.Push(t.Context(), t, r, before, "tag")
			fail = where
			b := repotest.NewBlob("b", 10)
			for range 2 {
				if _, err := r.PutBlob(t.Context(), b.Desc, b.Opener(), ""); !errors.Is(err, broken) {
					t.Errorf("got error %v, want %v", err, broken)
				}
				fail = "" // it works again, and must not be trusted
			}
			if err := r.DeleteTag(t.Context(), "tag"); !errors.Is(err, broken) {
				t.Errorf("deleting afterwards: got error %v, want %v", err, broken)
			}
			repotest.Check(t.Context(), t, r, before)
			tags(t, r, "tag")
			if _, err := store.Get(t.Context(), repo.BlobKey("a", b.Desc.Digest)); !errors.Is(err, kv.ErrNotFound) {
				t.Errorf("the fact of a failed push is stored: error %v", err)
			}
		})
	}
}

// TestListDuringFlush changes a tag again while its first change is on the way
// to the disk: a listing has it once, as it is by now.
func TestListDuringFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		blobs := spyBlobs{cas.Mem(), func() error { <-release; return nil }}
		reg := registry.New("test", blobs, kv.Mem(), registry.Options{Now: fixed, Batch: true})
		r, img := newRepo(t, reg, "a"), repotest.NewImage("img")
		repotest.Push(t.Context(), t, r, img, "deleted", "kept", "set")
		var flush sync.WaitGroup
		flush.Go(func() { checkpoint(t, reg) })
		synctest.Wait()
		if err := r.DeleteTag(t.Context(), "deleted"); err != nil {
			t.Error(err)
		}
		repotest.Push(t.Context(), t, r, img, "new", "set")
		tags(t, r, "kept", "new", "set")
		close(release)
		flush.Wait()
		tags(t, r, "kept", "new", "set")
		checkpoint(t, reg)
		tags(t, r, "kept", "new", "set")
	})
}

// TestChildrenBeforeParents: in the changes of one checkpoint an index comes
// after its children, whatever their digests are, so that a store which makes
// the changes one by one never shows half of it.
func TestChildrenBeforeParents(t *testing.T) {
	var order []string
	facts := spyFacts{kv.Mem(), func(changes []kv.Change) error {
		for _, c := range changes {
			order = append(order, c.Key)
		}
		return nil
	}}
	reg := registry.New("test", cas.Mem(), facts, registry.Options{Now: fixed, Batch: true})
	r := newRepo(t, reg, "a")
	var indexes []repotest.Image
	for i := range 10 {
		ix := repotest.NewIndex(repotest.NewIndex(repotest.NewImage(fmt.Sprint("img", i))))
		repotest.Push(t.Context(), t, r, ix)
		indexes = append(indexes, ix, ix.Children[0])
	}
	checkpoint(t, reg)
	at := func(img repotest.Image) int { return slices.Index(order, repo.ManifestKey("a", img.Desc.Digest)) }
	for _, ix := range indexes {
		if parent, child := at(ix), at(ix.Children[0]); child < 0 || parent < child {
			t.Errorf("%s is change %d, its child change %d", ix.Desc.Digest, parent, child)
		}
	}
}
