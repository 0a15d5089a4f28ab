package ui

import "github.com/airbridge-dev/airbridge/internal/table"

// Printable returns a text in which the characters that would steer a terminal,
// or turn the order of what is read, stand as Go writes them: \x1b. Messages
// quote files and answers that others made.
func Printable(text string) string { return table.PrintableText(text) }
