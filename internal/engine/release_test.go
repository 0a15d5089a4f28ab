package engine

import (
	"errors"
	"io"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Of two releases in one run, only the one with a failed component is held back.
func TestReleaseImageWaitsForItsOwnComponentsOnly(t *testing.T) {
	for _, keepOn := range []bool{true, false} {
		b := newBench(t)
		ims := images(4)
		p := &plan.Plan{Items: []plan.Item{
			b.push(ims[0], "a", "c", "v1"), b.push(ims[1], "a", "c", "v1-cli"),
			b.push(ims[2], "a", "c", "v2"), b.push(ims[3], "a", "c", "v2-cli"),
		}}
		for i, release := range []string{"v1", "v1", "v2", "v2"} {
			p.Items[i].Last, p.Items[i].Release = i%2 == 0, release
		}
		bad := ims[1].Blobs[2].Desc.Digest
		b.wrapSrc = func(r repo.Repo) repo.Repo {
			return &breaking{Repo: r, open: func(d oci.Digest) (io.ReadCloser, error) {
				if d == bad {
					return nil, errors.New("gone away")
				}
				return nil, nil
			}}
		}
		if _, err := b.run(p, Options{ContinueOnError: keepOn}); err != nil {
			t.Fatal(err)
		}
		if b.has("c", "v1") || b.has("c", "v2") != keepOn {
			t.Errorf("continue %v: v1 %v, v2 %v", keepOn, b.has("c", "v1"), b.has("c", "v2"))
		}
	}
}
