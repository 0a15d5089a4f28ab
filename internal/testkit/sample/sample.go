// Package sample makes container content for tests, the demo and the bench:
// images in OCI and Docker form, lists of several platforms, a release of the
// shape of OpenShift 4.12.0, and the load of the bench.
//
// All of it follows from a seed: the same seed gives the same bytes and
// digests everywhere. Layers are real gzipped tars that a container engine can
// unpack; their content does not compress and is generated while it is read,
// so that gigabytes cost no memory.
package sample

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Maker makes content from a seed. Not for several goroutines.
type Maker struct {
	seed uint64
	made uint64 // layers so far; with the seed it keys the next one
	rng  *rand.Rand
}

// New returns a Maker whose output follows from the seed and the calls made.
func New(seed uint64) *Maker {
	return &Maker{seed: seed, rng: rand.New(rand.NewPCG(seed, 0xa1b21d9e))}
}

// LogNormal draws a size in bytes with the given median and sigma.
func (m *Maker) LogNormal(median, sigma float64) int64 {
	return int64(median * math.Exp(sigma*m.rng.NormFloat64()))
}

// Blob is generated content.
type Blob struct {
	Desc   oci.Descriptor
	DiffID oci.Digest // of a layer: the digest of the tar inside

	start func() io.Reader
}

// Open is a repo.Opener: it generates the content again, from an offset.
func (b Blob) Open(_ context.Context, offset int64) (io.ReadCloser, error) {
	r := b.start()
	if _, err := io.CopyN(io.Discard, r, offset); err != nil {
		return nil, fmt.Errorf("opening %s at %d: %w", b.Desc.Digest, offset, err)
	}
	return io.NopCloser(r), nil
}

// Image is an image or, where it has Children, an index or list.
type Image struct {
	Desc     oci.Descriptor // of the manifest, with the platform if it is one image
	Body     []byte         // the manifest
	Blobs    []Blob         // config and layers
	Children []*Image
}

// Push writes an image with all it needs, children first, and points the tags
// at it. Content that the repository has is not sent again.
func (im *Image) Push(ctx context.Context, to repo.Repo, tags ...string) error {
	for _, b := range im.Blobs {
		if _, err := to.PutBlob(ctx, b.Desc, b.Open, ""); err != nil {
			return fmt.Errorf("pushing blob %s to %s: %w", b.Desc.Digest, to.Name(), err)
		}
	}
	for _, child := range im.Children {
		if err := child.Push(ctx, to); err != nil {
			return err
		}
	}
	if err := to.PutManifest(ctx, im.Desc.Bare(), im.Body, tags...); err != nil {
		return fmt.Errorf("pushing manifest %s to %s: %w", im.Desc.Digest, to.Name(), err)
	}
	return nil
}

// All returns the image and everything below it, children before parents.
func (im *Image) All() []*Image {
	var out []*Image
	for _, child := range im.Children {
		out = append(out, child.All()...)
	}
	return append(out, im)
}

// Size is what a set of images comes to, each blob and manifest counted once.
type Size struct {
	Manifests, Blobs int
	Bytes            int64 // of both
}

// Measure adds up images.
func Measure(images ...*Image) Size {
	var s Size
	seen := map[oci.Digest]bool{}
	once := func(d oci.Descriptor, n *int) {
		if !seen[d.Digest] {
			seen[d.Digest] = true
			*n++
			s.Bytes += d.Size
		}
	}
	for _, top := range images {
		for _, im := range top.All() {
			once(im.Desc, &s.Manifests)
			for _, b := range im.Blobs {
				once(b.Desc, &s.Blobs)
			}
		}
	}
	return s
}
