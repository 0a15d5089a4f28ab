package mirror

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// world is a set of registries by host, all in memory, and what was told.
type world struct {
	t     *testing.T
	hosts map[string]repo.Registry
	regs  *Registries

	mu   sync.Mutex
	told []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, hosts: map[string]repo.Registry{}}
	dir := t.TempDir()
	w.regs = NewRegistries(RegistriesOptions{From: dir, To: dir, Now: time.Now, Holder: "test", Remote: w.host})
	t.Cleanup(func() { _ = w.regs.Close(context.Background()) })
	return w
}

func (w *world) host(name string) repo.Registry {
	if w.hosts[name] == nil {
		w.hosts[name] = network{registry.New(name, cas.Mem(), kv.Mem(), registry.Options{Now: time.Now})}
	}
	return w.hosts[name]
}

// network hides the powers that only a local registry has.
type network struct{ repo.Registry }

func (w *world) observer() Observer {
	note := func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told = append(w.told, fmt.Sprintf(format, args...))
	}
	return Observer{
		Planning: func(int, int) {},
		Planned:  func(*plan.Plan) func() { return func() {} },
		Event: func(e engine.Event) {
			if e.Kind == engine.ImageFailed {
				note("failed: %v", e.Err)
			}
		},
		Warn: note, Info: note,
	}
}

func (w *world) push(at string, im *sample.Image) {
	w.t.Helper()
	r := ref.MustParse(at)
	rp, err := w.host(r.Host).Repo(r.Path)
	if err == nil {
		err = im.Push(w.t.Context(), rp, r.Tag)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func wish(src, dst string) Wish {
	return Wish{Mapping: plan.Mapping{Source: ref.MustParse(src), Destinations: []ref.Ref{ref.MustParse(dst)}}}
}

func (w *world) plan(o PlanOptions, wishes ...Wish) (*plan.Plan, []error) {
	w.t.Helper()
	p, failed, err := Plan(w.t.Context(), w.regs, wishes, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return p, failed
}

// Whoever shows how far the planning is hears of each image once and in order.
func TestPlanningIsToldInOrder(t *testing.T) {
	w := newWorld(t)
	w.push("src.test/r:t", image(1, sample.AMD64))
	var want, told []int
	var wishes []Wish
	for i := range 200 {
		want = append(want, i+1)
		wishes = append(wishes, wish("src.test/r:t", fmt.Sprint("dst.test/r:", i)))
	}
	w.plan(PlanOptions{Progress: func(done, _ int) { told = append(told, done) }}, wishes...)
	if !slices.Equal(want, told) {
		t.Errorf("told %v", told)
	}
}

func image(seed uint64, p oci.Platform) *sample.Image {
	m := sample.New(seed)
	return sample.NewImage(sample.ImageSpec{Platform: p, Layers: []sample.Blob{m.Layer(2000), m.Layer(3000)}})
}

func TestPlanPinsTagsAndPutsChildrenFirst(t *testing.T) {
	w := newWorld(t)
	a, b := image(1, sample.AMD64), image(2, sample.ARM64)
	list := sample.NewIndex(sample.OCI, a, b)
	nested := sample.NewIndex(sample.OCI, list)
	w.push("src.test/r/x:t", nested)
	p, failed := w.plan(PlanOptions{}, wish("src.test/r/x:t", "dst.test/y:t"))
	if len(failed) > 0 {
		t.Fatal(failed)
	}
	var got []oci.Digest
	for _, m := range p.Items[0].Manifests {
		got = append(got, m.Digest)
	}
	want := []oci.Digest{a.Desc.Digest, b.Desc.Digest, list.Desc.Digest, nested.Desc.Digest}
	if fmt.Sprint(got) != fmt.Sprint(want) || p.Items[0].Root != nested.Desc.Digest {
		t.Errorf("manifests %v\nwant      %v", got, want)
	}
}

func TestImageThatIsThereIsNotReadAtTheSource(t *testing.T) {
	w := newWorld(t)
	list := sample.NewIndex(sample.OCI, image(1, sample.AMD64), image(2, sample.ARM64))
	w.push("dst.test/y:t", list)
	src := "src.test/r/x@" + list.Desc.Digest.String() // where there is nothing at all
	p, failed := w.plan(PlanOptions{}, wish(src, "dst.test/y:t"))
	if len(failed) > 0 || !p.Items[0].Targets[0].Present || p.Items[0].Todo() {
		t.Fatalf("failed %v, plan %+v", failed, p.Items)
	}
	// A tag that leads elsewhere is no presence, nor is one that is missing.
	for _, dst := range []string{"dst.test/y:other", "dst.test/z:t"} {
		if _, failed := w.plan(PlanOptions{}, wish(src, dst)); len(failed) != 1 || !oci.IsNotFound(failed[0]) {
			t.Errorf("%s: %v", dst, failed)
		}
	}
	// Nor is it one with --force.
	if _, failed := w.plan(PlanOptions{Force: true}, wish(src, "dst.test/y:t")); len(failed) != 1 {
		t.Error("force did not read the source")
	}
}

func TestListWithAMissingChildAtTheDestinationIsNotPresent(t *testing.T) {
	w := newWorld(t)
	a, b := image(1, sample.AMD64), image(2, sample.ARM64)
	list := sample.NewIndex(sample.OCI, a, b)
	w.push("src.test/r/x:t", list)
	w.push("dst.test/y:t", list)
	dst, _ := w.host("dst.test").Repo("y")
	if err := dst.DeleteManifest(t.Context(), b.Desc.Digest); err != nil {
		t.Fatal(err)
	}
	p, _ := w.plan(PlanOptions{}, wish("src.test/r/x:t", "dst.test/y:t"))
	if p.Items[0].Targets[0].Present {
		t.Error("present without its child")
	}
	arm, err := oci.ParsePlatformFilter("amd64")
	if err != nil {
		t.Fatal(err)
	}
	p, _ = w.plan(PlanOptions{Filter: arm}, wish("src.test/r/x:t", "dst.test/y:t"))
	if !p.Items[0].Targets[0].Present {
		t.Error("a child that is filtered out was missed")
	}
}

// On a disk an image is there only with its blobs: media of others may have
// lost some. What is lost is brought again.
func TestImageOnDiskWithoutABlobIsNotPresent(t *testing.T) {
	for _, form := range []Form{FormOC, FormStore} {
		w := newWorld(t)
		im := image(1, sample.AMD64)
		list := sample.NewIndex(sample.OCI, im)
		w.push("src.test/r/x:t", list)
		blob := filepath.Join(w.regs.o.To, "v2", "a", "b", "blobs", im.Blobs[1].Desc.Digest.String())
		if form == FormStore {
			blob = filepath.Join(w.regs.o.To, "blobs", "sha256", im.Blobs[1].Desc.Digest.Hex())
			if err := InitStore(w.regs.o.To); err != nil {
				t.Fatal(err)
			}
		}
		wishes := []Wish{wish("src.test/r/x:t", "file://a/b:t")}
		for _, lost := range []bool{false, true} {
			if _, err := Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer()); err != nil {
				t.Fatal(err)
			}
			if p, _ := w.plan(PlanOptions{}, wishes[0]); !p.Items[0].Targets[0].Present {
				t.Fatalf("%s, lost %v: not present after a copy", form, lost)
			}
			if err := errors.Join(w.regs.Close(t.Context()), os.Remove(blob)); err != nil {
				t.Fatal(err)
			}
			w.regs = NewRegistries(w.regs.o)
			if p, _ := w.plan(PlanOptions{}, wishes[0]); p.Items[0].Targets[0].Present {
				t.Errorf("%s: present without a blob", form)
			}
		}
	}
}

func TestSchema1IsRefusedByName(t *testing.T) {
	w := newWorld(t)
	rp, _ := w.host("src.test").Repo("old")
	body := []byte(`{"schemaVersion":1,"name":"old","tag":"t","fsLayers":[],"history":[],"signatures":[]}`)
	desc := oci.Descriptor{MediaType: oci.MediaTypeSchema1Signed, Digest: oci.FromBytes(body), Size: int64(len(body))}
	if err := rp.PutManifest(t.Context(), desc, body, "t"); err != nil {
		t.Fatal(err)
	}
	_, failed := w.plan(PlanOptions{}, wish("src.test/old:t", "dst.test/y:t"))
	if len(failed) != 1 || !strings.Contains(failed[0].Error(), "schema 1") {
		t.Errorf("failed: %v", failed)
	}
}

// small is a registry on a disk with little room.
type small struct {
	repo.Registry
	free, largest int64
}

func (s small) Free(context.Context) (int64, error) { return s.free, nil }
func (s small) Largest() int64                      { return s.largest }

func TestNoRoomIsSaidBeforeTheFirstBlob(t *testing.T) {
	w := newWorld(t)
	im := image(1, sample.AMD64)
	w.push("src.test/r/x:t", im)
	size := sample.Measure(im).Bytes
	wishes := []Wish{wish("src.test/r/x:t", "dst.test/y:t")}
	inner := w.host("dst.test")

	w.hosts["dst.test"] = small{inner, size - 1, 0}
	w.regs.hosts = map[string]repo.Registry{}
	_, err := Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer())
	if space := (*repo.SpaceError)(nil); !errors.As(err, &space) || space.Need != size || space.Free != size-1 {
		t.Fatalf("error %v, want %d needed", err, size)
	}
	w.hosts["dst.test"] = small{inner, size, 10}
	w.regs.hosts = map[string]repo.Registry{}
	if _, err = Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer()); err == nil || !strings.Contains(err.Error(), "files of at most 10") {
		t.Errorf("error %v", err)
	}
	w.hosts["dst.test"] = small{inner, size, 0}
	w.regs.hosts = map[string]repo.Registry{}
	if _, err = Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer()); err != nil {
		t.Error(err)
	}
}

// begun is a small registry on which an interrupted run has left something.
type begun struct {
	small
	bytes int64
}

func (b begun) Begun(context.Context) (int64, error) { return b.bytes, nil }

func TestWhatAnInterruptedRunLeftNeedsNoRoom(t *testing.T) {
	w := newWorld(t)
	im := image(1, sample.AMD64)
	w.push("src.test/r/x:t", im)
	size := sample.Measure(im).Bytes
	w.hosts["dst.test"] = begun{small{w.host("dst.test"), size - 1000, 0}, 1000}
	if _, err := Copy(t.Context(), w.regs, []Wish{wish("src.test/r/x:t", "dst.test/y:t")}, CopyOptions{}, w.observer()); err != nil {
		t.Error(err)
	}
}

// shut is a registry that takes no pushes, or does not answer at all.
type shut struct {
	repo.Registry
	push, all error
	mu        *sync.Mutex
	asked     *[]string
}

func (s shut) CanPush(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.asked = append(*s.asked, name)
	return s.push
}

func (s shut) Repo(name string) (repo.Repo, error) {
	r, err := s.Registry.Repo(name)
	return shutRepo{r, s.all}, err
}

type shutRepo struct {
	repo.Repo
	err error
}

func (s shutRepo) Tags(ctx context.Context, after string) iter.Seq2[string, error] {
	if s.err == nil {
		return s.Repo.Tags(ctx, after)
	}
	return func(yield func(string, error) bool) { yield("", s.err) }
}

func (s shutRepo) PutBlob(context.Context, oci.Descriptor, repo.Opener, string) (repo.Outcome, error) {
	return repo.Sent, errors.New("a blob was sent")
}

func TestRefusedPushIsSaidBeforeTheFirstBlob(t *testing.T) {
	w := newWorld(t)
	w.push("src.test/r/x:t", image(1, sample.AMD64))
	var asked []string
	w.hosts["dst.test"] = shut{w.host("dst.test"), oci.ErrDenied.With("read-only robot"), nil, &sync.Mutex{}, &asked}
	_, err := Copy(t.Context(), w.regs, []Wish{wish("src.test/r/x:t", "dst.test/y:t")}, CopyOptions{}, w.observer())
	if !errors.Is(err, oci.ErrDenied) || !strings.Contains(err.Error(), "destination: read-only robot") {
		t.Errorf("error %v", err)
	}
	if len(asked) != 1 {
		t.Errorf("asked for %v", asked)
	}
}

func TestDryRunNeedsNoDestination(t *testing.T) {
	w := newWorld(t)
	w.push("src.test/r/x:t", image(1, sample.AMD64))
	var asked []string
	w.hosts["dst.test"] = shut{w.host("dst.test"), errors.New("no route"), errors.New("no route"), &sync.Mutex{}, &asked}
	wishes := []Wish{wish("src.test/r/x:t", "dst.test/y:t")}
	result, err := Copy(t.Context(), w.regs, wishes, CopyOptions{DryRun: true}, w.observer())
	if err != nil || result.Plan.Totals().Blobs != 3 || len(asked) > 0 {
		t.Errorf("error %v, result %+v, asked %v", err, result, asked)
	}
	if _, err := Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer()); err == nil || !strings.Contains(err.Error(), "no route") {
		t.Errorf("a real run: %v", err)
	}
}

func TestPlanningErrors(t *testing.T) {
	w := newWorld(t)
	w.push("src.test/r/x:t", image(1, sample.AMD64))
	wishes := []Wish{wish("src.test/r/x:t", "dst.test/y:t"), wish("src.test/r/x:a", "dst.test/y:a"), wish("src.test/r/x:b", "dst.test/y:b")}
	_, err := Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer())
	if !errors.Is(err, ErrPlanning) || len(w.told) != 2 {
		t.Errorf("error %v, told %q", err, w.told)
	}
	dst, _ := w.host("dst.test").Repo("y")
	if _, _, err := dst.Manifest(t.Context(), repo.ByTag("t")); err == nil {
		t.Error("something was copied")
	}
	result, err := Copy(t.Context(), w.regs, wishes, CopyOptions{Plan: PlanOptions{ContinueOnError: true}}, w.observer())
	if !errors.Is(err, ErrSome) || result.Report.Manifests != 1 {
		t.Errorf("error %v, report %+v", err, result.Report)
	}
}

// A release read from a mirror takes its components from there, so that the
// original registry need not be reachable.
func TestReleaseInAMirrorIsReadFromThere(t *testing.T) {
	w := newWorld(t)
	r := sample.New(1).Release(sample.ReleaseSpec{})
	rp, _ := w.host("mirror.test").Repo("ocp/release")
	if err := r.Push(t.Context(), rp, rp); err != nil {
		t.Fatal(err)
	}
	from := ref.MustParse("mirror.test/ocp/release:" + r.Tag())
	p, err := ReadRelease(t.Context(), w.regs, from)
	if err != nil {
		t.Fatal(err)
	}
	to, err := release.ParseTemplate("dst.test/x/y")
	if err != nil {
		t.Fatal(err)
	}
	wishes, err := ReleaseWishes(t.Context(), w.regs, p, from, release.Naming{To: to})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer()); err != nil {
		t.Fatal(err)
	}
	if _, touched := w.hosts["quay.io"]; touched {
		t.Error("the original registry was opened")
	}
}
