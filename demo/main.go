// Command demo shows the main job end to end on this machine alone: a generated
// release is mirrored from a registry to a directory, checked, pushed into a
// second registry by the commands that a user would type, and compared digest
// by digest with where it came from. It runs bin/airbridge, which must be built.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// The names that the release has at its source, as a real one has.
const (
	releaseRepo   = "openshift-release-dev/ocp-release"
	componentRepo = "openshift-release-dev/ocp-v4.0-art-dev"
)

// stage is one demonstration: a source registry, a medium and a far registry.
type stage struct {
	binary, work string
	source, far  string // addresses
	release      *sample.Release
}

func run(ctx context.Context) error {
	binary, err := filepath.Abs("bin/airbridge")
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "airbridge-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	s := &stage{binary: binary, work: work}
	if err := s.startSource(ctx); err != nil {
		return err
	}
	stop, err := s.startFar(ctx)
	if err != nil {
		return err
	}
	defer stop()
	return s.play(ctx)
}

// startSource serves a generated release from memory: the near side's registry.
func (s *stage) startSource(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.source = l.Addr().String()
	reg := registry.New("source", cas.Mem(), kv.Mem(), registry.Options{Now: time.Now})
	s.release = sample.New(1).Release(sample.ReleaseSpec{
		Version: "4.14.3", Components: 60, LayerSize: 512 << 10, Repository: s.source + "/" + componentRepo,
	})
	release, err := reg.Repo(releaseRepo)
	if err != nil {
		return err
	}
	components, err := reg.Repo(componentRepo)
	if err != nil {
		return err
	}
	if err := s.release.Push(ctx, release, components); err != nil {
		return err
	}
	go func() { _ = server.HTTPServer(server.New(reg, server.Options{ReadOnly: true, Now: time.Now})).Serve(l) }()
	return nil
}

// startFar starts the far side's registry: airbridge itself, over an empty store.
func (s *stage) startFar(ctx context.Context) (stop func(), err error) {
	far := filepath.Join(s.work, "far")
	if err := s.command(ctx, "store", "init", far); err != nil {
		return nil, err
	}
	s.far, err = freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	say("airbridge serve %s --addr %s &", far, s.far)
	cmd := exec.CommandContext(ctx, s.binary, "serve", far, "--addr", s.far)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() }, s.waitFor(ctx, s.far)
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (s *stage) waitFor(ctx context.Context, addr string) error {
	for range 200 {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("nothing answers at %s", addr)
}

// play types the commands of the three steps, and proves the result.
func (s *stage) play(ctx context.Context) error {
	disk := filepath.Join(s.work, "disk")
	from := s.source + "/" + releaseRepo + ":" + s.release.Tag()
	steps := [][]string{
		{"adm", "release", "mirror", "--insecure", "--to-dir=" + disk, from},
		{"store", "ls", disk},
		{"store", "verify", disk},
		{"image", "mirror", "--quiet", "--insecure", "--from-dir=" + disk, "file://openshift/release:4.14.3*", s.far + "/ocp4/release"},
		{"image", "mirror", "--insecure", "--from-dir=" + disk, "file://openshift/release:4.14.3*", s.far + "/ocp4/release"},
	}
	for i, args := range steps {
		begin := time.Now()
		if err := s.command(ctx, args...); err != nil {
			return err
		}
		fmt.Printf("# took %s", ui.Duration(time.Since(begin)))
		if i == 0 {
			fmt.Printf("; the medium holds %s", ui.Size(sizeOf(disk)))
		}
		fmt.Print("\n\n")
	}
	return s.prove(ctx)
}

// command runs the binary as a user would, its long output cut in the middle.
func (s *stage) command(ctx context.Context, args ...string) error {
	say("airbridge %s", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, s.binary, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	fmt.Print(shorten(out.String()))
	if err != nil {
		return fmt.Errorf("airbridge %s: %w", args[0], err)
	}
	return nil
}

func say(format string, args ...any) { fmt.Printf("$ "+format+"\n", args...) }

// shorten leaves the first and last lines of a long output.
func shorten(text string) string {
	lines := strings.SplitAfter(text, "\n")
	const first, last = 6, 12
	if len(lines) <= first+last+1 {
		return text
	}
	return strings.Join(lines[:first], "") + fmt.Sprintf("... (%d lines)\n", len(lines)-first-last) + strings.Join(lines[len(lines)-last:], "")
}

// prove reads every image of the far registry by its tag and compares the
// digest with that of the release as it was made.
func (s *stage) prove(ctx context.Context) error {
	client := remote.New(remote.Options{Insecure: true, Now: time.Now})
	far, err := client.Registry(s.far).Repo("ocp4/release")
	if err != nil {
		return err
	}
	fmt.Println("# the far registry, read back by tag:")
	equal := 0
	for _, c := range s.release.Components {
		tag := s.release.Tag() + "-" + c.Name
		desc, _, err := far.Manifest(ctx, repo.ByTag(tag))
		if err != nil {
			return err
		}
		if desc.Digest != c.Image.Desc.Digest {
			return fmt.Errorf("%s is %s at the far side, want %s", tag, desc.Digest, c.Image.Desc.Digest)
		}
		if equal++; equal <= 3 {
			fmt.Printf("%s  %s\n", desc.Digest, tag)
		}
	}
	desc, _, err := far.Manifest(ctx, repo.ByTag(s.release.Tag()))
	if err != nil || desc.Digest != s.release.Image.Desc.Digest {
		return errors.Join(err, fmt.Errorf("the release image is %s at the far side, want %s", desc.Digest, s.release.Image.Desc.Digest))
	}
	fmt.Printf("%s  %s\n# %d components and the release image: every digest is the one it left with\n", desc.Digest, s.release.Tag(), equal)
	return nil
}

func sizeOf(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.Contains(d.Name(), "manifests") {
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}
