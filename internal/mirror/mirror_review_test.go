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

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// remove deletes manifests of a repository.
func (w *world) remove(host, name string, images ...*sample.Image) {
	w.t.Helper()
	rp, err := w.host(host).Repo(name)
	for _, im := range images {
		if err == nil {
			err = rp.DeleteManifest(w.t.Context(), im.Desc.Digest)
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func filter(t *testing.T, expr string) oci.PlatformFilter {
	t.Helper()
	f, err := oci.ParsePlatformFilter(expr)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What is missing of a list is left out; where nothing is left of it, the list
// is missing, and a list within a list, too.
func TestSkipMissingInLists(t *testing.T) {
	a, b, c := image(1, sample.AMD64), image(2, sample.ARM64), image(3, sample.AMD64)
	inner := sample.NewIndex(sample.OCI, b)
	for name, x := range map[string]struct {
		list    *sample.Image
		missing []*sample.Image
		goes    []*sample.Image // nil: the image is skipped
		skipped int
	}{
		"a child":                    {sample.NewIndex(sample.OCI, a, b), []*sample.Image{b}, []*sample.Image{a}, 1},
		"all children":               {sample.NewIndex(sample.OCI, a, b), []*sample.Image{a, b}, nil, 1},
		"a child that is a list":     {sample.NewIndex(sample.OCI, a, inner), []*sample.Image{inner}, []*sample.Image{a}, 1},
		"all of a list in a list":    {sample.NewIndex(sample.OCI, c, inner), []*sample.Image{b}, []*sample.Image{c}, 1},
		"the list, not its children": {sample.NewIndex(sample.OCI, a, b), nil, []*sample.Image{a, b}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.push("src.test/r/x:t", x.list)
			w.remove("src.test", "r/x", x.missing...)
			o := PlanOptions{SkipMissing: true}
			p, failed := w.plan(o, wish("src.test/r/x:t", "dst.test/y:t"))
			if len(failed) > 0 {
				t.Fatal(failed)
			}
			if x.goes == nil {
				if len(p.Items) != 0 || len(p.Skipped) != x.skipped {
					t.Fatalf("plan %+v", p)
				}
				return
			}
			var got, want []oci.Digest
			for _, m := range p.Items[0].Manifests {
				got = append(got, m.Digest)
			}
			for _, im := range append(x.goes, x.list) {
				want = append(want, im.Desc.Digest)
			}
			if !equal(got, want) || len(p.Items[0].Skipped) != x.skipped {
				t.Errorf("goes %v\nwant %v, skipped %v", got, want, p.Items[0].Skipped)
			}
			if x.missing != nil {
				if _, failed := w.plan(PlanOptions{}, wish("src.test/r/x:t", "dst.test/y:t")); len(failed) != 1 {
					t.Errorf("without --skip-missing: %v", failed)
				}
			}
		})
	}
}

func equal(a, b []oci.Digest) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Every way in which registries say 404, by tag and by digest (oc.md W7), and
// what is no such thing.
func TestSkipMissingKnowsEachShapeOf404(t *testing.T) {
	digest := image(1, sample.AMD64).Desc.Digest.String()
	for name, x := range map[string]struct {
		status      int
		contentType string
		body        string
		gone        bool
	}{
		"as specified":       {404, "application/json", `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"t"}}]}`, true},
		"without detail":     {404, "application/json", `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`, true},
		"name unknown":       {404, "application/json", `{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}`, true},
		"Harbor's code":      {404, "application/json", `{"errors":[{"code":"NOT_FOUND","message":"artifact x not found"}]}`, true},
		"no errors in it":    {404, "application/json", `{"message":"Not Found"}`, true},
		"a page":             {404, "text/html", `<html>404</html>`, true},
		"empty":              {404, "", ``, true},
		"gone":               {410, "", ``, true},
		"refused":            {403, "application/json", `{"errors":[{"code":"DENIED"}]}`, false},
		"not logged in":      {401, "application/json", `{"errors":[{"code":"UNAUTHORIZED"}]}`, false},
		"a fault":            {500, "", ``, false},
		"an unknown failure": {400, "application/json", `{"errors":[{"code":"UNKNOWN"}]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v2/" {
					return
				}
				rw.Header().Set("Content-Type", x.contentType)
				rw.WriteHeader(x.status)
				_, _ = rw.Write([]byte(x.body))
			}))
			t.Cleanup(s.Close)
			w := newWorld(t)
			at := strings.TrimPrefix(s.URL, "http://")
			w.hosts[at] = plainClient().Registry(at)
			for _, source := range []string{at + "/a/b:t", at + "/a/b@" + digest} {
				p, failed := w.plan(PlanOptions{SkipMissing: true}, wish(source, "dst.test/y:t"))
				if x.gone != (len(failed) == 0 && len(p.Skipped) == 1) || x.gone == (len(failed) == 1) {
					t.Errorf("%s: failed %v, skipped %v", source, failed, p.Skipped)
				}
				if _, failed := w.plan(PlanOptions{}, wish(source, "dst.test/y:t")); len(failed) != 1 {
					t.Errorf("%s without the flag: %v", source, failed)
				}
			}
		})
	}
}

// plainClient talks plain http and loses no time.
func plainClient() *remote.Client {
	return remote.New(remote.Options{Insecure: true, Now: time.Now, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
}

// A list whose lists have no image that the filter takes is refused like any
// other, and a list within goes along only where it brings something.
func TestFilterThatMatchesNothingInAnyDepth(t *testing.T) {
	w := newWorld(t)
	arm := sample.NewIndex(sample.OCI, image(2, sample.ARM64))
	w.push("src.test/r/x:none", sample.NewIndex(sample.OCI, arm))
	one := image(1, sample.AMD64)
	mixed := sample.NewIndex(sample.OCI, one, arm)
	w.push("src.test/r/x:some", mixed)
	o := PlanOptions{Filter: filter(t, "amd64")}
	if _, failed := w.plan(o, wish("src.test/r/x:none", "dst.test/y:t")); len(failed) != 1 || !strings.Contains(failed[0].Error(), "matches the platform filter; it has no platforms") {
		t.Errorf("failed %v", failed)
	}
	p, failed := w.plan(o, wish("src.test/r/x:some", "dst.test/y:t"))
	if len(failed) != 0 || len(p.Items[0].Manifests) != 2 || p.Items[0].Root != mixed.Desc.Digest {
		t.Errorf("failed %v, plan %+v", failed, p)
	}
}

// Where one image takes the place of its list, it is there when that image is.
func TestSingleThatIsThereIsPresent(t *testing.T) {
	w := newWorld(t)
	w.push("src.test/r/x:t", sample.NewIndex(sample.OCI, image(1, sample.AMD64), image(2, sample.ARM64)))
	o := CopyOptions{Plan: PlanOptions{Filter: filter(t, "amd64"), Single: true}}
	for i, want := range []int{1, 0} {
		result, err := Copy(t.Context(), w.regs, []Wish{wish("src.test/r/x:t", "dst.test/y:t")}, o, w.observer())
		if err != nil || result.Report.Manifests != want {
			t.Fatalf("run %d: %v, report %+v", i, err, result.Report)
		}
	}
}

// A medium that holds a component, but damaged, is an error about the medium;
// the original registry, behind the gap, is not asked.
func TestDamageBesideIsNoReasonToGoElsewhere(t *testing.T) {
	for name, x := range map[string]struct {
		err     error
		touched bool
	}{
		"damaged":   {&repo.CorruptError{Where: "medium", Reason: "bits"}, false},
		"no answer": {errors.New("input/output error"), false},
		"not there": {oci.ErrManifestUnknown, true},
	} {
		w := newWorld(t)
		im := image(1, sample.AMD64)
		w.push("quay.test/art/dev:t", im)
		touched := false
		w.hosts["quay.test"] = touching{w.host("quay.test"), &touched}
		w.hosts["medium.test"] = unresolved{w.host("medium.test"), x.err}
		wi := wish("quay.test/art/dev@"+im.Desc.Digest.String(), "dst.test/y:t")
		wi.Beside = ref.MustParse("medium.test/release")
		_, failed := w.plan(PlanOptions{}, wi)
		if touched != x.touched || x.touched != (len(failed) == 0) {
			t.Errorf("%s: failed %v, went elsewhere: %v", name, failed, touched)
		}
		if !x.touched && (!errors.Is(failed[0], x.err) || !strings.Contains(failed[0].Error(), "medium.test/release")) {
			t.Errorf("%s: %v", name, failed[0])
		}
	}
}

type touching struct {
	repo.Registry
	touched *bool
}

func (x touching) Repo(name string) (repo.Repo, error) {
	*x.touched = true
	return x.Registry.Repo(name)
}

type unresolved struct {
	repo.Registry
	err error
}

func (x unresolved) Repo(name string) (repo.Repo, error) {
	r, err := x.Registry.Repo(name)
	return unresolvedRepo{r, x.err}, err
}

type unresolvedRepo struct {
	repo.Repo
	err error
}

func (x unresolvedRepo) Resolve(context.Context, repo.Target) (oci.Descriptor, error) {
	return oci.Descriptor{}, x.err
}

// Components of one digest have several tags, but one manifest.
func TestManifestOfSeveralTagsIsReadOnce(t *testing.T) {
	w := newWorld(t)
	im := image(1, sample.AMD64)
	w.push("src.test/r/x:t", im)
	reads := &reading{Registry: w.host("src.test")}
	w.hosts["src.test"] = reads
	var wishes []Wish
	for _, tag := range []string{"a", "b", "c", "d", "e", "f"} {
		wishes = append(wishes, wish("src.test/r/x@"+im.Desc.Digest.String(), "dst.test/y:"+tag))
	}
	if _, err := Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer()); err != nil || reads.n != 1 {
		t.Errorf("error %v, %d reads", err, reads.n)
	}
	dst, _ := w.host("dst.test").Repo("y")
	for _, wi := range wishes {
		if _, err := dst.Resolve(t.Context(), repo.ByTag(wi.Destinations[0].Tag)); err != nil {
			t.Error(err)
		}
	}
}

type reading struct {
	repo.Registry
	mu sync.Mutex
	n  int
}

func (x *reading) Repo(name string) (repo.Repo, error) {
	r, err := x.Registry.Repo(name)
	return readingRepo{r, x}, err
}

type readingRepo struct {
	repo.Repo
	x *reading
}

func (r readingRepo) Manifest(ctx context.Context, t repo.Target) (oci.Descriptor, []byte, error) {
	r.x.mu.Lock()
	r.x.n++
	r.x.mu.Unlock()
	return r.Repo.Manifest(ctx, t)
}
