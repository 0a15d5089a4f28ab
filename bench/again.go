//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
)

// s4: the same again, when the destination has everything.
func s4(ctx context.Context, b *bench) error {
	if err := b.needBinary(); err != nil {
		return err
	}
	if err := b.countAgain(ctx); err != nil {
		return err
	}
	fill := func(ctx context.Context, p place) error {
		_, err := measured(ctx, b.floor(b.source.addr, p.addr), p.dir)
		return err
	}
	var contenders []contender
	if !b.noPeers {
		regsync, err := peer.BuildTool("regsync")
		if err != nil {
			return err
		}
		again := b.regsync(regsync, 4)
		again.name += ", again"
		config := again.prepare
		again.prepare = func(ctx context.Context, p place) error {
			if err := config(ctx, p); err != nil {
				return err
			}
			return fill(ctx, p)
		}
		contenders = append(contenders, again)
	}
	tags := b.toRegistry("airbridge, again, by tag", dockerServer, b.source.addr+"/"+repository+":*")
	tags.prepare = fill
	pinned := contender{
		name: "airbridge, again, pinned by digest", to: dockerServer,
		prepare: func(ctx context.Context, p place) error {
			if err := b.writeMapping(p, b.source.addr, p.addr); err != nil {
				return err
			}
			return fill(ctx, p)
		},
		command: b.mirrorMapping,
	}
	contenders = append(contenders, tags, pinned)
	runs, err := b.inTurn(ctx, contenders...)
	if err != nil {
		return err
	}
	all := named(contenders, runs)
	fmt.Println("| contender | seconds | own CPU s | receiver CPU s |")
	fmt.Println("|---|---|---|---|")
	for _, s := range all {
		fmt.Printf("| %s | %s | %.2f | %.2f |\n", s.name, spreadOf(s.of(wall)), spreadOf(s.of(cpu)).median, spreadOf(s.of(receiving)).median)
	}
	fmt.Println()
	if !b.noPeers {
		for _, s := range all[1:] {
			printGoal(s.name+" / regsync again", ratio(s, all[0]), 2)
		}
	}
	return nil
}

// countAgain counts the requests of a run that has nothing to do.
func (b *bench) countAgain(ctx context.Context) error {
	source, err := count(b.source.addr)
	if err != nil {
		return err
	}
	defer source.stop()
	var destination *counter
	c := contender{
		name: "counting", to: dockerServer,
		prepare: func(ctx context.Context, p place) error {
			if _, err := measured(ctx, b.floor(b.source.addr, p.addr), p.dir); err != nil {
				return err
			}
			if destination, err = count(p.addr); err != nil {
				return err
			}
			return b.writeMapping(p, source.addr, destination.addr)
		},
		command: b.mirrorMapping,
	}
	_, err = b.once(ctx, c)
	if destination != nil {
		defer destination.stop()
	}
	if err != nil {
		return err
	}
	fmt.Printf("Requests of a run that has nothing to do, pinned by digest, %d manifests:\n\n", len(b.load.Manifests))
	fmt.Println("- source:", source)
	fmt.Println("- destination:", destination)
	limit := float64(len(b.load.Manifests))
	printGoal("requests at the destination / manifests", one(float64(destination.total())/limit), 1)
	printGoal("requests at the source", one(float64(source.total())), 0)
	fmt.Println()
	return nil
}

// one is the spread of a single figure.
func one(v float64) spread { return spread{v, v, v} }

// writeMapping writes a mapping file that pins every image by digest.
func (b *bench) writeMapping(p place, from, to string) error {
	var text strings.Builder
	for _, m := range b.load.Manifests {
		if m.Tag != "" {
			fmt.Fprintf(&text, "%s/%s@%s=%s/%s:%s\n", from, repository, m.Digest, to, repository, m.Tag)
		}
	}
	return os.WriteFile(filepath.Join(p.dir, "mapping.txt"), []byte(text.String()), 0o600)
}

func (b *bench) mirrorMapping(p place) *exec.Cmd {
	return b.ours("image", "mirror", "--insecure", "-f", filepath.Join(p.dir, "mapping.txt"))
}
