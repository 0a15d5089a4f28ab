package image

import (
	"context"
	"fmt"
	"io"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Pick chooses among the children of a list. It returns at least one, or an
// error.
type Pick func(children []oci.Descriptor) ([]oci.Descriptor, error)

// Read reads an image: its manifest and config, no layers. From a list it reads
// those that pick chooses, in the order of the list. All content is verified.
// Schema 1 matches oci.ErrUnsupported.
func Read(ctx context.Context, src repo.Source, t repo.Target, pick Pick) ([]*Image, error) {
	rd := reader{src, pick}
	return rd.from(ctx, t, oci.Digest{}, 0)
}

type reader struct {
	src  repo.Source
	pick Pick
}

// from goes down from a list. list is the outermost one, zero for none.
func (rd reader) from(ctx context.Context, t repo.Target, list oci.Digest, depth int) ([]*Image, error) {
	desc, body, err := rd.src.Manifest(ctx, t)
	if err != nil {
		return nil, err
	}
	m, err := oci.ParseManifest(desc.MediaType, body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("manifest %s: %w", desc.Digest, err)
	case oci.IsSchema1(m.MediaType):
		return nil, fmt.Errorf("manifest %s is of Docker's schema 1: %w", desc.Digest, oci.ErrUnsupported)
	case !m.IsIndex():
		im := &Image{
			Digest: desc.Digest, ListDigest: list, MediaType: m.MediaType, Layers: m.Layers, Annotations: m.Annotations,
		}
		return []*Image{im}, rd.fill(ctx, im, m)
	case depth == oci.MaxDepth:
		return nil, fmt.Errorf("lists are nested more than %d deep: %w", oci.MaxDepth, oci.ErrManifestInvalid)
	}
	if list.IsZero() {
		list = desc.Digest
	}
	return rd.children(ctx, m, list, depth)
}

func (rd reader) children(ctx context.Context, m *oci.Manifest, list oci.Digest, depth int) ([]*Image, error) {
	chosen, err := rd.pick(m.Manifests)
	if err != nil {
		return nil, err
	}
	var out []*Image
	for _, child := range chosen {
		images, err := rd.from(ctx, repo.ByDigest(child.Digest), list, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, images...)
	}
	return out, nil
}

// fill reads the config, unless the manifest is an artifact whose config says
// nothing of an image.
func (rd reader) fill(ctx context.Context, im *Image, m *oci.Manifest) error {
	if m.Config == nil || !oci.IsImageConfig(m.Config.MediaType) {
		im.ArtifactType = m.ArtifactType
		return nil
	}
	body, err := ReadConfig(ctx, rd.src, *m.Config)
	if err != nil {
		return err
	}
	im.Config, err = ParseConfig(body)
	return err
}

// ReadConfig reads and verifies a config blob of at most oci.MaxManifestSize.
func ReadConfig(ctx context.Context, src repo.Source, desc oci.Descriptor) ([]byte, error) {
	if desc.Size > oci.MaxManifestSize {
		return nil, fmt.Errorf("config %s has %d bytes, more than %d: %w", desc.Digest, desc.Size, oci.MaxManifestSize, oci.ErrManifestInvalid)
	}
	content, err := repo.OpenVerified(ctx, src, desc, "image configuration")
	if err != nil {
		return nil, err
	}
	defer io.Closer(content).Close()
	body, err := io.ReadAll(content)
	if err != nil {
		return nil, fmt.Errorf("reading config %s: %w", desc.Digest, err)
	}
	return body, nil
}
