package registry_test

import (
	"testing"

	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// TestVerifyCountsUnusedContent loses the facts of a registry: content that
// belongs to no image any more is no damage, but it is told.
func TestVerifyCountsUnusedContent(t *testing.T) {
	d := newDisk(t)
	pushRelease(t, d.open())
	whole := verify(t, d.open())
	if whole.Unused != 0 || whole.UnusedBytes != 0 {
		t.Fatalf("of a whole registry %d blobs, %d bytes are unused", whole.Unused, whole.UnusedBytes)
	}
	d.facts = kv.Mem()
	lost := verify(t, d.open())
	if lost.Unused != whole.Blobs || lost.UnusedBytes != whole.Bytes || len(lost.Damages) > 0 {
		t.Errorf("without facts: %+v, want all %d blobs, %d bytes unused", lost, whole.Blobs, whole.Bytes)
	}
}
