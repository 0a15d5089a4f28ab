package table

import (
	"slices"
	"strings"
	"unicode"
)

// Width is the number of columns that a terminal gives to a text of one line:
// two for the letters of East Asia and for pictures, none for marks that go onto
// the letter before.
func Width(text string) int {
	columns := 0
	for _, r := range text {
		columns += runeWidth(r)
	}
	return columns
}

// CutEnd shortens a text to so many columns, at its end.
func CutEnd(text string, columns int) string {
	if Width(text) <= columns {
		return text
	}
	used := 0
	for i, r := range text {
		if used += runeWidth(r); used >= columns {
			return text[:i] + "…"
		}
	}
	return text
}

// CutFront shortens a text to so many columns, at its beginning.
func CutFront(text string, columns int) string {
	more := Width(text) - columns + 1 // and the sign that it was cut
	if more <= 1 {
		return text
	}
	for i, r := range text {
		if more <= 0 && runeWidth(r) > 0 { // not between a letter and its marks
			return "…" + text[i:]
		}
		more -= runeWidth(r)
	}
	return "…"
}

// Break breaks a text between words into lines of so many columns. A word that
// is longer stays whole.
func Break(text string, columns int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := len(lines) - 1
		switch {
		case lines[last] == "":
			lines[last] = word
		case Width(lines[last])+1+Width(word) > columns:
			lines = append(lines, word)
		default:
			lines[last] += " " + word
		}
	}
	return lines
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300: // what nearly all texts are made of
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me), 0x1160 <= r && r <= 0x11ff: // marks; later parts of a Hangul syllable
		return 0
	case unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return 0
	}
	_, found := slices.BinarySearchFunc(wide, r, func(span [2]rune, r rune) int {
		switch {
		case span[1] < r:
			return -1
		case span[0] > r:
			return 1
		}
		return 0
	})
	if found {
		return 2
	}
	return 1
}
