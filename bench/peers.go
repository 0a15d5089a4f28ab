//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
)

// Peers push to docker-registry only: to a directory they need one of each
// image, which for a release comes to many times its size.

// bestPeers tries each peer at parallel 2, 4 and 8, prints what came out, and
// returns each at its best setting, the fastest first. One that is far behind
// (1.5 times the fastest) is not run again in rounds.
func (b *bench) bestPeers(ctx context.Context) ([]contender, error) {
	if b.peers != nil || b.noPeers {
		return b.peers, nil
	}
	tries, err := b.allPeers()
	if err != nil {
		return nil, err
	}
	fmt.Println("Peers, registry to docker-registry, one run at each setting:")
	fmt.Println()
	fmt.Println("| peer | seconds | own CPU s | receiver CPU s / 2 | peak MB |")
	fmt.Println("|---|---|---|---|---|")
	type timed struct {
		contender
		seconds float64
	}
	var best []timed
	for _, settings := range tries {
		var ofPeer []timed
		for _, c := range settings {
			u, err := b.once(ctx, c)
			if err != nil {
				return nil, err
			}
			fmt.Printf("| %s | %.1f | %.1f | %s | %.0f |\n", c.name, u.wall, u.cpu, half(u.receiver), peakMB(u))
			ofPeer = append(ofPeer, timed{c, u.wall})
		}
		best = append(best, slices.MinFunc(ofPeer, func(x, y timed) int { return compare(x.seconds, y.seconds) }))
	}
	fmt.Println()
	slices.SortFunc(best, func(x, y timed) int { return compare(x.seconds, y.seconds) })
	for _, t := range best {
		if t.seconds <= 1.5*best[0].seconds {
			b.peers = append(b.peers, t.contender)
		}
	}
	return b.peers, nil
}

func compare(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// allPeers returns the settings of each peer.
func (b *bench) allPeers() ([][]contender, error) {
	crane, err := peer.BuildTool("crane")
	if err != nil {
		return nil, err
	}
	regsync, err := peer.BuildTool("regsync")
	if err != nil {
		return nil, err
	}
	skopeo, err := peer.Find("skopeo")
	if err != nil {
		return nil, err
	}
	var cranes, regsyncs []contender
	for _, n := range []int{2, 4, 8} {
		cranes = append(cranes, b.crane(crane, n))
		regsyncs = append(regsyncs, b.regsync(regsync, n))
	}
	return [][]contender{cranes, regsyncs, {b.skopeo(skopeo)}}, nil
}

func (b *bench) crane(program string, jobs int) contender {
	return contender{
		name: fmt.Sprintf("crane copy --all-tags -j %d", jobs), to: dockerServer, check: b.checkRegistry,
		command: func(p place) *exec.Cmd {
			return exec.Command(program, "copy", "--insecure", "--all-tags", "-j", fmt.Sprint(jobs),
				b.source.addr+"/"+repository, p.addr+"/"+repository)
		},
	}
}

func (b *bench) regsync(program string, parallel int) contender {
	return contender{
		name: fmt.Sprintf("regsync once, parallel %d", parallel), to: dockerServer, check: b.checkRegistry,
		prepare: func(_ context.Context, p place) error { return b.regsyncConfig(p, parallel) },
		command: func(p place) *exec.Cmd {
			return exec.Command(program, "once", "-v", "error", "-c", filepath.Join(p.dir, "regsync.yml"))
		},
	}
}

func (b *bench) regsyncConfig(p place, parallel int) error {
	text := fmt.Sprintf(`version: 1
creds:
  - {registry: %[1]q, tls: disabled, reqConcurrent: 16}
  - {registry: %[2]q, tls: disabled, reqConcurrent: 16}
defaults:
  parallel: %[3]d
sync:
  - {source: %[1]s/%[4]s, target: %[2]s/%[4]s, type: repository}
`, b.source.addr, p.addr, parallel, repository)
	return os.WriteFile(filepath.Join(p.dir, "regsync.yml"), []byte(text), 0o600)
}

// skopeo puts an image under the last part of its repository's name.
func (b *bench) skopeo(program string) contender {
	return contender{
		name: "skopeo sync --all", to: dockerServer, check: b.checkRegistry,
		command: func(p place) *exec.Cmd {
			return exec.Command(program, "--insecure-policy", "sync", "--all", "--src", "docker", "--dest", "docker",
				"--src-tls-verify=false", "--dest-tls-verify=false", b.source.addr+"/"+repository, p.addr+"/"+filepath.Dir(repository))
		},
	}
}

// checkRegistry asks the target for every manifest and blob of the load.
func (b *bench) checkRegistry(ctx context.Context, p place) error {
	w := newWire(p.addr)
	for _, m := range b.load.Manifests {
		name := m.Digest.String()
		if m.Tag != "" {
			name = m.Tag
		}
		if err := w.has(ctx, "manifests", name, m.MediaType); err != nil {
			return fmt.Errorf("after the run: %w", err)
		}
	}
	for _, d := range b.load.Blobs {
		if err := w.has(ctx, "blobs", d.Digest.String(), d.MediaType); err != nil {
			return fmt.Errorf("after the run: %w", err)
		}
	}
	return nil
}
