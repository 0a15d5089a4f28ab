package mirror

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// catalogRun is a catalog at src.test, for dst.test.
func catalogRun(t *testing.T, spec sample.CatalogSpec) (*world, *CatalogRun) {
	t.Helper()
	w := newWorld(t)
	spec.Host = "src.test"
	c := sample.New(7).Catalog(spec)
	w.push(indexAt, c.Index)
	for _, im := range c.Images {
		name := im.Ref
		if im.Tag == "" { // pushed with a tag that nobody asks for
			name = "src.test/" + im.Repo + ":t-" + im.Image.Desc.Digest.Hex()[:8]
		}
		w.push(name, im.Image)
	}
	_, parsed, err := readIndex(w, IndexOptions{}, "")
	if err != nil {
		t.Fatal(err)
	}
	names, err := catalog.Naming{Index: ref.MustParse(indexAt), Dest: ref.MustParse("dst.test/m"), Max: 2}.Names(parsed.Images())
	if err != nil {
		t.Fatal(err)
	}
	return w, &CatalogRun{Names: names}
}

// lose takes an image away from its source.
func lose(w *world, at ref.Ref) {
	if err := w.open(at.String()).DeleteManifest(w.t.Context(), at.Digest); err != nil {
		w.t.Fatal(err)
	}
}

// tallying notes how often each manifest is asked for.
type tallying struct {
	repo.Registry
	mu    sync.Mutex
	asked map[string]int
}

func (r *tallying) Repo(name string) (repo.Repo, error) {
	rp, err := r.Registry.Repo(name)
	return &talliedRepo{rp, r}, err
}

type talliedRepo struct {
	repo.Repo
	r *tallying
}

func (r *talliedRepo) count(t repo.Target) {
	r.r.mu.Lock()
	defer r.r.mu.Unlock()
	r.r.asked[fmt.Sprintf("%s %s%s", r.Name(), t.Tag, t.Digest)]++
}

func (r *talliedRepo) Manifest(ctx context.Context, t repo.Target) (oci.Descriptor, []byte, error) {
	r.count(t)
	return r.Repo.Manifest(ctx, t)
}

func (r *talliedRepo) Resolve(ctx context.Context, t repo.Target) (oci.Descriptor, error) {
	r.count(t)
	return r.Repo.Resolve(ctx, t)
}

// The source of a catalog is asked once for each image (the bench line of the
// issue on catalogs).
func TestCatalogPlanAsksOncePerManifest(t *testing.T) {
	w, run := catalogRun(t, sample.CatalogSpec{Packages: 20, Bundles: 5, Related: 5, Tagged: true})
	seen := &tallying{Registry: w.hosts["src.test"], asked: map[string]int{}}
	w.hosts["src.test"] = seen
	w.regs.hosts = map[string]repo.Registry{}
	wishes := run.Wishes()
	if len(wishes) < 600 {
		t.Fatalf("%d images", len(wishes))
	}
	p, failed, err := Plan(t.Context(), w.regs, wishes, PlanOptions{NoSignatures: true})
	if err != nil || len(failed) > 0 || len(p.Items) != len(wishes) {
		t.Fatalf("%d items, %v, %v", len(p.Items), failed, err)
	}
	if len(seen.asked) != len(wishes) {
		t.Errorf("%d manifests are asked for, of %d images", len(seen.asked), len(wishes))
	}
	for name, n := range seen.asked {
		if n != 1 {
			t.Errorf("%s is asked for %d times", name, n)
		}
	}
}

// The index image is the last to be written, also where others fail.
func TestCatalogIndexIsLast(t *testing.T) {
	w, run := catalogRun(t, sample.CatalogSpec{})
	wishes := run.Wishes()
	last := wishes[len(wishes)-1]
	if !last.Last || last.Source.String() != indexAt {
		t.Fatalf("%+v", last)
	}
	lose(w, wishes[0].Source)
	result, err := Copy(t.Context(), w.regs, wishes, CopyOptions{Plan: PlanOptions{ContinueOnError: true}}, w.observer())
	if !errors.Is(err, ErrSome) {
		t.Fatal(err)
	}
	if done := result.Report.Done; len(done) != len(wishes)-1 || done[len(done)-1].Ref != last.Source {
		t.Errorf("%d images done, last %v", len(done), done[len(done)-1].Ref)
	}
	o := run.Copied(result, err)
	if len(o.Missing) != 1 || o.Complete || o.Missing[0].Source != wishes[0].Source.String() || o.Missing[0].Gone {
		t.Errorf("%+v", o)
	}
}

func TestCatalogOutcome(t *testing.T) {
	w, run := catalogRun(t, sample.CatalogSpec{Packages: 1, Bundles: 1})
	wishes := run.Wishes()
	lose(w, wishes[0].Source)
	result, err := Copy(t.Context(), w.regs, wishes, CopyOptions{Plan: PlanOptions{ContinueOnError: true, SkipMissing: true}}, w.observer())
	if err != nil {
		t.Fatal(err)
	}
	o := run.Copied(result, err)
	if !o.Complete || len(o.Missing) != 1 || !o.Missing[0].Gone || len(o.Retry()) != 0 || o.Summary() != "" {
		t.Errorf("what is gone and may be missing: %+v", o)
	}
	want := "1 of 5 images is no longer at the source, and left out:\n"
	if !strings.HasPrefix(o.Text(), want) {
		t.Error(cmp.Diff(want, o.Text()))
	}
	cut := errors.New("the disk is full")
	o = run.Copied(nil, cut)
	if o.Complete || len(o.Missing) != len(wishes) || !o.Untouched() || strings.Count(string(o.Retry()), "\n") != len(wishes) {
		t.Errorf("nothing was tried: %+v", o)
	}
	if why := o.Missing[0].Why; !strings.Contains(why, cut.Error()) || !errors.Is(o.Worst(), cut) {
		t.Errorf("%s, %v", why, o.Worst())
	}
	run.Rebuilt, run.Reduced = &RebuiltIndex{Ref: ref.MustParse("src.test/catalogs/index@" + oci.FromBytes(nil).String())}, true
	if text := string(run.Mapping()); strings.Contains(text, "index") || strings.Count(text, "\n") != len(wishes)-1 {
		t.Errorf("the mapping has what only the run can make:\n%s", text)
	}
}

func TestAssumedOriginal(t *testing.T) {
	for _, c := range []struct{ index, dest, want string }{
		{"file://local/index/redhat/redhat-operator-index:v4.14", "m.test/olm", "r.test/redhat/redhat-operator-index:v4.14"},
		{"file://my/disk/redhat/community:v1", "m.test", "r.test/redhat/community:v1"},
		{"file://local/index/own:v1", "m.test", "r.test/own:v1"},
		{"m.test/olm/local-index-redhat-redhat-operator-index:v4.14", "m.test/olm", "r.test/redhat/redhat-operator-index:v4.14"},
		{"m.test/local/index-redhat-redhat-operator-index:v4.14", "m.test", "r.test/redhat/redhat-operator-index:v4.14"},
		{"m.test/local/index/redhat/redhat-operator-index", "m.test", "r.test/redhat/redhat-operator-index:latest"},
		{"m.test/olm/redhat-redhat-operator-index:v4.14", "m.test/olm", "r.test/redhat/redhat-operator-index:v4.14"},
	} {
		got, err := AssumedOriginal(ref.MustParse(c.index), ref.MustParse(c.dest), "r.test")
		if err != nil || got.String() != c.want {
			t.Errorf("%s to %s: %s, %v, want %s", c.index, c.dest, got, err, c.want)
		}
	}
	for _, host := range []string{"", "a/b", "no host", "plain"} {
		if got, err := AssumedOriginal(ref.MustParse("file://local/index/a/b:v1"), ref.MustParse("m.test"), host); err == nil {
			t.Errorf("%q: %s", host, got)
		}
	}
}
