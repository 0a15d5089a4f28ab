//go:build linux

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// The floor is what no tool can go below by much on the same machine: the same
// blobs and manifests, fetched over four plain connections, hashed, and written
// to files or sent on, by a program that knows beforehand what there is and
// asks nothing. It flushes like the tools it is compared with.

const floorConnections = 4

// floorMain copies a load: floor -list FILE FROM TO, where FROM and TO are
// host:port or a directory. A directory has one file a digest.
func floorMain(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("floor", flag.ContinueOnError)
	list := flags.String("list", "", "load.json of the load")
	if err := flags.Parse(args); err != nil {
		return err
	}
	body, err := os.ReadFile(*list)
	if err != nil {
		return err
	}
	var l load
	if err := json.Unmarshal(body, &l); err != nil {
		return err
	}
	f := floor{from: newEnd(flags.Arg(0)), to: newEnd(flags.Arg(1))}
	if err := f.copyAll(ctx, &l); err != nil {
		return err
	}
	return f.to.flush()
}

type floor struct{ from, to end }

// copyAll copies the blobs, then the manifests of images, then lists.
func (f floor) copyAll(ctx context.Context, l *load) error {
	var lists, images []loadManifest
	for _, m := range l.Manifests {
		if oci.IsIndex(m.MediaType) {
			lists = append(lists, m)
		} else {
			images = append(images, m)
		}
	}
	blobs := make([]loadManifest, len(l.Blobs))
	for i, b := range l.Blobs {
		blobs[i].Descriptor = b
	}
	for _, step := range []struct {
		kind  string
		items []loadManifest
	}{{"blobs", blobs}, {"manifests", images}, {"manifests", lists}} {
		group, gctx := errgroup.WithContext(ctx)
		group.SetLimit(floorConnections)
		for _, it := range step.items {
			group.Go(func() error { return f.copyOne(gctx, step.kind, it) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

func (f floor) copyOne(ctx context.Context, kind string, it loadManifest) error {
	r, err := f.from.open(ctx, kind, it.Descriptor)
	if err != nil {
		return err
	}
	defer r.Close()
	h := it.Digest.Hash()
	if err := f.to.write(ctx, kind, it, io.TeeReader(r, h)); err != nil {
		return err
	}
	if !it.Digest.Matches(h) {
		return fmt.Errorf("%s is something else", it.Digest)
	}
	return nil
}

// end is a registry or a directory.
type end struct {
	wire *wire
	dir  string
}

func newEnd(s string) end {
	if strings.HasPrefix(s, "/") {
		return end{dir: s}
	}
	return end{wire: newWire(s)}
}

func (e end) open(ctx context.Context, kind string, d oci.Descriptor) (io.ReadCloser, error) {
	if e.wire != nil {
		return e.wire.get(ctx, kind, d)
	}
	return os.Open(filepath.Join(e.dir, d.Digest.Hex()))
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

func (e end) write(ctx context.Context, kind string, it loadManifest, r io.Reader) error {
	switch {
	case e.wire == nil:
		return e.writeFile(it.Digest, r)
	case kind == "blobs":
		return e.wire.putBlob(ctx, it.Descriptor, r)
	case it.Tag != "":
		return e.wire.putManifest(ctx, it.Tag, it.Descriptor, r)
	}
	return e.wire.putManifest(ctx, it.Digest.String(), it.Descriptor, r)
}

func (e end) writeFile(d oci.Digest, r io.Reader) error {
	f, err := os.Create(filepath.Join(e.dir, d.Hex()))
	if err != nil {
		return err
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, r, *buf)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// flush makes a directory durable. Behind a registry the bench itself does so.
func (e end) flush() error {
	if e.wire != nil {
		return nil
	}
	return syncFS(e.dir)
}
