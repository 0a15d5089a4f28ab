package registry_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
