package cluster_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/cluster"
)

func TestMerge(t *testing.T) {
	image := []cluster.MirrorSource{{Mirrors: []string{"m/images", "m/release"}, Source: "q/b"}}
	got := cluster.Merge(image, []cluster.MirrorSource{
		{Mirrors: []string{"m/release", "m/more"}, Source: "q/b"}, {Mirrors: []string{"m/release"}, Source: "q/a"},
	})
	want := []cluster.MirrorSource{
		{Mirrors: []string{"m/release"}, Source: "q/a"}, {Mirrors: []string{"m/images", "m/release", "m/more"}, Source: "q/b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"m/images", "m/release"}, image[0].Mirrors); diff != "" {
		t.Errorf("the argument was changed: %s", diff)
	}
	if cluster.Merge(nil, nil) != nil {
		t.Error("something of nothing")
	}
}
