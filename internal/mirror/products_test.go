package mirror

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// toProduct is a world whose hosts besides src.test are one flaky registry,
// with an account that may push.
func toProduct(t *testing.T, o flaky.Options) (*world, *flaky.Server) {
	t.Helper()
	w := newWorld(t)
	s := flaky.Start(t, o)
	store := account(t, s.Addr, flaky.Pusher+":"+flaky.Password)
	clock := &skip{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	client := remote.New(remote.Options{Insecure: true, Credentials: store, Now: clock.Now, Sleep: clock.Sleep})
	w.regs.o.Remote = func(host string) repo.Registry {
		if host == "src.test" {
			return w.host(host)
		}
		return client.Registry(host)
	}
	return w, s
}

// manyWishes are of one image, each for a repository of its own.
func manyWishes(w *world, host string, names ...string) []Wish {
	w.push("src.test/r/x:t", image(1, sample.AMD64))
	var out []Wish
	for _, name := range names {
		out = append(out, wish("src.test/r/x:t", host+"/"+name+":t"))
	}
	return out
}

// A registry of no known product is asked about four repositories, as ever, and
// the one with the longest name is among them.
func TestUnknownRegistryIsAskedFourTimes(t *testing.T) {
	w, s := toProduct(t, flaky.Options{})
	wishes := manyWishes(w, s.Addr, "a", "b", "c", "d", "e", "f/g/h")
	if _, err := Copy(t.Context(), w.regs, wishes, CopyOptions{}, w.observer()); err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, q := range s.Requests() {
		if q.Method == http.MethodDelete {
			asked = append(asked, strings.Split(q.Path, "/blobs/")[0])
		}
	}
	if len(asked) != 4 || asked[0] != "/v2/f/g/h" {
		t.Errorf("asked about %q, want four, the deepest first", asked)
	}
}

// What is missing is told as a whole, and other reasons alone.
func TestMissingIsToldAsAWhole(t *testing.T) {
	for _, test := range []struct {
		product string
		exist   []string
		names   []string
		reason  remote.Reason
		repos   []string
	}{
		{"harbor", []string{"there"}, []string{"one/a", "there/a", "two/a", "one/b"}, remote.NoProject, []string{"one/a", "one/b", "two/a"}},
		{"ecr", []string{"b"}, []string{"a", "b", "c", "d", "e", "f"}, remote.NoRepository, []string{"a", "c", "d", "e", "f"}},
		{"quay", []string{"there"}, []string{"there/a", "there/a/b", "there/c/d"}, remote.NestedName, []string{"there/a/b", "there/c/d"}},
		{"gitlab", []string{"g/p"}, []string{"g/p/a", "g/p/a/b", "g/p/a/b/c"}, remote.NoGitLabProject, []string{"g/p/a/b/c"}},
	} {
		o, err := flaky.Profile(test.product, test.exist...)
		if err != nil {
			t.Fatal(err)
		}
		w, s := toProduct(t, o)
		_, err = Copy(t.Context(), w.regs, manyWishes(w, s.Addr, test.names...), CopyOptions{}, w.observer())
		e, ok := errors.AsType[*remote.PushError](err)
		if !ok || e.Reason != test.reason || !slices.Equal(slices.Sorted(slices.Values(e.Repos)), test.repos) {
			t.Errorf("%s: %v, want %q of %q", test.product, err, test.reason, test.repos)
		}
		if n := s.Count(http.MethodPut, "/") + s.Count(http.MethodPatch, "/"); n != 0 {
			t.Errorf("%s: %d requests sent content", test.product, n)
		}
	}
}

// A list with an image left out is refused before the first blob where the
// product looks for its images, and then what is left goes in its place; a
// registry that only looks like that product takes it.
func TestSparseListsAtProducts(t *testing.T) {
	for _, product := range []string{"harbor", "nexus", "ecr", "gitlab"} {
		for _, takes := range []bool{false, true} {
			o, err := flaky.Profile(product, "g/p", "g")
			if err != nil {
				t.Fatal(err)
			}
			if takes {
				o.Quirks = nil
			}
			w, s := toProduct(t, o)
			list := sample.NewIndex(sample.Docker, image(1, sample.AMD64), image(2, sample.ARM64))
			w.push("src.test/r/x:t", list)
			wishes := []Wish{wish("src.test/r/x:t", s.Addr+"/g/p:t")}
			_, err = Copy(t.Context(), w.regs, wishes, sparseOptions(t, false), w.observer())
			blobs := s.Count(http.MethodPut, "/blobs/")
			switch {
			case takes && err != nil:
				t.Errorf("%s that takes lists: %v", product, err)
			case !takes && (!errors.Is(err, oci.ErrManifestBlobUnknown) || blobs > 0):
				t.Errorf("%s: %v after %d blobs, want a refusal before the first", product, err, blobs)
			}
			if _, err = Copy(t.Context(), w.regs, wishes, sparseOptions(t, true), w.observer()); err != nil {
				t.Errorf("%s, or the one image: %v", product, err)
			}
			wantTag(t, s.Registry, takes, list)
		}
	}
}

// wantTag looks for the list under its tag, or else for its second image.
func wantTag(t *testing.T, reg repo.Registry, whole bool, list *sample.Image) {
	t.Helper()
	rp, err := reg.Repo("g/p")
	if err != nil {
		t.Fatal(err)
	}
	want := list.Desc.Digest
	if !whole {
		want = list.Children[1].Desc.Digest
	}
	if got, err := rp.Resolve(t.Context(), repo.ByTag("t")); err != nil || got.Digest != want {
		t.Errorf("the tag has %s, %v, want %s", got.Digest, err, want)
	}
}

func sparseOptions(t *testing.T, orSingle bool) CopyOptions {
	return CopyOptions{Plan: PlanOptions{Filter: filter(t, "arm64"), OrSingle: orSingle}}
}
