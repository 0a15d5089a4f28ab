package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

func digest(c string) oci.Digest { return oci.MustDigest("sha256:" + strings.Repeat(c, 64)) }

func blob(c string, size int64) oci.Descriptor { return oci.Descriptor{Digest: digest(c), Size: size} }

func item(manifest string, to Target, blobs ...oci.Descriptor) Item {
	return Item{
		Source: Place{"src", "a"}, Root: digest(manifest), Targets: []Target{to},
		Manifests: []Manifest{{Descriptor: blob(manifest, 10), Blobs: blobs}},
	}
}

func TestTotalsCountSharedContentOncePerRegistry(t *testing.T) {
	one, two := Place{"r1", "x"}, Place{"r1", "y"}
	p := &Plan{Items: []Item{
		item("a", Target{Place: one}, blob("1", 100), blob("2", 1000)),
		item("b", Target{Place: two}, blob("1", 100), blob("3", 5000)),
		item("c", Target{Place: Place{"r2", "x"}}, blob("1", 100)),
		item("d", Target{Place: one, Present: true}, blob("4", 1)),
	}}
	want := Totals{Images: 4, Present: 1, Manifests: 3, Blobs: 4, Bytes: 30 + 100 + 1000 + 5000 + 100}
	if diff := cmp.Diff(want, p.Totals()); diff != "" {
		t.Error(diff)
	}
	if total, largest := p.BytesInto("r1"); total != 20+6100 || largest != 5000 {
		t.Errorf("into r1: %d bytes, largest %d", total, largest)
	}
	if total, largest := p.BytesInto("r2"); total != 110 || largest != 100 {
		t.Errorf("into r2: %d bytes, largest %d", total, largest)
	}
	if diff := cmp.Diff([]Place{one, two, {"r2", "x"}}, p.Destinations()); diff != "" {
		t.Error(diff)
	}
}

func TestItemWithOneTargetLeftIsToDo(t *testing.T) {
	i := item("a", Target{Present: true}, blob("1", 1))
	if i.Todo() {
		t.Error("there is nothing to do")
	}
	i.Targets = append(i.Targets, Target{})
	if !i.Todo() {
		t.Error("one target is left")
	}
}

func TestPlacePrintsAsAReference(t *testing.T) {
	for place, want := range map[Place]string{
		{"quay.io", "a/b"}:          "quay.io/a/b",
		{"file:///mnt/disk", "a/b"}: "file://a/b",
	} {
		if got := place.String(); got != want {
			t.Errorf("%v prints as %s, want %s", place, got, want)
		}
	}
}
