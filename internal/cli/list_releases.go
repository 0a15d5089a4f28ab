package cli

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/airbridge-dev/airbridge/internal/graph"
	"github.com/airbridge-dev/airbridge/internal/table"
)

type listReleasesFlags struct {
	registryFlags
	outputFlags
	lookup  sourceFlags
	version string
	channel string
}

func (a *App) listReleases(g *globalFlags) *cobra.Command {
	f := &listReleasesFlags{}
	cmd := &cobra.Command{
		Use:   "releases",
		Short: "Show the releases that there are, by the update graph",
		Long: `Show the releases that the update graph has: all minor versions with their
newest release and their channels, the releases of one minor version
(--version), or those of a channel (--channel). The graph is that of
--graph-file or of the update service.`,
		Example: `  airbridge list releases
  airbridge list releases --version 4.14 --arch x86_64
  airbridge list releases --channel eus-4.14 -o json`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkValues(cmd, a.ui(g)); err != nil {
				return err
			}
			return a.runListReleases(cmd.Context(), g, f)
		},
	}
	flags := cmd.Flags()
	f.registryFlags.add(flags)
	f.outputFlags.add(flags)
	f.lookup.add(flags)
	flags.StringVarP(&f.format, "output", "o", "", listFormats)
	flags.StringVar(&f.version, "version", "", "minor version whose releases are shown, as 4.14")
	flags.StringVar(&f.channel, "channel", "", "channel whose releases are shown, as stable-4.14")
	return cmd
}

var minorVersion = regexp.MustCompile(`^[0-9]{1,4}\.[0-9]{1,4}$`)

// query reads what is asked for; the architecture is set, the channel where one
// has to be read.
func (f *listReleasesFlags) query(s *session) (q graph.Query, err error) {
	switch {
	case f.version != "" && f.channel != "":
		return q, usagef("--version and --channel may not both be specified")
	case f.version != "" && !minorVersion.MatchString(f.version):
		return q, usagef("--version is a minor version, as 4.14, not %q", f.version)
	case f.lookup.graphFile != "" && f.lookup.graphURL != "":
		return q, usagef("--graph-file and --graph-url may not both be specified")
	}
	if f.lookup.graphURL != "" {
		if _, err := graph.ParseURL(f.lookup.graphURL); err != nil {
			return q, usagef("--graph-url: %w", err)
		}
	}
	arch := f.lookup.arch
	if arch == "" {
		arch = runtime.GOARCH
		s.ui.Info("no --arch: releases for the architecture of this machine, %s, are shown", arch)
	}
	if q.Arch, err = graph.ParseArch(arch); err != nil {
		return q, usagef("--arch: %w", err)
	}
	q.Channel = f.channel
	if f.version != "" {
		q.Channel = "candidate-" + f.version // which has what the others have
	}
	return q, nil
}

func (a *App) runListReleases(ctx context.Context, g *globalFlags, f *listReleasesFlags) (err error) {
	render, err := f.outputFlags.parse(wide)
	if err != nil {
		return err
	}
	s, err := a.open(g, &f.registryFlags, dirFlags{}, true)
	if err != nil {
		return err
	}
	defer s.close(ctx, &err)
	q, err := f.query(s)
	if err != nil {
		return err
	}
	releases, err := f.graph(ctx, s, q)
	if err != nil {
		return err
	}
	switch {
	case f.channel != "":
		return f.show(s, render, releases.Releases(f.channel, q.Arch), q)
	case f.version != "":
		nodes := releases.Minor(f.version, q.Arch)
		if len(nodes) == 0 && f.lookup.graphFile != "" {
			return f.lookup.inFile(noMinor(f.version, q.Arch, releases))
		}
		return f.show(s, render, nodes, q)
	}
	lines := releases.Lines(q.Arch)
	if len(lines) == 0 {
		err := error(&graph.NotFoundError{Query: q, Archs: releases.Archs()})
		if f.lookup.graphFile != "" {
			err = f.lookup.inFile(err)
		}
		return err
	}
	return s.show(render, lines, func() string { return linesText(lines, a.columns(f.outputFlags)) })
}

// noMinor says which minor versions a graph has instead of one.
func noMinor(version string, arch graph.Arch, g *graph.Graph) error {
	var have []string
	for _, l := range g.Lines(arch) {
		have = append(have, l.Minor)
	}
	if len(have) == 0 {
		return &graph.NotFoundError{Query: graph.Query{Channel: "candidate-" + version, Arch: arch}, Archs: g.Archs()}
	}
	return fmt.Errorf("the update graph has no releases of %s for %s; it has those of %s", version, arch, strings.Join(have, ", "))
}

// graph reads the part of the update graph that is asked for.
func (f *listReleasesFlags) graph(ctx context.Context, s *session, q graph.Query) (*graph.Graph, error) {
	if f.lookup.graphFile != "" {
		g, err := f.lookup.readGraph(s.app.Stdin)
		if err == nil && f.channel != "" && len(g.Releases(f.channel, q.Arch)) == 0 {
			_, err = g.Lookup(q) // which says what there is
		}
		return g, f.lookup.inFile(err)
	}
	api, err := f.lookup.service(s)
	if err != nil {
		return nil, err
	}
	if q.Channel == "" {
		return api.All(ctx, q.Arch)
	}
	g, err := api.Known(ctx, q.Channel, q.Arch)
	if err == nil && len(g.Nodes) == 0 {
		_, err = api.Lookup(ctx, q)
	}
	return g, err
}

// releaseListing is a release as a list has it.
type releaseListing struct {
	Version  string   `json:"version"`
	Image    string   `json:"image"`
	Channels []string `json:"channels"`
}

func (f *listReleasesFlags) show(s *session, render renderer, nodes []graph.Node, q graph.Query) error {
	if len(nodes) == 0 {
		return &graph.NotFoundError{Query: q}
	}
	list := make([]releaseListing, len(nodes))
	for i, n := range nodes {
		list[i] = releaseListing{n.Version, n.Payload.String(), append([]string{}, n.Channels...)}
	}
	whole := true
	err := s.show(render, list, func() (text string) {
		text, whole = releasesText(list, s.app.columns(f.outputFlags))
		return text
	})
	if !whole {
		s.ui.Info("the terminal is too narrow for the pull specs: -o wide and -o json have them")
	}
	return err
}

// releasesText is without the pull specs, and not whole, where the terminal is
// too narrow for them: a version is enough to mirror a release.
func releasesText(list []releaseListing, columns int) (text string, whole bool) {
	version := table.Column{Title: "VERSION"}
	channels := table.Column{Title: "CHANNELS", Give: table.Breaks}
	all := table.NewListing(listSpaces, version, table.Column{Title: "IMAGE"}, channels)
	brief := table.NewListing(listSpaces, version, channels)
	for _, r := range list {
		in := strings.Join(r.Channels, " ")
		all.Row(r.Version, r.Image, in)
		brief.Row(r.Version, in)
	}
	if columns > 0 && all.Least() > columns {
		return brief.Text(columns), false
	}
	return all.Text(columns), true
}

func linesText(lines []graph.Line, columns int) string {
	l := table.NewListing(listSpaces, table.Column{Title: "VERSION"}, table.Column{Title: "NEWEST"},
		table.Column{Title: "CHANNELS", Give: table.Breaks})
	for _, line := range lines {
		l.Row(line.Minor, line.Newest, strings.Join(line.Channels, " "))
	}
	return l.Text(columns)
}
