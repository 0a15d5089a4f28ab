package cli

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/release"
)

// releaseInfoFlags are those of oc.md 14.
type releaseInfoFlags struct {
	registryFlags
	ruleFlags
	outputFlags
	lookup      sourceFlags
	dirs        dirFlags
	filter      string
	changesFrom string
	imageFor    string
	images      bool // --include-images
	verify      bool
	contents    bool
	tables      map[release.Table]*bool
	changed     func(flag string) bool // whether a flag was given
}

func (a *App) releaseInfo(g *globalFlags) *cobra.Command {
	f := &releaseInfoFlags{}
	cmd := &cobra.Command{
		Use:   "info IMAGE [IMAGE ...]",
		Short: "Show what a release consists of",
		Long: `Show what an OpenShift release consists of: its version, what may be updated
to it, and its component images. With two images, or with --changes-from, show
what changed from the first to the second.

A release is read from a registry, or from a directory given as file://NAME
below --dir. Component images are looked for beside the release image first,
then at the mirrors of --idms-file, then where the release says.

--verify reads the manifest and the config of every component image too, and
fails where one is missing or is not what its digest says. It says where they
were found; layers are checked by airbridge store verify.`,
		Example: strings.ReplaceAll(`  # A release in the mirror registry
  PROGRAM adm release info registry.example.com/ocp4/release:4.14.3-x86_64

  # How large its images are, on a disk
  PROGRAM adm release info --dir=/media/disk/mirror file://openshift/release:4.14.3-x86_64 --size

  # Whether the mirror has all of it
  PROGRAM adm release info registry.example.com/ocp4/release:4.14.3-x86_64 --verify

  # Where one component is
  PROGRAM adm release info registry.example.com/ocp4/release:4.14.3-x86_64 --image-for=cli`, "PROGRAM", a.program()),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkValues(cmd, a.ui(g)); err != nil {
				return err
			}
			return a.runReleaseInfo(cmd.Context(), g, f, args)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

func (f *releaseInfoFlags) add(flags *pflag.FlagSet) {
	f.registryFlags.add(flags)
	f.ruleFlags.add(flags)
	f.outputFlags.add(flags)
	f.lookup.add(flags)
	flags.StringVarP(&f.format, "output", "o", "", "json, name, digest or pullspec of the component images, or a template over the JSON: jsonpath=..., go-template=...")
	flags.StringVar(&f.dirs.from, "dir", "", "directory of file:// releases")
	flags.StringVar(&f.filter, "filter-by-os", "", "regular expression for the platform (os/arch[/variant]) that a release of several is read for; without it this machine's architecture")
	flags.StringVar(&f.changesFrom, "changes-from", "", "release to compare with")
	flags.StringVar(&f.imageFor, "image-for", "", "print where the component of this name is")
	flags.BoolVar(&f.images, "include-images", false, "look component images up for -o json and templates")
	flags.BoolVar(&f.verify, "verify", false, "check that every image is there and is what its digest says, and print one line a release")
	flags.BoolVar(&f.contents, "contents", false, "print the files of the release: what a cluster applies")
	f.tables = map[release.Table]*bool{
		release.Digests:    flags.Bool("digests", false, "show the digests of images, as is done without any of these flags"),
		release.PullSpecs:  flags.Bool("pullspecs", false, "show where the release says that images are"),
		release.Commits:    flags.Bool("commits", false, "show the source repository and commit of images"),
		release.CommitURLs: flags.Bool("commit-urls", false, "show links to the source of images, where they can be made"),
		release.Sizes:      flags.Bool("size", false, "show the size of images, and how much of it they share"),
	}
	for _, name := range undone {
		flags.String(name, "", "not done here: it needs source repositories or package databases")
		flags.Lookup(name).NoOptDefVal = "true"
		_ = flags.MarkHidden(name)
	}
	f.changed = flags.Changed
}

// undone are flags of oc for what is not done here.
var undone = []string{"changelog", "bugs", "skip-bug-check", "rpmdb", "rpmdb-diff", "rpmdb-cache", "rpmdb-image"}

// check refuses what contradicts itself (oc.md 14).
func (f *releaseInfoFlags) check(args []string) error {
	shown := 0
	for _, set := range f.tables {
		shown += count(*set)
	}
	switch {
	case len(args) == 0:
		return usagef("info expects at least one argument, a release image pull spec: no cluster is contacted")
	case shown+count(f.imageFor != "")+count(f.contents)+count(f.verify) > 1:
		return usagef("only one of --commits, --commit-urls, --pullspecs, --digests, --contents, --size, --image-for, --verify may be specified")
	case f.imageFor != "" && f.format != "":
		return usagef("--output and --image-for may not both be specified")
	case f.verify && f.format != "":
		return usagef("--output and --verify may not both be specified")
	case f.changesFrom != "" && len(args) != 1:
		return usagef("must specify a single release image as argument when comparing to another release image")
	case f.changesFrom != "" && f.verify:
		return usagef("--changes-from and --verify may not both be specified")
	}
	if slices.ContainsFunc(undone, f.changed) {
		return usagef("--changelog, --bugs and --rpmdb are not done here: they need source repositories or package databases")
	}
	return nil
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// table is what is shown of each component.
func (f *releaseInfoFlags) table() release.Table {
	for table, set := range f.tables {
		if *set {
			return table
		}
	}
	return release.Digests
}

// releaseQuery is what is asked of which releases.
type releaseQuery struct {
	flags  *releaseInfoFlags
	given  []sought // the last of them is shown, one before it with --changes-from
	differ bool     // show what changed from the first to the second
	o      mirror.InfoOptions
	render renderer // nil for what has no template
	now    time.Time
}

func (f *releaseInfoFlags) parse(args []string) (*releaseQuery, error) {
	if err := f.check(args); err != nil {
		return nil, err
	}
	q := &releaseQuery{flags: f}
	var err error
	if q.render, err = f.outputFlags.parse("digest", "name", "pullspec"); err != nil {
		return nil, err
	}
	if f.changesFrom != "" {
		args = append([]string{f.changesFrom}, args...)
	}
	for n, arg := range args {
		found, err := f.lookup.parse(arg)
		if err != nil {
			return nil, halfEmpty(f.nameOf(n), arg, err)
		}
		q.given = append(q.given, found)
	}
	q.differ = len(q.given) == 2 && !f.verify
	if q.differ && (f.imageFor != "" || q.render == nil && f.format != "") {
		return nil, usagef("of the changes between two releases there is text, -o json, and templates")
	}
	if q.o.Filter, err = oci.ParsePlatformFilter(f.filter); err != nil {
		return nil, &usageError{fmt.Errorf("--filter-by-os: %w", err)}
	}
	q.o.Images = f.images || f.verify || *f.tables[release.Sizes]
	q.o.Platform = oci.Platform{OS: "linux", Architecture: runtime.GOARCH}
	q.o.Rules, err = f.ruleFlags.read()
	return q, err
}

// nameOf is what to call the n-th release that was named.
func (f *releaseInfoFlags) nameOf(n int) string {
	switch {
	case f.changesFrom == "":
		return fmt.Sprintf("argument %d", n+1)
	case n == 0:
		return "the value of --changes-from"
	}
	return fmt.Sprintf("argument %d", n)
}

func (a *App) runReleaseInfo(ctx context.Context, g *globalFlags, f *releaseInfoFlags, args []string) (err error) {
	q, err := f.parse(args)
	if err != nil {
		return err
	}
	s, err := a.open(g, &f.registryFlags, f.dirs, true)
	if err != nil {
		return err
	}
	defer s.close(ctx, &err)
	q.now = a.Now()
	if q.differ {
		return q.changes(ctx, s)
	}
	failed := failures{ui: s.ui, of: len(q.given)}
	for _, given := range q.given {
		if err := q.one(ctx, s, given); err != nil {
			failed.add(ctx, err)
		}
	}
	return failed.err()
}

// read finds a release and reads it.
func (q *releaseQuery) read(ctx context.Context, s *session, given sought) (*mirror.Info, error) {
	found, err := q.flags.lookup.find(ctx, s, given)
	if err != nil {
		return nil, err
	}
	q.flags.ruleFlags.warn(s, q.o.Rules, found.image)
	info, err := mirror.ReadInfo(ctx, s.regs, found.image, q.o)
	if err != nil {
		return nil, err
	}
	if info.Notice != "" {
		s.ui.Warn("%s", info.Notice)
	}
	return info, found.check(info.Payload)
}
