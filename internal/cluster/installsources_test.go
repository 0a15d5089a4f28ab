package cluster_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/cluster"
)

func TestInstallSources(t *testing.T) {
	const text = `
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
spec:
  imageDigestMirrors:
  - {source: quay.io/b, mirrors: [r.x/b, r.x/c]}
  - {source: quay.io/a, mirrors: [r.x/a], mirrorSourcePolicy: NeverContactSource}
  - {source: quay.io/b, mirrors: [r.x/c, r.x/d]}
  - {source: "*.example.com", mirrors: [r.x/e]}
  - {source: quay.io/none}
---
apiVersion: config.openshift.io/v1
kind: ImageTagMirrorSet
spec:
  imageTagMirrors:
  - {source: quay.io/t, mirrors: [r.x/t]}
  - {source: quay.io/t, mirrors: [r.x/u]}
`
	rules, err := cluster.ParseMirrors("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got, left := rules.InstallSources()
	want := []cluster.MirrorSource{{Source: "quay.io/b", Mirrors: []string{"r.x/b", "r.x/c", "r.x/d"}}, {Source: "quay.io/a", Mirrors: []string{"r.x/a"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"that quay.io/a is never to be asked: apply the ImageDigestMirrorSet when the cluster runs",
		"mirrors of *.example.com, since only single registries and repositories may be named",
		"mirrors of quay.io/t for tags: apply the ImageTagMirrorSet when the cluster runs",
	}, left); diff != "" {
		t.Error(diff)
	}
}

func TestReleaseOf(t *testing.T) {
	for _, tt := range []struct{ path, content, want string }{
		{"/media/mirror-4.14.3/imageDigestMirrorSet.yaml", "", "4.14.3"},
		{"mirror-4.15.0-rc.2", "", "4.15.0"},
		{`D:\mirror-4.12.0\x.yaml`, "", "4.12.0"},
		{"x-mirror-4.14.3", "", ""},
		{"out.txt", "\nSuccess\nUpdate image:  r.x:5000/ocp4/release:4.13.9-x86_64\nMirror prefix: r.x:5000/ocp4/release\n", "4.13.9"},
		{"out.txt", "Update image:  r.x:5000/ocp4/release:latest\n", ""},
		{"-", string(cluster.IDMS.Object("mirror-4.14.3", sources)), "4.14.3"},
		{"-", string(cluster.IDMS.Object("example", sources)), ""},
	} {
		if got := cluster.ReleaseOf(tt.path, []byte(tt.content)); got != tt.want {
			t.Errorf("%q %q: %q, want %q", tt.path, tt.content, got, tt.want)
		}
	}
}
