package engine

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// bench holds two registries and what a test observes of a run.
type bench struct {
	t        *testing.T
	src, dst repo.Registry
	wrapSrc  func(repo.Repo) repo.Repo
	wrapDst  func(repo.Repo) repo.Repo
	mu       sync.Mutex
	events   []Event
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, src: memory("src", registry.Options{}), dst: memory("dst", registry.Options{})}
	same := func(r repo.Repo) repo.Repo { return r }
	b.wrapSrc, b.wrapDst = same, same
	return b
}

func memory(name string, o registry.Options) repo.Registry {
	o.Now = time.Now
	return registry.New(name, cas.Mem(), kv.Mem(), o)
}

// wrapped gives a test its hands on the repositories of a registry.
type wrapped struct {
	repo.Registry
	wrap func(repo.Repo) repo.Repo
}

func (w wrapped) Repo(name string) (repo.Repo, error) {
	r, err := w.Registry.Repo(name)
	return w.wrap(r), err
}

func (b *bench) find(_ context.Context, key string) (repo.Registry, error) {
	if key == "src" {
		return wrapped{b.src, b.wrapSrc}, nil
	}
	if c, ok := b.dst.(repo.Checkpointer); ok {
		return struct {
			wrapped
			repo.Checkpointer
		}{wrapped{b.dst, b.wrapDst}, c}, nil
	}
	return wrapped{b.dst, b.wrapDst}, nil
}

func (b *bench) run(p *plan.Plan, o Options) (*Report, error) {
	b.t.Helper()
	o.Events = func(e Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if e.Kind != BlobBytes {
			b.events = append(b.events, e)
		}
	}
	return Execute(b.t.Context(), p, b.find, o)
}

func (b *bench) count(k Kind) (n int) {
	for _, e := range b.events {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// push stores an image at the source and returns the item that copies it.
func (b *bench) push(im *sample.Image, from, to string, tags ...string) plan.Item {
	b.t.Helper()
	src, err := b.src.Repo(from)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := im.Push(b.t.Context(), src, tags...); err != nil {
		b.t.Fatal(err)
	}
	item := plan.Item{
		Source: plan.Place{Registry: "src", Repo: from}, Root: im.Desc.Digest,
		Targets: []plan.Target{{Place: plan.Place{Registry: "dst", Repo: to}, Tags: tags}},
	}
	addManifests(&item, im)
	return item
}

func addManifests(item *plan.Item, im *sample.Image) {
	for _, child := range im.Children {
		addManifests(item, child)
	}
	m := plan.Manifest{Descriptor: im.Desc.Bare(), Body: im.Body}
	for _, blob := range im.Blobs {
		m.Blobs = append(m.Blobs, blob.Desc.Bare())
	}
	item.Manifests = append(item.Manifests, m)
}

func (b *bench) has(place, tag string) bool {
	r, err := b.dst.Repo(place)
	if err != nil {
		b.t.Fatal(err)
	}
	_, _, err = r.Manifest(b.t.Context(), repo.ByTag(tag))
	return err == nil
}

func images(n int) []*sample.Image {
	m := sample.New(7)
	base := m.Layer(5000)
	var out []*sample.Image
	for range n {
		out = append(out, sample.NewImage(sample.ImageSpec{Platform: sample.AMD64, Layers: []sample.Blob{base, m.Layer(3000)}}))
	}
	return out
}

// countingRepo counts the blobs opened and put.
type countingRepo struct {
	repo.Repo
	mu     *sync.Mutex
	opened map[oci.Digest]int
	put    map[oci.Digest][]string // outcomes
}

func counting() *countingRepo {
	return &countingRepo{mu: &sync.Mutex{}, opened: map[oci.Digest]int{}, put: map[oci.Digest][]string{}}
}

func (c *countingRepo) wrap(r repo.Repo) repo.Repo {
	w := *c
	w.Repo = r
	return &w
}

func (c *countingRepo) OpenBlob(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	c.mu.Lock()
	c.opened[d]++
	c.mu.Unlock()
	return c.Repo.OpenBlob(ctx, d, offset)
}

func (c *countingRepo) PutBlob(ctx context.Context, desc oci.Descriptor, open repo.Opener, from string) (repo.Outcome, error) {
	o, err := c.Repo.PutBlob(ctx, desc, open, from)
	c.mu.Lock()
	c.put[desc.Digest] = append(c.put[desc.Digest], o.String()+" from "+from)
	c.mu.Unlock()
	return o, err
}

func TestEachBlobIsReadOnce(t *testing.T) {
	b, reads := newBench(t), counting()
	b.wrapSrc = reads.wrap
	p := &plan.Plan{}
	for i, im := range images(20) {
		p.Items = append(p.Items, b.push(im, "a/b", "c/d", "t"+string(rune('a'+i))))
	}
	report, err := b.run(p, Options{})
	if err != nil || len(report.Failures) > 0 {
		t.Fatal(err, report.Failures)
	}
	for d, n := range reads.opened {
		if n != 1 {
			t.Errorf("%s was read %d times", d, n)
		}
	}
	if want := 20 + 20 + 1; len(reads.opened) != want || report.Sent != want {
		t.Errorf("%d blobs read, %d sent, want %d", len(reads.opened), report.Sent, want)
	}
	if n := b.count(ManifestDone); n != 20 || report.Manifests != 20 {
		t.Errorf("%d manifests acknowledged, %d reported", n, report.Manifests)
	}
	if !b.has("c/d", "ta") || !b.has("c/d", "tt") {
		t.Error("an image is missing at the destination")
	}
}

func TestBlobsAreMountedFromAnotherRepository(t *testing.T) {
	for _, skip := range []bool{false, true} {
		b, puts := newBench(t), counting()
		b.wrapDst = puts.wrap
		im := images(1)[0]
		p := &plan.Plan{Items: []plan.Item{b.push(im, "a", "one", "t"), b.push(im, "a", "two", "t")}}
		report, err := b.run(p, Options{SkipMount: skip, Images: 1})
		if err != nil || len(report.Failures) > 0 {
			t.Fatal(err, report.Failures)
		}
		asked := 0
		for _, outcomes := range puts.put {
			asked += len(slices.DeleteFunc(outcomes, func(s string) bool { return strings.HasSuffix(s, "from ") }))
		}
		if want := map[bool]int{false: 3, true: 0}[skip]; asked != want {
			t.Errorf("skip %v: %d mounts asked for, want %d", skip, asked, want)
		}
	}
}

// breaking fails in what a test tells it to.
type breaking struct {
	repo.Repo
	open     func(d oci.Digest) (io.ReadCloser, error) // nil, nil: as usual
	manifest func(d oci.Digest) error
	missing  func([]oci.Descriptor) []oci.Descriptor
}

func (x *breaking) OpenBlob(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	if x.open != nil {
		if rc, err := x.open(d); rc != nil || err != nil {
			return rc, err
		}
	}
	return x.Repo.OpenBlob(ctx, d, offset)
}

func (x *breaking) PutManifest(ctx context.Context, desc oci.Descriptor, body []byte, tags ...string) error {
	if x.manifest != nil {
		if err := x.manifest(desc.Digest); err != nil {
			return err
		}
	}
	return x.Repo.PutManifest(ctx, desc, body, tags...)
}

func (x *breaking) Missing(ctx context.Context, blobs []oci.Descriptor) ([]oci.Descriptor, error) {
	if x.missing != nil {
		return x.missing(blobs), nil
	}
	return x.Repo.Missing(ctx, blobs)
}

func TestReleaseImageWaitsForItsComponents(t *testing.T) {
	b := newBench(t)
	ims := images(3)
	p := &plan.Plan{Items: []plan.Item{b.push(ims[0], "a", "c", "release"), b.push(ims[1], "a", "c", "one"), b.push(ims[2], "a", "c", "two")}}
	p.Items[0].Last = true
	bad := ims[2].Blobs[2].Desc.Digest
	b.wrapSrc = func(r repo.Repo) repo.Repo {
		return &breaking{Repo: r, open: func(d oci.Digest) (io.ReadCloser, error) {
			if d == bad {
				return nil, errors.New("gone away")
			}
			return nil, nil
		}}
	}
	report, err := b.run(p, Options{ContinueOnError: true})
	if err != nil {
		t.Fatal(err)
	}
	if b.has("c", "release") || b.has("c", "two") || !b.has("c", "one") {
		t.Errorf("release %v, failed component %v, good component %v", b.has("c", "release"), b.has("c", "two"), b.has("c", "one"))
	}
	if len(report.Failures) != 2 || !errors.Is(report.Failures[1].Err, ErrHeldBack) {
		t.Fatalf("failures: %v", report.Failures)
	}
	want := "copying src/a@" + ims[2].Desc.Digest.String() + " to dst/c:two: source: gone away"
	if got := report.Failures[0].Err.Error(); got != want {
		t.Errorf("error %q\nwant  %q", got, want)
	}
}

func TestParentOfFailedChildIsNeverWritten(t *testing.T) {
	b := newBench(t)
	ims := images(2)
	list := sample.NewIndex(sample.OCI, ims...)
	p := &plan.Plan{Items: []plan.Item{b.push(list, "a", "c", "list")}}
	b.wrapDst = func(r repo.Repo) repo.Repo {
		return &breaking{Repo: r, manifest: func(d oci.Digest) error {
			if d == ims[1].Desc.Digest {
				return oci.ErrDenied
			}
			return nil
		}}
	}
	report, err := b.run(p, Options{})
	if err != nil || len(report.Failures) != 1 || b.has("c", "list") {
		t.Fatalf("%v, %d failures, list there: %v", err, len(report.Failures), b.has("c", "list"))
	}
	if e := report.Failures[0].Err; !errors.Is(e, oci.ErrDenied) || !strings.Contains(e.Error(), "destination: ") {
		t.Errorf("error %v", e)
	}
}

func TestSharedChildIsWrittenOnceBeforeBothParents(t *testing.T) {
	b := newBench(t)
	ims := images(3)
	one, two := sample.NewIndex(sample.OCI, ims[0], ims[1]), sample.NewIndex(sample.OCI, ims[0], ims[2])
	p := &plan.Plan{Items: []plan.Item{b.push(one, "a", "c", "one"), b.push(two, "a", "c", "two")}}
	var mu sync.Mutex
	puts := map[oci.Digest]int{}
	b.wrapDst = func(r repo.Repo) repo.Repo {
		return &breaking{Repo: r, manifest: func(d oci.Digest) error {
			mu.Lock()
			defer mu.Unlock()
			puts[d]++
			if (d == one.Desc.Digest || d == two.Desc.Digest) && puts[ims[0].Desc.Digest] == 0 {
				t.Error("a list was written before its child")
			}
			return nil
		}}
	}
	if report, err := b.run(p, Options{}); err != nil || len(report.Failures) > 0 {
		t.Fatal(err, report.Failures)
	}
	if puts[ims[0].Desc.Digest] != 1 {
		t.Errorf("the shared child was written %d times", puts[ims[0].Desc.Digest])
	}
}

// A destination that says it has blobs which it has not is believed once.
func TestLyingDestinationIsSentEverythingOnceMore(t *testing.T) {
	b := newBench(t)
	im := images(1)[0]
	p := &plan.Plan{Items: []plan.Item{b.push(im, "a", "c", "t")}}
	lied := false
	b.wrapDst = func(r repo.Repo) repo.Repo {
		return &breaking{Repo: r, missing: func(blobs []oci.Descriptor) []oci.Descriptor {
			if lied {
				return blobs
			}
			lied = true
			return nil
		}}
	}
	report, err := b.run(p, Options{})
	if err != nil || len(report.Failures) > 0 || !b.has("c", "t") {
		t.Fatal(err, report.Failures)
	}
	if report.Sent != 3 {
		t.Errorf("%d blobs sent, want 3", report.Sent)
	}
}

func TestWrongBytesAreTriedTwiceAndNeverKept(t *testing.T) {
	for _, times := range []int{1, 1000} {
		b := newBench(t)
		im := images(1)[0]
		p := &plan.Plan{Items: []plan.Item{b.push(im, "a", "c", "t")}}
		bad := im.Blobs[1].Desc
		var mu sync.Mutex
		left := times
		b.wrapSrc = func(r repo.Repo) repo.Repo {
			return &breaking{Repo: r, open: func(d oci.Digest) (io.ReadCloser, error) {
				mu.Lock()
				defer mu.Unlock()
				if d != bad.Digest || left == 0 {
					return nil, nil
				}
				left--
				return io.NopCloser(strings.NewReader(strings.Repeat("x", int(bad.Size)))), nil
			}}
		}
		report, err := b.run(p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if ok := len(report.Failures) == 0; ok != (times == 1) || b.has("c", "t") != ok {
			t.Errorf("wrong %d times: failures %v, image there: %v", times, report.Failures, b.has("c", "t"))
		}
		if times > 1 {
			e := report.Failures[0].Err
			if c := (*repo.CorruptError)(nil); !errors.As(e, &c) || !strings.Contains(e.Error(), "source: ") {
				t.Errorf("error %v", e)
			}
		}
	}
}

func TestFirstFailureStopsUnlessToldToGoOn(t *testing.T) {
	for _, goOn := range []bool{false, true} {
		b := newBench(t)
		ims := images(6)
		p := &plan.Plan{}
		for i, im := range ims {
			p.Items = append(p.Items, b.push(im, "a", "c", "t"+string(rune('0'+i))))
		}
		b.wrapDst = func(r repo.Repo) repo.Repo {
			return &breaking{Repo: r, manifest: func(d oci.Digest) error {
				if d == ims[0].Desc.Digest {
					return oci.ErrDenied
				}
				return nil
			}}
		}
		report, err := b.run(p, Options{ContinueOnError: goOn, Images: 1})
		if err != nil || len(report.Failures) != 1 {
			t.Fatal(err, report.Failures)
		}
		if b.has("c", "t5") != goOn {
			t.Errorf("go on %v: last image there: %v", goOn, b.has("c", "t5"))
		}
	}
}

// ckpt records whether a checkpoint was made before an acknowledgement.
func TestAcknowledgedOnlyAfterCheckpoint(t *testing.T) {
	b := newBench(t)
	b.dst = memory("dst", registry.Options{Batch: true})
	p := &plan.Plan{Items: []plan.Item{b.push(images(1)[0], "a", "c", "t")}}
	if _, err := b.run(p, Options{}); err != nil {
		t.Fatal(err)
	}
	kinds := []Kind{}
	for _, e := range b.events {
		if e.Kind == ManifestDone || e.Kind == Checkpoint || e.Kind == ImageDone {
			kinds = append(kinds, e.Kind)
		}
	}
	if want := []Kind{ImageDone, ManifestDone, Checkpoint}; !slices.Equal(kinds, want) {
		t.Errorf("events %v, want %v", kinds, want)
	}
}

type failingCheckpoint struct{ repo.Registry }

func (failingCheckpoint) Checkpoint(context.Context) error { return errors.New("disk on fire") }

func TestFailedCheckpointEndsTheRunAndAcknowledgesNothing(t *testing.T) {
	b := newBench(t)
	b.dst = failingCheckpoint{b.dst}
	p := &plan.Plan{Items: []plan.Item{b.push(images(1)[0], "a", "c", "t")}}
	report, err := b.run(p, Options{})
	if err == nil || !strings.Contains(err.Error(), "disk on fire") || b.count(ManifestDone) > 0 || report.Copied > 0 {
		t.Errorf("error %v, %d acknowledged", err, b.count(ManifestDone))
	}
}

func TestCancelKeepsWhatIsComplete(t *testing.T) {
	b := newBench(t)
	ims := images(2)
	p := &plan.Plan{Items: []plan.Item{b.push(ims[0], "a", "c", "one"), b.push(ims[1], "a", "c", "two")}}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	b.wrapDst = func(r repo.Repo) repo.Repo {
		return &breaking{Repo: r, manifest: func(d oci.Digest) error {
			if d == ims[1].Desc.Digest {
				cancel(why)
				return context.Canceled
			}
			return nil
		}}
	}
	report, err := Execute(ctx, p, b.find, Options{Images: 1})
	if !errors.Is(err, why) || len(report.Failures) > 0 || !b.has("c", "one") {
		t.Errorf("error %v, failures %v, first image there: %v", err, report.Failures, b.has("c", "one"))
	}
}
