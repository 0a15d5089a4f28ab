package registry_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// disk is a registry over files that tests damage.
type disk struct {
	dir   string
	facts kv.Store
	blobs cas.Store
	clock clock
}

func newDisk(t *testing.T) *disk {
	t.Helper()
	dir := t.TempDir()
	files, err := fsys.OS(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &disk{dir: dir, facts: kv.Mem(), blobs: cas.FS(files)}
}

func (d *disk) open() *registry.Registry {
	return registry.New("disk", d.blobs, d.facts, registry.Options{Now: d.clock.now})
}

func (d *disk) file(digest oci.Digest) string {
	return filepath.Join(d.dir, "blobs", digest.Algorithm(), digest.Hex())
}

// rot changes a byte of a blob and leaves its size.
func (d *disk) rot(t *testing.T, b repotest.Blob) {
	t.Helper()
	content := bytes.Clone(b.Bytes)
	content[len(content)/2] ^= 1
	d.overwrite(t, b, content)
}

func (d *disk) overwrite(t *testing.T, b repotest.Blob, content []byte) {
	t.Helper()
	if err := os.WriteFile(d.file(b.Desc.Digest), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (d *disk) remove(t *testing.T, b repotest.Blob) {
	t.Helper()
	if err := os.Remove(d.file(b.Desc.Digest)); err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, reg *registry.Registry) registry.Report {
	t.Helper()
	report, err := reg.Verify(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// release is content as a mirrored release has it: shared layers, an index.
type release struct{ amd, arm, index, other repotest.Image }

var shared = repotest.NewBlob("shared", 5000)

func pushRelease(t *testing.T, reg *registry.Registry) release {
	t.Helper()
	r := newRepo(t, reg, "ocp/release")
	out := release{
		amd: repotest.NewImage("amd64", shared, repotest.NewBlob("amd64", 100)),
		arm: repotest.NewImage("arm64", shared, repotest.NewBlob("arm64", 100)),
	}
	out.index = repotest.NewIndex(out.amd, out.arm)
	out.other = repotest.NewImage("other", repotest.NewBlob("own", 1<<20))
	repotest.Push(t.Context(), t, r, out.index, "4.14.1-multi")
	repotest.Push(t.Context(), t, r, out.amd, "4.14.1-x86_64")
	repotest.Push(t.Context(), t, r, out.other)
	repotest.Push(t.Context(), t, newRepo(t, reg, "copy"), out.arm, "arm")
	repotest.Push(t.Context(), t, r, repotest.NewReferrer("sig", "application/x", out.amd))
	return out
}

func TestUsage(t *testing.T) {
	d := newDisk(t)
	reg := d.open()
	content := pushRelease(t, reg)
	repotest.PutBlob(t.Context(), t, newRepo(t, reg, "pushing"), shared)
	got, err := reg.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	size := func(images ...repotest.Image) (sum int64) {
		for _, img := range images {
			sum += img.Desc.Size
			for _, b := range img.Blobs {
				sum += b.Desc.Size
			}
		}
		return sum
	}
	sig := repotest.NewReferrer("sig", "application/x", content.amd)
	once := size(content.amd, content.arm, content.index, content.other, sig) - shared.Desc.Size
	want := registry.Usage{Blobs: 9 + 5, Bytes: once, Repositories: []registry.RepoUsage{
		{Name: "copy", Tags: 1, Manifests: 1, Blobs: 3, Bytes: size(content.arm)},
		{Name: "ocp/release", Tags: 2, Manifests: 5, Blobs: 9, Bytes: once},
		{Name: "pushing", Blobs: 1, Bytes: shared.Desc.Size},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

func TestVerifyClean(t *testing.T) {
	d := newDisk(t)
	reg := d.open()
	pushRelease(t, reg)
	var last registry.Progress
	report, err := reg.Verify(t.Context(), func(p registry.Progress) {
		if p.Bytes < last.Bytes || p.Blobs < last.Blobs {
			t.Errorf("progress went back from %+v to %+v", last, p)
		}
		last = p
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Damages) > 0 || report.Blobs != 14 || report.Manifests != 6 || report.Tags != 3 {
		t.Errorf("report is %+v, want 14 sound blobs, 6 manifests and 3 tags", report)
	}
	if last.Blobs != 14 || last.TotalBlobs != 14 || last.Bytes != report.Bytes || last.TotalBytes != report.Bytes {
		t.Errorf("last progress is %+v, report %+v", last, report)
	}
}

// TestVerifyDamage damages one thing at a time and wants it named by all the
// images that need it, and by no other.
func TestVerifyDamage(t *testing.T) {
	all := []string{"copy:arm", "ocp/release:4.14.1-multi", "ocp/release:4.14.1-x86_64"}
	change := func(t *testing.T, d *disk, key string, value []byte) {
		t.Helper()
		if err := d.facts.Apply(t.Context(), []kv.Change{{Key: key, Value: value}}); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		damage func(*testing.T, *disk, release)
		digest func(release) oci.Digest
		images func(release) []string
	}{
		"rotten shared layer": {
			func(t *testing.T, d *disk, _ release) { t.Helper(); d.rot(t, shared) },
			func(release) oci.Digest { return shared.Desc.Digest },
			func(release) []string { return all },
		},
		"short layer": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				d.overwrite(t, r.other.Blobs[1], r.other.Blobs[1].Bytes[:1000])
			},
			func(r release) oci.Digest { return r.other.Blobs[1].Desc.Digest },
			func(r release) []string { return []string{"ocp/release@" + r.other.Desc.Digest.String()} },
		},
		"missing config": {
			func(t *testing.T, d *disk, r release) { t.Helper(); d.remove(t, r.amd.Blobs[0]) },
			func(r release) oci.Digest { return r.amd.Blobs[0].Desc.Digest },
			func(release) []string { return all[1:] },
		},
		"rotten manifest": {
			func(t *testing.T, d *disk, r release) { t.Helper(); d.rot(t, r.arm.Blob) },
			func(r release) oci.Digest { return r.arm.Desc.Digest },
			func(release) []string { return all[:2] },
		},
		"missing index": {
			func(t *testing.T, d *disk, r release) { t.Helper(); d.remove(t, r.index.Blob) },
			func(r release) oci.Digest { return r.index.Desc.Digest },
			func(release) []string { return all[1:2] },
		},
		"tag that leads nowhere": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				change(t, d, repo.ManifestKey("copy", r.arm.Desc.Digest), nil)
			},
			func(r release) oci.Digest { return r.arm.Desc.Digest },
			func(release) []string { return all[:2] },
		},
		"wrong media type": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				fact := repo.EncodeFact(repo.ManifestFact{MediaType: oci.MediaTypeImageIndex, Size: r.other.Desc.Size})
				change(t, d, repo.ManifestKey("ocp/release", r.other.Desc.Digest), fact)
			},
			func(r release) oci.Digest { return r.other.Desc.Digest },
			func(r release) []string { return []string{"ocp/release@" + r.other.Desc.Digest.String()} },
		},
		"blob that is not held": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				b := r.other.Blobs[1].Desc
				change(t, d, repo.BlobKey("ocp/release", b.Digest), repo.EncodeFact(repo.BlobFact{Size: b.Size, Time: start.Unix()}))
			},
			func(r release) oci.Digest { return r.other.Desc.Digest },
			func(r release) []string { return []string{"ocp/release@" + r.other.Desc.Digest.String()} },
		},
		"missing blob fact": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				change(t, d, repo.BlobKey("ocp/release", r.other.Blobs[1].Desc.Digest), nil)
			},
			func(r release) oci.Digest { return r.other.Desc.Digest },
			func(r release) []string { return []string{"ocp/release@" + r.other.Desc.Digest.String()} },
		},
		"wrong size of a blob": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				change(t, d, repo.BlobKey("copy", shared.Desc.Digest), repo.EncodeFact(repo.BlobFact{Size: 1, Held: true}))
			},
			func(release) oci.Digest { return shared.Desc.Digest },
			func(release) []string { return all },
		},
		"lost referrer": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				sig := repotest.NewReferrer("sig", "application/x", r.amd)
				change(t, d, repo.ReferrerKey("ocp/release", r.amd.Desc.Digest, sig.Desc.Digest), nil)
			},
			func(r release) oci.Digest { return repotest.NewReferrer("sig", "application/x", r.amd).Desc.Digest },
			func(r release) []string {
				return []string{"ocp/release@" + repotest.NewReferrer("sig", "application/x", r.amd).Desc.Digest.String()}
			},
		},
		"referrer that is not there": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				key := repo.ReferrerKey("copy", r.arm.Desc.Digest, r.other.Desc.Digest)
				change(t, d, key, repo.EncodeFact(r.other.Desc))
			},
			func(r release) oci.Digest { return r.other.Desc.Digest },
			func(r release) []string { return []string{"ocp/release@" + r.other.Desc.Digest.String()} },
		},
		"left-over rotten blob": {
			func(t *testing.T, d *disk, r release) {
				t.Helper()
				b := repotest.NewBlob("left over", 100)
				repotest.PutBlob(t.Context(), t, newRepo(t, d.open(), "x"), b)
				d.rot(t, b)
			},
			func(release) oci.Digest { return repotest.NewBlob("left over", 100).Desc.Digest },
			func(release) []string { return nil },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			content := pushRelease(t, d.open())
			test.damage(t, d, content)
			got := verify(t, d.open()).Damages
			want := []registry.Damage{{Digest: test.digest(content), Images: test.images(content)}}
			equal := cmp.Options{cmpopts.IgnoreFields(registry.Damage{}, "Reason"), cmp.Comparer(func(a, b oci.Digest) bool { return a == b })}
			if diff := cmp.Diff(want, got, equal); diff != "" {
				t.Errorf("damages (-want +got):\n%s", diff)
			}
			for _, damage := range got {
				if damage.Reason == "" {
					t.Error("the damage has no reason")
				}
			}
		})
	}
}

// TestRepair damages content and pushes again: what is bad must be replaced,
// whether facts speak for it or not.
func TestRepair(t *testing.T) {
	d := newDisk(t)
	reg := d.open()
	content := pushRelease(t, reg)
	r := newRepo(t, reg, "ocp/release")
	d.rot(t, content.arm.Blob)
	d.remove(t, content.amd.Blob)
	d.remove(t, shared)
	d.overwrite(t, content.other.Blobs[1], nil)
	if _, _, err := r.Manifest(t.Context(), repo.ByDigest(content.arm.Desc.Digest)); err == nil {
		t.Error("a rotten manifest is handed out")
	} else if _, ok := errors.AsType[*repo.CorruptError](err); !ok {
		t.Errorf("a rotten manifest: got error %v, want a *repo.CorruptError", err)
	}
	missing, err := r.Missing(t.Context(), []oci.Descriptor{shared.Desc, content.other.Blobs[1].Desc, content.amd.Blobs[0].Desc})
	if err != nil || len(missing) != 2 {
		t.Errorf("missing %v, error %v; want the two that are damaged", missing, err)
	}
	pushRelease(t, reg)
	if report := verify(t, reg); len(report.Damages) > 0 {
		t.Errorf("damages after all was pushed again: %+v", report.Damages)
	}
}

// TestWrongFact sends a blob again whose fact has a wrong size: the fact is made
// right, and what held the blob still does.
func TestWrongFact(t *testing.T) {
	d := newDisk(t)
	content := pushRelease(t, d.open())
	key := repo.BlobKey("copy", shared.Desc.Digest)
	wrong := []kv.Change{{Key: key, Value: repo.EncodeFact(repo.BlobFact{Size: 1, Held: true})}}
	if err := d.facts.Apply(t.Context(), wrong); err != nil {
		t.Fatal(err)
	}
	reg := d.open()
	repotest.PutBlob(t.Context(), t, newRepo(t, reg, "copy"), shared)
	if report := verify(t, reg); len(report.Damages) > 0 {
		t.Errorf("damages: %+v", report.Damages)
	}
	d.clock.pass(1000 * time.Hour)
	repotest.Check(t.Context(), t, newRepo(t, reg, "copy"), content.arm)
}

// TestDeleteBesideDamage deletes an image beside one that cannot be read: what
// that one may name stays held.
func TestDeleteBesideDamage(t *testing.T) {
	d := newDisk(t)
	reg := d.open()
	content := pushRelease(t, reg)
	d.rot(t, content.arm.Blob)
	r := newRepo(t, reg, "ocp/release")
	if err := r.DeleteManifest(t.Context(), content.amd.Desc.Digest); err != nil {
		t.Fatal(err)
	}
	d.clock.pass(1000 * time.Hour)
	repotest.CheckBlob(t.Context(), t, r, shared)
}

// TestUnbelieved puts content below blobs/ that no fact speaks of.
func TestUnbelieved(t *testing.T) {
	for name, put := range map[string]func(*repotest.Blob, repo.Repo) error{
		"PutBlob": func(b *repotest.Blob, r repo.Repo) error {
			_, err := r.PutBlob(t.Context(), b.Desc, b.Opener(), "")
			return err
		},
		"upload": func(b *repotest.Blob, r repo.Repo) error {
			u, err := r.(repo.Uploader).StartUpload(t.Context(), "")
			if err != nil {
				return err
			}
			if _, err := u.Write(b.Bytes); err != nil {
				return err
			}
			return u.Commit(t.Context(), b.Desc.Digest)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			reg := d.open()
			repotest.PutBlob(t.Context(), t, newRepo(t, reg, "x"), repotest.NewBlob("first", 10)) // makes the directory
			b := repotest.NewBlob("b", 1000)
			d.rot(t, b)
			r := newRepo(t, reg, "a")
			if err := put(&b, r); err != nil {
				t.Fatal(err)
			}
			repotest.CheckBlob(t.Context(), t, r, b)
			good := repotest.NewBlob("good", 1000)
			d.overwrite(t, good, good.Bytes)
			wantOutcome(t, r, good, repo.Mounted)
		})
	}
}

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
