package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/airbridge-dev/airbridge/internal/table"
)

// wrapHelp breaks the texts of flags where the terminal ends. What is not read
// on a terminal keeps a flag on a line, for grep.
func (a *App) wrapHelp(root *cobra.Command) {
	columns := helpColumns(a.Stdout)
	if columns == 0 {
		return
	}
	plain := root.UsageFunc()
	root.SetUsageFunc(func(c *cobra.Command) error {
		out := c.OutOrStderr()
		var text bytes.Buffer
		c.SetOut(&text)
		err := plain(c)
		c.SetOut(out)
		fmt.Fprint(out, wrapFlags(text.String(), columns))
		return err
	})
}

// helpColumns is the width of the terminal that a writer is, else 0.
func helpColumns(w io.Writer) int {
	if results, ok := w.(*resultWriter); ok {
		w = results.to
	}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	columns, _ := terminalSize(f)
	return columns
}

// flagLine is a line of a list of flags, its text in a column of its own.
var flagLine = regexp.MustCompile(`^( +(?:-\w, )?--[\w-]+(?: \w+)? {2,})(\S.*)$`)

const (
	leastText = 40 // columns; with less beside its flag a text goes below it
	below     = "          "
)

// wrapFlags breaks the lines of flags of a help text.
func wrapFlags(text string, columns int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		parts := flagLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if parts == nil {
			out.WriteString(line)
			continue
		}
		head, indent := parts[1], strings.Repeat(" ", len(parts[1]))
		if columns-len(head) < leastText {
			head, indent = strings.TrimRight(head, " ")+"\n"+below, below
		}
		lines := table.Break(parts[2], columns-len(indent))
		fmt.Fprintln(&out, head+strings.Join(lines, "\n"+indent))
	}
	return out.String()
}
