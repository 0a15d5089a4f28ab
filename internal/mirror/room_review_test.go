package mirror

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/imagelist"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// A blob that two repositories hold already is room for one.
func TestHeldBlobsCountOnce(t *testing.T) {
	w := newWorld(t)
	m := sample.New(1)
	base := m.Layer(200000)
	build := func() *sample.Image {
		return sample.NewImage(sample.ImageSpec{Platform: sample.AMD64, Layers: []sample.Blob{base, m.Layer(300000)}})
	}
	x, y := build(), build()
	w.push("src.test/r:x", x)
	w.push("src.test/r:y", y)
	// The base lies in both repositories already, under other images.
	other := sample.NewImage(sample.ImageSpec{Platform: sample.ARM64, Layers: []sample.Blob{base}})
	w.push("dst.test/one:z", other)
	w.push("dst.test/two:z", other)
	need := x.Blobs[0].Desc.Size + x.Blobs[2].Desc.Size + int64(len(x.Body)) + y.Blobs[2].Desc.Size + int64(len(y.Body))
	if x.Blobs[0].Desc.Digest != y.Blobs[0].Desc.Digest {
		need += y.Blobs[0].Desc.Size
	}
	w.hosts["dst.test"] = small{w.host("dst.test"), need - 1, 0}
	_, err := Copy(t.Context(), w.regs, []Wish{wish("src.test/r:x", "dst.test/one:x"), wish("src.test/r:y", "dst.test/two:y")}, CopyOptions{}, w.observer())
	if space := (*repo.SpaceError)(nil); !errors.As(err, &space) || space.Need != need {
		t.Errorf("error %v, want %d bytes needed", err, need)
	}
}

// Nothing is written and no upload begun by a dry run, whatever is there.
func TestDryRunWritesNothing(t *testing.T) {
	var mu sync.Mutex
	var writes []string
	inner := server.New(registry.New("dst", cas.Mem(), kv.Mem(), registry.Options{Now: time.Now}), server.Options{Now: time.Now})
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			mu.Lock()
			writes = append(writes, r.Method+" "+r.URL.Path)
			mu.Unlock()
		}
		inner.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	w := newWorld(t)
	at := strings.TrimPrefix(s.URL, "http://")
	w.hosts[at] = plainClient().Registry(at)
	w.push("src.test/r/x:t", sample.NewIndex(sample.OCI, image(1, sample.AMD64), image(2, sample.ARM64)))
	wishes := []Wish{wish("src.test/r/x:t", at+"/y:t")}
	for _, force := range []bool{false, true} {
		o := CopyOptions{DryRun: true, Plan: PlanOptions{Force: force}}
		if result, err := Copy(t.Context(), w.regs, wishes, o, w.observer()); err != nil || result.Report != nil || len(writes) > 0 {
			t.Errorf("force %v: error %v, writes %v", force, err, writes)
		}
	}
	if _, err := Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer()); err != nil || len(writes) == 0 {
		t.Errorf("a real run: error %v, %d writes", err, len(writes))
	}
}

// Two mappings to one repository with different content, an image of two
// registries with equal paths: each ends where it was told to (oc.md W17 g).
func TestEqualPathsOfDifferentRegistries(t *testing.T) {
	w := newWorld(t)
	a, b := image(1, sample.AMD64), image(2, sample.AMD64)
	w.push("one.test/r/x:t", a)
	w.push("two.test/r/x:t", b)
	wishes := []Wish{wish("one.test/r/x:t", "dst.test/y:a"), wish("two.test/r/x:t", "dst.test/y:b"), wish("one.test/r/x:t", "file://y:a"), wish("two.test/r/x:t", "file://y:b")}
	if _, err := Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer()); err != nil {
		t.Fatal(err)
	}
	for _, wi := range wishes {
		d := wi.Destinations[0]
		_, rp, err := openPlace(t, w.regs, d)
		if err != nil {
			t.Fatal(err)
		}
		desc, err := rp.Resolve(t.Context(), repo.ByTag(d.Tag))
		if want := map[string]oci.Digest{"a": a.Desc.Digest, "b": b.Desc.Digest}[d.Tag]; err != nil || desc.Digest != want {
			t.Errorf("%s is %s (%v), want %s", d, desc.Digest, err, want)
		}
	}
}

func openPlace(t *testing.T, regs *Registries, r ref.Ref) (plan.Place, repo.Repo, error) {
	t.Helper()
	place, err := regs.Place(r, Writing)
	if err != nil {
		return place, nil, err
	}
	reg, err := regs.Find(t.Context(), place.Registry)
	if err != nil {
		return place, nil, err
	}
	rp, err := reg.Repo(place.Repo)
	return place, rp, err
}

// mappings reads arguments as image mirror does.
func mappings(t *testing.T, args ...string) []imagelist.Mapping {
	t.Helper()
	list, err := imagelist.ParseArgs(args)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A directory that is listed for its tags and then written to is opened for
// writing.
func TestCopyWithinADirectoryByWildcard(t *testing.T) {
	w := newWorld(t)
	w.push("src.test/r/x:t1", image(1, sample.AMD64))
	if _, err := Copy(t.Context(), w.regs, []Wish{wish("src.test/r/x:t1", "file://a:t1")}, CopyOptions{}, w.observer()); err != nil {
		t.Fatal(err)
	}
	if err := w.regs.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.regs = NewRegistries(w.regs.o)
	wishes, err := Expand(t.Context(), w.regs, mappings(t, "file://a:t*", "file://b"), ExpandOptions{}, w.observer())
	if err == nil {
		_, err = Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer())
	}
	if err != nil {
		t.Fatal(err)
	}
	_, b, err := openPlace(t, w.regs, ref.MustParse("file://b"))
	if err == nil {
		_, err = b.Resolve(t.Context(), repo.ByTag("t1"))
	}
	if err != nil {
		t.Error(err)
	}
}

// A repository that is gone is missing like an image that is gone; a wildcard
// that matches nothing is an error all the same.
func TestSkipMissingRepositoryOfAWildcard(t *testing.T) {
	w := newWorld(t)
	w.push("src.test/r/x:t1", image(1, sample.AMD64))
	list := mappings(t, "src.test/gone=dst.test/y", "src.test/r/x:t*=dst.test/z")
	if _, err := Expand(t.Context(), w.regs, list, ExpandOptions{}, w.observer()); !oci.IsNotFound(err) {
		t.Errorf("without the flag: %v", err)
	}
	wishes, err := Expand(t.Context(), w.regs, list, ExpandOptions{SkipMissing: true}, w.observer())
	if err != nil || len(wishes) != 1 || wishes[0].Source.Tag != "t1" {
		t.Errorf("error %v, wishes %v", err, wishes)
	}
	if told := strings.Join(w.told, "\n"); !strings.Contains(told, "src.test/gone") {
		t.Errorf("told %q", told)
	}
	if _, err := Expand(t.Context(), w.regs, mappings(t, "src.test/r/x:v*=dst.test/z"), ExpandOptions{SkipMissing: true}, w.observer()); err == nil {
		t.Error("a wildcard that matches nothing passed")
	}
	w.hosts["src.test"] = shut{w.host("src.test"), nil, oci.ErrDenied, &sync.Mutex{}, &[]string{}}
	w.regs.hosts = map[string]repo.Registry{}
	if _, err := Expand(t.Context(), w.regs, list, ExpandOptions{SkipMissing: true}, w.observer()); !errors.Is(err, oci.ErrDenied) {
		t.Errorf("a refusal: %v", err)
	}
}

// whole is a registry that takes no list without all of its images.
type whole struct{ repo.Registry }

func (x whole) Repo(name string) (repo.Repo, error) {
	r, err := x.Registry.Repo(name)
	return wholeRepo{r}, err
}

type wholeRepo struct{ repo.Repo }

func (r wholeRepo) PutManifest(ctx context.Context, desc oci.Descriptor, body []byte, tags ...string) error {
	m, err := oci.ParseManifest(desc.MediaType, body)
	if err != nil {
		return err
	}
	for _, child := range m.Manifests {
		if _, err := r.Resolve(ctx, repo.ByDigest(child.Digest)); err != nil {
			return oci.ErrManifestBlobUnknown
		}
	}
	return r.Repo.PutManifest(ctx, desc, body, tags...)
}

// Where a destination takes no sparse list, its one image takes its place, and
// what was held back for it goes, too, without an error on the way.
func TestOneImageWhereNoSparseListIsTaken(t *testing.T) {
	w := newWorld(t)
	amd := image(1, sample.AMD64)
	w.push("src.test/r:4.14.3-multi-cli", sample.NewIndex(sample.OCI, amd, image(2, sample.ARM64)))
	w.push("src.test/r:4.14.3-multi", image(3, sample.AMD64))
	w.hosts["dst.test"] = whole{w.host("dst.test")}
	wishes := []Wish{wish("src.test/r:4.14.3-multi-cli", "dst.test/y:4.14.3-multi-cli"), wish("src.test/r:4.14.3-multi", "dst.test/y:4.14.3-multi")}
	wishes[1].Last = true
	o := CopyOptions{Plan: PlanOptions{Filter: filter(t, "amd64"), OrSingle: true}}
	if _, err := Copy(t.Context(), w.regs, wishes, o, w.observer()); err != nil {
		t.Fatal(err)
	}
	dst, _ := w.host("dst.test").Repo("y")
	if d, err := dst.Resolve(t.Context(), repo.ByTag("4.14.3-multi-cli")); err != nil || d.Digest != amd.Desc.Digest {
		t.Errorf("%s, %v", d.Digest, err)
	}
	if _, err := dst.Resolve(t.Context(), repo.ByTag("4.14.3-multi")); err != nil {
		t.Error(err)
	}
	if len(w.told) != 1 || !strings.Contains(w.told[0], "takes no list without all of its images") {
		t.Errorf("told %q", w.told)
	}
}
