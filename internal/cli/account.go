package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

// accountFlags say with which account, and where its secret comes from. A
// secret is not an argument, because every user of a machine sees those.
type accountFlags struct {
	user                      string
	password                  string // login alone has it, for who comes from podman
	passwordStdin, tokenStdin bool
	passwordFile, tokenFile   string
	insecure, verify          bool
	authority                 string
}

// add adds the flags that name an account.
func (f *accountFlags) add(flags *pflag.FlagSet) {
	flags.StringVarP(&f.user, "username", "u", "", "user name of the account")
	flags.BoolVar(&f.passwordStdin, "password-stdin", false, "read the password, or the token that stands for one, from standard input")
	flags.StringVar(&f.passwordFile, "password-file", "", "file with the password, or with the token that stands for one")
	flags.BoolVar(&f.tokenStdin, "token-stdin", false, "read an identity token (OAuth2 refresh token) from standard input; it needs no user name")
	flags.StringVar(&f.tokenFile, "token-file", "", "file with an identity token")
}

// addNetwork adds the flags of commands that ask the registry.
func (f *accountFlags) addNetwork(flags *pflag.FlagSet) {
	flags.BoolVar(&f.insecure, "insecure", false, "let a registry whose certificate cannot be verified pass, and one that speaks plain http")
	flags.BoolVar(&f.verify, "tls-verify", true, "podman's name: --tls-verify=false is --insecure")
	flags.StringVar(&f.authority, "certificate-authority", "", "file with certificate authorities to trust besides the system's")
	_ = flags.MarkHidden("tls-verify")
}

// registryFlags is what the flags say of talking to registries.
func (f *accountFlags) registryFlags() *registryFlags {
	return &registryFlags{insecure: f.insecure || !f.verify, authority: f.authority}
}

// given reports whether any flag names an account or a secret.
func (f *accountFlags) given() bool {
	return f.user != "" || f.secrets() > 0
}

func (f *accountFlags) secrets() (n int) {
	for _, given := range []bool{f.password != "", f.passwordStdin, f.passwordFile != "", f.tokenStdin, f.tokenFile != ""} {
		if given {
			n++
		}
	}
	return n
}

// readsStdin reports whether standard input is the secret's.
func (f *accountFlags) readsStdin() bool {
	return f.passwordStdin || f.tokenStdin || f.passwordFile == "-" || f.tokenFile == "-"
}

// check refuses what contradicts itself. No message repeats a value.
func (f *accountFlags) check(cmd *cobra.Command) error {
	token := f.tokenStdin || f.tokenFile != ""
	switch {
	case cmd.Flags().Changed("token"):
		return usagef("--token would show the token in the list of processes: --token-stdin reads it from standard input")
	case cmd.Flags().Changed("user"):
		return usagef("the account is named with -u, --username")
	case f.password == "" && cmd.Flags().Changed("password"):
		return usagef("the password is empty: is a shell variable unset?")
	case f.secrets() > 1:
		return usagef("name one source of the password or token, not several")
	case token && f.user != "":
		return usagef("an identity token needs no user name; a token that is used with one is a password: --password-stdin")
	case f.secrets() > 0 && !token && f.user == "":
		return usagef("the password needs a user name: -u, --username")
	case strings.Contains(f.user, ":"):
		return usagef("a user name cannot have a colon in it")
	}
	return nil
}

// quietValues keeps a value that was given to a flag without one out of the
// message: it may be the secret itself.
func quietValues(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		for _, name := range []string{"password-stdin", "token-stdin"} {
			if strings.Contains(err.Error(), "--"+name) {
				return usagef("--%s takes no value: the secret is read from standard input", name)
			}
		}
		// "unknown shorthand flag: 'p' in -psecret": podman takes that one
		if text, _, ok := strings.Cut(err.Error(), " in -"); ok {
			return usagef("%s", text)
		}
		return &usageError{err}
	})
}

// credential reads what the flags name, or asks at the terminal. known is an
// account's user name that is offered there.
func (f *accountFlags) credential(ctx context.Context, a *App, known string) (auth.Credential, error) {
	c := auth.Credential{Username: f.user, Password: f.password}
	var err error
	switch {
	case f.password != "":
	case f.tokenStdin || f.tokenFile != "":
		c.IdentityToken, err = a.readSecret("token", f.tokenFile)
	case f.passwordStdin || f.passwordFile != "":
		c.Password, err = a.readSecret("password", f.passwordFile)
	default:
		c, err = a.ask(ctx, f.user, known)
	}
	if err == nil && strings.ContainsRune(c.Password+c.Username, 0) {
		err = usagef("a user name or password cannot have a NUL character in it")
	}
	return c, err
}

// mostSecret is the longest secret in bytes: tokens have a few thousand.
const mostSecret = 1 << 20

// readSecret reads a file, standard input for "" and "-", without the end of
// line that echo and editors add.
func (a *App) readSecret(what, path string) (string, error) {
	from, in := path, a.Stdin
	if path == "" || path == "-" {
		from = "standard input"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("reading the %s: %w", what, err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, mostSecret+1))
	if err != nil {
		return "", fmt.Errorf("reading the %s from %s: %w", what, from, err)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // editors on Windows begin files with it
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	switch {
	case len(data) == 0:
		return "", usagef("the %s from %s is empty", what, from)
	case len(data) > mostSecret || bytes.ContainsAny(data, "\r\n"):
		return "", usagef("the %s from %s has more than one line", what, from)
	}
	return string(data), nil
}

// oneKey reads the argument that names a registry.
func oneKey(args []string) (auth.Key, error) {
	if len(args) != 1 {
		return auth.Key{}, usagef("name one registry, as registry.example.com:8443; got %d arguments", len(args))
	}
	key, err := auth.ParseKey(args[0])
	if err != nil {
		return key, &usageError{err}
	}
	return key, nil
}

// input reads a file of credentials, standard input for "-". The name is for
// messages, path what must not be written to.
func (a *App) input(file string) (data []byte, name string, err error) {
	if file != "-" {
		data, err = readMost(file)
		return data, file, err
	}
	data, err = io.ReadAll(io.LimitReader(a.Stdin, 2*auth.MaxFile+1))
	return data, "standard input", err
}

func readMost(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a directory", path)
	}
	return io.ReadAll(io.LimitReader(f, 2*auth.MaxFile+1))
}

// inputPaths are the files that inputs come from, for auth.WriteNew: standard
// input may be one too.
func inputPaths(inputs ...string) (paths []string) {
	for _, in := range inputs {
		if in == "-" {
			in = "/dev/stdin"
		}
		paths = append(paths, in)
	}
	return paths
}

// warnAll prints warnings.
func warnAll(u *ui.UI, list []auth.Warning) {
	for _, w := range list {
		u.Warn("%v", w)
	}
}
