package remote_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
)

func TestQuay(t *testing.T) {
	login := &flaky.Login{User: "org+robot", Password: "p", Bearer: true, NoDelete: true}
	r := newRig(t, flaky.Options{Quirks: flaky.Quay(), Login: login})
	err := r.registry.CanPush(t.Context(), "a/b/c")
	if !errors.Is(err, oci.ErrUnauthorized) || reasonOf(err) != remote.NestedOrNoRight {
		t.Errorf("CanPush of a nested name = %v, want unauthorized, explained", err)
	}
	if err := r.registry.CanPush(t.Context(), "a/b"); err != nil {
		t.Errorf("CanPush = %v, though only cancelling is refused", err)
	}
	content, desc := randomBlob(9, 5000)
	pushImage(t, mustRepo(t, r.registry, "a/b"), [][]byte{content}, "v1")
	outcome, err := mustRepo(t, r.registry, "a/c").PutBlob(t.Context(), desc, opener(content), "a/b")
	if err != nil || outcome != repo.Mounted {
		t.Errorf("PutBlob = %v, %v, want mounted", outcome, err)
	}
	wrong, wrongDesc := randomBlob(10, 5000)
	wrong[0] ^= 1
	if _, err := mustRepo(t, r.registry, "a/b").PutBlob(t.Context(), wrongDesc, opener(wrong), ""); err == nil {
		t.Error("wrong content was accepted")
	}
}

func TestHarbor(t *testing.T) {
	r := newRig(t, flaky.Options{Quirks: flaky.Harbor("there")})
	err := r.registry.CanPush(t.Context(), "absent/a")
	if reasonOf(err) != remote.NoProject {
		t.Errorf("CanPush without a project = %v, want that said", err)
	}
	p := mustRepo(t, r.registry, "there/a")
	image, manifest := pushImage(t, p, nil, "v1")
	if err := p.PutManifest(t.Context(), image, manifest, "v1"); err != nil {
		t.Errorf("the same push again, to an immutable tag: %v", err)
	}
	other := append([]byte(" "), manifest...)
	otherDesc := oci.Descriptor{MediaType: image.MediaType, Digest: oci.FromBytes(other), Size: int64(len(other))}
	if err := p.PutManifest(t.Context(), otherDesc, other, "v1"); err == nil || !strings.Contains(err.Error(), "412") {
		t.Errorf("another image on an immutable tag: %v, want 412", err)
	}
	if _, _, err := p.Manifest(t.Context(), repo.ByTag("nope")); !oci.IsNotFound(err) {
		t.Errorf("an absent tag: %v, want not found", err)
	}
	wantSparseRefused(t, p)
}

func TestArtifactory(t *testing.T) {
	r := newRig(t, flaky.Options{Quirks: flaky.Artifactory()})
	p := mustRepo(t, r.registry, "a")
	content, _ := randomBlob(11, 100_000)
	image, manifest := pushImage(t, p, [][]byte{content}, "v1")
	if err := p.PutManifest(t.Context(), image, manifest, "v1"); err != nil {
		t.Errorf("the same push again, without the right to overwrite: %v", err)
	}
	other := append([]byte(" "), manifest...)
	otherDesc := oci.Descriptor{MediaType: image.MediaType, Digest: oci.FromBytes(other), Size: int64(len(other))}
	before := r.total()
	if err := p.PutManifest(t.Context(), otherDesc, other, "v1"); err == nil || !strings.Contains(err.Error(), "HTTP 403") {
		t.Errorf("overwriting a tag: %v, want the refusal", err)
	}
	if r.total() != before {
		t.Error("a refusal to overwrite was tried again")
	}
	if n := r.Count(http.MethodPut, "/blobs/uploads/"); n != 2 { // that end two uploads
		t.Errorf("%d PUTs of blobs, want 2: nothing is to be sent twice", n)
	}
	wantTags(t, p, "v1")
}

func TestNexus(t *testing.T) {
	r := newRig(t, flaky.Options{Quirks: flaky.Nexus()})
	p := mustRepo(t, r.registry, "a")
	pushImage(t, p, nil, "v1", "v2")
	wantTags(t, p, "v1", "v2")
	wantSparseRefused(t, p)
}

func TestOpenShift(t *testing.T) {
	r := newRig(t, flaky.Options{Quirks: flaky.OpenShift()})
	if r.registry.InternalOpenShift() {
		t.Error("taken for an internal registry by its address")
	}
	p := mustRepo(t, r.registry, "a")
	image, manifest := pushImage(t, p, nil, "v1")
	if err := p.PutManifest(t.Context(), image, manifest); !errors.Is(err, remote.ErrNoDigestPush) || !r.registry.InternalOpenShift() {
		t.Errorf("push by digest: %v, internal %t", err, r.registry.InternalOpenShift())
	}
	if r.total() > 0 {
		t.Error("the answer was tried again")
	}
	for host, want := range map[string]bool{
		"image-registry.openshift-image-registry.svc:5000":            true,
		"image-registry.openshift-image-registry.svc":                 true,
		"default-route-openshift-image-registry.apps.lab.example.com": true,
		"registry.example.com:5000":                                   false,
		"image-registry.openshift-image-registry.svc.example.com":     false,
	} {
		if got := r.client.Registry(host).InternalOpenShift(); got != want {
			t.Errorf("InternalOpenShift of %s = %t, want %t", host, got, want)
		}
	}
}

// wantSparseRefused pushes an index whose child is absent.
func wantSparseRefused(t *testing.T, p repo.Repo) {
	t.Helper()
	index := []byte(`{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageIndex + `","manifests":[` + descriptor(oci.MediaTypeImageManifest, []byte("absent")) + `]}`)
	d := oci.Descriptor{MediaType: oci.MediaTypeImageIndex, Digest: oci.FromBytes(index), Size: int64(len(index))}
	err := p.PutManifest(t.Context(), d, index, "sparse")
	if !errors.Is(err, oci.ErrManifestBlobUnknown) || oci.IsNotFound(err) {
		t.Errorf("a sparse index: %v, want it to match manifest blob unknown alone", err)
	}
}

func wantTags(t *testing.T, p repo.Repo, want ...string) {
	t.Helper()
	var got []string
	for tag, err := range p.Tags(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, tag)
	}
	if !slices.Equal(got, want) {
		t.Errorf("tags %q, want %q", got, want)
	}
}

// Whatever a registry's 404 looks like, it says that something is not there;
// and nothing else does.
func TestShapesOf404(t *testing.T) {
	for name, test := range map[string]struct {
		answer flaky.Action
		want   bool
	}{
		"specification": {flaky.Answer(404, "application/json", `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`), true},
		"name":          {flaky.Answer(404, "application/json", `{"errors":[{"code":"NAME_UNKNOWN"}]}`), true},
		"unknown":       {flaky.Answer(404, "application/json", `{"errors":[{"code":"UNKNOWN","message":"not found"}]}`), true},
		"own code":      {flaky.Answer(404, "application/json", `{"errors":[{"code":"NOT_FOUND","message":"artifact not found"}]}`), true},
		"other JSON":    {flaky.Answer(404, "application/json", `{"message":"no"}`), true},
		"plain":         {flaky.Answer(404, "text/plain", "404 page not found\n"), true},
		"html":          {flaky.Answer(404, "text/html", "<html>nginx</html>"), true},
		"empty":         {flaky.Status(404), true},
		"gone":          {flaky.Status(410), true},
		"forbidden":     {flaky.Status(403), false},
		"bad request":   {flaky.Answer(400, "application/json", `{"errors":[{"code":"NAME_INVALID"}]}`), false},
		"teapot":        {flaky.Status(418), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, flaky.Options{Faults: []flaky.Fault{{Path: "/a/", Times: -1, Do: test.answer}}})
			p := mustRepo(t, r.registry, "a")
			_, desc := randomBlob(1, 10)
			_, err1 := p.Resolve(t.Context(), repo.ByTag("v"))
			_, _, err2 := p.Manifest(t.Context(), repo.ByDigest(desc.Digest))
			_, err3 := p.StatBlob(t.Context(), desc.Digest)
			_, err4 := p.OpenBlob(t.Context(), desc.Digest, 0)
			var err5 error
			for _, err5 = range p.Tags(t.Context(), "") {
			}
			for i, err := range []error{err1, err2, err3, err4, err5} {
				if err == nil || oci.IsNotFound(err) != test.want {
					t.Errorf("call %d: %v, not found %t, want %t", i, err, oci.IsNotFound(err), test.want)
				}
				if err != nil && strings.ContainsAny(err.Error(), "<\n") {
					t.Errorf("call %d: page in the error: %q", i, err)
				}
			}
		})
	}
}

// Answers that are no manifests do not pass for one.
func TestPagesAreNotManifests(t *testing.T) {
	r := newRig(t, flaky.Options{Faults: []flaky.Fault{{Path: "/manifests/", Times: -1, Do: flaky.Answer(200, "text/html", "<html>please log in</html>")}}})
	if _, _, err := mustRepo(t, r.registry, "a").Manifest(t.Context(), repo.ByTag("v1")); err == nil || oci.IsNotFound(err) {
		t.Errorf("error %v, want one", err)
	}
}
