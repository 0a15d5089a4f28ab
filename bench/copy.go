//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// s0: what is compared with, for a machine where there is no binary yet.
func s0(ctx context.Context, b *bench) error {
	peers, err := b.bestPeers(ctx)
	if err != nil {
		return err
	}
	toRegistry := contender{
		name: "floor registry to registry", to: dockerServer, check: b.checkRegistry,
		command: func(p place) *exec.Cmd { return b.floor(b.source.addr, p.addr) },
	}
	contenders := append([]contender{b.floorToDisk(), toRegistry}, peers...)
	runs, err := b.inTurn(ctx, contenders...)
	if err != nil {
		return err
	}
	printTable(named(contenders, runs))
	return nil
}

// s1: registry to disk, as oc's directory and as a store.
func s1(ctx context.Context, b *bench) error {
	if err := b.needBinary(); err != nil {
		return err
	}
	peers, err := b.bestPeers(ctx)
	if err != nil {
		return err
	}
	contenders := []contender{b.floorToDisk(), b.toV2(), b.toStore()}
	if len(peers) > 0 {
		contenders = append(contenders, peers[0])
	}
	runs, err := b.inTurn(ctx, contenders...)
	if err != nil {
		return err
	}
	all := named(contenders, runs)
	printTable(all)
	for _, ours := range all[1:3] {
		printGoal(ours.name+" / floor", ratio(ours, all[0]), 1.3)
		if len(all) > 3 {
			printGoal(ours.name+" / "+all[3].name, ratio(ours, all[3]), 0.25)
		}
	}
	return nil
}

func (b *bench) floorToDisk() contender {
	return contender{
		name: "floor to a directory", to: noServer,
		command: func(p place) *exec.Cmd { return b.floor(b.source.addr, p.dir) },
	}
}

func (b *bench) toV2() contender {
	return contender{
		name: "airbridge to v2/", to: noServer,
		command: b.mirrorToDisk,
		check: func(_ context.Context, p place) error {
			return b.checkFiles(filepath.Join(p.dir, "v2", repository, "blobs"), func(alg, hex string) string { return alg + ":" + hex })
		},
	}
}

func (b *bench) toStore() contender {
	return contender{
		name: "airbridge to a store", to: noServer,
		prepare: func(ctx context.Context, p place) error { return b.initStore(ctx, p.dir) },
		command: b.mirrorToDisk,
		check: func(_ context.Context, p place) error {
			return b.checkFiles(filepath.Join(p.dir, "blobs"), func(alg, hex string) string { return filepath.Join(alg, hex) })
		},
	}
}

func (b *bench) mirrorToDisk(p place) *exec.Cmd {
	return b.ours("image", "mirror", "--insecure", "--dir", p.dir, b.source.addr+"/"+repository+":*", "file://"+repository)
}

func (b *bench) initStore(ctx context.Context, dir string) error {
	out, err := exec.CommandContext(ctx, b.airbridge, "store", "init", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("store init: %w: %s", err, tail(out))
	}
	return nil
}

// checkFiles looks for every blob of the load as a file of the right size.
func (b *bench) checkFiles(dir string, name func(alg, hex string) string) error {
	for _, d := range b.load.Blobs {
		info, err := os.Stat(filepath.Join(dir, name(d.Digest.Algorithm(), d.Digest.Hex())))
		if err != nil {
			return fmt.Errorf("after the run: %w", err)
		}
		if info.Size() != d.Size {
			return fmt.Errorf("after the run: %s has %d bytes, want %d", info.Name(), info.Size(), d.Size)
		}
	}
	return nil
}

// s2: registry and disk to docker-registry.
func s2(ctx context.Context, b *bench) error {
	if err := b.needBinary(); err != nil {
		return err
	}
	peers, err := b.bestPeers(ctx)
	if err != nil {
		return err
	}
	disk, err := b.mediumOnDisk(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(disk.root)
	contenders := []contender{
		{
			name: "floor registry to registry", to: dockerServer, check: b.checkRegistry,
			command: func(p place) *exec.Cmd { return b.floor(b.source.addr, p.addr) },
		},
		b.toRegistry("airbridge registry to registry", dockerServer, b.source.addr+"/"+repository+":*"),
		{
			name: "floor disk to registry", to: dockerServer, check: b.checkRegistry,
			command: func(p place) *exec.Cmd { return b.floor(disk.flat, p.addr) },
		},
		b.toRegistry("airbridge disk to registry", dockerServer, "file://"+repository+":*", "--from-dir", disk.v2),
	}
	contenders = append(contenders, peers...)
	runs, err := b.inTurn(ctx, contenders...)
	if err != nil {
		return err
	}
	all := named(contenders, runs)
	printTable(all)
	for i := 1; i < 4; i += 2 {
		printGoal(all[i].name+" / "+all[i-1].name, ratio(all[i], all[i-1]), 1.25)
		printReceiverBound(all[i])
		if len(all) > 4 {
			peer := fastest(all[4:])
			printGoal(all[i].name+" / "+peer.name, ratio(all[i], peer), 0.7)
		}
	}
	return nil
}

// toRegistry mirrors from a source, as the user writes it, to a server.
func (b *bench) toRegistry(name string, to receiver, source string, flags ...string) contender {
	return contender{
		name: name, to: to, check: b.checkRegistry,
		command: func(p place) *exec.Cmd {
			args := append([]string{"image", "mirror", "--insecure"}, flags...)
			return b.ours(append(args, source, p.addr+"/"+repository)...)
		},
	}
}

// medium is the load on disk: as the floor writes it and as we do.
type medium struct{ root, flat, v2 string }

func (b *bench) mediumOnDisk(ctx context.Context) (medium, error) {
	root, err := os.MkdirTemp(b.scratch, "medium-")
	if err != nil {
		return medium{}, err
	}
	m := medium{root: root, flat: filepath.Join(root, "flat"), v2: filepath.Join(root, "oc")}
	for _, dir := range []string{m.flat, m.v2} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return m, err
		}
	}
	_, err1 := measured(ctx, b.floor(b.source.addr, m.flat), root)
	_, err2 := measured(ctx, b.mirrorToDisk(place{dir: m.v2}), root)
	return m, errors.Join(err1, err2)
}

// s3: registry to our own server, which is durable before it answers.
func s3(ctx context.Context, b *bench) error {
	if err := b.needBinary(); err != nil {
		return err
	}
	peers, err := b.bestPeers(ctx)
	if err != nil {
		return err
	}
	contenders := []contender{
		{
			name: "floor to airbridge serve", to: ourServer, check: b.checkRegistry,
			command: func(p place) *exec.Cmd { return b.floor(b.source.addr, p.addr) },
		},
		b.toRegistry("airbridge to airbridge serve", ourServer, b.source.addr+"/"+repository+":*"),
	}
	contenders = append(contenders, peers...)
	runs, err := b.inTurn(ctx, contenders...)
	if err != nil {
		return err
	}
	all := named(contenders, runs)
	printTable(all)
	if len(all) > 2 {
		peer := fastest(all[2:])
		printGoal(all[1].name+" / "+peer.name+" to docker-registry", ratio(all[1], peer), 0.35)
	}
	return nil
}

var address = regexp.MustCompile(`(127\.0\.0\.1:[1-9][0-9]*)[^0-9]`)

// ourServer makes a store and serves it on a free port.
func ourServer(b *bench, dir string) (server, error) {
	root := filepath.Join(dir, "store")
	if err := os.Mkdir(root, 0o755); err != nil {
		return server{}, err
	}
	if err := b.initStore(context.Background(), root); err != nil {
		return server{}, err
	}
	return b.serve(root)
}

// serve starts airbridge serve and waits until it says where it listens.
func (b *bench) serve(root string) (server, error) {
	cmd := b.ours("serve", root, "--addr", "127.0.0.1:0")
	addr, err := startAndFind(cmd, "airbridge serve")
	if err != nil {
		return server{}, err
	}
	return server{addr: addr, pid: cmd.Process.Pid, stop: func() { kill(cmd) }}, nil
}
