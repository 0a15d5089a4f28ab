package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/installconfig"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

func (a *App) installConfig(g *globalFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "install-config", Short: "Prepare an install-config.yaml for a mirror", Args: a.unknownCommand, RunE: help}
	cmd.AddCommand(a.installConfigMerge(g))
	return cmd
}

// installConfigFlags say what is put into an install-config.yaml, and where
// the result goes.
type installConfigFlags struct {
	registryFlags
	output        string
	force, dryRun bool
	from          []string
	release       string
	components    []string
	version       string
	instructions  string
	authorities   []string
	policy        string
	pullSecret    string
	skipCheck     bool
}

func (a *App) installConfigMerge(g *globalFlags) *cobra.Command {
	f := &installConfigFlags{}
	cmd := &cobra.Command{
		Use:   "merge FILE",
		Short: "Put mirrors, certificate authorities and a pull secret into an install-config.yaml",
		Long: `Put into an install-config.yaml what an installation from a mirror needs: where
the mirrors are, the authority that signed the mirror's certificate, and the
pull secret for the cluster. The file is edited in place, or with -o a copy is
written. Comments, order and quoting stay as they are in all that is not
changed, and doing the same again changes nothing. No backup is made, because
the file holds secrets.

The mirrors come from what adm release mirror wrote (the directory mirror-VERSION)
or printed, from mirror sets of any kind, or are read from the release in the
mirror. They go into imageDigestSources from OpenShift 4.14 on, and before into
imageContentSources: never both, since the installer refuses that.

The pull secret is the one that pull-secret cluster makes, with an account that
only reads. All machines of the cluster have it, so that the file that mirroring
uses is refused, and so is any account that the mirror lets push.`,
		Example: `  airbridge install-config merge install-config.yaml --from mirror-4.14.3 --ca-file mirror-ca.pem \
    --pull-secret cluster-pull-secret.json

  # What is printed while mirroring will do as well
  airbridge adm release mirror ... | tee mirror.out
  airbridge install-config merge install-config.yaml -o new-install-config.yaml --from mirror.out

  # Read from the mirror which release it has
  airbridge install-config merge install-config.yaml --release registry.example.com/ocp4/release:4.14.3-x86_64`,
		Args: func(_ *cobra.Command, args []string) error { return oneInstallConfig(args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			u := a.ui(g)
			if err := checkValues(cmd, u); err != nil {
				return err
			}
			if err := f.check(args[0]); err != nil {
				return err
			}
			return a.runInstallConfigMerge(cmd.Context(), g, f, args[0])
		},
	}
	f.add(cmd.Flags())
	return cmd
}

func oneInstallConfig(args []string) error {
	if len(args) != 1 {
		return usagef("name one install-config.yaml; got %d arguments", len(args))
	}
	return nil
}

func (f *installConfigFlags) add(flags *pflag.FlagSet) {
	f.registryFlags.add(flags)
	flags.StringVarP(&f.output, "output", "o", "", "write a copy with mode 0600 to this file, and leave the original alone")
	flags.BoolVar(&f.force, "force", false, "overwrite the file that -o names")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the sections and what would be changed, and stop")
	flags.StringArrayVar(&f.from, "from", nil, "file with mirrors, - for standard input, or directory mirror-VERSION; may be repeated")
	flags.StringVar(&f.release, "release", "", "release image in the mirror, to read the mirrors from")
	flags.StringArrayVar(&f.components, "components", nil, "repository of the mirror with the components of --release, where it is not the release image's own; may be repeated")
	flags.StringVar(&f.version, "release-version", "", "version of OpenShift that is installed, where --from does not say")
	flags.StringVar(&f.instructions, "print-mirror-instructions", "", "icsp for imageContentSources, idms for imageDigestSources, whatever the version")
	flags.StringArrayVar(&f.authorities, "ca-file", nil, "file with PEM certificates for additionalTrustBundle; may be repeated")
	flags.StringVar(&f.policy, "trust-bundle-policy", "", "Always lets the cluster's own components trust the bundle too, Proxyonly only where there is a proxy; without it additionalTrustBundlePolicy is left alone")
	flags.StringVar(&f.pullSecret, "pull-secret", "", "pull secret for the cluster, made by pull-secret cluster")
	flags.BoolVar(&f.skipCheck, "skip-check", false, "do not ask the mirror whether the account of the pull secret may push")
}

// check refuses what contradicts itself.
func (f *installConfigFlags) check(file string) error {
	switch {
	case file == "-":
		return usagef("the install-config.yaml must be a file: standard output is for the sections")
	case len(f.from) == 0 && f.release == "" && len(f.authorities) == 0 && f.pullSecret == "" && f.policy == "":
		return usagef("nothing to put in: give --from or --release, --ca-file, --pull-secret")
	case len(f.from) > 0 && f.release != "":
		return usagef("--from and --release may not both be specified")
	case len(f.components) > 0 && f.release == "":
		return usagef("--components is only valid with --release")
	case f.force && f.output == "":
		return usagef("--force is only valid with -o")
	case f.policy != "" && f.policy != "Always" && f.policy != "Proxyonly":
		return usagef("--trust-bundle-policy must be Always or Proxyonly, not %.100q", f.policy)
	case f.pullSecret == "-":
		return usagef("the pull secret must be a file")
	}
	if _, err := f.key(""); err != nil {
		return err
	}
	return f.refuseOwnSecret()
}

// key is the field for the mirrors of a version, "" if nothing says which.
func (f *installConfigFlags) key(version string) (string, error) {
	switch strings.ToLower(f.instructions) {
	case "icsp":
		return installconfig.ContentSources, nil
	case "idms":
		return installconfig.DigestSources, nil
	case "":
	default:
		return "", usagef("--print-mirror-instructions must be icsp or idms here, not %.100q", f.instructions)
	}
	if f.version != "" {
		key, ok := installconfig.KeyFor(f.version)
		if !ok {
			return "", usagef("--release-version must be a version, as 4.14.3, not %.100q", f.version)
		}
		return key, nil
	}
	key, _ := installconfig.KeyFor(version)
	return key, nil
}

// errOwnSecret is the warning of the document, 3.4.
var errOwnSecret = errors.New("it is the file that -a names: with the credentials that mirroring uses, all machines of the cluster would have write access to the mirror")

// refuseOwnSecret refuses the credentials file of mirroring as pull secret.
func (f *installConfigFlags) refuseOwnSecret() error {
	if f.pullSecret == "" || f.config == "" {
		return nil
	}
	a, err1 := os.Stat(f.pullSecret)
	b, err2 := os.Stat(f.config)
	if err1 == nil && err2 == nil && os.SameFile(a, b) {
		return &hinted{usagef("--pull-secret %s: %w", f.pullSecret, errOwnSecret), hintOwnSecret}
	}
	return nil
}

const hintOwnSecret = "make one with an account that only reads: airbridge pull-secret cluster"

func (a *App) runInstallConfigMerge(ctx context.Context, g *globalFlags, f *installConfigFlags, file string) error {
	u := a.ui(g)
	inputs := append(inputPaths(f.from...), f.authorities...)
	inputs = append(inputs, f.pullSecret, f.config, file)
	if f.output != "" {
		if err := auth.MayWrite(f.output, f.force, inputs...); err != nil {
			return outputError(err)
		}
	}
	content, err := readMost(file)
	if err != nil {
		return fmt.Errorf("reading the install config: %w", err)
	}
	change, err := a.installChange(ctx, g, f, content)
	if err != nil {
		return err
	}
	result, err := installconfig.Merge(content, change)
	if err != nil {
		u.Result(plainSections(change))
		return fmt.Errorf("%s: %w", file, err)
	}
	if !f.dryRun {
		if err := f.write(file, result, inputs); err != nil {
			return err
		}
	}
	f.tell(u, file, result)
	return nil
}

// plainSections are the sections for a file that cannot be edited.
func plainSections(change installconfig.Change) string {
	result, err := installconfig.Merge([]byte("apiVersion: v1\n"), change)
	if err != nil {
		return ""
	}
	return string(result.Sections)
}

// write writes the result where it goes. A file that has it all is left alone.
func (f *installConfigFlags) write(file string, r installconfig.Result, inputs []string) error {
	if f.output != "" {
		return outputError(auth.WriteNew(f.output, r.Content, f.force, inputs...))
	}
	if !r.Changed {
		return nil
	}
	return auth.Rewrite(file, r.Content)
}

// outputError adds what helps where -o names a file that is there.
func outputError(err error) error {
	switch {
	case errors.Is(err, auth.ErrExists):
		return &hinted{err, "name another file with -o, or replace this one with --force"}
	case errors.Is(err, auth.ErrSameFile):
		return &hinted{err, "name another file with -o; without -o the install-config.yaml is edited in place"}
	}
	return err
}

// tell prints the sections on standard output, and what was done.
func (f *installConfigFlags) tell(u *ui.UI, file string, r installconfig.Result) {
	text := string(r.Sections)
	if f.pullSecret != "" {
		text += "# pullSecret: that of " + f.pullSecret + ", which is not shown\n"
	}
	u.Result(text)
	for _, warning := range r.Warnings {
		u.Warn("%s", warning)
	}
	for _, note := range r.Notes {
		u.Info("%s", note)
	}
	if r.Defaulted {
		u.Info("nothing says which version is installed: imageContentSources was chosen, which all versions take; --release-version chooses the newer field")
	}
	if f.pullSecret == "" {
		u.Info("pullSecret was left as it is: give the cluster one with an account that only reads, made by airbridge pull-secret cluster, with --pull-secret")
	}
	u.Info("%s", f.outcome(file, r))
	if info, err := os.Stat(file); f.output == "" && !f.dryRun && f.pullSecret != "" && err == nil && info.Mode().Perm()&0o077 != 0 {
		u.Warn("%s has a pull secret in it, and others on this machine may read it: chmod 600 %s", file, file)
	}
}

func (f *installConfigFlags) outcome(file string, r installconfig.Result) string {
	switch {
	case f.dryRun && r.Changed:
		return file + " would be changed"
	case f.output != "" && !f.dryRun:
		return f.output + " is written"
	case !r.Changed:
		return file + " has all of it already: nothing is changed"
	}
	return file + " is changed"
}
