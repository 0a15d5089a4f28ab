package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

func (a *App) logout(g *globalFlags) *cobra.Command {
	var authfile string
	var all bool
	cmd := &cobra.Command{
		Use:   "logout REGISTRY[:PORT][/PATH]",
		Short: "Remove the account for a registry",
		Long: `Remove what airbridge login or podman login filed for a registry: from the file
that --authfile or REGISTRY_AUTH_FILE names, else from
${XDG_RUNTIME_DIR}/containers/auth.json, and from the credential helper that the
file names for it.`,
		Example: `  airbridge logout registry.example.com:8443
  airbridge logout --all --authfile auth.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			u := a.ui(g)
			if err := checkValues(cmd, u); err != nil {
				return err
			}
			file, err := auth.DefaultFile(a.credentialFiles(authfile))
			if err != nil {
				return err
			}
			if !all {
				key, err := oneKey(args)
				if err != nil {
					return err
				}
				return a.runLogout(cmd.Context(), u, file, key)
			}
			if len(args) > 0 {
				return usagef("--all is for every registry: name none")
			}
			return logoutAll(cmd.Context(), u, file)
		},
	}
	cmd.Flags().StringVar(&authfile, "authfile", "", "credential file to remove from")
	cmd.Flags().BoolVar(&all, "all", false, "remove the accounts for all registries")
	return cmd
}

func (a *App) runLogout(ctx context.Context, u *ui.UI, file string, key auth.Key) error {
	where, err := auth.Keeper{Path: file}.Forget(ctx, key)
	if err == nil {
		u.Result(fmt.Sprintf("logged out of %s; removed from %s\n", key, where))
	}
	if err != nil && !errors.Is(err, auth.ErrNotLoggedIn) {
		return err
	}
	store, loadErr := auth.Load(a.credentialFiles(""))
	if loadErr != nil {
		return err // the files that are looked into otherwise do not matter here
	}
	other, at := store.Where(key.Host, key.Path)
	switch {
	case other == "":
		return err
	case err != nil:
		return &hinted{err, fmt.Sprintf("%s has an account for %s: airbridge logout --authfile %s %s", other, at, other, at)}
	}
	u.Info("%s still has an account for %s", other, at)
	return nil
}

func logoutAll(ctx context.Context, u *ui.UI, file string) error {
	keys, err := auth.Keeper{Path: file}.ForgetAll(ctx)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		u.Info("%s has no accounts", file)
		return nil
	}
	u.Result(fmt.Sprintf("logged out of %s; removed from %s\n", strings.Join(keys, ", "), file))
	return nil
}
