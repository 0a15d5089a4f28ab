// Package cli is the command line: flags and arguments become one struct and
// one call of package mirror, errors become a line, a hint and an exit code.
// Only here and in package ui are flags, environment, clock and streams known.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// App is the surroundings of one run of the program.
type App struct {
	Args           []string // with the program's name first
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Now            func() time.Time

	running *cobra.Command // whose flags hints name
}

// FromOS is the App of the process.
func FromOS() *App {
	return &App{Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Now: time.Now}
}

// program is the name that texts quote: "oc" where we were started so, through
// a symbolic link or a copy, else our own.
func (a *App) program() string {
	if a.isOC() {
		return "oc"
	}
	return "airbridge"
}

func (a *App) isOC() bool {
	base := filepath.Base(strings.ReplaceAll(a.Args[0], `\`, "/"))
	return strings.TrimSuffix(strings.ToLower(base), ".exe") == "oc"
}

// Run executes the command line and returns the exit code.
func (a *App) Run(ctx context.Context) int {
	out := &resultWriter{to: a.Stdout}
	a.Stdout = out
	root := a.root() //nolint:contextcheck // cobra hands the context to each command
	root.SetArgs(a.Args[1:])
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = out.failure()
	}
	if err == nil {
		return exitDone
	}
	return a.explain(ctx, cmd, err)
}

// resultWriter remembers that results could not be printed: a program that
// reads them must not take a part for the whole.
type resultWriter struct {
	to  io.Writer
	mu  sync.Mutex
	err error
}

func (w *resultWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.to.Write(p)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

func (w *resultWriter) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		return nil
	}
	return &hinted{fmt.Errorf("printing results: %w", w.err), "the work itself is done; only what it prints is lost"}
}

func (a *App) root() *cobra.Command {
	root := &cobra.Command{
		Use:           a.program(),
		Short:         "Carry container content across an air gap",
		Long:          rootLong(a.program()),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          a.unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		CompletionOptions: cobra.CompletionOptions{
			HiddenDefaultCmd: a.isOC(),
		},
	}
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) { a.running = cmd }
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(flagMistake)
	root.SetGlobalNormalizationFunc(dashes)
	globals := addGlobalFlags(root)
	root.AddCommand(a.adm(globals), a.image(globals), a.version())
	if !a.isOC() {
		root.AddCommand(a.serve(globals), a.store(globals))
		root.AddCommand(a.login(globals), a.logout(globals), a.pullSecret(globals))
		root.AddCommand(a.installConfig(globals), a.samples(globals), a.list(globals))
	}
	addCompletion(root)
	a.wrapHelp(root)
	return root
}

func rootLong(program string) string {
	return fmt.Sprintf(`Mirror OpenShift releases and any container image to a registry or to a disk,
carry the disk over, check it, serve it as it is, or push it on.

  %[1]s adm release mirror --to-dir=/media/disk \
    quay.io/openshift-release-dev/ocp-release:4.14.3-x86_64
  %[1]s image mirror --from-dir=/media/disk \
    'file://openshift/release:4.14.3*' registry.example.com/ocp4/release
  airbridge serve /media/disk`, program)
}

// adm holds oc's administrator commands.
func (a *App) adm(g *globalFlags) *cobra.Command {
	adm := &cobra.Command{Use: "adm", Short: "Commands on releases and catalogs, as in oc", Args: a.unknownCommand, RunE: help}
	release := &cobra.Command{Use: "release", Short: "Work with OpenShift releases", Args: a.unknownCommand, RunE: help}
	release.AddCommand(a.releaseMirror(g), a.releaseInfo(g), a.releaseExtract(g))
	catalogs := &cobra.Command{Use: "catalog", Short: "Work with operator catalogs", Args: a.unknownCommand, RunE: help}
	catalogs.AddCommand(a.catalogMirror(g))
	adm.AddCommand(release, catalogs)
	return adm
}

// image holds oc's image commands.
func (a *App) image(g *globalFlags) *cobra.Command {
	image := &cobra.Command{Use: "image", Short: "Commands on images, as in oc", Args: a.unknownCommand, RunE: help}
	image.AddCommand(a.imageMirror(g), a.imageInfo(g))
	return image
}

func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// unknownCommand refuses what is no command of ours. Started as oc, it names
// the real one further along the PATH.
func (a *App) unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := &unknownCommandError{name: strings.TrimPrefix(cmd.CommandPath()+" "+args[0], a.program()+" "), asOC: a.isOC()}
	cmd.SuggestionsMinimumDistance = 2 // letters that may be wrong
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		err.suggestion = cmd.CommandPath() + " " + near[0]
	}
	if a.isOC() {
		err.next = a.nextOC()
	}
	return err
}

// nextOC finds an oc on the PATH that is not this program.
func (a *App) nextOC() string {
	self, _ := os.Executable()
	self, _ = filepath.EvalSymlinks(self)
	for _, dir := range filepath.SplitList(a.Getenv("PATH")) {
		for _, name := range []string{"oc", "oc.exe"} {
			path := filepath.Join(dir, name)
			target, err := filepath.EvalSymlinks(path)
			if info, serr := os.Stat(path); err != nil || serr != nil || target == self || info.IsDir() || info.Mode()&0o111 == 0 {
				continue
			}
			return path
		}
	}
	return ""
}
