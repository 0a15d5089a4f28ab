package mirror

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// Only a list of which children were left out has another way; any other failure is told, and once.
func TestWholeListThatIsRefusedIsAFailure(t *testing.T) {
	for name, x := range map[string]struct {
		filter string
		refuse error
	}{
		"whole list": {"linux", oci.ErrManifestBlobUnknown},
		"no rights":  {"amd64", oci.ErrDenied},
	} {
		w := newWorld(t)
		list := sample.NewIndex(sample.OCI, image(1, sample.AMD64), image(2, sample.ARM64))
		w.push("src.test/r:t", list)
		w.hosts["dst.test"] = refusing{w.host("dst.test"), list.Desc.Digest, x.refuse}
		o := CopyOptions{Plan: PlanOptions{Filter: filter(t, x.filter), OrSingle: true}}
		_, err := Copy(t.Context(), w.regs, []Wish{wish("src.test/r:t", "dst.test/y:t")}, o, w.observer())
		if !errors.Is(err, x.refuse) || len(w.told) != 1 || !strings.HasPrefix(w.told[0], "failed: ") {
			t.Errorf("%s: error %v, told %q", name, err, w.told)
		}
	}
}

// refusing takes all manifests but one.
type refusing struct {
	repo.Registry
	what oci.Digest
	err  error
}

func (x refusing) Repo(name string) (repo.Repo, error) {
	r, err := x.Registry.Repo(name)
	return refusingRepo{r, x}, err
}

type refusingRepo struct {
	repo.Repo
	x refusing
}

func (r refusingRepo) PutManifest(ctx context.Context, desc oci.Descriptor, body []byte, tags ...string) error {
	if desc.Digest == r.x.what {
		return r.x.err
	}
	return r.Repo.PutManifest(ctx, desc, body, tags...)
}

// Presence is all tags at the root, and all manifests of lists within lists.
func TestPresenceIsAllOfIt(t *testing.T) {
	w := newWorld(t)
	a, b := image(1, sample.AMD64), image(2, sample.ARM64)
	nested := sample.NewIndex(sample.OCI, a, sample.NewIndex(sample.OCI, b))
	w.push("src.test/r:t", nested)
	w.push("dst.test/y:one", nested)
	both := wish("src.test/r:t", "dst.test/y:one")
	both.Destinations = append(both.Destinations, ref.MustParse("dst.test/y:two"))
	present := func(wi Wish) bool {
		t.Helper()
		p, failed := w.plan(PlanOptions{}, wi)
		if len(failed) > 0 {
			t.Fatal(failed)
		}
		return p.Items[0].Targets[0].Present
	}
	if present(both) {
		t.Error("present without its second tag")
	}
	w.push("dst.test/y:two", a)
	if present(both) {
		t.Error("present, although its second tag is something else's")
	}
	w.push("dst.test/y:two", nested)
	if !present(both) {
		t.Error("not present with both tags")
	}
	w.remove("dst.test", "y", b)
	if present(both) {
		t.Error("present without an image of the list in its list")
	}
}

// asked counts what a destination is asked for.
type asked struct {
	repo.Registry
	lists, manifests *atomic.Int32
	fail             func(context.Context) error
}

func (x asked) Repo(name string) (repo.Repo, error) {
	r, err := x.Registry.Repo(name)
	return askedRepo{r, x}, err
}

type askedRepo struct {
	repo.Repo
	x asked
}

func (r askedRepo) Tags(ctx context.Context, after string) iter.Seq2[string, error] {
	r.x.lists.Add(1)
	if r.x.fail == nil {
		return r.Repo.Tags(ctx, after)
	}
	return func(yield func(string, error) bool) { yield("", r.x.fail(ctx)) }
}

func (r askedRepo) Manifest(ctx context.Context, t repo.Target) (oci.Descriptor, []byte, error) {
	r.x.manifests.Add(1)
	return r.Repo.Manifest(ctx, t)
}

// A new repository is looked at once, however many images go there; one that
// does not answer is an error, but not for a dry run, which waits five seconds.
func TestLookingAtADestination(t *testing.T) {
	silence := errors.New("no answer")
	hang := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	for name, x := range map[string]struct {
		fail   func(context.Context) error
		dry    bool
		failed int
		waits  time.Duration
	}{
		"new":                 {},
		"silent":              {fail: func(context.Context) error { return silence }, failed: 3},
		"silent, dry run":     {fail: func(context.Context) error { return silence }, dry: true},
		"refuses to list":     {fail: func(context.Context) error { return oci.ErrUnauthorized }},
		"behind the gap, dry": {fail: hang, dry: true, waits: patience},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				im := image(1, sample.AMD64)
				w.push("src.test/r:t", im)
				a := asked{w.host("dst.test"), &atomic.Int32{}, &atomic.Int32{}, x.fail}
				w.hosts["dst.test"] = a
				src := "src.test/r@" + im.Desc.Digest.String()
				begun := time.Now()
				wishes := []Wish{wish(src, "dst.test/y:a"), wish(src, "dst.test/y:b"), wish(src, "dst.test/y:c")}
				if x.waits > 0 {
					wishes = wishes[:1] // a bubble's clock stands while others wait for a lock
				}
				p, failed := w.plan(PlanOptions{IgnoreDestination: x.dry}, wishes...)
				if len(failed) != x.failed || len(p.Items) != len(wishes)-x.failed || time.Since(begun) != x.waits {
					t.Errorf("failed %v after %s", failed, time.Since(begun))
				}
				if x.failed > 0 && (!errors.Is(failed[0], silence) || !strings.Contains(failed[0].Error(), "destination: ")) {
					t.Errorf("error %v", failed[0])
				}
				if a.lists.Load() != 1 || x.fail == nil && a.manifests.Load() != 0 {
					t.Errorf("%d listings, %d manifests asked for", a.lists.Load(), a.manifests.Load())
				}
			})
		})
	}
}

// What planning saw of a repository, copying does not ask again.
func TestNewRepositoryIsListedOnce(t *testing.T) {
	w := newWorld(t)
	a := asked{w.host("dst.test"), &atomic.Int32{}, &atomic.Int32{}, nil}
	w.hosts["dst.test"] = a
	var wishes []Wish
	for i, tag := range []string{"a", "b"} {
		w.push("src.test/r:"+tag, image(uint64(i), sample.AMD64))
		wishes = append(wishes, wish("src.test/r:"+tag, "dst.test/y:"+tag))
	}
	w.copy(CopyOptions{}, wishes...)
	if n := a.lists.Load(); n != 1 {
		t.Errorf("its tags were listed %d times", n)
	}
}
