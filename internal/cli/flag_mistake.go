package cli

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/spelling"
)

// flagMistake says what is wrong with a flag in words that are not those of the
// library that reads it, and which flags look like one that there is not.
func flagMistake(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok && len(e.GetSpecifiedName()) > 1 {
		return &hinted{&usageError{err}, likelyFlags(cmd, e.GetSpecifiedName())}
	}
	e, invalid := errors.AsType[*pflag.InvalidValueError](err)
	if _, number := errors.AsType[*strconv.NumError](err); !invalid || !number {
		return &usageError{err}
	}
	kind := "a whole number"
	if e.GetFlag().Value.Type() == "bool" {
		kind = "true or false"
	}
	return usagef("--%s: %q is not %s", e.GetFlag().Name, e.GetValue(), kind)
}

// likelyFlags is a hint with the flags of a command that are spelled much like a
// name or begin with it.
func likelyFlags(cmd *cobra.Command, name string) string {
	var flags []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { // in the order of the alphabet
		if !f.Hidden && f.Deprecated == "" {
			flags = append(flags, f.Name)
		}
	})
	names := spelling.Nearest(flags, 3, func(flag string) (int, bool) {
		far := spelling.Distance(name, flag)
		return far, far <= 1+len(name)/5 || strings.HasPrefix(flag, name)
	})
	if len(names) == 0 {
		return "see " + cmd.CommandPath() + " --help for the flags that there are"
	}
	return "did you mean --" + strings.Join(names, ", --") + "?"
}
