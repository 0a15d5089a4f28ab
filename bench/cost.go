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
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// s5: what is written and sent, against what was missing, and how often the
// disk is flushed.
func s5(ctx context.Context, b *bench) error {
	if err := b.needBinary(); err != nil {
		return err
	}
	if err := b.countWrites(ctx); err != nil {
		return err
	}
	return b.countBodies(ctx)
}

// countBodies counts the bytes of request bodies of a mirror run to a registry.
func (b *bench) countBodies(ctx context.Context) error {
	var destination *counter
	c := b.toRegistry("counting", dockerServer, b.source.addr+"/"+repository+":*")
	direct := c.command
	c.prepare = func(_ context.Context, p place) (err error) {
		destination, err = count(p.addr)
		return err
	}
	c.command = func(p place) *exec.Cmd { return direct(place{dir: p.dir, addr: destination.addr}) }
	_, err := b.once(ctx, c)
	if destination != nil {
		defer destination.stop()
	}
	if err != nil {
		return err
	}
	fmt.Println("- registry to registry, requests at the destination:", destination)
	printGoal("registry to registry: body bytes sent / missing", one(float64(destination.bodies)/float64(b.load.Bytes)), 1.01)
	return nil
}

// countWrites runs mirrors to disk under strace. The kernel's own count is
// printed besides: it is in whole pages, and counts a page twice that was
// flushed before it was full.
func (b *bench) countWrites(ctx context.Context) error {
	strace, err := peer.Find("strace")
	if err != nil {
		fmt.Println("- not counted:", err)
		return nil
	}
	for _, c := range []contender{b.toV2(), b.toStore()} {
		log := filepath.Join(b.scratch, "calls")
		direct := c.command
		c.command = func(p place) *exec.Cmd { return traced(strace, log, direct(p)) }
		if _, err := b.once(ctx, c); err != nil {
			return err
		}
		t, err := readTrace(log, filepath.Join(b.scratch, "target-"))
		if err != nil {
			return err
		}
		fmt.Printf("- %s: flushes: %s\n", c.name, t.flushes())
		printGoal(c.name+": file bytes written / missing", one(float64(t.written)/float64(b.load.Bytes)), 1.01)
		c.command = direct
		u, err := b.once(ctx, c)
		if err != nil {
			return err
		}
		fmt.Printf("- %s: the kernel counts %.4f, in pages\n", c.name, float64(u.written)/float64(b.load.Bytes))
		if err := os.Remove(log); err != nil {
			return err
		}
	}
	return nil
}

// s6: peak memory at 190 and at 2,000 images.
func s6(ctx context.Context, b *bench) error {
	if err := b.needBinary(); err != nil {
		return err
	}
	large := *b
	var err error
	if large.load, err = openLoad(ctx, b.cache, sample.LargeLoad); err != nil {
		return err
	}
	if large.source, err = b.serveLoad(large.load); err != nil {
		return err
	}
	defer large.source.stop()
	fmt.Println("| work | MB at 190 images | MB at 2,000 | ratio | seconds at 2,000 |")
	fmt.Println("|---|---|---|---|---|")
	small, big, err := b.peaks(ctx, &large)
	if err != nil {
		return err
	}
	fmt.Println()
	printGoal("highest peak in MB", one(slices.Max(append(small, big...))), 150)
	for i := range small {
		printGoal(fmt.Sprintf("work %d: 2,000 images / 190", i+1), one(big[i]/small[i]), 1.2)
	}
	return nil
}

// peaks measures each kind of work once with both loads.
func (b *bench) peaks(ctx context.Context, large *bench) (small, big []float64, err error) {
	works := func(b *bench) []contender {
		return []contender{
			b.toV2(), b.toStore(),
			b.toRegistry("airbridge to docker-registry", dockerServer, b.source.addr+"/"+repository+":*"),
			b.toRegistry("airbridge to airbridge serve", ourServer, b.source.addr+"/"+repository+":*"),
		}
	}
	larges := works(large)
	for i, c := range works(b) {
		s, err := b.once(ctx, c)
		if err != nil {
			return nil, nil, err
		}
		l, err := large.once(ctx, larges[i])
		if err != nil {
			return nil, nil, err
		}
		small, big = append(small, peakMB(s)), append(big, peakMB(l))
		fmt.Printf("| %s | %.0f | %.0f | %.2f | %.1f |\n", c.name, peakMB(s), peakMB(l), peakMB(l)/peakMB(s), l.wall)
	}
	return small, big, nil
}
