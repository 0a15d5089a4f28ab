package mirror

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	img "github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// counting counts the manifests that a registry is asked for.
type counting struct {
	repo.Registry
	asked map[string]int
}

func (c *counting) Repo(name string) (repo.Repo, error) {
	rp, err := c.Registry.Repo(name)
	return &countingRepo{rp, c}, err
}

type countingRepo struct {
	repo.Repo
	of *counting
}

func (r *countingRepo) Manifest(ctx context.Context, t repo.Target) (oci.Descriptor, []byte, error) {
	r.of.asked[r.of.Name()+"/"+r.Name()]++
	return r.Repo.Manifest(ctx, t)
}

// findWorld has a release at release.test/r, its components where the payload
// says, in src.test/comp, and counts what is asked for.
func findWorld(t *testing.T) (*world, *sample.Release, map[string]int) {
	t.Helper()
	w := newWorld(t)
	asked := map[string]int{}
	for _, host := range []string{"release.test", "src.test", "mirror.test"} {
		w.hosts[host] = &counting{w.host(host), asked}
	}
	r := sample.New(7).Release(sample.ReleaseSpec{Repository: "src.test/comp", Components: 3})
	w.push("release.test/r:t", r.Image)
	return w, r, asked
}

func rules(t *testing.T, source, mirror string) cluster.MirrorRules {
	t.Helper()
	m, err := cluster.ParseMirrors("rules", []byte("imageDigestSources:\n- source: "+source+"\n  mirrors: ["+mirror+"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func component(r *sample.Release, i int) ref.Ref {
	return ref.MustParse("src.test/comp").WithDigest(r.Components[i].Image.Desc.Digest)
}

func mustFind(t *testing.T, f *Finder, at ref.Ref) string {
	t.Helper()
	found, err := f.Find(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	if _, body, err := found.Source.Manifest(t.Context(), found.Target); err != nil || len(body) == 0 {
		t.Fatalf("the manifest of %s: %v", found.At, err)
	}
	return found.At.Repository().String()
}

func TestFindBesideTheReleaseFirst(t *testing.T) {
	w, r, asked := findWorld(t)
	for _, c := range r.Components {
		w.push("release.test/r:x", c.Image)
		w.push("src.test/comp:x", c.Image)
		w.push("mirror.test/m:x", c.Image)
	}
	f := NewFinder(w.regs, rules(t, "src.test/comp", "mirror.test/m"))
	if at := mustFind(t, f, component(r, 0)); at != "mirror.test/m" {
		t.Errorf("without a release: %s", at)
	}
	if _, err := f.Release(t.Context(), ref.MustParse("release.test/r:t"), img.Prefer(sample.AMD64)); err != nil {
		t.Fatal(err)
	}
	clear(asked)
	if at := mustFind(t, f, component(r, 0)); at != "release.test/r" {
		t.Errorf("with the release: %s", at)
	}
	if asked["release.test/r"] != 1 || len(asked) != 1 {
		t.Errorf("asked %v, want one request, and none for what was read", asked)
	}
}

func TestFindByRuleThenAtTheSource(t *testing.T) {
	w, r, asked := findWorld(t)
	w.push("mirror.test/m:x", r.Components[1].Image)
	w.push("src.test/comp:x", r.Components[2].Image)
	f := NewFinder(w.regs, rules(t, "src.test/comp", "mirror.test/m"))
	if _, err := f.Release(t.Context(), ref.MustParse("release.test/r:t"), img.Prefer(sample.AMD64)); err != nil {
		t.Fatal(err)
	}
	if at := mustFind(t, f, component(r, 1)); at != "mirror.test/m" {
		t.Errorf("by rule: %s", at)
	}
	if at := mustFind(t, f, component(r, 2)); at != "src.test/comp" {
		t.Errorf("at the source: %s", at)
	}
	// The release's repository had none of two, so it is not asked first again.
	clear(asked)
	mustFind(t, f, component(r, 1))
	if asked["release.test/r"] != 0 {
		t.Errorf("asked %v", asked)
	}
	_, err := f.Find(t.Context(), component(r, 0))
	nowhere, ok := errors.AsType[*NowhereError](err)
	if !ok || len(nowhere.Tried) != 3 || !oci.IsNotFound(err) {
		t.Fatalf("%v", err)
	}
	for _, place := range []string{"mirror.test/m: ", "src.test/comp: ", "release.test/r: "} {
		if strings.Count(err.Error(), place) != 1 {
			t.Errorf("%q is not named once: %v", place, err)
		}
	}
}

func TestFindSaysWhatIsWrong(t *testing.T) {
	w, r, _ := findWorld(t)
	f := NewFinder(w.regs, cluster.MirrorRules{})
	_, err := f.Find(t.Context(), component(r, 0))
	if _, nowhere := errors.AsType[*NowhereError](err); nowhere || !strings.HasPrefix(err.Error(), "reading image src.test/comp@") {
		t.Errorf("one place: %v", err)
	}
	if _, err := f.Find(t.Context(), ref.MustParse("src.test/comp")); err == nil || !strings.Contains(err.Error(), "tag or digest") {
		t.Errorf("no tag: %v", err)
	}
	_, err = f.Release(t.Context(), ref.MustParse("release.test/r:none"), img.Prefer(sample.AMD64))
	if e, ok := errors.AsType[*repo.Error](err); !ok || e.Op != OpReadRelease {
		t.Errorf("no such release: %v", err)
	}
	w.push("release.test/r:image", r.Components[0].Image)
	if _, err = f.Release(t.Context(), ref.MustParse("release.test/r:image"), img.Prefer(sample.AMD64)); err == nil || !strings.Contains(err.Error(), "not a release image") {
		t.Errorf("not a release: %v", err)
	}
}

// A release that is named by digest is itself found by the rules.
func TestFindReleaseByRule(t *testing.T) {
	w, r, _ := findWorld(t)
	w.push("mirror.test/m:x", r.Image)
	w.push("mirror.test/m:x", r.Components[0].Image)
	f := NewFinder(w.regs, rules(t, "quay.test/release", "mirror.test/m"))
	from := ref.MustParse("quay.test/release").WithDigest(r.Image.Desc.Digest)
	if _, err := f.Release(t.Context(), from, img.Prefer(sample.AMD64)); err != nil {
		t.Fatal(err)
	}
	if at := mustFind(t, f, component(r, 0)); at != "mirror.test/m" {
		t.Errorf("component at %s", at)
	}
}
