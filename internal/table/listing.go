package table

import (
	"slices"
	"strings"
)

// Give is how a column becomes narrower where a line is wider than the terminal.
type Give int

// The ways to give way. What users type again is never cut.
const (
	Stays      Give = iota // it does not
	Breaks                 // on more lines, between words
	LosesEnd               // cut, its end does not matter
	LosesFront             // as Breaks, and words too long are cut: their ends matter most
	Above                  // a longer cell gets a line of its own; for the first column
)

// Column is one of a listing.
type Column struct {
	Title string
	Give  Give
}

// Listing is a table with titles that fits into the width of a terminal.
type Listing struct {
	spaces  int // between columns
	columns []Column
	rows    [][]string
}

// NewListing returns a listing without rows, with so many spaces between columns.
func NewListing(spaces int, columns ...Column) *Listing {
	l := &Listing{spaces: spaces, columns: columns, rows: [][]string{nil}}
	for _, c := range columns {
		l.rows[0] = append(l.rows[0], c.Title)
	}
	return l
}

// Row adds a row with a cell for each column.
func (l *Listing) Row(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = Printable(cell)
	}
	l.rows = append(l.rows, row)
}

// least is what is left at least to a column that gives way.
const least = 12

// Text sets the listing in lines of at most so many columns, as far as its
// columns give way; 0 is no limit, and then nothing is left out.
func (l *Listing) Text(columns int) string {
	widths := l.widths(columns)
	var b strings.Builder
	for _, row := range l.rows {
		for _, line := range l.lines(row, widths) {
			l.writeLine(&b, line, widths)
		}
	}
	return b.String()
}

// Least is the number of columns that the listing needs at least.
func (l *Listing) Least() int { return l.total(l.widths(1)) }

// widths are those of the columns. The widest that gives way does so first.
func (l *Listing) widths(columns int) []int {
	widths, smallest := make([]int, len(l.columns)), make([]int, len(l.columns))
	for i := range l.columns {
		for _, row := range l.rows {
			widths[i] = max(widths[i], Width(row[i]))
		}
		smallest[i] = min(widths[i], l.least(i))
	}
	for columns > 0 && l.total(widths) > columns {
		next := -1
		for i, width := range widths {
			if width > smallest[i] && (next < 0 || width > widths[next]) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		widths[next]--
	}
	return widths
}

// least is how narrow a column may get.
func (l *Listing) least(column int) int {
	width := max(least, Width(l.columns[column].Title))
	for _, row := range l.rows {
		switch l.columns[column].Give {
		case Stays:
			width = max(width, Width(row[column]))
		case Breaks:
			for word := range strings.FieldsSeq(row[column]) {
				width = max(width, Width(word))
			}
		case LosesEnd, LosesFront, Above:
		}
	}
	return width
}

func (l *Listing) total(widths []int) int {
	sum := l.spaces * (len(widths) - 1)
	for _, width := range widths {
		sum += width
	}
	return sum
}

// lines are those of a row, with a cell for each column.
func (l *Listing) lines(row []string, widths []int) [][]string {
	var lines [][]string
	at := func(line, column int, text string) {
		for len(lines) <= line {
			lines = append(lines, make([]string, len(row)))
		}
		lines[line][column] = text
	}
	for i, cell := range row {
		switch l.columns[i].Give {
		case Stays, Above:
			at(0, i, cell)
		case LosesEnd:
			at(0, i, CutEnd(cell, widths[i]))
		case LosesFront, Breaks:
			for line, part := range Break(cell, widths[i]) {
				at(line, i, CutFront(part, widths[i]))
			}
		}
	}
	if l.columns[0].Give == Above && Width(row[0]) > widths[0] {
		lines = slices.Insert(lines, 0, row[:1])
		lines[1][0] = ""
	}
	return lines
}

// writeLine writes one line, without blanks at its end.
func (l *Listing) writeLine(b *strings.Builder, cells []string, widths []int) {
	blanks := 0
	for i, cell := range cells {
		if cell != "" {
			b.WriteString(strings.Repeat(" ", blanks) + cell)
			blanks = 0
		}
		blanks += max(widths[i]-Width(cell), 0) + l.spaces
	}
	b.WriteByte('\n')
}
