//go:build linux

// Command bench measures airbridge against a floor program and against other
// tools, on this machine, over loopback, and prints the tables of
// docs/performance.md. Every work is done by all contenders in turn, several
// times, and judged by the median of the ratios within a round: what disturbs
// one contender disturbs its neighbours too.
//
//	go run ./bench -only S1,S2 -n 5
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

// config is what the flags say.
type config struct {
	rounds    int
	only      string
	cache     string // loads, generated once
	scratch   string // targets, emptied after each run
	airbridge string // the binary under test
	noPeers   bool
	// dockerSource reads from docker-registry instead of our own server.
	dockerSource bool
}

// work is one line of the table of goals.
type work struct {
	name string
	what string
	run  func(context.Context, *bench) error
	// reads says that it needs the load, and the registry it is read from.
	reads bool
}

var works = []work{
	{"S0", "the floor and the peers alone", s0, true},
	{"S1", "registry to disk", s1, true},
	{"S2", "registry, or disk, to docker-registry", s2, true},
	{"S3", "registry to our own server, durable", s3, true},
	{"S4", "again, nothing to do", s4, true},
	{"S5", "bytes and flushes", s5, true},
	{"S6", "peak memory", s6, true},
	{"S7", "serving", s7, false},
	{"S8", "opening a large store", s8, false},
	{"S9", "a release before its first image is copied", s9, false},
	{"S10", "a catalog before its first image is copied", s10, false},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is main with a result. The floor, the bare handler and the generator of
// loads are this program as well, started again so that each has a process of
// its own to be measured.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "floor":
			return floorMain(ctx, args[1:])
		case "generate":
			return generateMain(ctx, args[1:])
		case "bare":
			return bareMain(args[1:])
		}
	}
	c, err := parse(args)
	if err != nil {
		return err
	}
	b, err := open(c)
	if err != nil {
		return err
	}
	defer b.close()
	for _, w := range works {
		if !chosen(c.only, w.name) {
			continue
		}
		if err := b.do(ctx, w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

// do does a work, for which the load is there and served if it reads it.
func (b *bench) do(ctx context.Context, w work) error {
	if w.reads {
		if err := b.needSource(ctx); err != nil {
			return err
		}
	}
	fmt.Printf("\n## %s %s\n\n", w.name, w.what)
	return errors.Join(w.run(ctx, b), b.targets.forget())
}

func parse(args []string) (config, error) {
	c := config{cache: filepath.Join(".cache", "bench"), airbridge: filepath.Join("bin", "airbridge")}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		c.cache = filepath.Join(dir, "airbridge-bench")
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&c.rounds, "n", 5, "rounds: how often each contender does each work")
	flags.StringVar(&c.only, "only", "", "works to do, separated by commas: S0 to S10; all but S0 without it")
	flags.StringVar(&c.cache, "cache", c.cache, "directory of the generated loads (3 GB)")
	flags.StringVar(&c.scratch, "scratch", "", "directory of the targets (up to 5 GB at once; default: in the cache, so on the same disk)")
	flags.StringVar(&c.airbridge, "airbridge", c.airbridge, "the binary to measure")
	flags.BoolVar(&c.noPeers, "no-peers", false, "leave out crane, regsync and skopeo")
	flags.BoolVar(&c.dockerSource, "docker-source", false, "all contenders read from docker-registry instead of airbridge serve; it takes half of two cores")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if c.scratch == "" {
		c.scratch = filepath.Join(c.cache, "scratch")
	}
	for name := range strings.SplitSeq(c.only, ",") {
		if c.only != "" && !slices.ContainsFunc(works, func(w work) bool { return w.name == name }) {
			return c, fmt.Errorf("-only: there is no work %q", name)
		}
	}
	for _, path := range []*string{&c.cache, &c.scratch, &c.airbridge} {
		abs, err := filepath.Abs(*path)
		if err != nil {
			return c, err
		}
		*path = abs
	}
	return c, os.MkdirAll(c.scratch, 0o755)
}

func chosen(only, name string) bool {
	if only == "" {
		return name != "S0"
	}
	return slices.Contains(strings.Split(only, ","), name)
}
