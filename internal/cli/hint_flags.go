package cli

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var (
	hintPart  = regexp.MustCompile(`\[[^]]*\]`)
	hintFlags = regexp.MustCompile(`(^|[ (\[])(--?[a-z][a-z|-]*)`)
)

// ofCommand leaves out the [parts] of a hint that name flags which a command does
// not have. Of --flags|--that|--do it is enough to have one: those are named. No
// command has all.
func ofCommand(hint string, cmd *cobra.Command) string {
	text := hintPart.ReplaceAllStringFunc(hint, func(part string) string {
		complete := true
		part = hintFlags.ReplaceAllStringFunc(part[1:len(part)-1], func(named string) string {
			start := strings.IndexByte(named, '-')
			has := flagsOf(cmd, strings.Split(named[start:], "|"))
			complete = complete && len(has) > 0
			return named[:start] + alternatives(has)
		})
		if !complete {
			return ""
		}
		return part
	})
	return strings.TrimLeft(text, ";, ")
}

// flagsOf returns those of some flags that a command shows, all for no command.
func flagsOf(cmd *cobra.Command, names []string) (has []string) {
	for _, name := range names {
		if cmd == nil || hasFlag(cmd, name) {
			has = append(has, name)
		}
	}
	return has
}

// hasFlag reports whether a command shows a flag, named with its dashes.
func hasFlag(cmd *cobra.Command, name string) bool {
	var f *pflag.Flag
	if long, ok := strings.CutPrefix(name, "--"); ok {
		f = cmd.Flag(long)
	} else {
		f = cmd.Flags().ShorthandLookup(strings.TrimPrefix(name, "-"))
	}
	return f != nil && !f.Hidden
}

// alternatives is a list of names of which any will do.
func alternatives(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
