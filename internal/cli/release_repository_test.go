package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
)

// A release from a medium is known by where its maker publishes it.
func TestApart(t *testing.T) {
	const art = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
	image, components := ref.MustParse("r.x/images"), ref.MustParse("r.x/release")
	payload := func(from string) *release.Payload {
		return &release.Payload{Components: []release.Component{{Name: "cli", From: ref.MustParse(from)}}}
	}
	for name, c := range map[string]struct {
		from, component string
		want            []cluster.MirrorSource
	}{
		"from a medium": {"file://openshift/images:1", art, []cluster.MirrorSource{
			{Mirrors: []string{"r.x/images", "r.x/release"}, Source: "quay.io/openshift-release-dev/ocp-release"},
			{Mirrors: []string{"r.x/release"}, Source: art},
		}},
		"of an unknown maker": {"file://openshift/images:1", "q.x/c", []cluster.MirrorSource{{Mirrors: []string{"r.x/release"}, Source: "q.x/c"}}},
		"from one repository": {"q.x/c:1", "q.x/c", []cluster.MirrorSource{{Mirrors: []string{"r.x/images", "r.x/release"}, Source: "q.x/c"}}},
	} {
		got := apart(payload(c.component), ref.MustParse(c.from), image, components)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestArchInName(t *testing.T) {
	for path, want := range map[string]string{
		"amd64-stable-4.13.json": "x86_64", "/x/arm64/graph-x86_64.json": "x86_64", "graph_aarch64_4.14": "aarch64",
		"multi.json": "multi", "graph.json": "", "multicluster.json": "", "s390xx": "", "": "",
	} {
		if got := archInName(path).String(); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
