package cli

import (
	"slices"
	"testing"
)

// A command line gets another --max-components, however it gave the first.
func TestWithComponents(t *testing.T) {
	want := []string{"adm", "x", "--max-components=2"}
	for _, args := range [][]string{
		{"adm", "x"}, {"adm", "--max-components=0", "x"}, {"adm", "--max-components", "0", "x"}, {"adm", "x", "--max-components"},
	} {
		if got := withComponents(args, "2"); !slices.Equal(got, want) {
			t.Errorf("%q: %q", args, got)
		}
	}
}
