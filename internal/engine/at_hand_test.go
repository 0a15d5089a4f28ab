package engine

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// What is at hand is not asked for, and where it is no good the source is.
func TestAtHand(t *testing.T) {
	im := images(1)[0]
	held := im.Blobs[1].Desc
	for name, c := range map[string]struct {
		content func(good io.ReadCloser) io.ReadCloser
		asked   int // times at the source
	}{
		"right": {func(good io.ReadCloser) io.ReadCloser { return good }, 0},
		"wrong": {func(io.ReadCloser) io.ReadCloser {
			return io.NopCloser(strings.NewReader(strings.Repeat("x", int(held.Size))))
		}, 1},
		"broken": {func(io.ReadCloser) io.ReadCloser { return io.NopCloser(failing{}) }, 1},
		"none":   {nil, 1},
	} {
		b := newBench(t)
		p := &plan.Plan{Items: []plan.Item{b.push(im, "a", "c", "t")}}
		count := counting()
		b.wrapSrc = count.wrap
		report, err := b.run(p, Options{AtHand: func(d oci.Digest, offset int64) (io.ReadCloser, bool) {
			if d != held.Digest || c.content == nil {
				return nil, false
			}
			src, err := b.src.Repo("a")
			if err != nil {
				t.Error(err)
			}
			good, err := src.OpenBlob(t.Context(), d, offset)
			if err != nil {
				t.Error(err)
			}
			return c.content(good), true
		}})
		if err != nil || len(report.Failures) > 0 || !b.has("c", "t") {
			t.Errorf("%s: %v, %v", name, err, report.Failures)
		}
		if count.opened[held.Digest] != c.asked || count.opened[im.Blobs[0].Desc.Digest] != 1 {
			t.Errorf("%s: blobs opened: %v", name, count.opened)
		}
	}
}

// A source that fails is not asked twice for what was not at hand.
func TestNotAtHandFails(t *testing.T) {
	b := newBench(t)
	im := images(1)[0]
	p := &plan.Plan{Items: []plan.Item{b.push(im, "a", "c", "t")}}
	count := counting()
	b.wrapSrc = func(r repo.Repo) repo.Repo { return count.wrap(unreadable{r}) }
	report, err := b.run(p, Options{})
	if err != nil || len(report.Failures) != 1 {
		t.Fatal(err, report.Failures)
	}
	for d, n := range count.opened {
		if n != 1 {
			t.Errorf("%s was asked for %d times", d, n)
		}
	}
}

var errUnreadable = errors.New("unreadable")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errUnreadable }

// unreadable is a repository of which no blob can be read.
type unreadable struct{ repo.Repo }

func (unreadable) OpenBlob(context.Context, oci.Digest, int64) (io.ReadCloser, error) {
	return nil, errUnreadable
}
