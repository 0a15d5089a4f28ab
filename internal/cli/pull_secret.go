package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

func (a *App) pullSecret(g *globalFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use: "pull-secret", Short: "Make the pull secrets for mirroring and for the cluster", Args: a.unknownCommand, RunE: help,
		Long: `Make pull secrets: merge adds the mirror's account to a copy of the one from
Red Hat, for mirroring; cluster makes the one for the cluster, with an account
that may only pull.`,
	}
	cmd.AddCommand(a.pullSecretMerge(g), a.pullSecretCluster(g))
	return cmd
}

// secretFlags are those of both commands.
type secretFlags struct {
	accountFlags
	registry, email, to string
	authfile            string
	force               bool
}

func (f *secretFlags) add(flags *pflag.FlagSet) {
	f.accountFlags.add(flags)
	flags.StringVar(&f.registry, "registry", "", "the mirror: HOST[:PORT], or HOST[:PORT]/PATH for the repositories below a path alone")
	flags.StringVar(&f.authfile, "authfile", "", "take the mirror's account from this credential file; without it and -u the files of podman and docker are looked into")
	flags.StringVar(&f.email, "email", "", "mail address in the mirror's entry; nothing needs it")
	flags.StringVar(&f.to, "to", "", "file to write, with mode 0600")
	flags.BoolVar(&f.force, "force", false, "replace the file that --to names, if it is there")
}

// check refuses what contradicts itself. inputs are files or "-".
func (f *secretFlags) check(cmd *cobra.Command, inputs ...string) error {
	stdin := 0
	for _, in := range inputs {
		if in == "-" {
			stdin++
		}
	}
	if f.readsStdin() {
		stdin++
	}
	if err := f.accountFlags.check(cmd); err != nil {
		return err
	}
	switch {
	case f.to == "" || f.to == "-":
		return usagef("name the file to write with --to; it is for nobody's eyes, so it is not printed")
	case f.authfile != "" && f.given():
		return usagef("--authfile has the account already: leave it or the other flags for an account out")
	case stdin > 1:
		return usagef("standard input can be only one of: the pull secret, the password, the token; --password-file reads from a file")
	case f.email != "" && (!strings.Contains(f.email, "@") || strings.ContainsAny(f.email, " \t\r\n")):
		return usagef("the value of --email is not a mail address")
	}
	return nil
}

// key is the mirror's.
func (f *secretFlags) key() (auth.Key, error) {
	key, err := auth.ParseKey(f.registry)
	if err != nil {
		return key, flagError("--registry", f.registry, err)
	}
	return key, nil
}

// account is the mirror's: from the flags, else from a credential file, else
// from the terminal.
func (f *secretFlags) account(ctx context.Context, a *App, key auth.Key) (auth.Credential, error) {
	if f.given() {
		return f.credential(ctx, a, "")
	}
	store, err := auth.Load(a.credentialFiles(f.authfile))
	if err != nil {
		return auth.Credential{}, err
	}
	c, err := store.For(ctx, key.Host, key.Path)
	if err != nil || !c.IsZero() {
		return c, err
	}
	c, err = a.ask(ctx, "", "")
	if errors.Is(err, errNoTerminal) {
		err = usagef("there is no account for %s: name it with -u and --password-stdin, or the file that has it with --authfile", key)
	}
	return c, err
}

type mergeFlags struct {
	secretFlags
	from []string
}

func (a *App) pullSecretMerge(g *globalFlags) *cobra.Command {
	f := &mergeFlags{}
	cmd := &cobra.Command{
		Use:   "merge --from PULLSECRET --registry MIRROR --to NEWFILE",
		Short: "Add the mirror's account to a copy of a pull secret",
		Long: `Write a copy of a pull secret with an entry for the mirror registry, to mirror
with: airbridge adm release mirror -a NEWFILE. The original stays as it is. With
--from more than once, all entries are taken; where two files have different
accounts for one registry, the later file wins, and that is said.

This file can write to the mirror. It is not for the cluster: airbridge
pull-secret cluster makes that one.`,
		Example: `  airbridge pull-secret merge --from pull-secret.txt --registry registry.example.com:8443 \
    -u mirror --password-file password.txt --to mirror-pull-secret.json

  # With the account that airbridge login or podman login has filed
  airbridge pull-secret merge --from pull-secret.txt --registry registry.example.com:8443 --to mirror-pull-secret.json

  # Two files into one
  airbridge pull-secret merge --from pull-secret.txt --from auth.json --to both.json`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			u := a.ui(g)
			if err := checkValues(cmd, u); err != nil {
				return err
			}
			if err := f.check(cmd); err != nil {
				return err
			}
			return a.runMerge(cmd.Context(), u, f)
		},
	}
	quietValues(cmd)
	f.add(cmd.Flags())
	cmd.Flags().StringArrayVar(&f.from, "from", nil, "pull secret to copy, - for standard input; may be repeated")
	return cmd
}

// onlyFlags refuses arguments without repeating them: one may be a password.
func onlyFlags(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("no arguments are taken, only flags; got %d", len(args))
	}
	return nil
}

func (f *mergeFlags) check(cmd *cobra.Command) error {
	switch {
	case len(f.from) == 0:
		return usagef("name the pull secret with --from; - is standard input")
	case f.registry == "" && len(f.from) == 1:
		return usagef("name the mirror with --registry, or another file to merge with a second --from")
	case f.registry == "" && (f.given() || f.authfile != "" || f.email != ""):
		return usagef("an account is given, but not what for: name the mirror with --registry")
	}
	return f.secretFlags.check(cmd, f.from...)
}

func (a *App) runMerge(ctx context.Context, u *ui.UI, f *mergeFlags) error {
	inputs := inputPaths(f.from...)
	if err := auth.MayWrite(f.to, f.force, inputs...); err != nil {
		return err
	}
	d, err := a.mergeAll(u, f.from)
	if err != nil {
		return err
	}
	if f.registry != "" {
		if err := f.addMirror(ctx, session{app: a, ui: u}, d); err != nil {
			return err
		}
	}
	if err := auth.WriteNew(f.to, d.Encode("  "), f.force, inputs...); err != nil {
		return err
	}
	u.Result(fmt.Sprintf("%s: %s\n", f.to, strings.Join(d.Keys(), ", ")))
	if f.registry != "" {
		u.Info("use it to mirror, with -a %s; for the cluster, airbridge pull-secret cluster makes one that cannot write to the mirror", f.to)
	}
	return nil
}

// addMirror adds the mirror's entry.
func (f *mergeFlags) addMirror(ctx context.Context, s session, d *auth.Document) error {
	key, err := f.key()
	if err != nil {
		return err
	}
	c, err := f.account(ctx, s.app, key)
	if err != nil {
		return err
	}
	if old, err := d.Credential(key.String()); err == nil && !old.IsZero() && old != c {
		s.ui.Warn("entry %q: %s is replaced by %s", key, old, c)
	}
	d.Set(key, c, f.email)
	for _, name := range d.Keys() {
		old, err := d.Credential(name)
		if at, kerr := auth.ParseKey(name); kerr == nil && at.Below(key) && (err != nil || old != c) {
			s.ui.Warn("entry %q stays, and for the repositories below it wins over the one for %s: airbridge logout --authfile %s %[1]s removes it", name, key, f.to)
		}
	}
	return nil
}

// mergeAll reads pull secrets into one.
func (a *App) mergeAll(u *ui.UI, files []string) (*auth.Document, error) {
	var all *auth.Document
	for _, file := range files {
		d, err := a.readPullSecret(u, file)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = d
			continue
		}
		for _, c := range all.Merge(d) {
			u.Warn("entry %q: %s of an earlier file is replaced by %s of %s", c.Key, c.Old, c.New, file)
		}
	}
	return all, nil
}

// readPullSecret reads a file of credentials, "-" for standard input.
func (a *App) readPullSecret(u *ui.UI, file string) (*auth.Document, error) {
	data, name, err := a.input(file)
	if err != nil {
		return nil, fmt.Errorf("reading the pull secret: %w", err)
	}
	d, err := auth.ParseDocument(data)
	if err == nil && !d.HasAuths() {
		err = errNotPullSecret
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pull secret from %s: %w", name, err)
	}
	warnAll(u, d.Warnings(name))
	return d, nil
}

// errNotPullSecret says that a file has no entries, nor a place for them.
var errNotPullSecret = errors.New("it has no \"auths\": this is not a pull secret")
