//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// repository is where all images of a load lie.
const repository = "load/images"

// load is a generated load in the storage of a docker-registry: what the floor
// program needs to know about it, and what checks are made against.
type load struct {
	Manifests []loadManifest // children before parents
	Blobs     []oci.Descriptor
	Bytes     int64 // of all of them

	dir string // of the storage
}

type loadManifest struct {
	oci.Descriptor
	Tag string `json:"tag,omitempty"` // "" for a child of a list
}

// loadVersion is part of the cache's path: raise it when a load changes.
const loadVersion = "v1"

// openLoad returns a load from the cache, generating it there at first. That
// is done by a process of its own: the kernel counts the memory of whoever
// starts a program as the program's peak, so the bench has to stay small.
func openLoad(ctx context.Context, cache string, spec sample.LoadSpec) (*load, error) {
	dir := filepath.Join(cache, fmt.Sprintf("load-%d-%s", spec.Images, loadVersion))
	l := &load{dir: filepath.Join(dir, "storage")}
	body, err := os.ReadFile(filepath.Join(dir, "load.json"))
	if errors.Is(err, os.ErrNotExist) {
		if err := generate(ctx, dir, spec); err != nil {
			return nil, err
		}
		body, err = os.ReadFile(filepath.Join(dir, "load.json"))
	}
	if err != nil {
		return nil, err
	}
	return l, json.Unmarshal(body, l)
}

func generate(ctx context.Context, dir string, spec sample.LoadSpec) error {
	fmt.Fprintf(os.Stderr, "generating the load of %d images in %s\n", spec.Images, dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	wanted, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, self, "generate", dir, string(wanted)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("generating the load: %w: %s", err, tail(out))
	}
	return nil
}

// generateMain makes a load: generate DIR SPEC, a sample.LoadSpec as JSON.
func generateMain(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("generate takes a directory and a load")
	}
	var spec sample.LoadSpec
	if err := json.Unmarshal([]byte(args[1]), &spec); err != nil {
		return err
	}
	l := &load{dir: filepath.Join(args[0], "storage")}
	if err := os.RemoveAll(args[0]); err != nil {
		return err
	}
	images := sample.Load(1, spec)
	l.list(images)
	if err := l.push(ctx, images); err != nil {
		return err
	}
	body, err := json.Marshal(l)
	if err != nil {
		return err
	}
	// Last: this file says that all the rest is there.
	return os.WriteFile(filepath.Join(args[0], "load.json"), body, 0o600)
}

// list notes each manifest and blob once.
func (l *load) list(images []sample.TaggedImage) {
	seen := map[oci.Digest]bool{}
	first := func(d oci.Digest) bool {
		defer func() { seen[d] = true }()
		return !seen[d]
	}
	for _, top := range images {
		for _, im := range top.Image.All() {
			for _, b := range im.Blobs {
				if first(b.Desc.Digest) {
					l.Blobs = append(l.Blobs, b.Desc.Bare())
					l.Bytes += b.Desc.Size
				}
			}
			m := loadManifest{Descriptor: im.Desc.Bare()}
			if im == top.Image {
				m.Tag = top.Tag
			}
			if first(im.Desc.Digest) {
				l.Manifests = append(l.Manifests, m)
				l.Bytes += im.Desc.Size
			}
		}
	}
}

// push writes the load into a docker-registry of its own.
func (l *load) push(ctx context.Context, images []sample.TaggedImage) error {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return err
	}
	s, err := peer.StartDockerRegistry(filepath.Dir(l.dir), peer.RegistryOptions{Dir: l.dir})
	if err != nil {
		return err
	}
	defer s.Stop()
	to := newWire(s.Addr)
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	sent := map[oci.Digest]bool{}
	for _, top := range images {
		for _, im := range top.Image.All() {
			for _, b := range im.Blobs {
				if sent[b.Desc.Digest] {
					continue
				}
				sent[b.Desc.Digest] = true
				group.Go(func() error {
					r, err := b.Open(gctx, 0)
					if err != nil {
						return err
					}
					return to.putBlob(gctx, b.Desc, r)
				})
			}
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return pushManifests(ctx, to, images)
}

func pushManifests(ctx context.Context, to *wire, images []sample.TaggedImage) error {
	for _, top := range images {
		for _, im := range top.Image.All() {
			name := im.Desc.Digest.String()
			if im == top.Image {
				name = top.Tag
			}
			if err := to.putManifest(ctx, name, im.Desc, bytes.NewReader(im.Body)); err != nil {
				return err
			}
		}
	}
	return nil
}
