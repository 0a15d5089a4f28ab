package cli

import (
	"cmp"
	"errors"
	"slices"
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
	type candidate struct {
		name string
		far  int
	}
	var found []candidate
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		far := spelling.Distance(name, f.Name)
		if !f.Hidden && f.Deprecated == "" && (far <= 1+len(name)/5 || strings.HasPrefix(f.Name, name)) {
			found = append(found, candidate{"--" + f.Name, far})
		}
	})
	if len(found) == 0 {
		return "see " + cmd.CommandPath() + " --help for the flags that there are"
	}
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.name, b.name)) })
	names := []string{}
	for _, c := range found[:min(len(found), 3)] {
		names = append(names, c.name)
	}
	return "did you mean " + strings.Join(names, ", ") + "?"
}
