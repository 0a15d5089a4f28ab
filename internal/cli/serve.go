package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/repo"
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
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", f.addr, err)
	}
	defer listener.Close()
	wantWrite := !f.readOnly && (f.writable || isLoopback(listener.Addr()))
	d, err := a.openServed(ctx, u, dir, mirror.DirectoryOptions{Write: wantWrite, Sparse: f.sparse})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close(context.WithoutCancel(ctx))) }()
	return a.listen(ctx, u, listener, d)
}

// openServed opens a directory for serving: a store for writing where that is
// wanted and nobody else does, else read-only.
func (a *App) openServed(ctx context.Context, u *ui.UI, dir string, o mirror.DirectoryOptions) (*served, error) {
	o.Holder, o.Now = a.program()+" serve"+strings.TrimPrefix(a.holder(), a.program()), a.Now
	form, err := mirror.FormOf(dir)
	if err != nil {
		return nil, err
	}
	o.Write = o.Write && form == mirror.FormStore
	d, err := mirror.OpenDirectory(ctx, dir, o)
	if locked := (*repo.LockedError)(nil); errors.As(err, &locked) && o.Write {
		u.Warn("%v; serving it read-only, following what is written", err)
		o.Write = false
		d, err = mirror.OpenDirectory(ctx, dir, o)
	}
	if err != nil {
		return nil, err
	}
	return &served{Directory: d, writable: o.Write}, nil
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
