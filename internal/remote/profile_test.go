package remote_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
)

// reasonOf is the reason of a refused push, "" for none.
func reasonOf(err error) remote.Reason {
	if e, ok := errors.AsType[*remote.PushError](err); ok {
		return e.Reason
	}
	return ""
}

// newProfile starts a model of a product and a client that may push to it.
func newProfile(t *testing.T, product string, exist ...string) *rig {
	t.Helper()
	o, err := flaky.Profile(product, exist...)
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, o)
}

// Each product's refusals of a push are told apart, at the first request that
// shows them, and after it nothing is sent.
func TestRefusals(t *testing.T) {
	const pusher, reader, wrong = "pusher:pw", "reader:pw", "pusher:no"
	for _, test := range []struct {
		product, exist, account, name string
		want                          remote.Reason
		is                            error // where there is no reason
	}{
		{"quay", "org", pusher, "org/a", "", nil},
		{"quay", "org", pusher, "org/a/b", remote.NestedName, nil},
		{"quay", "org", reader, "org/a", remote.NoRight, nil},
		{"quay", "org", reader, "org/a/b", remote.NestedName, nil},
		{"quay", "org", pusher, "other/a", remote.NoRight, nil},
		{"quay", "org", wrong, "org/a", "", oci.ErrUnauthorized},
		{"quay", "org", "", "org/a", "", oci.ErrUnauthorized},
		{"harbor", "there", pusher, "there/a/b/c", "", nil},
		{"harbor", "there", pusher, "absent/a", remote.NoProject, nil},
		{"harbor", "there", reader, "there/a/b", remote.NoRight, nil},
		{"harbor", "there", wrong, "there/a", "", oci.ErrUnauthorized},
		{"artifactory", "", pusher, "key/a/b/c", "", nil},
		{"artifactory", "", reader, "key/a/b/c", remote.NoRight, nil},
		{"artifactory", "", wrong, "key/a", "", oci.ErrUnauthorized},
		{"nexus", "", pusher, "a/b/c/d", "", nil},
		{"nexus", "", reader, "a/b/c/d", remote.NoRight, nil},
		{"nexus", "", wrong, "a", "", oci.ErrUnauthorized},
		{"ecr", "a/b/c", pusher, "a/b/c", "", nil},
		{"ecr", "a/b/c", pusher, "a/b", remote.NoRepository, nil},
		{"ecr", "a/b/c", reader, "a/b/c", remote.NoRight, nil},
		{"ecr", "a/b/c", wrong, "a/b/c", "", oci.ErrUnauthorized},
		{"gitlab", "g/p", pusher, "g/p/a/b", "", nil},
		{"gitlab", "g/p", pusher, "g/p/a/b/c", remote.NoGitLabProject, nil},
		{"gitlab", "g/p", pusher, "g/other", remote.NoGitLabProject, nil},
		{"gitlab", "g/p", reader, "g/p/a", remote.NoRight, nil},
		{"gitlab", "g/p", wrong, "g/p/a", "", oci.ErrDenied},
	} {
		t.Run(fmt.Sprintf("%s/%s/%s", test.product, test.account, test.name), func(t *testing.T) {
			r := newProfile(t, test.product, strings.Fields(test.exist)...)
			r.login(t, test.account)
			err := r.registry.CanPush(t.Context(), test.name)
			if reasonOf(err) != test.want || test.is != nil && !errors.Is(err, test.is) || test.want == "" && test.is == nil && err != nil {
				t.Errorf("CanPush = %v, want %q %v", err, test.want, test.is)
			}
			if r.total() != 0 {
				t.Errorf("waited %v before trying again", r.total())
			}
			if n := r.Count(http.MethodPost, "/uploads/"); n > 2 { // the second is with a fresh token
				t.Errorf("%d uploads were begun", n)
			}
		})
	}
}

// login gives the rig a client with another account, or none.
func (r *rig) login(t *testing.T, account string) {
	t.Helper()
	o := remote.Options{Now: r.Now, Sleep: r.Sleep, Insecure: true}
	if account != "" {
		o.Credentials = credentials(t, r.Addr, account)
	}
	r.client = remote.New(o)
	r.registry = r.client.Registry(r.Addr)
}

// Images, a list, the same blob in two repositories and what refers to an image
// go into each product, and come back as they were.
func TestProfilesTakeImages(t *testing.T) {
	for product, names := range map[string][2]string{
		"quay": {"org/a", "org/b"}, "harbor": {"there/a", "there/b/c"}, "artifactory": {"a", "b"},
		"nexus": {"a", "b"}, "ecr": {"a/b", "c"}, "gitlab": {"g/p/a", "g/p/b"},
	} {
		t.Run(product, func(t *testing.T) {
			r := newProfile(t, product, "org", "there", "g/p", "a/b", "c")
			one, two := mustRepo(t, r.registry, names[0]), mustRepo(t, r.registry, names[1])
			content, desc := randomBlob(7, 3<<20)
			image, _ := pushImage(t, one, [][]byte{content}, "v1")
			if _, err := two.PutBlob(t.Context(), desc, opener(content), names[0]); err != nil {
				t.Fatal(err)
			}
			list := []byte(`{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageIndex + `","manifests":[` +
				fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}]}`, image.MediaType, image.Digest, image.Size))
			d := oci.Descriptor{MediaType: oci.MediaTypeImageIndex, Digest: oci.FromBytes(list), Size: int64(len(list))}
			if err := one.PutManifest(t.Context(), d, list, "all"); err != nil {
				t.Fatal(err)
			}
			wantReferrer(t, one, image)
			if got, err := readBlob(t, two, desc.Digest, 0); err != nil || !slices.Equal(got, content) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
			if _, body, err := one.Manifest(t.Context(), repo.ByTag("all")); err != nil || string(body) != string(list) {
				t.Errorf("the list came back as %q, %v", body, err)
			}
		})
	}
}

// wantReferrer pushes a signature of an image and finds it.
func wantReferrer(t *testing.T, p repo.Repo, subject oci.Descriptor) {
	t.Helper()
	config := []byte(`{"architecture":"amd64","os":"linux"}`)
	if _, err := p.PutBlob(t.Context(), oci.Descriptor{MediaType: oci.MediaTypeImageConfig, Digest: oci.FromBytes(config), Size: int64(len(config))}, opener(config), ""); err != nil {
		t.Fatal(err)
	}
	body := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"artifactType":"test/sig","config":%s,"layers":[],"subject":{"mediaType":%q,"digest":%q,"size":%d}}`,
		oci.MediaTypeImageManifest, descriptor(oci.MediaTypeImageConfig, config), subject.MediaType, subject.Digest, subject.Size)
	d := oci.Descriptor{MediaType: oci.MediaTypeImageManifest, Digest: oci.FromBytes(body), Size: int64(len(body))}
	if err := p.PutManifest(t.Context(), d, body); err != nil {
		t.Fatal(err)
	}
	for got, err := range p.Referrers(t.Context(), subject.Digest) {
		if err != nil || got.Digest != d.Digest {
			t.Errorf("referrer %v, %v, want %s", got, err, d.Digest)
		}
		return
	}
	t.Error("no referrer")
}

// ECR loses all chunks but the first, so an upload that broke begins again.
func TestECRUploadBeginsAgain(t *testing.T) {
	r := newProfile(t, "ecr", "a")
	r.Script.Add(flaky.Fault{Method: http.MethodPut, Path: "/blobs/uploads/", Do: flaky.BreakUpload(1 << 20)})
	content, desc := randomBlob(8, 3<<20)
	if _, err := mustRepo(t, r.registry, "a").PutBlob(t.Context(), desc, opener(content), ""); err != nil {
		t.Fatal(err)
	}
	if r.Script.Hits() != 1 || r.Count(http.MethodPatch, "") != 0 {
		t.Errorf("%d faults, %d PATCHes, want one fault and a new PUT", r.Script.Hits(), r.Count(http.MethodPatch, ""))
	}
}

// GitLab mounts nothing: one refusal is enough to know.
func TestGitLabMountsOnce(t *testing.T) {
	r := newProfile(t, "gitlab", "g/p")
	one, two := mustRepo(t, r.registry, "g/p/a"), mustRepo(t, r.registry, "g/p/b")
	for i := range 3 {
		content, desc := randomBlob(uint64(20+i), 1000)
		for _, p := range []repo.Repo{one, two} {
			if _, err := p.PutBlob(t.Context(), desc, opener(content), "g/p/a"); err != nil {
				t.Fatal(err)
			}
		}
	}
	mounts := 0
	for _, q := range r.Requests() {
		if strings.Contains(q.Query, "mount=") {
			mounts++
		}
	}
	if mounts == 0 || mounts > 2 { // the second is with a fresh token
		t.Errorf("%d requests to mount, want one or two", mounts)
	}
}

// An OCI manifest without its media type cannot go to ECR, and that is said.
func TestECRWantsMediaTypes(t *testing.T) {
	r := newProfile(t, "ecr", "a")
	p := mustRepo(t, r.registry, "a")
	_, manifest := pushImage(t, p, nil, "v1")
	bare := []byte(strings.Replace(string(manifest), `"mediaType":"`+oci.MediaTypeImageManifest+`",`, "", 1))
	d := oci.Descriptor{MediaType: oci.MediaTypeImageManifest, Digest: oci.FromBytes(bare), Size: int64(len(bare))}
	if err := p.PutManifest(t.Context(), d, bare, "v2"); string(bare) == string(manifest) || reasonOf(err) != remote.Unnamed {
		t.Errorf("error %v, want %q", err, remote.Unnamed)
	}
}

// Which repositories are asked about depends on whose rights go by what.
func TestAsk(t *testing.T) {
	names := []string{"a/b", "a/b/c", "a/d/e/f", "g/h", "g/h/i", "k", "l/m", "n/o"}
	for product, want := range map[string][]string{
		"":            {"a/d/e/f", "g/h/i", "l/m", "n/o"},
		"quay":        {"a/d/e/f", "g/h/i", "l/m", "n/o", "k"},
		"harbor":      {"a/d/e/f", "g/h/i", "l/m", "n/o", "k"},
		"artifactory": {"a/d/e/f", "g/h/i", "l/m", "n/o", "k"},
		"gitlab":      {"a/d/e/f", "a/b/c", "g/h/i", "l/m", "n/o", "k"},
		"ecr":         {"a/d/e/f", "a/b/c", "g/h/i", "a/b", "g/h", "l/m", "n/o", "k"},
	} {
		r := newRig(t, flaky.Options{})
		if product != "" {
			r = newProfile(t, product)
		}
		_, _ = mustRepo(t, r.registry, "a").Resolve(t.Context(), repo.ByTag("x"))
		if got := r.registry.Ask(names); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", product, got, want)
		}
		if got := r.registry.Ask(names[5:6]); !slices.Equal(got, names[5:6]) {
			t.Errorf("%s: of one %q", product, got)
		}
	}
}
