// Command pack makes the archives of a release: for each platform the program,
// its licences, its documents, man pages and completion, and one SHA256SUMS
// over all. The same commit and the same version of Go give the same bytes, in
// whatever directory and on whatever day (docs/release.md). It is run in the
// root of the source, by make release.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// target is a platform by Go's names.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "/" + t.arch }

// targets are the platforms that a release is made for.
var targets = []target{
	{"linux", "amd64"},
	{"linux", "arm64"},
	{"linux", "ppc64le"},
	{"linux", "s390x"},
	{"darwin", "amd64"},
	{"darwin", "arm64"},
	{"windows", "amd64"},
}

// source is the commit that is packed, and the Go that builds it.
type source struct {
	dir     string // root of the module
	goTool  string
	version string // as git describe has it
	commit  string // in full
	date    time.Time
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("pack", flag.ContinueOnError)
	s := source{dir: "."}
	flags.StringVar(&s.goTool, "go", "go", "Go command")
	flags.StringVar(&s.version, "version", "", "version, as git describe --tags --always has it")
	flags.StringVar(&s.commit, "commit", "", "commit, in full")
	epoch := flags.Int64("date", 0, "time of the commit, in seconds since 1970")
	dir := flags.String("out", "dist", "directory for the archives")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.date = time.Unix(*epoch, 0).UTC()
	if err := s.check(); err != nil {
		return err
	}
	wanted, err := chosen(flags.Args())
	if err != nil {
		return err
	}
	return s.release(ctx, *dir, wanted, out)
}

// check refuses what would not do as a name, or lead nowhere.
func (s *source) check() error {
	switch {
	case s.version == "" || strings.ContainsAny(s.version, "/\\ \t\n'\""):
		return fmt.Errorf("-version must be one word, not %q", s.version)
	case s.commit == "" || strings.Trim(s.commit, "0123456789abcdef") != "":
		return fmt.Errorf("-commit must be the hash of a commit, not %q", s.commit)
	case s.date.Unix() <= 0:
		return errors.New("-date must be the time of the commit in seconds since 1970")
	}
	return nil
}

// chosen are the platforms that were asked for, or all.
func chosen(names []string) ([]target, error) {
	if len(names) == 0 {
		return targets, nil
	}
	var out []target
	for _, name := range names {
		system, arch, ok := strings.Cut(name, "/")
		if !ok || system == "" || arch == "" {
			return nil, fmt.Errorf("a platform is OS/ARCH, as linux/amd64, not %q", name)
		}
		out = append(out, target{system, arch})
	}
	return out, nil
}
