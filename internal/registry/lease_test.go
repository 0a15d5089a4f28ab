package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time { return start.Add(time.Duration(c.at.Load())) }

func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }

func wantOutcome(t *testing.T, r repo.Repo, b repotest.Blob, want repo.Outcome) {
	t.Helper()
	if got := repotest.PutBlob(t.Context(), t, r, b); got != want {
		t.Errorf("putting blob %s: %v, want %v", b.Desc.Digest.Short(), got, want)
	}
}

func wantCode(t *testing.T, what string, err error, code oci.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("%s: got error %v, want %v", what, err, code)
	}
}

func TestLeaseLapses(t *testing.T) {
	var c clock
	reg := registry.New("test", cas.Mem(), kv.Mem(), registry.Options{Now: c.now})
	r := newRepo(t, reg, "a")
	held := repotest.NewImage("img", repotest.NewBlob("held", 10))
	repotest.Push(t.Context(), t, r, held)
	leased := repotest.NewBlob("leased", 10)
	wantOutcome(t, r, leased, repo.Sent)
	c.pass(24*time.Hour - time.Second)
	repotest.CheckBlob(t.Context(), t, r, leased)
	c.pass(time.Second)
	_, err := r.StatBlob(t.Context(), leased.Desc.Digest)
	wantCode(t, "blob whose lease lapsed", err, oci.ErrBlobUnknown)
	_, err = r.OpenBlob(t.Context(), leased.Desc.Digest, 0)
	wantCode(t, "blob whose lease lapsed", err, oci.ErrBlobUnknown)
	missing, err := r.Missing(t.Context(), []oci.Descriptor{leased.Desc, held.Blobs[1].Desc})
	if err != nil || len(missing) != 1 {
		t.Errorf("missing %v, error %v; want the lapsed blob", missing, err)
	}
	img := repotest.NewImage("other", leased)
	repotest.PutBlob(t.Context(), t, r, img.Blobs[0])
	wantCode(t, "manifest of a lapsed blob", r.PutManifest(t.Context(), img.Desc, img.Bytes), oci.ErrManifestBlobUnknown)
	wantOutcome(t, r, leased, repo.Mounted) // its content is still there
	repotest.Push(t.Context(), t, r, img)
	c.pass(1000 * time.Hour)
	repotest.Check(t.Context(), t, r, held)
	repotest.Check(t.Context(), t, r, img)
}

// TestLeaseRenewed sees that a blob told to be present stays so for a push.
func TestLeaseRenewed(t *testing.T) {
	var c clock
	reg := registry.New("test", cas.Mem(), kv.Mem(), registry.Options{Now: c.now, Lease: time.Hour})
	r, b := newRepo(t, reg, "a"), repotest.NewBlob("b", 10)
	wantOutcome(t, r, b, repo.Sent)
	c.pass(59 * time.Minute)
	wantOutcome(t, r, b, repo.Present)
	c.pass(59 * time.Minute)
	repotest.CheckBlob(t.Context(), t, r, b)
}

// TestFreedBlobs sees that deleting an image leaves its blobs a lease, and
// those that another image names alone.
func TestFreedBlobs(t *testing.T) {
	var c clock
	reg := registry.New("test", cas.Mem(), kv.Mem(), registry.Options{Now: c.now})
	r := newRepo(t, reg, "a")
	base, own := repotest.NewBlob("base", 10), repotest.NewBlob("own", 10)
	gone, stays := repotest.NewImage("gone", base, own), repotest.NewImage("stays", base)
	repotest.Push(t.Context(), t, r, gone, "gone")
	repotest.Push(t.Context(), t, r, stays, "stays")
	repotest.Push(t.Context(), t, newRepo(t, reg, "b"), repotest.NewImage("elsewhere", own), "x")
	c.pass(100 * time.Hour)
	if err := r.DeleteManifest(t.Context(), gone.Desc.Digest); err != nil {
		t.Fatal(err)
	}
	repotest.CheckBlob(t.Context(), t, r, own)
	wantCode(t, "deleting a held blob", r.DeleteBlob(t.Context(), base.Desc.Digest), oci.ErrUnsupported)
	c.pass(24 * time.Hour)
	_, err := r.StatBlob(t.Context(), own.Desc.Digest)
	wantCode(t, "blob of a deleted image", err, oci.ErrBlobUnknown)
	repotest.Check(t.Context(), t, r, stays)
}

// TestOneReader sees that content wanted at once is read once.
func TestOneReader(t *testing.T) {
	reg := registry.New("test", cas.Mem(), kv.Mem(), registry.Options{Now: fixed})
	b := repotest.NewBlob("b", 300000)
	var opened atomic.Int32
	content := func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		opened.Add(1)
		return b.Opener()(ctx, offset)
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			r := newRepo(t, reg, fmt.Sprint("r", i%4))
			if _, err := r.PutBlob(t.Context(), b.Desc, content, ""); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := opened.Load(); got != 1 {
		t.Errorf("content was opened %d times, want once", got)
	}
	for i := range 4 {
		repotest.CheckBlob(t.Context(), t, newRepo(t, reg, fmt.Sprint("r", i)), b)
	}
}

func uploader(t *testing.T, reg *registry.Registry) repo.Uploader {
	t.Helper()
	up, ok := newRepo(t, reg, "a").(repo.Uploader)
	if !ok {
		t.Fatal("the local registry has no upload sessions")
	}
	return up
}

func startUpload(t *testing.T, up repo.Uploader, part string) string {
	t.Helper()
	u, err := up.StartUpload(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(u, part); err != nil {
		t.Fatal(err)
	}
	if err := u.Suspend(); err != nil {
		t.Fatal(err)
	}
	return u.ID()
}

// TestUploadLimits counts open sessions; they end by themselves in time.
func TestUploadLimits(t *testing.T) {
	var c clock
	blobs := cas.Mem()
	reg := registry.New("test", blobs, kv.Mem(), registry.Options{Now: c.now, MaxUploads: 3})
	up := uploader(t, reg)
	old := startUpload(t, up, "one")
	startUpload(t, up, "two")
	c.pass(23 * time.Hour)
	third := startUpload(t, up, "three")
	_, err := up.StartUpload(t.Context(), "")
	wantCode(t, "a fourth session", err, oci.ErrTooManyRequests)
	c.pass(time.Hour)
	startUpload(t, up, "four")
	startUpload(t, up, "five")
	_, err = up.ResumeUpload(t.Context(), old)
	wantCode(t, "a session after a day", err, oci.ErrBlobUploadUnknown)
	u, err := up.ResumeUpload(t.Context(), third)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Abort(); err != nil {
		t.Fatal(err)
	}
	var left int
	for p, err := range blobs.Partials(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		left++
		t.Log(p.ID)
	}
	if left != 2 {
		t.Errorf("%d partials are left, want those of the two new sessions", left)
	}
}

// TestUploadSurvives goes on with a session in another process.
func TestUploadSurvives(t *testing.T) {
	blobs, facts := backends()["files"](t)
	now := time.Now // the partials are real files
	up := uploader(t, registry.New("test", blobs, facts, registry.Options{Now: now}))
	b := repotest.NewBlob("b", 1000)
	id := startUpload(t, up, string(b.Bytes[:400]))
	reg := registry.New("test", blobs, facts, registry.Options{Now: now, MaxUploads: 1})
	up = uploader(t, reg)
	_, err := up.StartUpload(t.Context(), "")
	wantCode(t, "a session beyond the limit", err, oci.ErrTooManyRequests)
	u, err := up.ResumeUpload(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if u.Offset() != 400 {
		t.Errorf("offset is %d, want 400", u.Offset())
	}
	if _, err := u.Write(b.Bytes[400:]); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(t.Context(), b.Desc.Digest); err != nil {
		t.Fatal(err)
	}
	repotest.CheckBlob(t.Context(), t, newRepo(t, reg, "a"), b)
}

// smallDisk has little space left.
type smallDisk struct {
	cas.Store
	free, largest int64
}

func (s smallDisk) Free(context.Context) (int64, error) { return s.free, nil }

func (s smallDisk) Limits() cas.Limits { return cas.Limits{LargestBlob: s.largest} }

func TestSpace(t *testing.T) {
	disk := smallDisk{cas.Mem(), 10000, 8000}
	reg := registry.New("disk", disk, kv.Mem(), registry.Options{Now: fixed, MinFree: 4000})
	if free, err := reg.Free(t.Context()); free != 6000 || err != nil {
		t.Errorf("free is %d, error %v; want 6000", free, err)
	}
	r := newRepo(t, reg, "a")
	wantOutcome(t, r, repotest.NewBlob("fits", 6000), repo.Sent)
	b := repotest.NewBlob("too much", 6001)
	_, err := r.PutBlob(t.Context(), b.Desc, b.Opener(), "")
	full, ok := errors.AsType[*repo.SpaceError](err)
	if !ok {
		t.Fatalf("got error %v, want a *repo.SpaceError", err)
	}
	if diff := cmp.Diff(&repo.SpaceError{Path: "disk", Need: 6001, Free: 6000}, full); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	u, err := uploader(t, reg).StartUpload(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = u.Write(b.Bytes)
	if _, ok := errors.AsType[*repo.SpaceError](err); !ok {
		t.Errorf("an upload got error %v, want a *repo.SpaceError", err)
	}
	b = repotest.NewBlob("too large", 8001)
	_, err = r.PutBlob(t.Context(), b.Desc, b.Opener(), "")
	wantCode(t, "a blob beyond the largest file", err, oci.ErrSizeInvalid)
}

func TestCanPush(t *testing.T) {
	open := func(o registry.Options) repo.Prober { return registry.New("test", cas.Mem(), kv.Mem(), o) }
	if err := open(registry.Options{}).CanPush(t.Context(), "a/b"); err != nil {
		t.Error(err)
	}
	wantCode(t, "a bad name", open(registry.Options{}).CanPush(t.Context(), "A"), oci.ErrNameInvalid)
	wantCode(t, "read-only", open(registry.Options{ReadOnly: true}).CanPush(t.Context(), "a"), oci.ErrUnsupported)
}

// TestSchema1 keeps what the mirroring side refuses: the layers of such an image
// must not lapse under it.
func TestSchema1(t *testing.T) {
	var c clock
	reg := registry.New("test", cas.Mem(), kv.Mem(), registry.Options{Now: c.now})
	r, layer := newRepo(t, reg, "a"), repotest.NewBlob("layer", 10)
	repotest.PutBlob(t.Context(), t, r, layer)
	body := fmt.Appendf(nil, `{"schemaVersion":1,"name":"a","tag":"t","fsLayers":[{"blobSum":%q}],"signatures":[{}]}`, layer.Desc.Digest)
	desc := oci.Descriptor{MediaType: oci.MediaTypeSchema1Signed, Digest: oci.FromBytes(body), Size: int64(len(body))}
	img := repotest.Image{Blob: repotest.Blob{Desc: desc, Bytes: body}, Blobs: []repotest.Blob{layer}}
	repotest.Push(t.Context(), t, r, img, "t")
	c.pass(100 * time.Hour)
	repotest.Check(t.Context(), t, r, img)
}

// TestRefusedLeavesNothing sees that the bytes of a manifest that is refused do
// not stay behind.
func TestRefusedLeavesNothing(t *testing.T) {
	blobs := cas.Mem()
	r := newRepo(t, registry.New("test", blobs, kv.Mem(), registry.Options{Now: fixed}), "a")
	img := repotest.NewImage("img", repotest.NewBlob("layer", 10))
	wantCode(t, "an incomplete image", r.PutManifest(t.Context(), img.Desc, img.Bytes), oci.ErrManifestBlobUnknown)
	if _, err := blobs.Stat(t.Context(), img.Desc.Digest); !oci.IsNotFound(err) {
		t.Errorf("the manifest was stored: error %v", err)
	}
}

// TestEndlessContent sees that content is cut off once it is too long.
func TestEndlessContent(t *testing.T) {
	r := newRepo(t, registry.New("test", cas.Mem(), kv.Mem(), registry.Options{Now: fixed}), "a")
	b := repotest.NewBlob("b", 100000)
	source := &endless{limit: 1 << 20}
	content := func(context.Context, int64) (io.ReadCloser, error) { return source, nil }
	_, err := r.PutBlob(t.Context(), b.Desc, content, "")
	if _, ok := errors.AsType[*repo.CorruptError](err); !ok {
		t.Errorf("got error %v, want a *repo.CorruptError", err)
	}
	if source.read > 1<<19 {
		t.Errorf("%d bytes were read for a blob of 100000", source.read)
	}
	if !source.closed {
		t.Error("the content was not closed")
	}
}

// endless is content that goes on far beyond what was promised.
type endless struct {
	read, limit int
	closed      bool
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read >= e.limit {
		return 0, io.EOF
	}
	clear(p)
	e.read += len(p)
	return len(p), nil
}

func (e *endless) Close() error {
	e.closed = true
	return nil
}

// TestShortContent sees that the error says how much was there.
func TestShortContent(t *testing.T) {
	r := newRepo(t, registry.New("test", cas.Mem(), kv.Mem(), registry.Options{Now: fixed}), "a")
	b := repotest.NewBlob("b", 20)
	short := repotest.Blob{Bytes: b.Bytes[:10]}
	_, err := r.PutBlob(t.Context(), b.Desc, short.Opener(), "")
	wrong, ok := errors.AsType[*repo.CorruptError](err)
	if !ok {
		t.Fatalf("got error %v, want a *repo.CorruptError", err)
	}
	want := &repo.CorruptError{Where: "content for test/a", Digest: b.Desc.Digest, Reason: "got 10 bytes of 20"}
	if *wrong != *want {
		t.Errorf("got %+v, want %+v", wrong, want)
	}
}

// TestOnlyCommitMissing goes on with a partial that has all its bytes: there is
// nothing to ask the source for.
func TestOnlyCommitMissing(t *testing.T) {
	blobs := cas.Mem()
	b := repotest.NewBlob("b", 5000)
	w, err := blobs.Create(t.Context(), "d-sha256-"+b.Desc.Digest.Hex(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b.Bytes); err != nil {
		t.Fatal(err)
	}
	if err := w.Suspend(); err != nil {
		t.Fatal(err)
	}
	r := newRepo(t, registry.New("test", blobs, kv.Mem(), registry.Options{Now: fixed}), "a")
	gone := func(context.Context, int64) (io.ReadCloser, error) { return nil, errBroken }
	if _, err := r.PutBlob(t.Context(), b.Desc, gone, ""); err != nil {
		t.Fatal(err)
	}
	repotest.CheckBlob(t.Context(), t, r, b)
}
