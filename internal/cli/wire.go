package cli

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"

	"golang.org/x/term"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

// ui makes the printer that the global flags ask for.
func (a *App) ui(g *globalFlags) *ui.UI {
	o := ui.Options{Out: a.Stdout, Err: a.Stderr, Now: a.Now, Verbose: g.verbose, Program: a.program()}
	switch {
	case g.json:
		o.Format = ui.JSON
	case g.quiet:
		o.Format = ui.Quiet
	}
	if f, ok := a.terminal(); ok {
		o.Terminal = true
		o.Size = func() (int, int) { return terminalSize(f) }
	}
	return ui.New(o)
}

// terminal is what standard error goes to, if that is a screen that can be redrawn.
func (a *App) terminal() (*os.File, bool) {
	f, ok := a.Stderr.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd())) && a.Getenv("TERM") != "dumb"
}

func terminalSize(f *os.File) (columns, rows int) {
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}

// client makes the client for all remote registries, with the credentials and
// authorities of the flags.
func (a *App) client(r *registryFlags, u *ui.UI) (*remote.Client, error) {
	credentials, err := auth.Load(a.credentialFiles(r.config))
	if err != nil {
		return nil, err
	}
	for _, w := range credentials.Warnings() {
		u.Warn("%v", w)
	}
	return a.clientAs(credentials, r, u)
}

// credentialFiles says where credentials are kept, in one file where it is named.
func (a *App) credentialFiles(file string) auth.Options {
	home, _ := os.UserHomeDir()
	return auth.Options{File: file, Getenv: a.Getenv, Home: home, UID: os.Getuid(), GOOS: runtime.GOOS}
}

// clientAs is client with the credentials given.
func (a *App) clientAs(credentials *auth.Store, r *registryFlags, u *ui.UI) (*remote.Client, error) {
	home, _ := os.UserHomeDir()
	o := remote.Options{
		Credentials: credentials, Insecure: r.insecure, CertDirs: auth.CertDirs(home),
		MaxPerRegistry: r.perRegistry, SkipMultipleScopes: r.oneScope,
		UserAgent: userAgent(),
		Now:       a.Now, Proxy: http.ProxyFromEnvironment,
		Warn: func(w remote.Warning) { u.Warn("%s: %s", w.Host, w.Message) },
	}
	if r.authority != "" {
		pem, err := r.readAuthority()
		if err != nil {
			return nil, err
		}
		o.CAs = [][]byte{pem}
	}
	return remote.New(o), nil
}

// dirFlags are the directories of file:// references.
type dirFlags struct{ from, to string }

// session is everything a mirroring command works with.
type session struct {
	app    *App
	ui     *ui.UI
	client *remote.Client
	regs   *mirror.Registries
	dirs   dirFlags
	// registry are the flags that the session was opened with.
	registry *registryFlags
}

// open makes a session. Its regs must be closed.
func (a *App) open(g *globalFlags, r *registryFlags, d dirFlags, dryRun bool) (*session, error) {
	u := a.ui(g)
	client, err := a.client(r, u)
	if err != nil {
		return nil, err
	}
	if d.from == "" {
		d.from = d.to
	}
	regs := mirror.NewRegistries(mirror.RegistriesOptions{
		From: d.from, To: d.to, DryRun: dryRun, Now: a.Now, Holder: a.holder(),
		Remote: func(host string) repo.Registry { return client.Registry(host) },
		Notice: func(text string) { u.Info("%s", text) },
	})
	return &session{app: a, ui: u, client: client, regs: regs, dirs: d, registry: r}, nil
}

// holder is what a store's lock says of us.
func (a *App) holder() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s, pid %d on %s", a.program(), os.Getpid(), host)
}

// close makes what was written durable, whatever became of the run, and takes
// away the progress of a step that broke off.
func (s *session) close(ctx context.Context, err *error) {
	s.ui.Clear()
	if cerr := s.regs.Close(context.WithoutCancel(ctx)); cerr != nil && *err == nil {
		*err = cerr
	}
}

// observer shows a workflow through the UI.
func (s *session) observer(planned func(*plan.Plan)) mirror.Observer {
	meter := s.ui.Meter("planning")
	return mirror.Observer{
		Planning: meter.SetImages,
		Event:    s.ui.Event, Warn: s.ui.Warn, Info: s.ui.Info,
		Planned: func(p *plan.Plan) func() {
			planned(p)
			return s.ui.Start(p, s.hosts)
		},
	}
}

// hosts is the state of the remote registries, for progress.
func (s *session) hosts() []ui.Host {
	var out []ui.Host
	for _, h := range s.client.Hosts() {
		out = append(out, ui.Host{Name: h.Host, Active: h.Active, Limit: h.Limit, Retries: h.Retries, Wait: max(h.PausedUntil.Sub(s.app.Now()), 0)})
	}
	return out
}
