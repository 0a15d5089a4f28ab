package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/table"
)

// list holds the commands that say what there is to be mirrored.
func (a *App) list(g *globalFlags) *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "Show what there is to be mirrored", Args: a.unknownCommand, RunE: help}
	list.AddCommand(a.listOperators(g), a.listReleases(g))
	return list
}

type listOperatorsFlags struct {
	registryFlags
	outputFlags
	dirs        dirFlags
	catalog     string
	pkg         string
	channel     string
	indexFilter string
}

func (a *App) listOperators(g *globalFlags) *cobra.Command {
	f := &listOperatorsFlags{}
	cmd := &cobra.Command{
		Use:   "operators --catalog INDEX_IMAGE",
		Short: "Show the operators of a catalog, their channels and versions",
		Long: `Show the operators of a catalog: all packages, the channels of one (--package),
or the versions in one of its channels (--channel). Of the index image only the
layer with the catalog is downloaded, as far as the image tells which one that is.`,
		Example: `  airbridge list operators --catalog registry.redhat.io/redhat/redhat-operator-index:v4.14
  airbridge list operators --catalog registry.redhat.io/redhat/redhat-operator-index:v4.14 --package serverless-operator
  airbridge list operators --catalog registry.redhat.io/redhat/redhat-operator-index:v4.14 --package serverless-operator --channel stable

  # On a medium
  airbridge list operators --from-dir=/media/disk --catalog file://local/index/redhat/redhat-operator-index:v4.14`,
		Args: catalogByFlag,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkValues(cmd, a.ui(g)); err != nil {
				return err
			}
			return a.runListOperators(cmd.Context(), g, f)
		},
	}
	flags := cmd.Flags()
	f.registryFlags.add(flags)
	f.outputFlags.add(flags)
	flags.StringVarP(&f.format, "output", "o", "", listFormats)
	flags.StringVar(&f.catalog, "catalog", "", "index image of the catalog")
	flags.StringVar(&f.pkg, "package", "", "package whose channels are shown")
	flags.StringVar(&f.channel, "channel", "", "channel whose versions are shown, of --package")
	flags.StringVar(&f.indexFilter, "index-filter-by-os", ".*", "regular expression for the platform (os/arch[/variant]) of the index image that is read")
	flags.StringVar(&f.dirs.from, "from-dir", "", "directory of a file:// index image")
	return cmd
}

func (a *App) runListOperators(ctx context.Context, g *globalFlags, f *listOperatorsFlags) (err error) {
	at, render, err := f.parse()
	if err != nil {
		return err
	}
	filter, err := oci.ParsePlatformFilter(f.indexFilter)
	if err != nil {
		return usagef("--index-filter-by-os: %w", err)
	}
	s, err := a.open(g, &f.registryFlags, f.dirs, true)
	if err != nil {
		return err
	}
	defer s.close(ctx, &err)
	c, err := s.listed(ctx, at, filter)
	if err != nil {
		return err
	}
	packages, columns := c.List(), a.columns(f.outputFlags)
	if f.pkg == "" {
		return s.show(render, packages, func() string { return packagesText(packages, columns) })
	}
	p, err := findPackage(packages, f.pkg)
	if err != nil {
		return err
	}
	if f.channel == "" {
		return s.show(render, p, func() string { return packageText(p, columns) })
	}
	channel, err := findChannel(p, f.channel)
	if err != nil {
		return err
	}
	return s.show(render, channel, func() string { return channelText(channel, columns) })
}

func (f *listOperatorsFlags) parse() (at ref.Ref, render renderer, err error) {
	switch {
	case f.catalog == "":
		return at, nil, usagef("name the index image of a catalog with --catalog, as registry.redhat.io/redhat/redhat-operator-index:v4.14")
	case f.channel != "" && f.pkg == "":
		return at, nil, usagef("--channel is for one package: name it with --package")
	}
	if at, err = catalogIndex(f.catalog); err != nil {
		return at, nil, halfEmpty("the value of --catalog", f.catalog, err)
	}
	render, err = f.outputFlags.parse(wide)
	return at, render, err
}

// listed reads a catalog as far as a list needs it. What cannot be read of it
// is told.
func (s *session) listed(ctx context.Context, at ref.Ref, filter oci.PlatformFilter) (*catalog.Catalog, error) {
	index, err := mirror.FindIndex(ctx, s.regs, at, mirror.IndexOptions{Filter: filter, Quick: true, Progress: s.ui.Meter("reading the catalog").Set})
	if err != nil {
		if e, ok := errors.AsType[*mirror.IndexPlatformError](err); ok {
			s.ui.Plain(e.Table())
		}
		return nil, err
	}
	extracted, err := index.Extract(ctx, "")
	if err != nil {
		return nil, err
	}
	c, problems, err := extracted.Catalog(ctx)
	for _, p := range problems {
		s.ui.Warn("a document of the catalog is left out: %v", p)
	}
	return c, errors.Join(err, extracted.Close())
}

// show prints a result in the form that was asked for.
func (s *session) show(render renderer, value any, text func() string) error {
	if render == nil {
		s.ui.Result(text())
		return nil
	}
	out, err := render(value)
	if err == nil {
		s.ui.Result(out)
	}
	return err
}

// columns is how wide a list may be: as wide as the terminal, where it goes to
// one. With -o wide, and for programs, nothing is left out: 0.
func (a *App) columns(f outputFlags) int {
	if f.format == wide {
		return 0
	}
	return helpColumns(a.Stdout)
}

// wide is the format of lists that do without the terminal's width.
const wide = "wide"

const listFormats = "wide (nothing is cut for a narrow terminal), json, or a template over it: jsonpath=..., go-template=..."

// listSpaces is what is between the columns of a list.
const listSpaces = 2

func packagesText(packages []catalog.PackageListing, columns int) string {
	l := table.NewListing(listSpaces, table.Column{Title: "NAME"},
		table.Column{Title: "DISPLAY NAME", Give: table.LosesEnd}, table.Column{Title: "DEFAULT CHANNEL"})
	for _, p := range packages {
		l.Row(p.Name, p.DisplayName, p.DefaultChannel)
	}
	return l.Text(columns)
}

func packageText(p catalog.PackageListing, columns int) string {
	l := table.NewListing(listSpaces, table.Column{Title: "CHANNEL"}, table.Column{Title: "HEAD", Give: table.LosesFront},
		table.Column{Title: "VERSION"}, table.Column{Title: "BUNDLES"})
	for _, c := range p.Channels {
		head := c.Head
		if c.Problem != "" {
			head = "(" + c.Problem + ")"
		}
		l.Row(c.Name, head, c.Version, fmt.Sprint(len(c.Bundles)))
	}
	return packagesText([]catalog.PackageListing{p}, columns) + "\n" + l.Text(columns)
}

// channelText leaves out the beginnings of names where it has to: their ends
// tell bundles apart.
func channelText(c catalog.ChannelListing, columns int) string {
	l := table.NewListing(listSpaces, table.Column{Title: "VERSION"},
		table.Column{Title: "BUNDLE", Give: table.LosesFront}, table.Column{Title: "REPLACES", Give: table.LosesFront})
	for _, e := range c.Bundles {
		l.Row(e.Version, e.Name, e.Replaces)
	}
	return l.Text(columns)
}

func findPackage(packages []catalog.PackageListing, name string) (catalog.PackageListing, error) {
	i := slices.IndexFunc(packages, func(p catalog.PackageListing) bool { return p.Name == name })
	if i >= 0 {
		return packages[i], nil
	}
	err := fmt.Errorf("the catalog has no package %q", name)
	if near := catalog.NearPackages(packages, name); len(near) > 0 {
		return catalog.PackageListing{}, &hinted{err, "did you mean " + strings.Join(near, ", ") + "?"}
	}
	return catalog.PackageListing{}, err
}

func findChannel(p catalog.PackageListing, name string) (catalog.ChannelListing, error) {
	var names []string
	for _, c := range p.Channels {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	if len(names) == 0 {
		return catalog.ChannelListing{}, fmt.Errorf("the package %s has no channels at all", p.Name)
	}
	return catalog.ChannelListing{}, fmt.Errorf("the package %s has no channel %q; its channels are %s", p.Name, name, strings.Join(names, ", "))
}

// catalogByFlag refuses arguments: an index image, most often.
func catalogByFlag(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("no arguments are taken, got %d: the index image is named by --catalog", len(args))
	}
	return nil
}
