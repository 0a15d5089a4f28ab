package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// imageInfoFlags are those of oc.md 17.
type imageInfoFlags struct {
	registryFlags
	ruleFlags
	outputFlags
	dirs   dirFlags
	filter string
	multi  bool
}

func (a *App) imageInfo(g *globalFlags) *cobra.Command {
	f := &imageInfoFlags{}
	cmd := &cobra.Command{
		Use:   "info IMAGE [IMAGE ...]",
		Short: "Show what an image says of itself",
		Long: `Show what an image says of itself: digest, size, layers, platform and how it is
run. An image is read from a registry, or from a directory given as file://NAME
below --dir; no layers are read. One without tag, or with * in its tag, stands
for all tags that match.

Of a list of several platforms --filter-by-os chooses one, and --show-multiarch
shows all.`,
		Example: strings.ReplaceAll(`  # An image in a registry
  PROGRAM image info registry.example.com/team/app:1.2

  # Everything of one release on a disk
  PROGRAM image info --dir=/media/disk/mirror 'file://openshift/release:4.14.3*'

  # One platform of a list
  PROGRAM image info docker.io/library/busybox:latest --filter-by-os=linux/arm64`, "PROGRAM", a.program()),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkValues(cmd, a.ui(g)); err != nil {
				return err
			}
			return a.runImageInfo(cmd.Context(), g, f, args)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

func (f *imageInfoFlags) add(flags *pflag.FlagSet) {
	f.registryFlags.add(flags)
	f.ruleFlags.add(flags)
	f.outputFlags.add(flags)
	flags.StringVarP(&f.format, "output", "o", "", "json, or a template over it: jsonpath=..., go-template=...")
	flags.StringVar(&f.dirs.from, "dir", "", "directory of file:// images")
	flags.StringVar(&f.filter, "filter-by-os", "", "regular expression for the platform (os/arch[/variant]) that is shown of a list")
	flags.BoolVar(&f.multi, "show-multiarch", false, "show all images of a list that --filter-by-os matches; without it all there are")
}

// imageQuery is what is asked of which images.
type imageQuery struct {
	images []ref.Pattern
	o      mirror.InfoOptions
	render renderer // nil for text
}

func (f *imageInfoFlags) parse(args []string) (*imageQuery, error) {
	if len(args) == 0 {
		return nil, usagef("info expects at least one argument, an image pull spec")
	}
	q := &imageQuery{o: mirror.InfoOptions{All: f.multi}}
	var err error
	if q.render, err = f.outputFlags.parse(); err != nil {
		return nil, err
	}
	for n, arg := range args {
		pattern, err := ref.ParsePattern(arg)
		if err != nil {
			return nil, halfEmpty(fmt.Sprintf("argument %d", n+1), arg, &usageError{err})
		}
		q.images = append(q.images, pattern)
	}
	if q.o.Filter, err = oci.ParsePlatformFilter(f.filter); err != nil {
		return nil, &usageError{fmt.Errorf("--filter-by-os: %w", err)}
	}
	q.o.Rules, err = f.ruleFlags.read()
	return q, err
}

func (a *App) runImageInfo(ctx context.Context, g *globalFlags, f *imageInfoFlags, args []string) (err error) {
	q, err := f.parse(args)
	if err != nil {
		return err
	}
	s, err := a.open(g, &f.registryFlags, f.dirs, true)
	if err != nil {
		return err
	}
	defer s.close(ctx, &err)
	var found []mirror.ImageInfo
	for _, pattern := range q.images {
		f.ruleFlags.warn(s, q.o.Rules, pattern.Ref)
		images, err := mirror.ReadImages(ctx, s.regs, pattern, q.o)
		if err != nil {
			images = []mirror.ImageInfo{{Ref: pattern.Ref, Err: err}}
		}
		found = append(found, images...)
	}
	failed := failures{ui: s.ui, of: len(found)}
	for _, info := range found {
		if err := q.show(s, info); err != nil {
			failed.add(ctx, err)
		}
	}
	return failed.err()
}

// show prints one image, or several of a list.
func (q *imageQuery) show(s *session, info mirror.ImageInfo) error {
	if several, ok := errors.AsType[*image.SeveralError](info.Err); ok {
		s.ui.Plain(several.Table())
		return &hinted{info.Err, several.Hint() + "; --show-multiarch shows all"}
	}
	if info.Err != nil {
		return info.Err
	}
	text, err := q.text(s, info.Images)
	if err == nil {
		s.ui.Result(text)
	}
	return err
}

func (q *imageQuery) text(s *session, images []*image.Image) (string, error) {
	switch {
	case q.render != nil && len(images) == 1:
		return q.render(images[0])
	case q.render != nil:
		return q.render(images)
	}
	var b strings.Builder
	for _, im := range images {
		b.WriteString(im.Text(s.app.Now()))
	}
	return b.String(), nil
}
