package mirror

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// product is toProduct with a profile.
func product(t *testing.T, name string, exist ...string) (*world, *flaky.Server) {
	t.Helper()
	o, err := flaky.Profile(name, exist...)
	if err != nil {
		t.Fatal(err)
	}
	return toProduct(t, o)
}

// sent are the repositories that content was sent to.
func sent(s *flaky.Server) []string {
	var out []string
	for _, q := range s.Requests() {
		if q.Method == http.MethodPut || q.Method == http.MethodPatch {
			name, _, _ := strings.Cut(strings.TrimPrefix(q.Path, "/v2/"), "/blobs/")
			name, _, _ = strings.Cut(name, "/manifests/")
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var goOn = CopyOptions{Plan: PlanOptions{ContinueOnError: true}}

// What may be pushed is copied where the user wants to go on, and nothing of the
// rest is sent, nor of its signatures; an image that goes to two places goes to
// the one that takes it.
func TestCopyGoesOnPastRefusals(t *testing.T) {
	w, s := product(t, "harbor", "there")
	wishes := manyWishes(w, s.Addr, "there/a", "absent/b", "absent/b2", "there/c")
	wishes[1].Destinations = append(wishes[1].Destinations, wish("src.test/r/x:t", s.Addr+"/there/d:t").Destinations...)
	im := image(1, sample.AMD64)
	w.push("src.test/r/x:"+sample.CosignTag(im.Desc.Digest, ".sig"), sample.Signature(im.Desc.Digest))
	result, err := Copy(t.Context(), w.regs, wishes, goOn, w.observer())
	e, refused := errors.AsType[*remote.PushError](err)
	if !errors.Is(err, ErrUploading) || !refused || e.Reason != remote.NoProject || !slices.Equal(e.Repos, []string{"absent/b", "absent/b2"}) {
		t.Fatalf("error %v", err)
	}
	if images, attached := result.Report.Failed(); images != 2 || attached != 0 || result.Report.Copied != 2 {
		t.Errorf("%d images and %d signatures failed, %d copied", images, attached, result.Report.Copied)
	}
	if got := sent(s); !slices.Equal(got, []string{"there/a", "there/c", "there/d"}) {
		t.Errorf("sent to %q", got)
	}
	rp, _ := s.Registry.Repo("there/d")
	if _, err := rp.Resolve(t.Context(), repo.ByTag(sample.CosignTag(im.Desc.Digest, ".sig"))); err != nil {
		t.Errorf("the signature: %v", err)
	}
}

// Where nothing is left that may be pushed, and where the run is to end at
// refusals, that is one error, and nothing is sent.
func TestCopyEndsAtRefusals(t *testing.T) {
	for _, test := range []struct {
		names []string
		end   bool
	}{{[]string{"one/a", "two/b"}, false}, {[]string{"there/a", "one/b"}, true}} {
		w, s := product(t, "harbor", "there")
		o := goOn
		o.EndRefused = test.end
		result, err := Copy(t.Context(), w.regs, manyWishes(w, s.Addr, test.names...), o, w.observer())
		if e, ok := errors.AsType[*remote.PushError](err); !ok || e.Reason != remote.NoProject || result.Report != nil {
			t.Errorf("%q: %v", test.names, err)
		}
		if got := sent(s); len(got) > 0 {
			t.Errorf("%q: sent to %q", test.names, got)
		}
	}
}

// A wrong password is not tried on repository after repository, and keeps
// nothing from another registry.
func TestCopyGoesOnToAnotherRegistry(t *testing.T) {
	w, s := product(t, "nexus")
	client := remote.New(remote.Options{Insecure: true, Credentials: account(t, s.Addr, "pusher:no"), Now: time.Now})
	other := w.host("dst.test")
	w.regs.o.Remote = func(host string) repo.Registry {
		switch host {
		case s.Addr:
			return client.Registry(host)
		case "dst.test":
			return other
		}
		return w.host(host)
	}
	wishes := []Wish{wish("src.test/r/x:t", "dst.test/y:t")}
	for i := range 30 {
		wishes = append(wishes, manyWishes(w, s.Addr, fmt.Sprintf("p%d/a", i/10))...)
		wishes[i+1].Destinations[0].Path += fmt.Sprint(i)
	}
	result, err := Copy(t.Context(), w.regs, wishes, goOn, w.observer())
	if !errors.Is(err, oci.ErrUnauthorized) || result.Report == nil || result.Report.Copied != 1 || len(result.Report.Failures) != 30 {
		t.Fatalf("error %v, report %+v", err, result.Report)
	}
	if n := s.Count(http.MethodPost, "/"); n > 6 { // three projects, and once more each after the challenge
		t.Errorf("%d uploads were begun with a wrong password", n)
	}
}

// account are credentials for one host.
func account(t *testing.T, host, login string) *auth.Store {
	t.Helper()
	file := filepath.Join(t.TempDir(), "auth.json")
	text := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte(login)))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := auth.Load(auth.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// A fault that is no refusal is left to the copying where the user wants to go
// on, which may find it gone; else it ends the run.
func TestFaultsAreNoRefusals(t *testing.T) {
	for _, on := range []bool{true, false} {
		w, s := product(t, "artifactory")
		s.Script.Add(flaky.Fault{Method: http.MethodPost, Path: "/v2/a/b/", Times: 6, Do: flaky.Status(http.StatusInternalServerError)})
		o := CopyOptions{Plan: PlanOptions{ContinueOnError: on}}
		_, err := Copy(t.Context(), w.regs, manyWishes(w, s.Addr, "a/b", "c"), o, w.observer())
		if on != (err == nil) || s.Script.Hits() != 6 {
			t.Errorf("going on is %v: %v after %d faults", on, err, s.Script.Hits())
		}
	}
}

// A registry that takes no lists without all of their images takes the others.
func TestCopyGoesOnPastSparseLists(t *testing.T) {
	w, s := product(t, "harbor", "there")
	wishes := manyWishes(w, s.Addr, "there/a")
	w.push("src.test/r/l:t", sample.NewIndex(sample.Docker, image(1, sample.AMD64), image(2, sample.ARM64)))
	wishes = append(wishes, wish("src.test/r/l:t", s.Addr+"/there/l:t"))
	o := goOn
	o.Plan.Filter = filter(t, "amd64")
	result, err := Copy(t.Context(), w.regs, wishes, o, w.observer())
	if !errors.Is(err, oci.ErrManifestBlobUnknown) || result.Report == nil || result.Report.Copied != 1 {
		t.Fatalf("error %v", err)
	}
	if n := s.Count("", "/v2/there/l/blobs/"); n > 2 { // the question whether one may push
		t.Errorf("%d requests about blobs of the list", n)
	}
}

// A release image is not written without components that are refused.
func TestRefusedComponentsHoldTheRelease(t *testing.T) {
	w, s := product(t, "harbor", "there")
	wishes := manyWishes(w, s.Addr, "absent/components", "there/release")
	wishes[1].Last = true
	_, err := Copy(t.Context(), w.regs, wishes, goOn, w.observer())
	if got := sent(s); err == nil || len(got) > 0 {
		t.Errorf("error %v, sent to %q", err, got)
	}
}

// A refusal without a known reason is of one repository, and not asked for again.
func TestRefusalsOfStrangersAreEachTheirOwn(t *testing.T) {
	w, s := toProduct(t, flaky.Options{})
	client := remote.New(remote.Options{Insecure: true, Now: time.Now})
	w.regs.o.Remote = func(host string) repo.Registry {
		if host == s.Addr {
			return client.Registry(host)
		}
		return w.host(host)
	}
	s.Script.Add(flaky.Fault{Method: http.MethodPost, Path: "/v2/a/b/", Times: -1, Do: flaky.Status(http.StatusForbidden)})
	_, err := Copy(t.Context(), w.regs, manyWishes(w, s.Addr, "a/b", "c"), goOn, w.observer())
	if got := sent(s); !errors.Is(err, oci.ErrDenied) || !slices.Equal(got, []string{"c"}) {
		t.Errorf("error %v, sent to %q", err, got)
	}
	if n := s.Count(http.MethodPost, "/v2/a/b/"); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// What a registry refuses while images are copied is told apart from faults, too.
func TestOutcomeNamesRefusals(t *testing.T) {
	_, run := catalogRun(t, sample.CatalogSpec{Packages: 1, Bundles: 1})
	wishes := run.Wishes()
	refusal := &remote.PushError{Reason: remote.NoQuota, Host: "h", Repos: []string{"a"}, Err: oci.ErrDenied}
	result := &Result{Plan: &plan.Plan{}, Planning: []error{
		&WishError{Source: wishes[0].Source, Err: refusal}, &WishError{Source: wishes[1].Source, Err: oci.ErrUnavailable},
	}}
	o := run.Copied(result, ErrSome)
	if !o.Missing[0].Refused || o.Missing[1].Refused || o.Missing[2].Refused {
		t.Errorf("%+v", o.Missing)
	}
}

// A refusal that is known is what is told, whatever happens to further questions.
func TestRefusalsAreToldBeforeFaults(t *testing.T) {
	w, s := product(t, "harbor", "there")
	s.Script.Add(flaky.Fault{Method: http.MethodPost, Path: "/v2/there/", Times: -1, Do: flaky.Status(http.StatusInternalServerError)})
	_, err := Copy(t.Context(), w.regs, manyWishes(w, s.Addr, "absent/a", "there/b"), CopyOptions{}, w.observer())
	if e, ok := errors.AsType[*remote.PushError](err); !ok || !slices.Equal(e.Repos, []string{"absent/a"}) || s.Script.Hits() == 0 {
		t.Errorf("error %v after %d faults", err, s.Script.Hits())
	}
}
