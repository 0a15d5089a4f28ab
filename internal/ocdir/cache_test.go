package ocdir

import (
	"fmt"
	"os"
	"testing"
)

// The cache stays small, and takes nothing that was derived while a file
// changed: two changes can have the same time.
func TestCache(t *testing.T) {
	info, err := os.Lstat(".")
	must(t, err)
	c := newCache[int](10)
	for i := range 100 {
		c.put(c.moment(), fmt.Sprint(i), info, i)
	}
	if len(c.entries) != 10 {
		t.Errorf("%d entries, want 10", len(c.entries))
	}
	before := c.moment()
	c.drop("99")
	if _, ok := c.get("99", info); ok {
		t.Error("what was dropped is still there")
	}
	c.put(before, "99", info, 1)
	if _, ok := c.get("99", info); ok {
		t.Error("what was derived before a change is taken after it")
	}
}
