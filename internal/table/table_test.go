package table_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/airbridge-dev/airbridge/internal/table"
)

// Tables of plain letters are those of text/tabwriter, which oc uses: columns end
// where a row has fewer cells.
func TestColumnsAreThoseOfTabwriter(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 0))
		var want, got strings.Builder
		w := tabwriter.NewWriter(&want, 0, 4, 2, ' ', 0)
		table.Columns(&got, 2, func(to *table.Table) {
			for range random.IntN(12) {
				cells := make([]string, random.IntN(5))
				for i := range cells {
					cells[i] = strings.Repeat("x", random.IntN(9))
				}
				to.Row(cells...)
				_, _ = w.Write([]byte(strings.Join(cells, "\t") + "\n"))
			}
		})
		_ = w.Flush()
		if got.String() != want.String() {
			t.Fatalf("seed %d:\n%s\nwant\n%s", seed, got.String(), want.String())
		}
	}
}

// What follows a cell stands straight below what follows another.
func TestColumnsStandStraight(t *testing.T) {
	var b strings.Builder
	table.Columns(&b, 2, func(to *table.Table) {
		for _, name := range []string{"plain", "演算子の名", "café", "cafe\u0301", "한국", "\u1112\u1161\u11ab", "🚀 rocket", "ｆｕｌｌ", "a\u200bb"} {
			to.Row(name, "|", "end")
		}
	})
	for line := range strings.Lines(b.String()) {
		before, _, _ := strings.Cut(line, "|")
		if table.Width(before) != 12 { // 五 wide letters and two spaces
			t.Errorf("%d columns before the second cell: %q", table.Width(before), line)
		}
	}
}

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"":              0,
		"operator":      8,
		"™ é Ж Ω ا":     9,
		"演算子":           6,
		"ｶﾅ":            2, // half-width
		"ﾌﾙ全":           4,
		"🚀":             2,
		"🇩🇪":            2, // two letters of one column each
		"e\u0301":       1,
		"a\u200d":       1,
		"\u1112\u1161":  2, // a syllable in two parts
		"\U00020000":    2,
		"\u3000|":       3, // an East Asian blank
		"㍿①":            3,
		"←→":            2,
		"\u0600":        1, // a number sign, visible although Cf
		"〇\u3099\u302a": 2,
	} {
		if got := table.Width(text); got != want {
			t.Errorf("%q: %d columns, want %d", text, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text       string
		columns    int
		end, front string
	}{
		{"operator.v1.2.3", 15, "operator.v1.2.3", "operator.v1.2.3"},
		{"operator.v1.2.3", 8, "operato…", "….v1.2.3"},
		{"演算子の名", 10, "演算子の名", "演算子の名"},
		{"演算子の名", 9, "演算子の…", "…算子の名"},
		{"演算子の名", 8, "演算子…", "…子の名"}, // a wide letter is not halved
		{"cafe\u0301s", 5, "cafe\u0301s", "cafe\u0301s"},
		{"cafe\u0301s!", 5, "cafe\u0301…", "…fe\u0301s!"},
		{"e\u0301e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301…", "…e\u0301e\u0301"},
		{"long", 1, "…", "…"},
	} {
		if got := table.CutEnd(c.text, c.columns); got != c.end {
			t.Errorf("CutEnd(%q, %d) = %q, want %q", c.text, c.columns, got, c.end)
		}
		if got := table.CutFront(c.text, c.columns); got != c.front {
			t.Errorf("CutFront(%q, %d) = %q, want %q", c.text, c.columns, got, c.front)
		}
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain é 演":      "plain é 演",
		"a\tb\nc\x1b[2J": `a\tb\nc\x1b[2J`,
		"pay\u202elarip": `pay\u202elarip`,
		"\u009b31m":      `\u009b31m`,
	} {
		if got := table.Printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func listing() *table.Listing {
	l := table.NewListing(2, table.Column{Title: "NAME"}, table.Column{Title: "SHOWN", Give: table.LosesEnd},
		table.Column{Title: "FROM", Give: table.LosesFront}, table.Column{Title: "CHANNELS", Give: table.Breaks})
	l.Row("operator-a", "An operator with a long name", "operator-a.v1.2.3-4567", "candidate-4.14 fast-4.14 stable-4.14")
	l.Row("b", "短い名前", "", "stable-4.14")
	return l
}

func TestListing(t *testing.T) {
	for columns, want := range map[int]string{
		0: `
NAME        SHOWN                         FROM                    CHANNELS
operator-a  An operator with a long name  operator-a.v1.2.3-4567  candidate-4.14 fast-4.14 stable-4.14
b           短い名前                                              stable-4.14
`,
		80: `
NAME        SHOWN                  FROM                   CHANNELS
operator-a  An operator with a l…  …erator-a.v1.2.3-4567  candidate-4.14
                                                          fast-4.14 stable-4.14
b           短い名前                                      stable-4.14
`,
		60: `
NAME        SHOWN           FROM             CHANNELS
operator-a  An operator w…  …-a.v1.2.3-4567  candidate-4.14
                                             fast-4.14
                                             stable-4.14
b           短い名前                         stable-4.14
`,
	} {
		if got := listing().Text(columns); got != want[1:] {
			t.Errorf("%d columns:\n%s", columns, got)
		}
	}
}

// From its least width on, no line of a listing is wider than the terminal, and
// one with no limit has everything.
func TestListingFits(t *testing.T) {
	l := listing()
	for columns := l.Least(); columns < 130; columns++ {
		for line := range strings.Lines(l.Text(columns)) {
			if table.Width(strings.TrimSuffix(line, "\n")) > columns {
				t.Errorf("wider than %d: %s", columns, line)
			}
		}
	}
	if text := l.Text(1); !strings.Contains(text, "\noperator-a ") || !strings.Contains(text, "candidate-4.14") {
		t.Errorf("cut although it is typed again:\n%s", text)
	}
}

// A name that is too long stands above the rest of its row.
func TestListingAbove(t *testing.T) {
	l := table.NewListing(2, table.Column{Title: "REPOSITORY", Give: table.Above}, table.Column{Title: "TAGS"})
	l.Row("openshift/release", "1")
	l.Row("a/very/long/name/of/a/repository", "22")
	want := `
REPOSITORY          TAGS
openshift/release   1
a/very/long/name/of/a/repository
                    22
`
	if got := l.Text(24); got != want[1:] {
		t.Errorf("got\n%s", got)
	}
}

// Cells of strangers steer no terminal in a listing either.
func TestListingIsPrintable(t *testing.T) {
	l := table.NewListing(1, table.Column{Title: "NAME"})
	l.Row("a\x1b[2J")
	if got := l.Text(0); got != "NAME\na\\x1b[2J\n" {
		t.Errorf("%q", got)
	}
}

// A word goes onto a line where it fits with the blank before it.
func TestBreakCountsTheBlank(t *testing.T) {
	for columns, want := range map[int]string{5: "ab cd", 4: "ab/cd"} {
		if got := strings.Join(table.Break("ab cd", columns), "/"); got != want {
			t.Errorf("%d columns: %q", columns, got)
		}
	}
}
