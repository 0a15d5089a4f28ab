//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// bench is the state that works share: the load, the registry it is read from,
// the programs, and what was found out about peers.
type bench struct {
	config
	self    string // this program, for the floor
	targets *targets

	spec   sample.LoadSpec
	load   *load  // of that; nil until needSource
	source server // that all contenders read it from

	peers []contender // each at its best setting; nil until bestPeers
}

func open(c config) (*bench, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &bench{config: c, self: self, targets: &targets{scratch: c.scratch}, spec: sample.BenchLoad}, nil
}

// needSource makes the load and serves it, once. Works that do not read it do not
// wait for it, nor need the disk.
func (b *bench) needSource(ctx context.Context) error {
	if b.source.stop != nil {
		return nil
	}
	var err error
	if b.load, err = openLoad(ctx, b.cache, b.spec); err != nil {
		return err
	}
	docker, err := b.serveLoad(b.load)
	if err != nil {
		return err
	}
	if b.source, err = b.sourceOf(docker); err != nil {
		return err
	}
	fmt.Printf("load: %d manifests, %d blobs, %d bytes (%.2f GiB)\n",
		len(b.load.Manifests), len(b.load.Blobs), b.load.Bytes, float64(b.load.Bytes)/(1<<30))
	return nil
}

func (b *bench) close() {
	if b.source.stop != nil {
		b.source.stop()
	}
	_ = os.RemoveAll(b.scratch) // what is left of it is rubbish, not a result
}

// sourceOf is the registry that is read from: our own server with the content of
// the docker-registry, which takes less of the processor that it shares with the
// contenders, as a registry across a network takes nothing of it; or, if asked
// for, the docker-registry itself.
func (b *bench) sourceOf(docker server) (server, error) {
	if b.dockerSource {
		return docker, nil
	}
	defer docker.stop()
	if err := b.needBinary(); err != nil {
		return server{}, err
	}
	b.source = docker // for the one copy
	root, err := os.MkdirTemp(b.scratch, "source-")
	if err != nil {
		return server{}, err
	}
	if out, err := b.mirrorToDisk(place{dir: root}).CombinedOutput(); err != nil {
		return server{}, fmt.Errorf("making the source: %w: %s", err, tail(out))
	}
	return b.serve(root)
}

// serveLoad starts a docker-registry that has a load and takes no pushes.
func (b *bench) serveLoad(l *load) (server, error) {
	s, err := peer.StartDockerRegistry(filepath.Dir(l.dir), peer.RegistryOptions{Dir: l.dir, ReadOnly: true})
	if err != nil {
		return server{}, err
	}
	return server{addr: s.Addr, pid: s.PID, stop: s.Stop}, nil
}

// place is where a run writes to: a directory, or a server on that directory.
type place struct {
	dir  string
	addr string
}

// contender is a program that does a work.
type contender struct {
	name    string
	to      receiver
	prepare func(context.Context, place) error // untimed, may be nil
	command func(place) *exec.Cmd
	check   func(context.Context, place) error // that the work was done, may be nil
}

// receiver starts the server that is written to. The directory kind has none.
type receiver func(*bench, string) (server, error)

type server struct {
	addr string
	pid  int
	stop func()
}

func noServer(*bench, string) (server, error) { return server{stop: func() {}}, nil }

func dockerServer(_ *bench, dir string) (server, error) {
	s, err := peer.StartDockerRegistry(dir, peer.RegistryOptions{Dir: filepath.Join(dir, "storage")})
	if err != nil {
		return server{}, err
	}
	return server{addr: s.Addr, pid: s.PID, stop: s.Stop}, nil
}

// once runs a contender on a fresh target, which is emptied afterwards.
func (b *bench) once(ctx context.Context, c contender) (usage, error) {
	dir, err := b.targets.fresh()
	if err != nil {
		return usage{}, err
	}
	u, err := b.onTarget(ctx, c, dir)
	if err != nil {
		return u, fmt.Errorf("%s: %w", c.name, err)
	}
	return u, empty(dir)
}

func (b *bench) onTarget(ctx context.Context, c contender, dir string) (usage, error) {
	s, err := c.to(b, dir)
	if err != nil {
		return usage{}, err
	}
	defer s.stop()
	return b.onPlace(ctx, c, place{dir: dir, addr: s.addr}, s.pid)
}

func (b *bench) onPlace(ctx context.Context, c contender, p place, receiverPID int) (usage, error) {
	if c.prepare != nil {
		if err := c.prepare(ctx, p); err != nil {
			return usage{}, fmt.Errorf("preparing: %w", err)
		}
	}
	before, err := receiverCPU(receiverPID)
	if err != nil {
		return usage{}, err
	}
	u, err := measured(ctx, c.command(p), p.dir)
	if err != nil {
		return u, err
	}
	after, err := receiverCPU(receiverPID)
	if err != nil {
		return u, err
	}
	u.receiver = after - before
	if c.check != nil {
		err = c.check(ctx, p)
	}
	return u, err
}

// receiverCPU is cpuSeconds, 0 where there is no server.
func receiverCPU(pid int) (float64, error) {
	if pid == 0 {
		return 0, nil
	}
	return cpuSeconds(pid)
}

// inTurn runs all contenders, round by round, and returns what each took.
func (b *bench) inTurn(ctx context.Context, contenders ...contender) ([][]usage, error) {
	all := make([][]usage, len(contenders))
	for range b.rounds {
		for i, c := range contenders {
			u, err := b.once(ctx, c)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], u)
			fmt.Fprintf(os.Stderr, "  %-40s %6.2f s\n", c.name, u.wall)
		}
	}
	return all, nil
}

// ours starts the binary under test as a user would.
func (b *bench) ours(args ...string) *exec.Cmd { return exec.Command(b.airbridge, args...) }

// needBinary says how to build what is to be measured.
func (b *bench) needBinary() error {
	if _, err := os.Stat(b.airbridge); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is not there: make build", b.airbridge)
	} else if err != nil {
		return err
	}
	return nil
}

// floor is the floor program between two ends, a host:port or a directory.
func (b *bench) floor(from, to string) *exec.Cmd {
	return exec.Command(b.self, "floor", "-list", filepath.Join(filepath.Dir(b.load.dir), "load.json"), from, to)
}
