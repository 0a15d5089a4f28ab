package cli

import (
	"strings"
	"testing"
)

// examples are the command lines of a command's help that start this program,
// up to what the shell does with them.
func examples(text string) [][]string {
	var out [][]string
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " ... ")
		if i := strings.IndexAny(line, "|<>;"); i >= 0 {
			line = line[:i]
		}
		words := strings.Fields(strings.NewReplacer("'", "", `"`, "").Replace(line))
		if len(words) > 1 && words[0] == "airbridge" {
			out = append(out, words[1:])
		}
	}
	return out
}

// Every example of the help names a command that there is, with flags that it
// has and values that these take.
func TestExamplesParse(t *testing.T) {
	a := &App{Args: []string{"airbridge"}}
	seen := 0
	var walk func(c command)
	walk = func(c command) {
		for _, args := range examples(c.Example) {
			seen++
			fresh := a.root() // flags keep what was parsed
			found, rest, err := fresh.Find(args)
			if err == nil {
				err = found.ParseFlags(rest)
			}
			if err != nil {
				t.Errorf("%s: example %q: %v", c.CommandPath(), args, err)
			} else if found.CommandPath() != c.CommandPath() && found.HasSubCommands() {
				t.Errorf("%s: example %q is no command", c.CommandPath(), args)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(a.root())
	if seen < 10 {
		t.Errorf("%d examples were found", seen)
	}
	if got := examples("  # A comment\n  airbridge x --y='a b' \\\n    z | tee f\n  oc get x\n"); len(got) != 1 || strings.Join(got[0], " ") != "x --y=a b z" {
		t.Errorf("%q", got)
	}
}
