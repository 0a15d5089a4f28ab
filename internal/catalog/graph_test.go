package catalog_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// randomChannel makes a channel of n entries that replace and skip each other
// as it comes, mostly older ones.
func randomChannel(r *rand.Rand, n int) string {
	var entries []string
	for v := n; v > 0; v-- {
		e := fmt.Sprint(v)
		switch {
		case v > 1 && r.IntN(4) > 0:
			e += fmt.Sprintf(">%d", v-1)
		case r.IntN(2) == 0:
			e += fmt.Sprintf(">%d", 1+r.IntN(n))
		}
		for range r.IntN(3) {
			e += fmt.Sprintf("-%d", 1+r.IntN(max(1, v-r.IntN(2))))
		}
		entries = append(entries, e)
	}
	return "s: " + strings.Join(entries, " ")
}

// Whatever part of a channel is wanted, an opm that takes the whole takes the
// part, and the part has all that is wanted.
func TestSelectWhatOpmTakes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	taken := map[rules]int{}
	differ := 0
	for taken[before] < 500 || taken[since] < 500 || differ < 100 {
		n := 2 + r.IntN(7)
		p := pkg{name: "a", standard: "s", channels: []string{randomChannel(r, n)}}
		c := catalogOf(t, []pkg{p})
		if (before.olmTakes(c) == nil) != (since.olmTakes(c) == nil) {
			differ++
		}
		from := 1 + r.IntN(n)
		to := min(n, from+r.IntN(3))
		for _, opm := range []rules{before, since} {
			if opm.olmTakes(c) == nil {
				taken[opm]++
				checkPart(t, opm, c, p, [2]int{from, to})
			}
		}
	}
}

func checkPart(t *testing.T, opm rules, c *catalog.Catalog, p pkg, versions [2]int) {
	t.Helper()
	want := fmt.Sprintf("a::%d.0.0..%d.0.0", versions[0], versions[1])
	out, s, err := catalog.Select(c, wanted(t, want), catalog.SelectOptions{})
	if err == nil {
		err = opm.olmTakes(out)
	}
	if err != nil {
		t.Fatalf("%+v: %s of %s: %s: %v", opm, want, p.channels[0], summary(s), err)
	}
	for v := versions[0]; v <= versions[1]; v++ {
		if !slices.Contains(s.Packages[0].Channels[0].Bundles, bundleName("a", fmt.Sprint(v))) {
			t.Fatalf("%s of %s: %s", want, p.channels[0], summary(s))
		}
	}
}

// What is kept of channels in which what is replaced is skipped as well, or
// what is skipped skips others.
func TestSelectSkippedAndReplaced(t *testing.T) {
	const newer = "is refused by opm since v1.58.0, as it is in the original: entries that are replaced are skipped too, which cuts off "
	for _, test := range []struct{ channel, want, kept, note string }{
		{"3>2-2 2>1-1 1", "..2.0.0", "2 1", ""},
		// Without 5 nothing would skip 2 and 1, to which no chain leads.
		{"5>4-2-1 4>3-3 3>2 2>1 1", "1.0.0..4.0.0", "5 4 3 2 1", "keeps a.v5.0.0, which"},
		{"5>4-2-1 4>3-3 3>2 2>1 1", "1.0.0..3.0.0", "3 2 1", ""},
		{"7>6 6>5-2-1 5>4 4>3-3 3>2 2>1 1", "1.0.0..4.0.0", "6 5 4 3 2 1", "keeps a.v6.0.0, a.v5.0.0, which"},
		// What skips 3 is beside the chain, and without 5 nothing leads to it.
		{"5>4-4-1 4>3 3 1-3", "3.0.0..5.0.0", "5 1 4 3", "keeps a.v1.0.0, which"},
		{"5>4 4>3-1-2 3>2 2 1-3", "1.0.0..4.0.0", "4 1 3 2", ""},
		// Older ones take it as it is, and a part of it.
		{"3>2-2 2>1 1", "..", "3 2 1", newer + "a.v1.0.0"},
		{"3>2-2 2>1 1", "..2.0.0", "2 1", ""},
		{"4>3 3>2-2 2>1 1", "..3.0.0", "3 2 1", newer + "a.v1.0.0"},
		{"4>3 3>2 2-3", "2.0.0..3.0.0", "4 3 2", "keeps a.v4.0.0, which"},
		// A circle that newer ones do not see.
		{"4>3 3>2-2 2>3", "2.0.0..3.0.0", "4 3 2", "keeps a.v4.0.0, which"},
		// What is skipped by what is skipped.
		{"4>1-3 3>1-2 2>1 1", "2.0.0..4.0.0", "4 3 2", ""},
		{"4>1-3 3>1-2 2>1 1", "2.0.0..2.1.0", "4 3 2", "keeps a.v4.0.0, a.v3.0.0, which"},
		{"5>4-3 4>2-3 3 2", "3.0.0..4.0.0", "4 3", ""},
		// What could be no head by itself.
		{"3>1-2 2>2 1", "2.0.0", "3 2", "keeps a.v3.0.0, which"},
		{"5>4 4 3-2 2-3", "2.0.0..4.0.0", "5 4 3 2", "keeps a.v5.0.0, which"},
		// What skips it on the chain comes first.
		{"5>4-2 4>1-3 3>1-2 2 1", "2.0.0..2.1.0", "5 2", "keeps a.v5.0.0, which"},
	} {
		c := catalogOf(t, []pkg{{name: "a", standard: "s", channels: []string{"s: " + test.channel}}})
		_, s, err := catalog.Select(c, wanted(t, "a::"+test.want), catalog.SelectOptions{})
		t.Run(test.channel+" "+test.want, func(t *testing.T) { checkSelection(t, "a[s*: "+test.kept+"]", s, err) })
		if notes := strings.Join(s.Notes, "; "); !strings.Contains(notes, test.note) || test.note == "" && notes != "" {
			t.Errorf("%s %s: notes %s", test.channel, test.want, notes)
		}
	}
}
