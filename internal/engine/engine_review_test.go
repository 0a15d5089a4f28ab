package engine

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// putting lets a test stand between the engine and a repository's blobs.
type putting struct {
	repo.Repo
	put func(ctx context.Context, desc oci.Descriptor, inner func() (repo.Outcome, error)) (repo.Outcome, error)
}

func (p *putting) PutBlob(ctx context.Context, desc oci.Descriptor, open repo.Opener, from string) (repo.Outcome, error) {
	return p.put(ctx, desc, func() (repo.Outcome, error) { return p.Repo.PutBlob(ctx, desc, open, from) })
}

// checkpoints is a registry whose checkpoints a test makes.
type checkpoints struct {
	repo.Registry
	make func(ctx context.Context) error
}

func (c checkpoints) Checkpoint(ctx context.Context) error { return c.make(ctx) }

// A run that was cut touches nothing any more once Execute has returned, and
// makes its last checkpoint of what stands still.
func TestCutRunWaitsForItsBlobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		p := &plan.Plan{Items: []plan.Item{b.push(images(1)[0], "a", "c", "t")}}
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		b.wrapDst = func(r repo.Repo) repo.Repo {
			return &putting{r, func(ctx context.Context, _ oci.Descriptor, _ func() (repo.Outcome, error)) (repo.Outcome, error) {
				<-release // whatever the context says
				return repo.Sent, ctx.Err()
			}}
		}
		over := false
		go func() {
			_, _ = Execute(ctx, p, b.find, Options{})
			over = true
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if over {
			t.Error("the run ended while blobs were being written")
		}
		close(release)
		synctest.Wait()
		if !over {
			t.Error("the run did not end")
		}
	})
}

// A blob that waits for another repository to have it first holds up nobody.
func TestWaitingForALinkTakesNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		ims := images(2)
		p := &plan.Plan{Items: []plan.Item{b.push(ims[0], "a", "one", "t"), b.push(ims[0], "a", "two", "t"), b.push(ims[1], "a", "three", "t")}}
		base, other := ims[0].Blobs[1].Desc.Digest, ims[1].Blobs[2].Desc.Digest
		arrived := make(chan struct{})
		b.wrapDst = func(r repo.Repo) repo.Repo {
			return &putting{r, func(_ context.Context, d oci.Descriptor, inner func() (repo.Outcome, error)) (repo.Outcome, error) {
				switch d.Digest {
				case other:
					defer close(arrived)
				case base:
					<-arrived // for ever, if the other one never gets a slot
				}
				return inner()
			}}
		}
		if report, err := b.run(p, Options{Blobs: 2}); err != nil || len(report.Failures) > 0 {
			t.Error(err, report.Failures)
		}
	})
}

func TestFailedImageIsNotDone(t *testing.T) {
	b := newBench(t)
	ims := images(2)
	p := &plan.Plan{Items: []plan.Item{b.push(ims[0], "a", "c", "bad"), b.push(ims[1], "a", "c", "good")}}
	// Both targets of the first image refuse it: still one image that failed.
	p.Items[0].Targets = append(p.Items[0].Targets, plan.Target{Place: plan.Place{Registry: "dst", Repo: "d"}, Tags: []string{"bad"}})
	b.wrapDst = func(r repo.Repo) repo.Repo {
		return &breaking{Repo: r, manifest: func(d oci.Digest) error {
			if d == ims[0].Desc.Digest {
				return oci.ErrDenied
			}
			return nil
		}}
	}
	report, err := b.run(p, Options{ContinueOnError: true})
	if err != nil || len(report.Failures) != 2 || failedImages(report) != 1 || report.Copied != 1 {
		t.Errorf("%v: %d failures of %d images, %d copied", err, len(report.Failures), failedImages(report), report.Copied)
	}
	for _, e := range b.events {
		if e.Kind == ImageDone && e.Item == &p.Items[0] {
			t.Error("the failed image is said to be done")
		}
	}
	if b.count(ImageDone) != 1 || b.count(ImageFailed) != 2 {
		t.Errorf("%d images done, %d failed", b.count(ImageDone), b.count(ImageFailed))
	}
}

// A checkpoint that fails in the middle is the end, also with ContinueOnError:
// what was written since the one before is void.
func TestFailedCheckpointInTheMiddleEndsTheRun(t *testing.T) {
	b := newBench(t)
	made := 0
	b.dst = checkpoints{b.dst, func(context.Context) error {
		if made++; made == 1 {
			return errors.New("disk on fire")
		}
		return nil // as a careless implementation might go on
	}}
	p := &plan.Plan{}
	for i, im := range images(4) {
		p.Items = append(p.Items, b.push(im, "a", "c", "t"+string(rune('0'+i))))
	}
	report, err := b.run(p, Options{ContinueOnError: true, CheckpointEvery: 1, Images: 1, Blobs: 1})
	if err == nil || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("error %v", err)
	}
	if report.Copied != 0 || made != 1 || b.count(ManifestDone) != 0 || len(report.Failures) != 0 || b.count(BlobDone) > 3 {
		t.Errorf("%d checkpoints, %d acknowledged, failures %v, %d blobs", made, b.count(ManifestDone), report.Failures, b.count(BlobDone))
	}
}

// A checkpoint under way when the run is cut goes to its end, and what it made
// durable is acknowledged.
func TestCheckpointIsNotCut(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.dst = checkpoints{b.dst, func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	}}
	ims := images(2)
	p := &plan.Plan{Items: []plan.Item{b.push(ims[0], "a", "c", "one"), b.push(ims[1], "a", "c", "two")}}
	done := 0
	first := int64(0)
	for _, blob := range ims[0].Blobs {
		first += blob.Desc.Size
	}
	_, err := Execute(ctx, p, b.find, Options{Images: 1, CheckpointEvery: first + 1, Events: func(e Event) {
		if e.Kind == ManifestDone {
			done++
		}
	}})
	if !errors.Is(err, context.Canceled) || done != 1 {
		t.Errorf("error %v, %d acknowledged", err, done)
	}
}

func TestSourceGetsNoCheckpoint(t *testing.T) {
	b := newBench(t)
	p := &plan.Plan{Items: []plan.Item{b.push(images(1)[0], "a", "c", "t")}}
	src := checkpoints{b.src, func(context.Context) error { return errors.New("a checkpoint of the source") }}
	find := func(ctx context.Context, key string) (repo.Registry, error) {
		if key == "src" {
			return src, nil
		}
		return b.find(ctx, key)
	}
	if report, err := Execute(t.Context(), p, find, Options{CheckpointEvery: 1}); err != nil || len(report.Failures) > 0 {
		t.Error(err, report.Failures)
	}
}

// Images of different sources share a blob that one source has lost.
func TestBlobThatOneSourceLacksComesFromAnother(t *testing.T) {
	b := newBench(t)
	im := images(1)[0]
	p := &plan.Plan{Items: []plan.Item{b.push(im, "lossy", "c", "one"), b.push(im, "whole", "c", "two")}}
	lost := im.Blobs[1].Desc.Digest
	b.wrapSrc = func(r repo.Repo) repo.Repo {
		return &breaking{Repo: r, open: func(d oci.Digest) (io.ReadCloser, error) {
			if d == lost && r.Name() == "lossy" {
				return nil, oci.ErrBlobUnknown
			}
			return nil, nil
		}}
	}
	puts := counting()
	b.wrapDst = puts.wrap
	report, err := b.run(p, Options{ContinueOnError: true, Images: 1})
	if err != nil || len(report.Failures) != 1 || b.has("c", "one") || !b.has("c", "two") {
		t.Errorf("error %v, failures %v", err, report.Failures)
	}
	if n := len(puts.put[lost]); n != 2 { // the one that failed, and the one that brought it
		t.Errorf("put %d times: %v", n, puts.put[lost])
	}
}

// A blob that cannot be had is not asked for again by each image of its source.
func TestLostBlobIsAskedForOnce(t *testing.T) {
	b, reads := newBench(t), counting()
	p := &plan.Plan{}
	ims := images(5)
	for i, im := range ims {
		p.Items = append(p.Items, b.push(im, "a", "c", "t"+string(rune('0'+i))))
	}
	base := ims[0].Blobs[1].Desc.Digest
	b.wrapSrc = func(r repo.Repo) repo.Repo {
		return &breaking{Repo: reads.wrap(r), open: func(d oci.Digest) (io.ReadCloser, error) {
			if d != base {
				return nil, nil
			}
			reads.mu.Lock()
			defer reads.mu.Unlock()
			reads.opened[d]++
			return nil, oci.ErrBlobUnknown
		}}
	}
	report, err := b.run(p, Options{ContinueOnError: true, Images: 2})
	if err != nil || len(report.Failures) != 5 || reads.opened[base] != 1 {
		t.Errorf("error %v, %d failures, asked %d times", err, len(report.Failures), reads.opened[base])
	}
}

// tagless fails to list tags as often as a test says.
type tagless struct {
	repo.Repo
	fails func() error
}

func (x *tagless) Missing(ctx context.Context, blobs []oci.Descriptor) ([]oci.Descriptor, error) {
	if err := x.fails(); err != nil {
		return nil, err
	}
	return x.Repo.Missing(ctx, blobs)
}

// A destination that did not answer the first image is asked again by the next.
func TestFailureToAnswerIsNotRemembered(t *testing.T) {
	b := newBench(t)
	ims := images(2)
	p := &plan.Plan{Items: []plan.Item{b.push(ims[0], "a", "c", "one"), b.push(ims[1], "a2", "c", "two")}}
	asked := 0
	b.wrapDst = func(r repo.Repo) repo.Repo {
		return &tagless{r, func() error {
			if asked++; asked == 1 {
				return errors.New("no answer")
			}
			return nil
		}}
	}
	report, err := b.run(p, Options{ContinueOnError: true, Images: 1})
	if err != nil || len(report.Failures) != 1 || !b.has("c", "two") {
		t.Errorf("error %v, failures %v", err, report.Failures)
	}
}

// liar says that it has every blob, until it needs one.
type liar struct {
	repo.Repo
	mu   *sync.Mutex
	sent map[oci.Digest]int
}

func (l *liar) Missing(context.Context, []oci.Descriptor) ([]oci.Descriptor, error) { return nil, nil }

func (l *liar) PutBlob(ctx context.Context, desc oci.Descriptor, open repo.Opener, from string) (repo.Outcome, error) {
	l.mu.Lock()
	l.sent[desc.Digest]++
	l.mu.Unlock()
	if from != "" {
		return repo.Mounted, nil // another lie
	}
	return l.Repo.PutBlob(ctx, desc, open, from)
}

// A destination whose every answer is a lie still gets each blob, and once,
// however many images find that out at the same time.
func TestPersistentLiarIsNotAskedAgain(t *testing.T) {
	b := newBench(t)
	p := &plan.Plan{}
	for i, im := range images(8) {
		p.Items = append(p.Items, b.push(im, "a", "c", "t"+string(rune('0'+i))))
	}
	l := &liar{mu: &sync.Mutex{}, sent: map[oci.Digest]int{}}
	b.wrapDst = func(r repo.Repo) repo.Repo {
		w := *l
		w.Repo = r
		return &w
	}
	report, err := b.run(p, Options{})
	if err != nil || len(report.Failures) > 0 || !b.has("c", "t7") {
		t.Fatal(err, report.Failures)
	}
	for d, n := range l.sent {
		if n != 1 {
			t.Errorf("%s was sent %d times", d, n)
		}
	}
}

// A registry that takes a manifest as something else is at fault, not the source.
func TestManifestTakenAsSomethingElseIsTheDestinations(t *testing.T) {
	b := newBench(t)
	im := images(1)[0]
	p := &plan.Plan{Items: []plan.Item{b.push(im, "a", "c", "t")}}
	b.wrapDst = func(r repo.Repo) repo.Repo {
		return &breaking{Repo: r, manifest: func(d oci.Digest) error {
			return &repo.CorruptError{Where: "dst/c", Digest: d, Reason: "the registry took it as something else"}
		}}
	}
	report, err := b.run(p, Options{})
	if err != nil || len(report.Failures) != 1 || !strings.Contains(report.Failures[0].Err.Error(), ": destination: ") {
		t.Error(err, report.Failures)
	}
}

// A list is never written where a blob of one of its children is missing, also
// when another list has the same child (oc.md W17 a, b).
func TestNoParentWithoutTheBlobsOfItsChildren(t *testing.T) {
	b := newBench(t)
	ims := images(3)
	one, two := sample.NewIndex(sample.OCI, ims[0], ims[1]), sample.NewIndex(sample.OCI, sample.NewIndex(sample.OCI, ims[0]), ims[2])
	p := &plan.Plan{Items: []plan.Item{b.push(one, "a", "c", "one"), b.push(two, "a", "c", "two")}}
	bad := ims[0].Blobs[2].Desc.Digest
	b.wrapSrc = func(r repo.Repo) repo.Repo {
		return &breaking{Repo: r, open: func(d oci.Digest) (io.ReadCloser, error) {
			if d == bad {
				return nil, oci.ErrBlobUnknown
			}
			return nil, nil
		}}
	}
	report, err := b.run(p, Options{ContinueOnError: true})
	if err != nil || len(report.Failures) != 2 || b.count(ManifestDone) != 0 || b.has("c", "one") || b.has("c", "two") {
		t.Errorf("error %v, failures %v, %d manifests written", err, report.Failures, b.count(ManifestDone))
	}
}

func TestForceSendsWhatIsThere(t *testing.T) {
	b := newBench(t)
	p := &plan.Plan{Items: []plan.Item{b.push(images(1)[0], "a", "c", "t")}}
	for i, want := range []int{3, 0, 3} {
		puts := counting()
		b.wrapDst = puts.wrap
		report, err := b.run(p, Options{Force: i == 2})
		if err != nil || len(report.Failures) > 0 || len(puts.put) != want {
			t.Fatalf("run %d: %v %v, %d blobs put, want %d", i, err, report.Failures, len(puts.put), want)
		}
	}
}

// plain hides the powers of a local registry.
type plain struct{ repo.Registry }

// bytesOf sums up the blobs of an image.
func bytesOf(im *sample.Image) (sum int64) {
	for _, b := range im.Blobs {
		sum += b.Desc.Size
	}
	return sum
}

func TestReportAndEventsAddUp(t *testing.T) {
	b := newBench(t)
	b.dst = plain{b.dst}
	im := images(1)[0]
	p := &plan.Plan{Items: []plan.Item{b.push(im, "a", "one", "t"), b.push(im, "a", "two", "t"), b.push(im, "a", "one", "u")}}
	p.Items = append(p.Items, plan.Item{Source: p.Items[0].Source, Targets: []plan.Target{{Place: p.Items[0].Targets[0].Place, Present: true}}})
	read := int64(0)
	report, err := Execute(t.Context(), p, b.find, Options{Images: 1, Blobs: 1, Events: func(e Event) {
		if b.events = append(b.events, e); e.Kind == BlobBytes {
			read += e.Bytes
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := Report{Copied: 3, Manifests: 3, Sent: 3, Mounted: 3, Present: 0, Bytes: bytesOf(im) + 3*int64(len(im.Body))}
	if got := *report; got.Copied != want.Copied || got.Manifests != want.Manifests || got.Sent != want.Sent || got.Mounted != want.Mounted || got.Bytes != want.Bytes {
		t.Errorf("report %+v, want %+v", got, want)
	}
	for kind, n := range map[Kind]int{BlobStarted: 6, BlobDone: 6, ManifestDone: 3, ImagePresent: 1, ImageDone: 4} {
		if got := b.count(kind); got != n {
			t.Errorf("%d events of kind %d, want %d", got, kind, n)
		}
	}
	if read != bytesOf(im) {
		t.Errorf("%d bytes told, want %d", read, bytesOf(im))
	}
	b.events = nil
	if report, err = b.run(&plan.Plan{Items: p.Items[:1]}, Options{}); err != nil || report.Present != 3 || report.Sent != 0 {
		t.Errorf("again: %v, report %+v", err, report)
	}
}

// The source itself is where a registry can link from.
func TestMountFromTheSourceItself(t *testing.T) {
	b, puts := newBench(t), counting()
	b.wrapDst = puts.wrap
	im := images(1)[0]
	dst, err := b.dst.Repo("here")
	if err == nil {
		err = im.Push(t.Context(), dst, "t")
	}
	if err != nil {
		t.Fatal(err)
	}
	item := b.push(im, "a", "there", "t")
	item.Source = plan.Place{Registry: "dst", Repo: "here"}
	if report, err := b.run(&plan.Plan{Items: []plan.Item{item}}, Options{}); err != nil || len(report.Failures) > 0 || report.Mounted != 3 {
		t.Fatal(err, report)
	}
	for d, outcomes := range puts.put {
		if outcomes[0] != "mounted from here" {
			t.Errorf("%s: %v", d, outcomes)
		}
	}
}

// lister answers a listing of tags as a test says.
type lister struct {
	repo.Repo
	tags iter.Seq2[string, error]
}

func (l lister) Tags(context.Context, string) iter.Seq2[string, error] { return l.tags }

// A repository that has tags, or will not tell, is asked for each blob; the
// first few that it lacks do not speak for the rest.
func TestRepositoryThatIsNotNewIsAskedForEachBlob(t *testing.T) {
	m := sample.New(3)
	var layers []sample.Blob
	for range probeBlobs + 2 {
		layers = append(layers, m.Layer(1000))
	}
	im := sample.NewImage(sample.ImageSpec{Platform: sample.AMD64, Layers: layers})
	last := sample.NewImage(sample.ImageSpec{Platform: sample.AMD64, Layers: layers[probeBlobs+1:]})
	for name, tags := range map[string]iter.Seq2[string, error]{
		"tags":    func(yield func(string, error) bool) { yield("t", nil) },
		"refusal": func(yield func(string, error) bool) { yield("", oci.ErrDenied) },
	} {
		b, puts := newBench(t), counting()
		dst, err := b.dst.Repo("c")
		if err == nil {
			err = last.Push(t.Context(), dst)
		}
		if err != nil {
			t.Fatal(err)
		}
		b.wrapDst = func(r repo.Repo) repo.Repo { return puts.wrap(lister{r, tags}) }
		report, err := b.run(&plan.Plan{Items: []plan.Item{b.push(im, "a", "c", "t")}}, Options{})
		if err != nil || len(report.Failures) > 0 || len(puts.put[layers[probeBlobs+1].Desc.Digest]) != 0 {
			t.Errorf("%s: %v, %v: what was there was put again", name, err, report.Failures)
		}
	}
}

// A checkpoint is made after so many bytes, not after each blob from then on.
func TestCheckpointsGoByBytes(t *testing.T) {
	b := newBench(t)
	p := &plan.Plan{}
	total := int64(0)
	for i, im := range images(10) {
		p.Items = append(p.Items, b.push(im, "a", "c", "t"+string(rune('0'+i))))
		total += bytesOf(im) // the base again and again: more than is written
	}
	if _, err := b.run(p, Options{Images: 1, Blobs: 1, CheckpointEvery: total / 4}); err != nil {
		t.Fatal(err)
	}
	if n := b.count(Checkpoint); n < 2 || n > 5 {
		t.Errorf("%d checkpoints", n)
	}
}

func failedImages(r *Report) int {
	images, _ := r.Failed()
	return images
}
