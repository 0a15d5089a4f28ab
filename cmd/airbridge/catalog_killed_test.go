//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestCatalogKilled ends what reads a catalog before it can clean up. The next
// run removes what was left, and nothing before: then it is in use.
func TestCatalogKilled(t *testing.T) {
	for name, c := range map[string]struct {
		killed, next []string // without their last argument, the index image
	}{
		"temporary": {[]string{"list", "operators", "--insecure", "--catalog"}, []string{"list", "operators", "--insecure", "--catalog"}},
		"path": {
			[]string{"adm", "catalog", "mirror", "--insecure", "--to-manifests=m1", "--manifests-only", "--path=/:catalog"},
			[]string{"adm", "catalog", "mirror", "--insecure", "--to-manifests=m2", "--manifests-only", "--path=/configs:catalog"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			src := newSlowSource(t, 1<<20)
			whole := catalogOf(t, src)
			w := &workplace{dir: t.TempDir()}
			run := w.start(t, destined(c.killed, src.addr+"/team/app:v1")...)
			<-src.reached
			w.start(t, destined(c.next, whole)...).exits(t, 0)
			if n := len(w.temporary(t)); n != 1 {
				t.Errorf("%d directories are there while a run uses one: %q", n, w.temporary(t))
			}
			send(t, run, syscall.SIGKILL)
			_ = run.cmd.Wait() // killed
			if n := len(w.temporary(t)); n != 1 {
				t.Fatalf("%d directories are left, want one that the next run removes", n)
			}
			w.start(t, destined(c.next, whole)...).exits(t, 0)
			if left := w.temporary(t); len(left) > 0 {
				t.Errorf("%q are left", left)
			}
		})
	}
}

// destined puts the index image to a command line, and a destination where it takes one.
func destined(args []string, index string) []string {
	out := append(append([]string{}, args...), index)
	if args[0] == "adm" {
		out = append(out, "mirror.example.com/olm")
	}
	return out
}

// workplace is a directory that programs run in, with their temporary files below.
type workplace struct{ dir string }

func (w *workplace) start(t *testing.T, args ...string) *running {
	t.Helper()
	tmp := filepath.Join(w.dir, "tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	r := &running{cmd: program(t, args...)}
	r.cmd.Dir, r.cmd.Stderr = w.dir, &r.stderr
	r.cmd.Env = append(r.cmd.Env, "TMPDIR="+tmp)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// temporary lists the directories for catalogs that a run removes at its end.
func (w *workplace) temporary(t *testing.T) (out []string) {
	t.Helper()
	for _, pattern := range []string{"tmp/*", "catalog/.*"} {
		found, err := filepath.Glob(filepath.Join(w.dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, found...)
	}
	return out
}
