package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/imagelist"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

// imageMirrorFlags are those of oc.md 10.1.
type imageMirrorFlags struct {
	registryFlags
	verification    verifyFlags
	files           []string
	dirs            dirFlags
	filter          string
	dryRun          bool
	continueOnError bool
	skipMissing     bool
	skipMount       bool
	noSignatures    bool
	force           bool
	keepList        bool
	keepListSet     bool
	maxRegistry     int
	s3Buckets       []string
	releases        string // repository of release images
}

func (a *App) imageMirror(g *globalFlags) *cobra.Command {
	f := &imageMirrorFlags{}
	cmd := &cobra.Command{
		Use:   "mirror SRC DST [DST ...] | SRC=DST [...] | -f FILE",
		Short: "Copy images between registries and directories",
		Long: `Copy images from one place to another: registries, or directories given as
file://NAME below --dir or --from-dir. Digests never change. A list of several
platforms is copied whole, unless --filter-by-os chooses among them.

A release from a medium is verified first, with the signature in config/ there.

A source without tag, or with * in its tag, stands for all tags that match.
Files given with -f have one "SRC DST" or "SRC=DST" a line; # begins a comment.`,
		Example: strings.ReplaceAll(`  # One image, to a second registry
  PROGRAM image mirror quay.io/team/app:1.2 registry.example.com/team/app:1.2

  # A release from a disk into the mirror registry
  PROGRAM image mirror --from-dir=/media/disk \
    'file://openshift/release:4.14.3*' registry.example.com/ocp4/release

  # Everything that a mapping file lists, going on after failures
  PROGRAM image mirror -f mapping.txt --continue-on-error`, "PROGRAM", a.program()),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.keepListSet = cmd.Flags().Changed("keep-manifest-list")
			if err := checkValues(cmd, a.ui(g)); err != nil {
				return err
			}
			return a.runImageMirror(cmd.Context(), g, f, args)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

func (f *imageMirrorFlags) add(flags *pflag.FlagSet) {
	f.registryFlags.add(flags)
	f.verification.add(flags)
	flags.StringSliceVarP(&f.files, "filename", "f", nil, "files with one mapping a line; - is standard input")
	flags.StringVar(&f.dirs.to, "dir", "", "directory of file:// destinations, and sources unless --from-dir is given")
	flags.StringVar(&f.dirs.from, "from-dir", "", "directory of file:// sources")
	flags.StringVar(&f.filter, "filter-by-os", "", "regular expression for the platforms (os/arch[/variant]) of lists that go along; without it all do")
	flags.StringVar(&f.releases, "release-image-repository", "", "repository for release images alone, apart from their components: the Update Service needs that")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be copied, and stop")
	flags.BoolVar(&f.continueOnError, "continue-on-error", false, "go on with other images when one fails; the exit code still tells")
	flags.BoolVar(&f.skipMissing, "skip-missing", false, "leave out, with a warning, what the source no longer has")
	flags.BoolVar(&f.noSignatures, "no-signatures", false, "leave out signatures, attestations and whatever else is attached to the images")
	flags.BoolVar(&f.skipMount, "skip-mount", false, "never ask a registry to link layers between its repositories")
	flags.BoolVar(&f.oneScope, "skip-multiple-scopes", false, "ask a token service for one repository at a time")
	flags.BoolVar(&f.force, "force", false, "send everything, also what the destination has")
	flags.BoolVar(&f.keepList, "keep-manifest-list", true, "keep a list although the filter leaves one platform of it; =false pushes that one image instead")
	flags.IntVar(&f.maxRegistry, "max-registry", 4, "accepted, as in oc; registries are worked on as fast as each takes it")
	flags.StringSliceVar(&f.s3Buckets, "s3-source-bucket", nil, "accepted, as in oc; S3 destinations are not there yet")
}

func (a *App) runImageMirror(ctx context.Context, g *globalFlags, f *imageMirrorFlags, args []string) (err error) {
	list, err := a.mappings(f, args)
	if err != nil {
		return err
	}
	filter, err := oci.ParsePlatformFilter(f.filter)
	if err != nil {
		return &usageError{fmt.Errorf("--filter-by-os: %w", err)}
	}
	if err := f.verification.parse(); err != nil {
		return err
	}
	releases, err := f.releaseRepository(list)
	if err != nil {
		return err
	}
	s, err := a.open(g, &f.registryFlags, f.dirs, f.dryRun)
	if err != nil {
		return err
	}
	defer s.close(ctx, &err)
	wishes, err := mirror.Expand(ctx, s.regs, list, mirror.ExpandOptions{SkipMissing: f.skipMissing, ReleaseRepository: releases}, s.observer(nil))
	if err != nil {
		return nameSource(list, err)
	}
	s.warnShared(wishes)
	media, err := s.verifyMedia(ctx, wishes, &f.verification)
	if err != nil {
		return err
	}
	retry := f.retry(args, filter)
	result, err := s.copyAll(ctx, wishes, mirror.CopyOptions{
		Plan: mirror.PlanOptions{
			Filter: filter, Single: f.keepListSet && !f.keepList, OrSingle: !f.keepListSet && !filter.All(), SkipMissing: f.skipMissing,
			Force: f.force, ContinueOnError: f.continueOnError, NoSignatures: f.noSignatures,
		},
		Engine: engine.Options{SkipMount: f.skipMount},
		DryRun: f.dryRun,
	})
	s.tellRetried(retry, list, result, err)
	if err != nil || f.dryRun {
		return nameSource(list, err)
	}
	s.tellMedia(media)
	return nil
}

// releaseRepository reads --release-image-repository, for the kind of place
// that the first mapping goes to.
func (f *imageMirrorFlags) releaseRepository(list []imagelist.Mapping) (ref.Ref, error) {
	scheme := ref.Registry
	if len(list) > 0 && len(list[0].Destinations) > 0 {
		scheme = list[0].Destinations[0].Scheme
	}
	r, err := releaseRepository(f.releases, scheme)
	if err != nil {
		return r, flagError("--release-image-repository", f.releases, err)
	}
	return r, nil
}

// copy runs the copy and prints what oc prints around it (oc.md 10.3).
func (s *session) copy(ctx context.Context, wishes []mirror.Wish, o mirror.CopyOptions) error {
	_, err := s.copyAll(ctx, wishes, o)
	return err
}

// copyAll is copy with what became of each image, nil where nothing was planned.
func (s *session) copyAll(ctx context.Context, wishes []mirror.Wish, o mirror.CopyOptions) (*mirror.Result, error) {
	s.app.boundMemory(len(wishes))
	started := s.app.Now()
	copying := started
	result, err := mirror.Copy(ctx, s.regs, wishes, o, s.observer(func(p *plan.Plan) {
		if o.DryRun {
			s.ui.Plain(ui.PlanText(p))
		}
		copying = s.app.Now()
		s.ui.Info("Planning completed in %s", ui.Duration(copying.Sub(started)))
		if !o.DryRun {
			s.ui.Info("%s", ui.Summary(p.Totals()))
		}
	}))
	if err == nil && o.DryRun {
		s.ui.Info("Dry run complete")
	}
	if result == nil || result.Report == nil {
		return result, err
	}
	// Durable first, then the word that it is done. After a run that failed,
	// closing mostly fails for the same reason.
	if cerr := s.regs.Close(context.WithoutCancel(ctx)); cerr != nil {
		return result, cmp.Or(err, cerr)
	}
	s.summary(result, s.app.Now().Sub(copying))
	return result, err
}

// summary says what came of a run, also of one in which some images failed or
// that was cut short.
func (s *session) summary(r *mirror.Result, took time.Duration) {
	t := r.Plan.Totals()
	bad, badAttached := r.Report.Failed()
	verb, failed, left := "completed in", "", ""
	if n := t.Images - t.Present - r.Report.Copied - bad; n > 0 {
		verb, left = "stopped after", fmt.Sprintf(", %d left", n)
	}
	if n := bad + len(r.Planning); n > 0 {
		failed = fmt.Sprintf("%d failed, ", n)
	}
	rate := float64(r.Report.Bytes) / max(took.Seconds(), 0.001)
	s.ui.Info("Mirroring %s %s (%s)", verb, ui.Duration(took), ui.Rate(rate))
	s.ui.Info("%s: %s%d copied, %d there before, %d skipped%s%s; %s sent, %d linked, %d there before; %s transferred",
		ui.Count(t.Images+len(r.Plan.Skipped)+len(r.Planning), "image"), failed, r.Report.Copied, t.Present, len(r.Plan.Skipped), left,
		attachedText(r.Report.Attached, badAttached), ui.Count(r.Report.Sent, "layer"), r.Report.Mounted, r.Report.Present, ui.Size(r.Report.Bytes))
}

// attachedText says what came of the signatures that go along, "" for none.
func attachedText(copied, failed int) string {
	switch {
	case failed > 0:
		return fmt.Sprintf(", %s attached, %d failed", ui.Count(copied, "signature"), failed)
	case copied > 0:
		return fmt.Sprintf(", %s attached", ui.Count(copied, "signature"))
	}
	return ""
}

// mappings reads what is to be copied: arguments, and the files of -f.
func (a *App) mappings(f *imageMirrorFlags, args []string) ([]imagelist.Mapping, error) {
	list, err := imagelist.ParseArgs(args)
	if err != nil {
		return nil, &usageError{err}
	}
	for _, name := range f.files {
		found, err := a.mappingFile(name)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	if len(list) == 0 && len(f.files) > 0 {
		return nil, fmt.Errorf("%s: no line has a source and a destination", strings.Join(f.files, ", "))
	}
	if len(list) == 0 {
		return nil, usagef("must specify at least one source and destination, as SRC DST, SRC=DST or -f FILE")
	}
	return list, nil
}

func (a *App) mappingFile(name string) ([]imagelist.Mapping, error) {
	if name == "-" {
		return imagelist.ParseFile("-", a.Stdin)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return imagelist.ParseFile(name, file)
}
