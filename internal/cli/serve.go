package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

type serveFlags struct {
	addr     string
	writable bool
	readOnly bool
	sparse   bool
}

func (a *App) serve(g *globalFlags) *cobra.Command {
	f := &serveFlags{}
	cmd := &cobra.Command{
		Use:   "serve DIR",
		Short: "Serve a directory as a registry, as it is",
		Long: `Serve a store, a v2/ directory or an OCI layout over the distribution API.
Nothing is copied or converted first. A store takes pushes, beyond loopback only
with --writable; everything else, and a store that another process writes to, is
served read-only and follows what is written.`,
		Example: `  airbridge serve /media/disk
  airbridge serve /srv/mirror --addr 0.0.0.0:5000 --writable`,
		Args: oneDirectory,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runServe(cmd.Context(), g, f, args[0])
		},
	}
	cmd.Flags().StringVar(&f.addr, "addr", "127.0.0.1:5000", "address and port to listen on; port 0 takes a free one")
	cmd.Flags().BoolVar(&f.writable, "writable", false, "take pushes also from other machines")
	cmd.Flags().BoolVar(&f.readOnly, "read-only", false, "take no pushes at all, and no lock")
	cmd.Flags().BoolVar(&f.sparse, "sparse", false, "take images of which some layers are not pushed")
	return cmd
}

func oneDirectory(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 || args[0] == "":
		return usagef("name the directory")
	case len(args) > 1:
		return usagef("one directory is taken, got %d arguments", len(args))
	}
	return nil
}

func (a *App) runServe(ctx context.Context, g *globalFlags, f *serveFlags, dir string) (err error) {
	u := a.ui(g)
	if f.writable && f.readOnly {
		return usagef("--writable and --read-only contradict each other")
	}
	if _, _, err := net.SplitHostPort(f.addr); err != nil {
		return usagef("--addr must be HOST:PORT, as 127.0.0.1:5000 or :5000, not %q", f.addr)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", f.addr, err)
	}
	defer listener.Close()
	local := isLoopback(listener.Addr())
	d, err := a.openServed(ctx, u, dir, wish{write: !f.readOnly && (f.writable || local), insist: f.writable, sparse: f.sparse})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close(context.WithoutCancel(ctx))) }()
	tellReach(u, f, d, local)
	return a.listen(ctx, u, listener, d)
}

// tellReach says what a server that other machines can reach lets them do.
func tellReach(u *ui.UI, f *serveFlags, d *served, local bool) {
	switch {
	case local:
	case d.writable:
		u.Warn("everybody who can reach %s may push: there are no accounts, and no TLS", f.addr)
	case d.Form == mirror.FormStore && !f.readOnly && !f.writable:
		u.Info("other machines may pull only; --writable lets them push")
	}
}

// wish is how a directory should be served: for pushes if that is possible, or
// not at all if it is not.
type wish struct{ write, insist, sparse bool }

// openServed opens a directory for serving: a store for writing where that is
// wanted and possible and nobody else does, else read-only. Where the user
// insists on pushes, a directory that takes none is an error.
func (a *App) openServed(ctx context.Context, u *ui.UI, dir string, w wish) (*served, error) {
	holder := a.program() + " serve" + strings.TrimPrefix(a.holder(), a.program())
	form, err := mirror.FormOf(dir)
	if err != nil {
		return nil, err
	}
	if w.insist && form != mirror.FormStore {
		return nil, &hinted{fmt.Errorf("%s is a %s, which takes no pushes", dir, form), "make a store with airbridge store init, and copy into it with image mirror --from-dir=" + dir}
	}
	o := mirror.DirectoryOptions{Write: w.write && form == mirror.FormStore, Sparse: w.sparse, Holder: holder, Now: a.Now}
	d, err := mirror.OpenDirectory(ctx, dir, o)
	if o.Write && (isLocked(err) || !w.insist && isUnwritable(err)) {
		u.Warn("%v; serving it read-only, following what is written", err)
		o.Write = false
		d, err = mirror.OpenDirectory(ctx, dir, o)
	}
	if err != nil {
		return nil, err
	}
	return &served{Directory: d, writable: o.Write}, nil
}

// isUnwritable reports whether an error says that a place can only be read.
func isUnwritable(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}

type served struct {
	*mirror.Directory
	writable bool
}

func (a *App) listen(ctx context.Context, u *ui.UI, l net.Listener, d *served) error {
	handler := server.New(d.Registry, server.Options{ReadOnly: !d.writable, Now: a.Now})
	srv := server.HTTPServer(handler)
	mode := "read-only"
	if d.writable {
		mode = "read-write"
	}
	u.Info("serving %s (%s, %s) on http://%s", d.Path, d.Form, mode, l.Addr())
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	u.Info("stopping: finishing the requests under way")
	quiet, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(quiet); err != nil {
		return srv.Close()
	}
	return nil
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
