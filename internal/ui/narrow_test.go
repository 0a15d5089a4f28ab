package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/plan"
)

// A terminal of 40 columns shows the rate and the time left too.
func TestNarrowScreenLosesNothing(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	p := newProgress(plan.Totals{Images: 6, Bytes: 100 << 20}, start, nil)
	p.moved = 50 << 20
	for _, columns := range []int{40, 100} {
		lines := p.screen(start.Add(time.Second), columns, 12)
		for _, line := range lines {
			if len(line) >= columns {
				t.Errorf("%q is too long for %d columns", line, columns)
			}
		}
		if want := p.line(start.Add(time.Second)); strings.Join(lines, "") != want {
			t.Errorf("%d columns show %q, want %q", columns, lines, want)
		}
	}
}
