package release

import (
	"errors"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/rootfs"
)

// What is held of a payload is bounded, over all its layers.
func TestKeptIsBounded(t *testing.T) {
	k := (&kept{size: maxKept - 3}).clone()
	if err := k.add("a.yaml", []byte("xy")); err != nil {
		t.Error(err)
	}
	if err := k.add("notes.txt", []byte("x")); err != nil || len(k.others) != 1 {
		t.Error(err, k.others)
	}
	for _, name := range []string{"b.json", "more.txt"} {
		if err := k.clone().add(name, []byte("x")); !errors.Is(err, rootfs.ErrLimit) {
			t.Error(name, err)
		}
	}
}
