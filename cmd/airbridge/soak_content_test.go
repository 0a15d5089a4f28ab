//go:build soak

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// soakRepo is the repository that all scenes fill.
const soakRepo = "soak/app"

// cargo is an image under its tag.
type cargo struct {
	tag   string
	image *sample.Image
}

// makeCargo makes images that share a base; every third is a list.
func makeCargo(seed uint64, n int) []cargo {
	m := sample.New(seed)
	base := m.Layer(30_000)
	image := func(p oci.Platform) *sample.Image {
		return sample.NewImage(sample.ImageSpec{Platform: p, Layers: []sample.Blob{base, m.Layer(250_000), m.Layer(3_000)}})
	}
	var out []cargo
	for i := range n {
		im := image(sample.AMD64)
		if i%3 == 2 {
			im = sample.NewIndex(sample.Docker, im, image(sample.ARM64))
		}
		out = append(out, cargo{fmt.Sprintf("v%d", i), im})
	}
	return out
}

// source is a registry in this process that holds all cargo.
type source struct {
	*valve
	addr  string
	cargo []cargo
}

func newSource(s *soak) *source {
	reg := memory()
	src := &source{valve: &valve{}, cargo: makeCargo(*soakSeed, 24)}
	rp, err := reg.Repo(soakRepo)
	s.must(err)
	for _, c := range src.cargo {
		s.must(c.image.Push(s.t.Context(), rp, c.tag))
	}
	src.addr = src.serve(s.t, reg)
	return src
}

func memory() *registry.Registry {
	return registry.New("memory", cas.Mem(), kv.Mem(), registry.Options{Now: time.Now})
}

// record is what was acknowledged: it must survive.
type record struct {
	tags      map[string]oci.Digest
	manifests map[oci.Digest]bool
	blobs     map[oci.Digest]int64
}

func newRecord() *record {
	return &record{tags: map[string]oci.Digest{}, manifests: map[oci.Digest]bool{}, blobs: map[oci.Digest]int64{}}
}

// check requires that a repository holds all that was acknowledged, and that
// whatever it shows is whole.
func (r *record) check(ctx context.Context, rp repo.Repo, cargo []cargo) error {
	for tag, want := range r.tags {
		if got, err := whole(ctx, rp, repo.ByTag(tag)); err != nil || got != want {
			return fmt.Errorf("acknowledged tag %s is %s, not %s: %w", tag, got, want, err)
		}
	}
	for d := range r.manifests {
		if _, err := whole(ctx, rp, repo.ByDigest(d)); err != nil {
			return fmt.Errorf("acknowledged manifest: %w", err)
		}
	}
	for d, size := range r.blobs {
		if err := readBlob(ctx, rp, oci.Descriptor{Digest: d, Size: size}); err != nil {
			return fmt.Errorf("acknowledged blob: %w", err)
		}
	}
	return checkVisible(ctx, rp, cargo)
}

func checkVisible(ctx context.Context, rp repo.Repo, cargo []cargo) error {
	for tag, err := range rp.Tags(ctx, "") {
		if oci.IsNotFound(err) {
			break
		}
		if err == nil {
			_, err = whole(ctx, rp, repo.ByTag(tag))
		}
		if err != nil {
			return fmt.Errorf("visible tag %s: %w", tag, err)
		}
	}
	for _, c := range cargo {
		for _, im := range c.image.All() {
			_, err := whole(ctx, rp, repo.ByDigest(im.Desc.Digest))
			if _, seen := rp.Resolve(ctx, repo.ByDigest(im.Desc.Digest)); err != nil && !oci.IsNotFound(seen) {
				return fmt.Errorf("visible manifest: %w", err)
			}
		}
	}
	return nil
}

// equal requires that a repository holds exactly the bytes of the cargo.
func equal(ctx context.Context, rp repo.Repo, cargo []cargo) error {
	for _, c := range cargo {
		if got, err := whole(ctx, rp, repo.ByTag(c.tag)); err != nil || got != c.image.Desc.Digest {
			return fmt.Errorf("%s is %s, the source has %s: %w", c.tag, got, c.image.Desc.Digest, err)
		}
		for _, im := range c.image.All() {
			_, body, err := rp.Manifest(ctx, repo.ByDigest(im.Desc.Digest))
			if err != nil || !bytes.Equal(body, im.Body) {
				return fmt.Errorf("manifest %s of %s is not the source's: %w", im.Desc.Digest, c.tag, err)
			}
		}
	}
	return nil
}

// whole reads an image with everything below it and hashes all of it.
func whole(ctx context.Context, rp repo.Repo, t repo.Target) (oci.Digest, error) {
	desc, body, err := rp.Manifest(ctx, t)
	if err != nil {
		return oci.Digest{}, err
	}
	m, err := oci.ParseManifest(desc.MediaType, body)
	if err := errors.Join(err, desc.Digest.Check(body)); err != nil {
		return desc.Digest, err
	}
	for _, child := range m.Manifests {
		if _, err := whole(ctx, rp, repo.ByDigest(child.Digest)); err != nil {
			return desc.Digest, fmt.Errorf("child of %s: %w", desc.Digest, err)
		}
	}
	for _, b := range m.Blobs() {
		if err := readBlob(ctx, rp, b); err != nil {
			return desc.Digest, fmt.Errorf("blob of %s: %w", desc.Digest, err)
		}
	}
	return desc.Digest, nil
}

func readBlob(ctx context.Context, rp repo.Repo, desc oci.Descriptor) error {
	rc, err := rp.OpenBlob(ctx, desc.Digest, 0)
	if err != nil {
		return err
	}
	defer rc.Close()
	body, err := io.ReadAll(rc)
	if err != nil {
		return err
	}
	if int64(len(body)) != desc.Size {
		return fmt.Errorf("%s has %d bytes, not %d", desc.Digest, len(body), desc.Size)
	}
	return desc.Digest.Check(body)
}

// ground is a directory that is filled, with what it must hold by now and what
// it shall hold in the end.
type ground struct {
	s      *soak
	dir    string
	cargo  []cargo
	record *record
	done   bool
}

// grow chooses what shall be there next: some more images.
func (g *ground) grow() {
	more := 1 + g.s.rng.IntN(3)
	g.cargo = g.s.source.cargo[:min(len(g.cargo)+more, len(g.s.source.cargo))]
	g.done = false
}

// check looks at the directory after a kill.
func (g *ground) check() {
	g.s.t.Helper()
	g.verify()
	g.s.must(g.read(func(rp repo.Repo) error { return g.record.check(g.s.t.Context(), rp, g.cargo) }))
}

// complete requires that everything is there, after a run that went through.
func (g *ground) complete() {
	g.s.t.Helper()
	g.check()
	g.s.must(g.read(func(rp repo.Repo) error { return equal(g.s.t.Context(), rp, g.cargo) }))
	g.done = true
}

func (g *ground) verify() {
	g.s.t.Helper()
	out, err := exec.CommandContext(g.s.t.Context(), g.s.program, "store", "verify", g.dir).CombinedOutput()
	if err != nil {
		g.s.t.Fatalf("round %d: store verify %s: %v\n%s", g.s.rounds, g.dir, err, out)
	}
}

// read opens the directory as a reader beside a writer would.
func (g *ground) read(look func(repo.Repo) error) error {
	d, err := mirror.OpenDirectory(g.s.t.Context(), g.dir, mirror.DirectoryOptions{Now: time.Now})
	if err != nil {
		return err
	}
	defer d.Close(g.s.t.Context())
	rp, err := d.Registry.Repo(soakRepo)
	if err != nil {
		return err
	}
	return look(rp)
}
