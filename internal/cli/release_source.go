package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/graph"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
)

// sourceFlags say how a release that is named by a version or a channel is
// looked up.
type sourceFlags struct{ arch, graphFile, graphURL string }

func (f *sourceFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.arch, "arch", "", "architecture of a release given by version or channel: x86_64, aarch64, ppc64le, s390x or multi; without it this machine's")
	flags.StringVar(&f.graphFile, "graph-file", "", "file with the update graph, as the update service gives it, to look the version or channel up in; - is standard input")
	flags.StringVar(&f.graphURL, "graph-url", "", "update service to look the version or channel up in; without it UPDATE_URL_OVERRIDE, or the public one")
}

// sought is a release as the user named it: by its image, or by what the update
// graph is asked for. Once it is found it has both.
type sought struct {
	image ref.Ref
	query graph.Query // zero where the image was named
}

// multi reports whether a release of several architectures was asked for.
func (w sought) multi() bool { return w.query.Arch == graph.Multi }

// parse reads how the user named a release, before anything is looked up.
func (f *sourceFlags) parse(given string) (sought, error) {
	query, ok, err := graph.ParseQuery(given)
	if err != nil {
		return sought{}, &usageError{err}
	}
	if !ok {
		return f.parseImage(given)
	}
	if f.graphFile != "" && f.graphURL != "" {
		return sought{}, usagef("--graph-file and --graph-url may not both be specified")
	}
	if f.graphURL != "" {
		if _, err := graph.ParseURL(f.graphURL); err != nil {
			return sought{}, usagef("--graph-url: %w", err)
		}
	}
	if f.arch == "" {
		return sought{query: query}, nil
	}
	arch, err := graph.ParseArch(f.arch)
	switch {
	case err != nil:
		return sought{}, usagef("--arch: %w", err)
	case query.Arch != "" && query.Arch != arch:
		return sought{}, usagef("%s names the architecture %s, and --arch another: %s", given, query.Arch, arch)
	}
	query.Arch = arch
	return sought{query: query}, nil
}

func (f *sourceFlags) parseImage(given string) (sought, error) {
	image, err := ref.Parse(given)
	if err == nil {
		err = image.RequireRepository()
	}
	if err != nil {
		return sought{}, &usageError{err}
	}
	for _, set := range []struct{ flag, value string }{{"--arch", f.arch}, {"--graph-file", f.graphFile}, {"--graph-url", f.graphURL}} {
		if set.value != "" {
			return sought{}, usagef("%s is for releases that are looked up by a version or a channel; %s names the image itself", set.flag, given)
		}
	}
	return sought{image: image}, nil
}

// find looks a release up, unless its image was named, and tells which it is.
func (f *sourceFlags) find(ctx context.Context, s *session, w sought) (sought, error) {
	if w.query.IsZero() {
		return w, nil
	}
	if w.query.Arch == "" {
		arch, err := graph.ParseArch(runtime.GOARCH)
		if err != nil {
			return w, usagef("name the architecture of the release with --arch: %w", err)
		}
		w.query.Arch = arch
		s.ui.Info("no --arch: the release for the architecture of this machine, %s, is taken", arch)
	}
	node, err := f.lookup(ctx, s, w.query)
	if err != nil {
		return w, err
	}
	if w.query.Channel != "" {
		s.ui.Info("the highest version of %s is %s", w.query.Channel, node.Version)
	}
	w.image, w.query.Version, w.query.Channel = node.Payload, node.Version, ""
	s.ui.Info("%s is %s", w.query, w.image)
	return w, nil
}

func (f *sourceFlags) lookup(ctx context.Context, s *session, q graph.Query) (graph.Node, error) {
	if f.graphFile != "" {
		return f.lookupFile(s, q)
	}
	api, err := f.service(s)
	if err != nil {
		return graph.Node{}, err
	}
	return api.Lookup(ctx, q)
}

// inFile names the file that an error is about.
func (f *sourceFlags) inFile(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("--graph-file %s: %w", f.graphFile, err)
}

// service is the update service to ask.
func (f *sourceFlags) service(s *session) (graph.API, error) {
	address := cmp.Or(f.graphURL, s.app.Getenv("UPDATE_URL_OVERRIDE"), graph.DefaultURL)
	u, err := graph.ParseURL(address)
	if err != nil { // the flag was looked at before
		return graph.API{}, fmt.Errorf("the value of UPDATE_URL_OVERRIDE: %w", err)
	}
	transport, err := s.registry.web()
	if err != nil {
		return graph.API{}, err
	}
	return graph.API{URL: u, Transport: transport, UserAgent: userAgent(), Pause: time.Second}, nil
}

func (f *sourceFlags) lookupFile(s *session, q graph.Query) (graph.Node, error) {
	g, err := f.readGraph(s.app.Stdin)
	if err != nil {
		return graph.Node{}, f.inFile(err)
	}
	node, err := g.Lookup(q)
	if err != nil {
		return node, f.inFile(err)
	}
	if arch := archInName(f.graphFile); arch != "" && arch != q.Arch && node.Arch == "" {
		s.ui.Warn("%s is by its name for %s, and not for %s", f.graphFile, arch, q.Arch)
	}
	if doubt := g.Doubt(q.Channel); doubt != "" {
		s.ui.Warn("%s: %s", f.graphFile, doubt)
	}
	return node, nil
}

func (f *sourceFlags) readGraph(stdin io.Reader) (*graph.Graph, error) {
	if f.graphFile == "-" {
		return graph.Parse(stdin)
	}
	file, err := os.Open(f.graphFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return graph.Parse(file)
}

// archWord is the name of an architecture in that of a file: between signs.
var archWord = regexp.MustCompile(`(?:^|[^A-Za-z0-9])(x86_64|amd64|aarch64|arm64|ppc64le|s390x|multi)(?:[^A-Za-z0-9]|$)`)

// archInName returns the architecture that a file is named after, as oc-mirror
// names what it saves: amd64-stable-4.14.json.
func archInName(path string) graph.Arch {
	word := archWord.FindStringSubmatch(filepath.Base(path))
	if word == nil {
		return ""
	}
	arch, err := graph.ParseArch(word[1])
	if err != nil {
		return ""
	}
	return arch
}

// check compares what was read with what was looked up: nothing vouches for a
// graph, and one saved in a file may be for another architecture.
func (w sought) check(p *release.Payload) error {
	if w.query.IsZero() {
		return nil
	}
	if p.Version != w.query.Version {
		return fmt.Errorf("the update graph names %s as %s, but that is the release %s", w.image, w.query.Version, p.Version)
	}
	fits := p.Arch == "" || p.Arch == string(w.query.Arch)
	if w.multi() {
		fits = p.Multi()
	}
	if !fits {
		return &hinted{
			fmt.Errorf("the update graph names %s for %s, but that is a release for %s", w.image, w.query, p.ArchName(true)),
			"name the architecture that the graph is for with --arch, or take the graph of the other",
		}
	}
	return nil
}

// userAgent is how we introduce ourselves to servers.
func userAgent() string {
	return "airbridge/" + currentVersion().Version + " (" + runtime.GOOS + "/" + runtime.GOARCH + ")"
}
