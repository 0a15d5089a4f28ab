package registry_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

func TestGC(t *testing.T) {
	d := newDisk(t)
	d.clock.pass(time.Since(start)) // the files have real times
	reg := d.open()
	content := pushRelease(t, reg)
	r := newRepo(t, reg, "ocp/release")
	fresh, lapsed := repotest.NewBlob("fresh", 10), repotest.NewBlob("lapsed", 2000)
	repotest.PutBlob(t.Context(), t, r, lapsed)
	if err := r.DeleteManifest(t.Context(), content.other.Desc.Digest); err != nil {
		t.Fatal(err)
	}
	startUpload(t, uploader(t, reg), "session")
	left := &breaking{content: repotest.NewBlob("broken", 5000).Bytes}
	if _, err := r.PutBlob(t.Context(), repotest.NewBlob("broken", 5000).Desc, left.open, ""); err == nil {
		t.Fatal("a broken source is no error")
	}
	d.clock.pass(25 * time.Hour)
	repotest.PutBlob(t.Context(), t, r, fresh)

	nothing := collect(t, d.open(), registry.GCOptions{Grace: 26 * time.Hour, DryRun: true})
	want := registry.GCReport{Leases: 3}
	if diff := cmp.Diff(want, nothing); diff != "" {
		t.Errorf("collection with a long grace (-want +got):\n%s", diff)
	}
	want = registry.GCReport{
		Leases: 3, Blobs: 4, Partials: 2, PartialBytes: 2500 + int64(len("session")),
		Bytes: lapsed.Desc.Size + content.other.Desc.Size + content.other.Blobs[0].Desc.Size + content.other.Blobs[1].Desc.Size,
	}
	for _, dry := range []bool{true, true, false} {
		if diff := cmp.Diff(want, collect(t, d.open(), registry.GCOptions{Grace: time.Hour, DryRun: dry})); diff != "" {
			t.Errorf("collection, dry run %v (-want +got):\n%s", dry, diff)
		}
	}
	if diff := cmp.Diff(registry.GCReport{}, collect(t, d.open(), registry.GCOptions{})); diff != "" {
		t.Errorf("second collection (-want +got):\n%s", diff)
	}
	reg = d.open()
	repotest.Check(t.Context(), t, newRepo(t, reg, "ocp/release"), content.index)
	repotest.Check(t.Context(), t, newRepo(t, reg, "copy"), content.arm)
	repotest.CheckBlob(t.Context(), t, newRepo(t, reg, "ocp/release"), fresh)
	if report := verify(t, reg); len(report.Damages) > 0 {
		t.Errorf("damages after collection: %+v", report.Damages)
	}
	if _, err := os.Stat(d.file(lapsed.Desc.Digest)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("collected content is still there: error %v", err)
	}
}

func collect(t *testing.T, reg *registry.Registry, o registry.GCOptions) registry.GCReport {
	t.Helper()
	report, err := reg.GC(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestGCDamaged collects where a manifest cannot be read: what it may name must
// stay, so that putting the manifest back makes the image whole.
func TestGCDamaged(t *testing.T) {
	d := newDisk(t)
	d.clock.pass(time.Since(start))
	content := pushRelease(t, d.open())
	d.rot(t, content.other.Blob)
	d.clock.pass(1000 * time.Hour)
	if got := collect(t, d.open(), registry.GCOptions{}); got != (registry.GCReport{}) {
		t.Errorf("collected %+v, want nothing", got)
	}
	reg := d.open()
	r := newRepo(t, reg, "ocp/release")
	if err := r.PutManifest(t.Context(), content.other.Desc, content.other.Bytes); err != nil {
		t.Fatal(err)
	}
	repotest.Check(t.Context(), t, r, content.other)

	// Deleted while damaged, its blobs stay held, until the next collection.
	d.rot(t, content.other.Blob)
	if err := r.DeleteManifest(t.Context(), content.other.Desc.Digest); err != nil {
		t.Fatal(err)
	}
	d.clock.pass(1000 * time.Hour)
	if got := collect(t, d.open(), registry.GCOptions{}); got.Leases != 2 || got.Blobs != 3 {
		t.Errorf("collected %+v, want the manifest and its two blobs", got)
	}
}

// TestGCSession sees that an upload session outlives a grace shorter than its
// own time, and what else was interrupted does not.
func TestGCSession(t *testing.T) {
	d := newDisk(t)
	d.clock.pass(time.Since(start))
	reg := d.open()
	id := startUpload(t, uploader(t, reg), "session")
	left := &breaking{content: repotest.NewBlob("broken", 5000).Bytes}
	if _, err := newRepo(t, reg, "a").PutBlob(t.Context(), repotest.NewBlob("broken", 5000).Desc, left.open, ""); err == nil {
		t.Fatal("a broken source is no error")
	}
	d.clock.pass(2 * time.Hour)
	want := registry.GCReport{Partials: 1, PartialBytes: 2500}
	if diff := cmp.Diff(want, collect(t, d.open(), registry.GCOptions{Grace: time.Hour})); diff != "" {
		t.Errorf("collection (-want +got):\n%s", diff)
	}
	if _, err := uploader(t, d.open()).ResumeUpload(t.Context(), id); err != nil {
		t.Error(err)
	}
}

// TestGCBadFacts sees that facts that cannot be read end a collection early.
func TestGCBadFacts(t *testing.T) {
	d := newDisk(t)
	d.clock.pass(time.Since(start))
	pushRelease(t, d.open())
	b := repotest.NewBlob("b", 10)
	repotest.PutBlob(t.Context(), t, newRepo(t, d.open(), "a"), b)
	bad := []kv.Change{{Key: repo.ManifestKey("zz", b.Desc.Digest), Value: []byte("{")}}
	if err := d.facts.Apply(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	d.clock.pass(1000 * time.Hour)
	if _, err := d.open().GC(t.Context(), registry.GCOptions{}); err == nil {
		t.Error("collection goes on over facts that it cannot read")
	}
	if _, err := os.Stat(d.file(b.Desc.Digest)); err != nil {
		t.Errorf("content is gone: %v", err)
	}
}
