package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/imagelist"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

// checkValues looks at the flags' values for signs of an unset shell variable.
// A value that is itself a flag (-a --from=...) is refused: the variable was
// there unquoted, and the flag behind it would be lost. An empty value is what
// the user may have meant, so it gets a warning only.
func checkValues(cmd *cobra.Command, u *ui.UI) (err error) {
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		value := strings.TrimSuffix(strings.TrimPrefix(f.Value.String(), "["), "]") // of a list
		switch {
		case f.Name == "max-per-registry" && strings.HasPrefix(value, "-"):
			err = usagef("--max-per-registry must not be negative, got %s", value)
		case !f.Changed || f.Value.Type() == "bool" || f.Value.Type() == "int" || f.Name == "password":
		case value == "":
			u.Warn("the value of %s is empty: is a shell variable unset?", flagName(f))
		case len(value) > 1 && strings.HasPrefix(value, "-") && err == nil:
			err = flagError(flagName(f), value, fmt.Errorf("%s has the value %q, which is a flag", flagName(f), value))
		case isNewAtTop(f.Name, value) && !onlyReads(cmd):
			u.Warn("%s=%s is made at the top of the file system: if that is not meant, a shell variable before it is unset", flagName(f), value)
		}
	})
	return err
}

// flagName is what the user may have typed: "--to", "-a, --registry-config".
func flagName(f *pflag.Flag) string {
	if f.Shorthand != "" {
		return "-" + f.Shorthand + ", --" + f.Name
	}
	return "--" + f.Name
}

// isNewAtTop reports whether a directory to write to is left of a path whose
// beginning was a variable: "/mirror" of ${REMOVABLE_MEDIA_PATH}/mirror.
func isNewAtTop(flag, dir string) bool {
	if flag != "to-dir" && flag != "dir" || filepath.Dir(dir) != string(filepath.Separator) {
		return false
	}
	_, err := os.Stat(dir)
	return errors.Is(err, fs.ErrNotExist)
}

// onlyReads reports whether a command makes no directories of images: its --dir
// is read, and one that is not there is an error anyway.
func onlyReads(cmd *cobra.Command) bool { return cmd.Flag("from-dir") == nil }

// flagError is an error in a flag's value.
func flagError(flag, value string, err error) error {
	return halfEmpty("the value of "+flag, value, &usageError{err})
}

// halfEmpty gives an error a hint that names the argument or flag it is about,
// if the value looks as if a shell variable in it was unset.
func halfEmpty(what, value string, err error) error {
	if why, empty := ref.LooksEmpty(value); empty {
		return &hinted{err, fmt.Sprintf("%s, %q, looks empty (%s): is a shell variable unset?", what, value, why)}
	}
	return err
}

// refused reports whether a registry says that something does not exist, or
// will not say whether it does.
func refused(err error) bool {
	return oci.IsNotFound(err) || errors.Is(err, oci.ErrUnauthorized) || errors.Is(err, oci.ErrDenied)
}

// nameSource names the argument of a source that was not found, where it looks
// half empty: "release:4.14.3-" is a valid reference all the same.
func nameSource(list []imagelist.Mapping, err error) error {
	e, ok := errors.AsType[*repo.Error](err)
	if !ok || e.Side != repo.SideSource || !refused(err) {
		return err
	}
	for _, m := range list {
		if m.Source.Ref.String() == e.Ref {
			return halfEmpty(strings.TrimSuffix(m.At.String(), ": "), m.Source.String(), err)
		}
	}
	return err
}
