// Package table sets cells in columns that stand straight on a terminal,
// whatever characters the cells have. Cells are shown as texts of strangers are:
// nothing in them steers the terminal.
package table

import "strings"

// Table collects rows of cells.
type Table struct{ rows [][]string }

// Columns aligns the cells of what fill writes, with so many spaces between
// columns, and adds it to b.
func Columns(b *strings.Builder, spaces int, fill func(*Table)) {
	var t Table
	fill(&t)
	t.write(b, spaces)
}

// Row adds one row. Columns end at a row with fewer cells.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = Printable(cell)
	}
	t.rows = append(t.rows, row)
}

// write pads all cells but the last of a row.
func (t *Table) write(b *strings.Builder, spaces int) {
	var widths []int // of the columns that the row has, all but the last
	for i, row := range t.rows {
		widths = t.columns(i, widths)
		for j, cell := range row {
			b.WriteString(cell)
			if j < len(widths) {
				b.WriteString(strings.Repeat(" ", widths[j]+spaces-Width(cell)))
			}
		}
		b.WriteByte('\n')
	}
}

// columns are the widths of the columns of a row. Those that the row before has
// go on; each other one is as wide as it needs to be up to its end.
func (t *Table) columns(row int, before []int) []int {
	n := max(len(t.rows[row])-1, 0)
	widths := before[:min(len(before), n)]
	for len(widths) < n {
		widths = append(widths, t.width(row, len(widths)))
	}
	return widths
}

// width is that of a column which begins at a row.
func (t *Table) width(row, column int) int {
	most := 0
	for ; row < len(t.rows) && column < len(t.rows[row])-1; row++ {
		most = max(most, Width(t.rows[row][column]))
	}
	return most
}
