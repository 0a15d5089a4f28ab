package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// A layer that many repositories share is one layer of the plan; manifests
// belong to it, too: progress ends at 100% and not before.
func TestProgressCountsAsThePlanDoes(t *testing.T) {
	p0 := onePlan()
	item := p0.Items[0]
	second := plan.Target{Place: plan.Place{Registry: "reg.test", Repo: "c/d"}, Tags: []string{"v1"}}
	item.Targets = append(item.Targets, second)
	p0.Items = []plan.Item{item}
	p := newProgress(p0.Totals(), time.Now(), nil)
	for _, target := range item.Targets {
		p.add(engine.Event{Kind: engine.BlobDone, Item: &item, Target: target, Desc: blob, Outcome: repo.Mounted})
	}
	if p.done() != blob.Size {
		t.Errorf("%d bytes done after one blob of %d in two repositories", p.done(), blob.Size)
	}
	for _, target := range item.Targets {
		p.add(engine.Event{Kind: engine.BlobStarted, Item: &item, Target: target, Desc: other})
		p.add(engine.Event{Kind: engine.BlobBytes, Item: &item, Target: target, Desc: other, Bytes: other.Size})
		p.add(engine.Event{Kind: engine.BlobBytes, Item: &item, Target: target, Desc: other, Bytes: other.Size}) // read again
		p.add(engine.Event{Kind: engine.BlobDone, Item: &item, Target: target, Desc: other})
	}
	if want := blob.Size + other.Size; p.done() != want {
		t.Errorf("%d bytes done, want %d", p.done(), want)
	}
	for _, target := range item.Targets {
		p.add(engine.Event{Kind: engine.ManifestDone, Item: &item, Target: target, Desc: item.Manifests[0].Descriptor})
	}
	if p.done() != p.want.Bytes {
		t.Errorf("%d of %d bytes at the end", p.done(), p.want.Bytes)
	}
}

// One blob on its way to two places is two lines, and those of an image that
// failed go away.
func TestFlightsGoByPlace(t *testing.T) {
	item := onePlan().Items[0]
	far := plan.Target{Place: plan.Place{Registry: "far.test", Repo: "a/b"}}
	p := newProgress(plan.Totals{Bytes: 4 * blob.Size}, time.Now(), nil)
	for i, target := range []plan.Target{to, far} {
		p.add(engine.Event{Kind: engine.BlobStarted, Item: &item, Target: target, Desc: blob})
		p.add(engine.Event{Kind: engine.BlobBytes, Item: &item, Target: target, Desc: blob, Bytes: int64(i+1) << 20})
	}
	lines := strings.Join(p.flights(6), "\n")
	for _, want := range []string{"1.000MiB of  10.00MiB  reg.test/a/b", "2.000MiB of  10.00MiB  far.test/a/b"} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, lines)
		}
	}
	if p.done() != 3<<20 {
		t.Errorf("%d bytes done", p.done())
	}
	p.add(engine.Event{Kind: engine.ImageFailed, Item: &item, Err: oci.ErrDenied})
	if lines := p.flights(6); len(lines) != 0 || p.done() != 0 {
		t.Errorf("left: %v", lines)
	}
}
