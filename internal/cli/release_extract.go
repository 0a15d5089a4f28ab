package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/graph"
	"github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
)

// releaseExtractFlags are those of oc.md 13.1.
type releaseExtractFlags struct {
	registryFlags
	ruleFlags
	lookup               sourceFlags
	dirs                 dirFlags
	from, to, filter     string
	file, command        string
	commandOS            string
	signingKey, pullSpec string
	installConfig, cloud string
	git, output          string
	tools, requests      bool
	included             bool
}

func (a *App) releaseExtract(g *globalFlags) *cobra.Command {
	f := &releaseExtractFlags{}
	cmd := &cobra.Command{
		Use:   "extract IMAGE",
		Short: "Take the installer, other tools or the manifests out of a release",
		Long: `Take files out of an OpenShift release: the programs it carries, such as
openshift-install, or the manifests that a cluster applies.

A release is read from a registry, or from a directory given as file://NAME
below --dir. Component images are looked for beside the release image first,
then at the mirrors of --idms-file, then where the release says. So a mirror
needs no internet, and a complete one no --idms-file.

openshift-install is bound to the release: it installs from the image named
here, by its digest. For a release that is read from a directory that is the
image its makers published, which the mirrors of install-config.yaml lead back
from, or the one in the repository of --pull-spec. All content is verified, and
a file gets its name only when it is complete.`,
		Example: strings.ReplaceAll(`  # The installer, bound to the mirror
  PROGRAM adm release extract -a pull-secret.json --command=openshift-install \
    registry.example.com/ocp4/release:4.14.3-x86_64

  # The installer from a disk, bound to what will be in the mirror
  PROGRAM adm release extract --dir=/media/disk/mirror --command=openshift-install \
    --pull-spec=registry.example.com/ocp4/release file://openshift/release:4.14.3-x86_64

  # All tools for all platforms, as archives with checksums
  PROGRAM adm release extract --tools --command-os='*' --to=tools \
    registry.example.com/ocp4/release:4.14.3-x86_64

  # What a cluster on AWS will ask credentials for
  PROGRAM adm release extract --credentials-requests --included \
    --install-config=install-config.yaml --to=requests \
    registry.example.com/ocp4/release:4.14.3-x86_64`, "PROGRAM", a.program()),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkValues(cmd, a.ui(g)); err != nil {
				return err
			}
			return a.runReleaseExtract(cmd.Context(), g, f, args)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

func (f *releaseExtractFlags) add(flags *pflag.FlagSet) {
	f.registryFlags.add(flags)
	f.ruleFlags.add(flags)
	f.lookup.add(flags)
	flags.StringVar(&f.from, "from", "", "release image to extract from; may be given as the argument instead")
	flags.StringVar(&f.to, "to", ".", "directory to write to; it is made where it does not exist")
	flags.StringVar(&f.dirs.from, "dir", "", "directory of a file:// release image")
	flags.StringVar(&f.filter, "filter-by-os", "", "regular expression for the platform (os/arch[/variant]) that a release of several is read for; without it this machine's architecture")
	flags.StringVar(&f.command, "command", "", "program to extract: openshift-install, oc, ccoctl, openshift-baremetal-install, openshift-install-fips, or one for a version of RHEL, as oc.rhel9")
	flags.StringVar(&f.commandOS, "command-os", "", "platform that the programs are for: linux, mac, windows, one with its architecture, as linux/arm64, or * for all, in archives; without it this machine's")
	flags.BoolVar(&f.tools, "tools", false, "extract all programs, each as an archive, with their checksums in sha256sum.txt")
	flags.StringVar(&f.signingKey, "signing-key", "", "file with an OpenPGP private key to sign sha256sum.txt with")
	flags.StringVar(&f.pullSpec, "pull-spec", "", "repository, as REG/REPO, that openshift-install is to install the release from, instead of where it was read")
	flags.StringVar(&f.file, "file", "", "print one file of the release, as it is")
	flags.BoolVar(&f.requests, "credentials-requests", false, "extract only what asks for accounts in a cloud")
	flags.StringVar(&f.cloud, "cloud", "", "with --credentials-requests, only those of this cloud: "+strings.Join(release.Clouds(), ", "))
	flags.BoolVar(&f.included, "included", false, "leave out what a cluster of --install-config will not have")
	flags.StringVar(&f.installConfig, "install-config", "", "install-config.yaml that --included goes by")
	flags.StringVar(&f.git, "git", "", "not done here: it needs the source repositories; use the real oc")
	flags.StringVarP(&f.output, "output", "o", "", "only with --git")
}

// check refuses what contradicts itself, in oc's words where it has any.
func (f *releaseExtractFlags) check(args []string) error {
	kinds := count(f.tools) + count(f.command != "") + count(f.requests) + count(f.file != "") + count(f.git != "")
	programs := f.tools || f.command != ""
	switch {
	case len(args) > 1 || len(args) == 1 && f.from != "":
		return usagef("you may only specify a single image via --from or argument")
	case kinds > 1:
		return usagef("only one of --tools, --command, --credentials-requests, --file, or --git may be specified")
	case f.output != "" && f.git == "":
		return usagef("--output is only supported with --git")
	case f.git != "":
		return &hinted{
			errors.New("--git is not done here: it needs the source repositories of all components, and git"),
			"the real oc does it, where there is internet; adm release info --commits shows what it would check out",
		}
	case len(args) == 0 && f.from == "":
		return usagef("must specify an image containing a release payload with --from: no cluster is contacted")
	case f.to == "":
		return usagef("--to names no directory")
	case f.to != "." && f.file != "":
		return usagef("only one of --to and --file may be set")
	case !programs && (f.commandOS != "" || f.pullSpec != ""):
		return usagef("--command-os and --pull-spec are only supported with --command or --tools")
	case f.signingKey != "" && (!programs || !f.selection("").Archives()):
		return usagef("--signing-key is only supported with --tools, or --command-os='*': it signs the checksums of archives")
	}
	return f.checkManifests()
}

func (f *releaseExtractFlags) checkManifests() error {
	plain := !f.tools && f.command == "" && f.file == ""
	switch {
	case f.included && !plain:
		return usagef("--included is for manifests, and not for --tools, --command or --file")
	case f.installConfig != "" && !f.included:
		return usagef("--install-config is only supported with --included")
	case f.included && f.installConfig == "":
		return usagef("--included needs --install-config: no cluster is contacted")
	case f.cloud != "" && !f.requests && !f.included:
		return usagef("--cloud is only supported with --credentials-requests or --included")
	case f.cloud != "" && release.ProviderKind(f.cloud) == "":
		return usagef("--cloud value not recognized, must be one of: %s", strings.Join(release.Clouds(), ", "))
	}
	return nil
}

// selection is which tools are asked for, of a release image.
func (f *releaseExtractFlags) selection(image string) release.ToolSelection {
	return release.ToolSelection{Command: f.command, Platform: f.commandOS, HostOS: runtime.GOOS, HostArch: runtime.GOARCH, Image: image}
}

// extraction is what is taken out of which release.
type extraction struct {
	flags *releaseExtractFlags
	s     *session
	from  sought
	pick  image.Pick
	pin   ref.Ref // repository of --pull-spec, zero without
}

func (f *releaseExtractFlags) parse(args []string) (x extraction, err error) {
	x = extraction{flags: f}
	if err := f.check(args); err != nil {
		return x, err
	}
	what, from := "the value of --from", f.from
	if len(args) > 0 {
		what, from = "argument 1", args[0]
	}
	if x.from, err = f.lookup.parse(from); err != nil {
		return x, halfEmpty(what, from, err)
	}
	filter, err := oci.ParsePlatformFilter(f.filter)
	if err != nil {
		return x, &usageError{fmt.Errorf("--filter-by-os: %w", err)}
	}
	x.pick = image.Within(filter, oci.Platform{OS: "linux", Architecture: f.architecture()})
	x.pin, err = f.pinRepository()
	return x, err
}

// architecture is which image of a release of several is read: the one that
// programs are wanted for, else this machine's.
func (f *releaseExtractFlags) architecture() string {
	os, name, _ := strings.Cut(f.commandOS, "/")
	if os == "linux" {
		if arch, err := graph.ParseArch(cmp.Or(name, "amd64")); err == nil && arch != graph.Multi {
			return string(arch)
		}
	}
	return runtime.GOARCH
}

func (f *releaseExtractFlags) pinRepository() (ref.Ref, error) {
	if f.pullSpec == "" {
		return ref.Ref{}, nil
	}
	r, err := ref.Parse(f.pullSpec)
	switch {
	case err != nil:
	case r.Scheme != ref.Registry || r.Host == "":
		err = fmt.Errorf("--pull-spec must be a repository of a registry, as REG/REPO: %s", f.pullSpec)
	case r != r.Repository():
		err = fmt.Errorf("--pull-spec must be a repository, as REG/REPO, and may not contain a tag or digest: %s", f.pullSpec)
	default:
		err = r.RequireRepository()
	}
	if err != nil {
		return r, flagError("--pull-spec", f.pullSpec, err)
	}
	return r, nil
}

func (a *App) runReleaseExtract(ctx context.Context, g *globalFlags, f *releaseExtractFlags, args []string) (err error) {
	x, err := f.parse(args)
	if err != nil {
		return err
	}
	rules, err := f.ruleFlags.read()
	if err != nil {
		return err
	}
	if x.s, err = a.open(g, &f.registryFlags, f.dirs, true); err != nil {
		return err
	}
	defer x.s.close(ctx, &err)
	if x.from, err = f.lookup.find(ctx, x.s, x.from); err != nil {
		return err
	}
	f.ruleFlags.warn(x.s, rules, x.from.image)
	if f.tools || f.command != "" {
		return x.programs(ctx, rules)
	}
	return x.payload(ctx, rules)
}

// platformOf is what --included says the cluster is on, checked against --cloud.
func (f *releaseExtractFlags) platformOf(in *release.Inclusion) (string, error) {
	if in == nil || in.Platform == "" {
		return f.cloud, nil
	}
	if f.cloud != "" && f.cloud != in.Platform {
		return "", usagef("--cloud %q set, but %s has %q", f.cloud, f.installConfig, in.Platform)
	}
	return in.Platform, nil
}

// withoutAccounts are the platforms on which a cluster asks for none.
var withoutAccounts = []string{"none", "baremetal", "external"}

func asksForAccounts(platform string) bool { return !slices.Contains(withoutAccounts, platform) }
