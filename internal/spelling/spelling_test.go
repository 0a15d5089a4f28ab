package spelling

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"stable", "stable", 0},
		{"stabel", "stable", 2},
		{"", "abc", 3},
		{"kitten", "sitting", 3},
		{"ab", "b", 1},
		{strings.Repeat("a", maxDistance+1), "a", maxDistance + 1},
	} {
		if got, back := Distance(c.a, c.b), Distance(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%.10q and %.10q: %d and %d, want %d", c.a, c.b, got, back, c.want)
		}
	}
}
