package engine

import (
	"testing"

	"github.com/airbridge-dev/airbridge/internal/plan"
)

// A repository that had no tags when the plan was made, and has them when it is
// carried out, gets what it lacks, is not sent what it has, and keeps its tags.
func TestTaggedSincePlanned(t *testing.T) {
	b := newBench(t)
	all := images(2)
	first := b.push(all[0], "a", "c", "old")
	if _, err := b.run(&plan.Plan{Items: []plan.Item{first}}, Options{}); err != nil || !b.has("c", "old") {
		t.Fatal(err)
	}
	items := []plan.Item{b.push(all[0], "a", "c", "t0"), b.push(all[1], "a", "c", "t1")}
	for i := range items {
		items[i].Targets[0].Untagged = true
	}
	count := counting()
	b.wrapDst = count.wrap
	report, err := b.run(&plan.Plan{Items: items}, Options{Images: 1})
	if err != nil || len(report.Failures) > 0 || !b.has("c", "old") || !b.has("c", "t0") || !b.has("c", "t1") {
		t.Errorf("%v, %v", err, report.Failures)
	}
	for _, blob := range all[0].Blobs {
		if outcomes := count.put[blob.Desc.Digest]; len(outcomes) > 0 {
			t.Errorf("%s was put, though it is there: %v", blob.Desc.Digest, outcomes)
		}
	}
}
