package table

import (
	"strconv"
	"strings"
	"unicode"
)

// Printable shows characters that steer a terminal, or turn the order of what is
// read, as escapes: what strangers wrote into a label must do neither, nor break
// a column.
func Printable(cell string) string { return escape(cell, steers) }

// PrintableText is Printable for what has lines, whose ends and tabs stay.
func PrintableText(text string) string {
	return escape(text, func(r rune) bool { return steers(r) && r != '\n' && r != '\t' })
}

func escape(text string, which func(rune) bool) string {
	if !strings.ContainsFunc(text, which) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if !which(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

func steers(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }
