package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/samples"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

func (a *App) samples(g *globalFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "samples", Short: "Mirror what the Cluster Samples Operator needs", Args: a.unknownCommand, RunE: help}
	cmd.AddCommand(a.samplesMirror(g))
	return cmd
}

type samplesFlags struct {
	registryFlags
	configMap        string
	to               string
	dirs             dirFlags
	choice           samples.Choice
	filter           string
	dryRun           bool
	continueOnError  bool
	skipMissing      bool
	noSignatures     bool
	force, skipMount bool
}

func (a *App) samplesMirror(g *globalFlags) *cobra.Command {
	f := &samplesFlags{}
	cmd := &cobra.Command{
		Use:   "mirror --config-map FILE --to REGISTRY/REPOSITORY",
		Short: "Mirror the images of the sample image streams, and configure the operator for them",
		Long: `Mirror the images that the cluster's sample image streams are filled from, and
write the configuration with which the Cluster Samples Operator takes them from
the mirror. Which images these are the cluster says: in the config map
imagestreamtag-to-image, also where it is installed without a network.

Each image keeps its path and tag below the mirror, since the operator replaces
the registry alone. An image stream of which one image cannot be mirrored, or
that is not wanted, is skipped: the operator is told to pass over it.

To a disk, --to-dir takes the images and a file with the config map, from which
--from-dir goes on where the mirror is.`,
		Example: `  oc get configmap imagestreamtag-to-image -n openshift-cluster-samples-operator -o yaml > samples.yaml
  airbridge samples mirror --config-map samples.yaml --to registry.example.com/samples --include 'java*' --include ruby

  # With a disk between
  airbridge samples mirror --config-map samples.yaml --to-dir /media/disk --skip-missing
  airbridge samples mirror --from-dir /media/disk --to registry.example.com/samples`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkValues(cmd, a.ui(g)); err != nil {
				return err
			}
			if err := f.check(); err != nil {
				return err
			}
			return a.runSamplesMirror(cmd.Context(), g, f)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

func (f *samplesFlags) add(flags *pflag.FlagSet) {
	f.registryFlags.add(flags)
	flags.StringVar(&f.configMap, "config-map", "", "the config map imagestreamtag-to-image, in YAML or JSON; - is standard input")
	flags.StringVar(&f.to, "to", "", "mirror: a registry, or a repository below which all images go")
	flags.StringVar(&f.dirs.to, "to-dir", "", "directory to mirror to")
	flags.StringVar(&f.dirs.from, "from-dir", "", "directory that --to-dir wrote")
	flags.StringArrayVar(&f.choice.Include, "include", nil, "image streams to mirror, as a name or glob; without it all; may be repeated")
	flags.StringArrayVar(&f.choice.Exclude, "exclude", nil, "image streams to leave out, as a name or glob; may be repeated")
	flags.StringVar(&f.filter, "filter-by-os", "", "regular expression for the platforms (os/arch[/variant]) of lists that go along; without it all do")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be copied and the configuration, and stop")
	flags.BoolVar(&f.continueOnError, "continue-on-error", false, "go on with other images when one fails; its image streams are skipped, and the exit code is 3")
	flags.BoolVar(&f.skipMissing, "skip-missing", false, "leave out, with a warning, images that their registry no longer has; their image streams are skipped")
	flags.BoolVar(&f.noSignatures, "no-signatures", false, "leave out signatures, attestations and whatever else is attached to the images")
	flags.BoolVar(&f.force, "force", false, "send everything, also what the destination has")
	flags.BoolVar(&f.skipMount, "skip-mount", false, "never ask a registry to link layers between its repositories")
}

// check refuses what contradicts itself.
func (f *samplesFlags) check() error {
	switch {
	case f.configMap == "" && f.dirs.from == "":
		return usagef("name the config map imagestreamtag-to-image with --config-map, or with --from-dir the directory that --to-dir wrote")
	case f.to == "" && f.dirs.to == "":
		return usagef("name the mirror with --to, or with --to-dir a directory that is carried there")
	case f.to != "" && f.dirs.to != "":
		return usagef("--to and --to-dir may not both be specified: mirror to the directory first, then from it")
	case f.dirs.from != "" && f.dirs.to != "":
		return usagef("--from-dir and --to-dir may not both be specified: a directory is copied as it is")
	}
	if err := f.choice.Check(); err != nil {
		return &usageError{err}
	}
	_, err := f.target()
	return err
}

// target is where the images go below.
func (f *samplesFlags) target() (ref.Ref, error) {
	if f.dirs.to != "" {
		return ref.Ref{Scheme: ref.File, Path: samples.Repository}, nil
	}
	to, err := ref.Parse(f.to)
	if err != nil {
		return to, flagError("--to", f.to, &usageError{err})
	}
	if host, is := to.MaybeHost(); is {
		to = ref.Ref{Host: host}
	}
	switch {
	case to.Scheme != ref.Registry || to.Host == "":
		return to, flagError("--to", f.to, usagef("--to must begin with a registry, as registry.example.com:8443/samples, not %.300q", f.to))
	case to.Tag != "" || !to.Digest.IsZero():
		return to, flagError("--to", f.to, usagef("--to must have no tag and no digest: %s", f.to))
	}
	return to, nil
}

func (a *App) runSamplesMirror(ctx context.Context, g *globalFlags, f *samplesFlags) (err error) {
	filter, err := oci.ParsePlatformFilter(f.filter)
	if err != nil {
		return usagef("--filter-by-os: %w", err)
	}
	configMap, err := a.sampleMap(f)
	if err != nil {
		return err
	}
	wanted, left, err := f.choice.Apply(configMap.Streams)
	if err != nil {
		return usagef("--include and --exclude: %w", err)
	}
	s, err := a.open(g, &f.registryFlags, f.dirs, f.dryRun)
	if err != nil {
		return err
	}
	defer s.close(ctx, &err)
	run, err := f.plan(configMap, wanted)
	if err != nil {
		return err
	}
	s.ui.Info("%s with %s", ui.Count(len(wanted), "image stream"), ui.Count(len(run.Wishes), "image"))
	result, err := s.copyAll(ctx, run.Wishes, mirror.CopyOptions{
		Plan: mirror.PlanOptions{
			Filter: filter, OrSingle: !filter.All(), SkipMissing: f.skipMissing,
			Force: f.force, ContinueOnError: f.continueOnError, NoSignatures: f.noSignatures,
		},
		Engine: engine.Options{SkipMount: f.skipMount},
		DryRun: f.dryRun,
	})
	goesOn := err == nil || f.continueOnError && someFailed(err)
	if result == nil || !goesOn {
		return err
	}
	e := sampleEnd{configMap: configMap, done: run.Done(result)}
	e.earlier, e.left = s.earlierSamples(ctx, f, run, wanted, left)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e.skip = samples.Skipped(wanted, run.Why)
	if end := s.endSamples(f, e); end != nil || err == nil {
		return end
	}
	return &incompleteError{fmt.Sprintf("%d of %s skipped", len(e.skip), ui.Count(len(wanted), "image stream")), err}
}

// earlierSamples tells the streams that were not wanted, but which an earlier run
// has brought to the mirror, from the others: the operator's configuration is
// for all runs. Nobody asks for a stream that is excluded, which the operator is
// to pass over whatever the mirror has.
func (s *session) earlierSamples(ctx context.Context, f *samplesFlags, run *mirror.SampleRun, wanted, left []samples.Stream) (earlier, others []string) {
	there := map[string]bool{}
	to, err := f.target()
	if err == nil && to.Scheme == ref.Registry {
		notAsked := slices.DeleteFunc(slices.Clone(left), f.choice.Excludes)
		err = run.Earlier(ctx, s.regs, slices.Concat(wanted, notAsked), to)
		for _, stream := range notAsked {
			there[stream.Name] = len(samples.Skipped([]samples.Stream{stream}, run.Why)) == 0
		}
	}
	if err != nil && ctx.Err() == nil { // a dry run goes on without the mirror
		s.ui.Warn("what earlier runs brought to the mirror cannot be told, and is skipped: %s", oneLine(err))
	}
	for _, stream := range left {
		if there[stream.Name] {
			earlier = append(earlier, stream.Name)
		} else {
			others = append(others, stream.Name)
		}
	}
	return earlier, others
}

// someFailed reports whether a copy went through, but not wholly.
func someFailed(err error) bool {
	_, told := errors.AsType[*mirror.ToldError](err)
	return told || errors.Is(err, mirror.ErrSome)
}

// incompleteError is the end of a run in which some images failed, however few.
type incompleteError struct {
	summary string
	err     error
}

// Error implements error.
func (e *incompleteError) Error() string { return mirror.ErrSome.Error() + ": " + e.summary }

// Unwrap returns the kind of ending and what failed.
func (e *incompleteError) Unwrap() []error { return []error{mirror.ErrSome, e.err} }

// plan says which images are copied, and from where.
func (f *samplesFlags) plan(configMap *samples.ConfigMap, wanted []samples.Stream) (*mirror.SampleRun, error) {
	to, err := f.target()
	if err != nil {
		return nil, err
	}
	images, bad := samples.Images(wanted)
	run, err := mirror.PlanSamples(images, bad, to)
	if err == nil && f.dirs.from != "" {
		run, err = run.FromMedium(configMap, to)
	}
	if err == nil && len(run.Wishes) == 0 {
		err = fmt.Errorf("none of the images can be mirrored: %s", firstReason(wanted, run))
	}
	return run, err
}

func firstReason(wanted []samples.Stream, run *mirror.SampleRun) string {
	for _, skip := range samples.Skipped(wanted, run.Why) {
		return "image stream " + skip.Stream + ", " + skip.Why
	}
	return ""
}
