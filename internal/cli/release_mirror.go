package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
)

// releaseMirrorFlags are those of oc.md 12.1.
type releaseMirrorFlags struct {
	registryFlags
	lookup                    sourceFlags
	verification              verifyFlags
	from, to, toReleaseImage  string
	releaseRepository         string
	dirs                      dirFlags
	toImageStream             string
	toMirror, dryRun          bool
	skipRelease, keepList     bool
	force, skipMount          bool
	skipMissing, noSignatures bool
	instructions              string
	applySignature, overwrite bool
	signatureDir              string
}

func (a *App) releaseMirror(g *globalFlags) *cobra.Command {
	f := &releaseMirrorFlags{}
	cmd := &cobra.Command{
		Use:   "mirror [RELEASE_IMAGE | VERSION | CHANNEL]",
		Short: "Mirror an OpenShift release to a registry or a directory",
		Long: `Mirror all images of an OpenShift release: to a registry that this machine can
reach (--to), or to a directory that is carried to one (--to-dir). The release
image and its components keep their digests, so that a cluster finds them by
the mirror instructions that are printed at the end, and written as files.

A release is named by its image, or by a version (4.14.3) or a channel
(stable-4.14, whose highest version is taken): these are looked up in the
update graph, that of --graph-file or of the update service.`,
		Example: strings.ReplaceAll(`  # To a registry; --dry-run shows the plan and the instructions first
  PROGRAM adm release mirror -a pull-secret.json \
    --from=quay.io/openshift-release-dev/ocp-release:4.14.3-x86_64 \
    --to=registry.example.com/ocp4/release \
    --to-release-image=registry.example.com/ocp4/release:4.14.3-x86_64

  # To a disk
  PROGRAM adm release mirror -a pull-secret.json --to-dir=/media/disk/mirror \
    quay.io/openshift-release-dev/ocp-release:4.14.3-x86_64

  # The same by its version
  PROGRAM adm release mirror -a pull-secret.json --to-dir=/media/disk/mirror 4.14.3 --arch=x86_64`, "PROGRAM", a.program()),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkValues(cmd, a.ui(g)); err != nil {
				return err
			}
			return a.runReleaseMirror(cmd.Context(), g, f, args)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

func (f *releaseMirrorFlags) add(flags *pflag.FlagSet) {
	f.registryFlags.add(flags)
	f.lookup.add(flags)
	f.verification.add(flags)
	flags.StringVar(&f.from, "from", "", "release image, version or channel to mirror; may be given as the argument instead")
	flags.StringVar(&f.to, "to", "", "repository to mirror to; its tag may have ${component} and ${version}")
	flags.StringVar(&f.dirs.to, "to-dir", "", "directory to mirror to; alone it means --to=file://openshift/release below it")
	flags.StringVar(&f.dirs.from, "from-dir", "", "directory of a file:// release image")
	flags.StringVar(&f.toReleaseImage, "to-release-image", "", "where the release image goes, instead of a tag of --to")
	flags.StringVar(&f.releaseRepository, "release-image-repository", "", "repository for the release image alone, with its usual tag: the Update Service needs that")
	flags.StringVar(&f.toImageStream, "to-image-stream", "", "needs a cluster, which is not contacted; use --to")
	flags.BoolVar(&f.toMirror, "to-mirror", false, "print the images as SRC DST lines for image mirror -f, and stop")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be mirrored and the instructions, and stop")
	flags.BoolVar(&f.skipRelease, "skip-release-image", false, "leave the release image out")
	flags.BoolVar(&f.keepList, "keep-manifest-list", false, "name a release of several architectures by multi; lists are always kept")
	flags.BoolVar(&f.force, "force", false, "send everything, also what the destination has")
	flags.BoolVar(&f.noSignatures, "no-signatures", false, "leave out signatures, attestations and whatever else is attached to the images")
	flags.BoolVar(&f.skipMount, "skip-mount", false, "never ask a registry to link layers between its repositories")
	flags.BoolVar(&f.skipMissing, "skip-missing", false, "leave out, with a warning, component images that the source no longer has")
	flags.StringVar(&f.instructions, "print-mirror-instructions", "", "icsp (the default), idms or none")
	flags.BoolVar(&f.applySignature, "apply-release-image-signature", false, "needs a cluster, which is not contacted; names the file to apply")
	flags.BoolVar(&f.overwrite, "overwrite", false, "only with --apply-release-image-signature")
	flags.StringVar(&f.signatureDir, "release-image-signature-to-dir", "", "directory for the signatures as config maps; without it config below --to-dir")
}

// check refuses what contradicts itself, in oc's words (oc.md 18).
func (f *releaseMirrorFlags) check(args []string) error {
	switch {
	case len(args) > 1:
		return usagef("only one argument is accepted")
	case len(args) == 1 && f.from != "":
		return usagef("you may not specify an argument and --from")
	case len(args) == 0 && f.from == "":
		return usagef("must specify a release image with --from")
	case f.toImageStream != "":
		return &hinted{
			usagef("--to-image-stream needs a cluster, which is not contacted"),
			"mirror with --to; the release's file image-references is its image stream, to be applied where the cluster is: adm release extract --file=image-references RELEASE_IMAGE | oc apply -n NAMESPACE -f -",
		}
	case f.overwrite && !f.applySignature:
		return usagef("--overwrite is only valid when --apply-release-image-signature is specified")
	case f.to == "" && f.dirs.to == "" && !f.toMirror:
		return usagef("must specify an image repository or image stream to mirror the release to")
	case f.skipRelease && f.toReleaseImage != "":
		return usagef("--skip-release-image and --to-release-image may not both be specified")
	case f.releaseRepository != "" && f.toReleaseImage != "":
		return usagef("--release-image-repository and --to-release-image may not both be specified")
	case f.releaseRepository != "" && f.skipRelease:
		return usagef("--release-image-repository and --skip-release-image may not both be specified")
	}
	if _, err := f.kind(); err != nil {
		return err
	}
	return f.verification.parse()
}

// kind reads --print-mirror-instructions, in any case, as oc does.
func (f *releaseMirrorFlags) kind() (cluster.Kind, error) {
	kind, err := cluster.ParseKind(strings.ToLower(f.instructions))
	if err != nil {
		return kind, &usageError{err}
	}
	return kind, nil
}

// references are the flags' values, parsed.
type references struct {
	sought sought
	from   ref.Ref // the release image, once it is found
	name   release.Naming
}

func (f *releaseMirrorFlags) parse(args []string) (references, error) {
	var r references
	if err := f.check(args); err != nil {
		return r, err
	}
	what, from := f.source(args)
	var err error
	if r.sought, err = f.lookup.parse(from); err != nil {
		return r, halfEmpty(what, from, err)
	}
	if r.name.To, err = release.ParseTemplate(f.target()); err != nil {
		return r, flagError("--to", f.to, err)
	}
	if r.name.ReleaseImage, err = f.releaseImage(); err != nil {
		return r, flagError("--to-release-image", f.toReleaseImage, err)
	}
	if r.name.ReleaseRepository, err = releaseRepository(f.releaseRepository, r.name.To.Repository.Scheme); err != nil {
		return r, flagError("--release-image-repository", f.releaseRepository, err)
	}
	r.name.SkipRelease, r.name.KeepList = f.skipRelease, f.keepList || r.sought.multi()
	return r, nil
}

// source returns the release image as the user gave it, and what to call it.
func (f *releaseMirrorFlags) source(args []string) (what, value string) {
	if len(args) > 0 {
		return "argument 1", args[0]
	}
	return "the value of --from", f.from
}

// target is --to, or what oc takes instead.
func (f *releaseMirrorFlags) target() string {
	switch {
	case f.to != "":
		return f.to
	case f.dirs.to != "":
		return "file://openshift/release"
	}
	return "openshift/release" // --to-mirror alone
}

func (f *releaseMirrorFlags) releaseImage() (ref.Ref, error) {
	if f.toReleaseImage == "" {
		return ref.Ref{}, nil
	}
	r, err := ref.Parse(f.toReleaseImage)
	switch {
	case err != nil:
		return r, err
	case !r.Digest.IsZero():
		return r, fmt.Errorf("--to-release-image must have a tag and no digest: %s", f.toReleaseImage)
	case r.Tag == "":
		return r, fmt.Errorf("--to-release-image must have a tag: %s", f.toReleaseImage)
	}
	return r, r.RequireRepository()
}

func (a *App) runReleaseMirror(ctx context.Context, g *globalFlags, f *releaseMirrorFlags, args []string) (err error) {
	refs, err := f.parse(args)
	if err != nil {
		return err
	}
	s, err := a.open(g, &f.registryFlags, f.dirs, f.dryRun || f.toMirror)
	if err != nil {
		return err
	}
	defer s.close(ctx, &err)
	if !f.toMirror {
		if err := s.regs.WillWrite(mirrorsOf(refs.name)...); err != nil {
			return err
		}
	}
	if refs.sought, err = f.lookup.find(ctx, s, refs.sought); err != nil {
		return err
	}
	refs.from = refs.sought.image
	payload, err := f.read(ctx, s, refs, args)
	if err != nil {
		return err
	}
	verified, err := f.verify(ctx, s, payload, refs.from)
	if err != nil {
		return err
	}
	wishes, err := mirror.ReleaseWishes(ctx, s.regs, payload, refs.from, refs.name)
	if err != nil {
		return err
	}
	if f.toMirror {
		s.ui.Result(mirror.Lines(ctx, s.regs, wishes))
		return nil
	}
	s.warnShared(wishes)
	s.ui.Info("Mirroring %d images to %s ...", len(wishes), refs.name.To.Repository)
	o := mirror.CopyOptions{Plan: mirror.PlanOptions{Force: f.force, SkipMissing: f.skipMissing, NoSignatures: f.noSignatures}, DryRun: f.dryRun}
	o.Engine.SkipMount = f.skipMount
	if err := s.copy(ctx, wishes, o); err != nil {
		return err
	}
	return s.tellRelease(f, refs, payload, verified)
}

// read reads the payload of the release image.
func (f *releaseMirrorFlags) read(ctx context.Context, s *session, refs references, args []string) (*release.Payload, error) {
	payload, err := mirror.ReadRelease(ctx, s.regs, refs.from)
	if err == nil {
		err = refs.sought.check(payload)
	}
	if err != nil && refused(err) {
		what, from := f.source(args)
		err = halfEmpty(what, from, err)
	}
	return payload, err
}
