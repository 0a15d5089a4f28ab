package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/rootfs"
)

// Names of the payload files that every release has (oc.md 11).
const (
	imageReferences = "image-references"
	releaseMetadata = "release-metadata"
)

// Read reads the payload of a release image. From a list it takes the image of
// the preferred platform, else the first. Layers are read from the top, where
// the payload is, and only until it is complete: the others are not even
// opened. All content is verified. The error says "unable to retrieve release
// image info" where reading failed, which keeps the codes of package oci, and
// "unable to load image-references" where the image is not a release.
func Read(ctx context.Context, src repo.Source, t repo.Target, prefer oci.Platform) (*Payload, error) {
	rd := &reader{src: src, name: "release image " + t.String(), pick: image.Prefer(prefer)}
	p, _, err := rd.read(ctx, t, &files{seen: map[string]bool{}})
	return p, err
}

// read reads a payload, and returns it with the files that it came from.
func (rd *reader) read(ctx context.Context, t repo.Target, found *files) (*Payload, *files, error) {
	p := &Payload{}
	found, err := rd.retrieve(ctx, t, found, p)
	if err != nil {
		return nil, nil, fmt.Errorf("unable to retrieve release image info: %w", err)
	}
	if found.references == nil {
		return nil, nil, fmt.Errorf("unable to load image-references from release payload: no layer of %s has the file %s%s, so it is not a release image",
			t, directory, imageReferences)
	}
	p.Verification = found.verification
	if err := p.parseReferences(found.references); err != nil {
		return nil, nil, err
	}
	return p, found, p.parseMetadata(found.metadata)
}

type reader struct {
	src    repo.Source
	name   string // for errors on content
	pick   image.Pick
	config *image.Config
	size   int64 // of all layers in bytes
}

// retrieve finds the image, fills in what the payload's files do not tell, and
// returns those files.
func (rd *reader) retrieve(ctx context.Context, t repo.Target, found *files, p *Payload) (*files, error) {
	m, err := rd.image(ctx, t, p)
	if err != nil {
		return nil, err
	}
	if rd.config, err = rd.readConfig(ctx, m.Config); err != nil {
		return nil, err
	}
	p.Arch = rd.config.Platform.Architecture
	for _, layer := range m.Layers {
		rd.size += layer.Size
	}
	for _, layer := range slices.Backward(m.Layers) {
		if found.complete() {
			break
		}
		if layer.IsForeign() {
			continue // not in the registry; a payload never is in one
		}
		if err := rd.layer(ctx, layer, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// image goes down from a list to an image and records the digests on the way.
func (rd *reader) image(ctx context.Context, t repo.Target, p *Payload) (*oci.Manifest, error) {
	for range oci.MaxDepth {
		desc, body, err := rd.src.Manifest(ctx, t)
		if err != nil {
			return nil, err
		}
		m, err := oci.ParseManifest(desc.MediaType, body)
		switch {
		case err != nil:
			return nil, fmt.Errorf("manifest %s: %w", desc.Digest, err)
		case oci.IsSchema1(m.MediaType):
			return nil, fmt.Errorf("manifest %s is of Docker's schema 1, which no release has: %w", desc.Digest, oci.ErrUnsupported)
		case !m.IsIndex():
			p.Digest = desc.Digest
			return m, nil
		case len(m.Manifests) == 0:
			return nil, fmt.Errorf("list %s has no images: %w", desc.Digest, oci.ErrManifestInvalid)
		}
		if p.ListDigest.IsZero() {
			p.ListDigest = desc.Digest
		}
		chosen, err := rd.pick(m.Manifests)
		if err != nil {
			return nil, err
		}
		t = repo.ByDigest(chosen[0].Digest)
	}
	return nil, fmt.Errorf("lists are nested more than %d deep: %w", oci.MaxDepth, oci.ErrManifestInvalid)
}

// readConfig reads the image's config.
func (rd *reader) readConfig(ctx context.Context, config *oci.Descriptor) (*image.Config, error) {
	if config == nil {
		return nil, fmt.Errorf("the image has no config: %w", oci.ErrManifestInvalid)
	}
	body, err := image.ReadConfig(ctx, rd.src, *config)
	if err != nil {
		return nil, err
	}
	parsed, err := image.ParseConfig(body)
	if err != nil {
		return nil, fmt.Errorf("config %s: %w", config.Digest, err)
	}
	return parsed, nil
}

// layer adds the payload files of a layer. It believes none of them before the
// layer was read to its end and has its digest: a part cannot be verified.
func (rd *reader) layer(ctx context.Context, desc oci.Descriptor, found *files) error {
	if desc.Size > maxLayer {
		return fmt.Errorf("layer %s has %d bytes: %w", desc.Digest, desc.Size, rootfs.ErrLimit)
	}
	content, err := repo.OpenVerified(ctx, rd.src, desc, rd.name)
	if err != nil {
		return err
	}
	defer io.Closer(content).Close()
	upper := found.under()
	err = ReadLayer(until(ctx, content), upper.add)
	if errors.Is(err, rootfs.ErrLimit) {
		return fmt.Errorf("layer %s: %w", desc.Digest, err) // reading on is what it wants
	}
	// What is wrong with the content explains what is wrong with the archive.
	if _, corrupt := io.Copy(io.Discard, until(ctx, content)); corrupt != nil {
		return corrupt
	}
	if err != nil {
		return fmt.Errorf("layer %s: %w", desc.Digest, err)
	}
	*found = *upper
	return nil
}

// readFunc is a reader made of its one method.
type readFunc func(p []byte) (int, error)

// Read implements io.Reader.
func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// until ends a reader when the context ends; files on a disk do not know of it.
func until(ctx context.Context, r io.Reader) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}
