package catalog_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// etcd is a digest of oc.md 23.
const etcd = "sha256:c0301e4686c3ed4206e370b42de5a3bd2229b9fb4906cf85f3f30650424abec2"

// The vectors of oc.md 23, which real oc was seen to make.
func TestHashTag(t *testing.T) {
	for original, want := range map[string]string{
		"quay.io/coreos/etcd-operator@" + etcd: "2f1eb95",
		"quay.io/coreos/etcd-operator@sha256:db563baa8194fcfe39d1df744ed70024b0f1f9e9b55b5923c2f3a413c44dc6b8":       "b56e2636",
		"quay.io/coreos/prometheus-operator@sha256:5037b4e90dbb03ebdefaa547ddf6a1f748c8eeebeedf6b9d9f0913ad662b5731": "76771fef",
		"docker.io/my/image@sha256:154d7e0295a94fb3d2a97309d711186a98a7308da37a5cd3d50360c6b2ba57de":                 "a1d77056",
	} {
		if got := catalog.HashTag(original); got != want {
			t.Errorf("HashTag(%s) = %s, want %s", original, got, want)
		}
	}
}

func TestMount(t *testing.T) {
	const myImage = "docker.io/my/image:tag"
	for _, c := range []struct {
		image, dest string
		max         int
		want        string
	}{
		{myImage, "quay.io/my-org", 2, "quay.io/my-org/my-image:tag"},
		{myImage, "quay.io/my-org", 3, "quay.io/my-org/my/image:tag"},
		{myImage, "quay.io/my-org", 0, "quay.io/my-org/my/image:tag"},
		{myImage, "quay.io/my-org/sub-org", 2, "quay.io/my-org/sub-org-my-image:tag"},
		{myImage, "quay.io/my-org/sub-org", 3, "quay.io/my-org/sub-org/my-image:tag"},
		{myImage, "quay.io/my-org/sub-org", 4, "quay.io/my-org/sub-org/my/image:tag"},
		{myImage, "quay.io/my-org/sub-org", 0, "quay.io/my-org/sub-org/my/image:tag"},
		{"quay.io/a/b/c/d:t", "m:5000/x", 2, "m:5000/x/a-b-c-d:t"},
		{"quay.io/a/b/c/d:t", "m:5000/x", 3, "m:5000/x/a/b-c-d:t"},
		{"quay.io/a/b/c/d:t", "m:5000/x", 4, "m:5000/x/a/b/c-d:t"},
		{"registry.redhat.io/redhat/redhat-operator-index:v4.14", "m.example.com:5000/olm-mirror", 2, "m.example.com:5000/olm-mirror/redhat-redhat-operator-index:v4.14"},
		{"registry.redhat.io/redhat/redhat-operator-index:v4.14", "m.example.com:5000/olm-mirror", 3, "m.example.com:5000/olm-mirror/redhat/redhat-operator-index:v4.14"},
		{"registry.redhat.io/redhat/redhat-operator-index:v4.14", "m.example.com:5000", 2, "m.example.com:5000/redhat/redhat-operator-index:v4.14"},
		{"quay.io/example/image:tag", "file:///local/index", 0, "file://local/index/example/image:tag"},
		{"quay.io/coreos/etcd-operator@" + etcd, "m.io/x", 2, "m.io/x/coreos-etcd-operator:2f1eb95"},
		{"quay.io/coreos/etcd-operator:v1@" + etcd, "m.io/x", 2, "m.io/x/coreos-etcd-operator:v1"},
		{"quay.io/coreos/etcd-operator", "m.io", 2, "m.io/coreos/etcd-operator:latest"},
		{"quay.io/one:v1", "m.io", 2, "m.io/one:v1"},
		{"quay.io/one:v1", "m.io", 0, "m.io/one:v1"},
		{"busybox:1.36", "m.io", 2, "m.io/library/busybox:1.36"},
		{"docker.io/busybox:1.36", "m.io/x", 2, "m.io/x/library-busybox:1.36"},
		{"registry-1.docker.io/busybox:1.36", "m.io", 2, "m.io/library/busybox:1.36"},
		// Step two: the index image comes from a directory.
		{"file://local/index/redhat/redhat-operator-index:v4.14", "m.io", 0, "m.io/local/index/redhat/redhat-operator-index:v4.14"},
		{"file://local/index/redhat/redhat-operator-index:v4.14", "m.io", 2, "m.io/local/index-redhat-redhat-operator-index:v4.14"},
		{"file://local/index/redhat/redhat-operator-index:v4.14", "m.io/olm-mirror", 2, "m.io/olm-mirror/local-index-redhat-redhat-operator-index:v4.14"},
	} {
		got, err := catalog.Mount(ref.MustParse(c.image), ref.MustParse(c.dest), c.max)
		if err != nil || got.String() != c.want {
			t.Errorf("Mount(%s, %s, %d) = %s, %v, want %s", c.image, c.dest, c.max, got, err, c.want)
		}
	}
}

// What oc hashes is the text as written, with library/ only where Docker Hub
// is named.
func TestMountHashesAsWritten(t *testing.T) {
	for image, hashed := range map[string]string{
		"busybox@" + etcd:           "busybox@" + etcd,
		"docker.io/busybox@" + etcd: "docker.io/library/busybox@" + etcd,
		"quay.io/a/b@" + etcd:       "quay.io/a/b@" + etcd,
	} {
		got, err := catalog.Mount(ref.MustParse(image), ref.MustParse("m.io"), 2)
		if err != nil || got.Tag != catalog.HashTag(hashed) {
			t.Errorf("Mount(%s) = %s, %v, want the hash of %s", image, got, err, hashed)
		}
	}
}

func TestMountRefuses(t *testing.T) {
	image := ref.MustParse("quay.io/a/b:v1")
	for _, max := range []int{1, -1} {
		if _, err := catalog.Mount(image, ref.MustParse("m.io/x"), max); !errors.Is(err, catalog.ErrMaxComponents) {
			t.Errorf("max %d: %v", max, err)
		}
	}
	long := ref.Ref{Host: "quay.io", Path: strings.Repeat("a", 200) + "/" + strings.Repeat("b", 50), Tag: "v1"}
	if _, err := catalog.Mount(long, ref.MustParse("m.io/more"), 2); !errors.Is(err, oci.ErrNameInvalid) {
		t.Errorf("a name that is too long: %v", err)
	}
}

func TestManifestsDir(t *testing.T) {
	for index, want := range map[string]string{
		"registry.redhat.io/redhat/redhat-operator-index:v4.14": "manifests-redhat-operator-index-1614211642",
		"file://local/index/redhat/redhat-operator-index:v4.14": "manifests-index/redhat/redhat-operator-index-1614211642",
		"m.io/olm-mirror/local-index-redhat-my-index@" + etcd:   "manifests-local-index-redhat-my-index-1614211642",
		"file:///local/index/myrepo/my-index:v1":                "manifests-index/myrepo/my-index-1614211642",
		"m.io/one:v1":                                           "manifests-one-1614211642",
	} {
		if got := catalog.ManifestsDir(ref.MustParse(index), 1614211642); got != want {
			t.Errorf("ManifestsDir(%s) = %s, want %s", index, got, want)
		}
	}
}

// An index image in the mirror is served from a medium where it lies at its place
// there. That it is called what it was called outside is no sign of that.
func TestNamingIsServed(t *testing.T) {
	n := catalog.Naming{Index: ref.MustParse("m.io/a/b/c:v1"), Dest: ref.MustParse("m.io"), Max: 2}
	for on, want := range map[string]bool{
		"file://a/b/c:v1":             true,
		"file://a/b:v1":               false,
		"registry.redhat.io/a/b/c:v1": false,
	} {
		if got := n.IsServed(ref.MustParse(on)); got != want {
			t.Errorf("%s: %v", on, got)
		}
	}
	n.Max = 0 // a run pushes it there
	if n.IsServed(ref.MustParse("file://a/b/c:v1")) {
		t.Error("what a run pushed is taken for a medium")
	}
}
