package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

type loginFlags struct {
	accountFlags
	authfile  string
	skipCheck bool
}

func (a *App) login(g *globalFlags) *cobra.Command {
	f := &loginFlags{}
	cmd := &cobra.Command{
		Use:   "login REGISTRY[:PORT][/PATH]",
		Short: "Log in to a registry, for this and other tools",
		Long: `Check an account at a registry and file it where podman does, so that airbridge,
podman, skopeo and oc find it: in the file that --authfile or REGISTRY_AUTH_FILE
names, else in ${XDG_RUNTIME_DIR}/containers/auth.json. What else is in the file
stays. With a PATH the account counts for the repositories below it alone.

The password is asked for at the terminal, or read from standard input or a
file. Where the file names a credential helper for the registry, the helper
keeps the account, and the file does not.

A token that goes with a user name, as those of robot accounts do, is a
password: --password-stdin. --token-stdin takes identity tokens.`,
		Example: `  airbridge login registry.redhat.io
  airbridge login registry.example.com:8443 -u mirror --password-stdin < password.txt
  airbridge login quay.io/team -u team+robot --password-file robot.token --authfile auth.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			u := a.ui(g)
			if err := checkValues(cmd, u); err != nil {
				return err
			}
			if err := f.check(cmd); err != nil {
				return err
			}
			key, err := oneKey(args)
			if err != nil {
				return err
			}
			return a.runLogin(cmd.Context(), u, f, key)
		},
	}
	quietValues(cmd)
	f.add(cmd.Flags())
	f.addNetwork(cmd.Flags())
	cmd.Flags().StringVarP(&f.password, "password", "p", "", "the password; every user of this machine sees it in the list of processes")
	cmd.Flags().StringVar(&f.authfile, "authfile", "", "credential file to write; it is made if it is not there")
	cmd.Flags().BoolVar(&f.skipCheck, "skip-check", false, "do not ask the registry whether the account is right")
	return cmd
}

func (a *App) runLogin(ctx context.Context, u *ui.UI, f *loginFlags, key auth.Key) error {
	if f.password != "" {
		u.Warn("a password on the command line can be seen in the list of processes: --password-stdin reads it from standard input")
	}
	file, err := auth.DefaultFile(a.credentialFiles(f.authfile))
	if err != nil {
		return err
	}
	known, err := auth.Keeper{Path: file}.Known(ctx, key)
	if bad, ok := errors.AsType[auth.Warning](err); ok {
		u.Warn("%v", bad) // an entry, or a helper: it is to be written anew
	} else if err != nil {
		return err
	}
	if !f.given() {
		if done, err := a.stillIn(ctx, u, f, login{key, known, file}); done || err != nil {
			return err
		}
	}
	c, err := f.credential(ctx, a, known.Username)
	if err != nil {
		return err
	}
	if err := a.checkLogin(ctx, u, f, login{key, c, file}); err != nil {
		return err
	}
	where, err := auth.Keeper{Path: file}.Keep(ctx, key, c)
	if err != nil {
		return err
	}
	u.Result(fmt.Sprintf("logged in to %s as %s; kept in %s\n", key, c, where))
	return nil
}

// login is an account at a registry and the file that it is for.
type login struct {
	key  auth.Key
	cred auth.Credential
	file string
}

// stillIn reports whether the account that is filed already is good, so that
// there is nothing to do. Only where it is refused is somebody asked for another.
func (a *App) stillIn(ctx context.Context, u *ui.UI, f *loginFlags, l login) (bool, error) {
	if l.cred.IsZero() || f.skipCheck {
		return false, nil
	}
	err := a.checkLogin(ctx, u, f, l)
	if err == nil {
		u.Result(fmt.Sprintf("logged in to %s as %s already\n", l.key, l.cred))
		return true, nil
	}
	if !errors.Is(err, oci.ErrUnauthorized) && !errors.Is(err, oci.ErrDenied) {
		return false, err
	}
	if _, person := a.keyboard(); !person {
		return false, err
	}
	u.Info("%s does not take the account of %s in %s any more", l.key.Host, l.cred, l.file)
	return false, nil
}

// checkLogin shows an account to its registry.
func (a *App) checkLogin(ctx context.Context, u *ui.UI, f *loginFlags, l login) error {
	if f.skipCheck {
		return nil
	}
	client, err := a.clientAs(auth.Only(l.key, l.cred), f.registryFlags(), u)
	if err != nil {
		return err
	}
	asked, err := client.Registry(l.key.Host).Login(ctx, l.key.Path)
	if err != nil {
		return loginError(l.key, err)
	}
	if !asked {
		u.Warn("%s lets anybody in: whether the password is right could not be told", l.key.Host)
	}
	return nil
}

// wrongAccount is the hint on an account that its registry refuses.
const wrongAccount = "the registry does not take that account: check the user name and the password or token"

func loginError(key auth.Key, err error) error {
	err = &repo.Error{Op: "logging in to", Ref: key.String(), Err: err}
	if errors.Is(err, oci.ErrUnauthorized) || errors.Is(err, oci.ErrDenied) {
		return &hinted{err, wrongAccount}
	}
	return err
}
