package mirror

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	img "github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// OpRebuildCatalog is the Op of the errors of rebuilding an index image.
const OpRebuildCatalog = "rebuilding catalog"

// defaultConfigs is where opm keeps the catalogs of images that it builds. A
// catalog that was in a database is put there.
const defaultConfigs = "/configs"

// RebuiltIndex is an index image with another catalog in it. It is in memory,
// but for the layers of the original, which are read where that is.
type RebuiltIndex struct {
	Original oci.Digest // of the image that it was made of, the list where there is one
	Digest   oci.Digest
	// Ref is the repository of the original with the new digest, for messages.
	Ref ref.Ref
	// Left are the images of the original list that do not go along, each with
	// the reason: the source does not have them, or they are about others.
	Left []plan.Skipped
	// FromDatabase tells that the original was a database, and files took its
	// place: it needs an opm that can serve files (from 2021 on).
	FromDatabase bool

	place plan.Place
}

// Instead returns a wish for the original as one for the rebuilt image.
func (r *RebuiltIndex) Instead(w Wish) Wish {
	w.Source, w.Beside, w.Made = r.Ref, ref.Ref{}, r.place
	return w
}

// Rebuild makes an index image of the one that the catalog was taken out of,
// for all its platforms, with a reduced catalog. The same input gives the same
// digest. The image can be copied in this run, see Instead.
func (e *ExtractedCatalog) Rebuild(ctx context.Context, regs *Registries, c *catalog.Catalog) (*RebuiltIndex, error) {
	x := e.index
	place, err := regs.Place(x.At, Reading)
	if err != nil {
		return nil, err
	}
	place.Registry = "rebuilt:" + place.Registry
	b := &rebuilder{out: newMade(place, x.source), source: x.source, result: &RebuiltIndex{Original: x.Digest(), place: place}}
	b.Rebuild = catalog.Rebuild{Dir: x.Path, Original: x.Digest()}
	if e.Form == CatalogDatabase {
		b.Dir, b.result.FromDatabase = defaultConfigs, true
	}
	if err := b.run(ctx, x.At, c); err != nil {
		return nil, &repo.Error{Op: OpRebuildCatalog, Side: repo.SideSource, Ref: x.At.String(), Err: err}
	}
	regs.keep(b.out)
	return b.result, nil
}

// rebuilder walks an index image from the root down, and makes the new one from
// the leaves up.
type rebuilder struct {
	catalog.Rebuild
	source repo.Source
	out    *madeRepo
	result *RebuiltIndex
}

func (b *rebuilder) run(ctx context.Context, at ref.Ref, c *catalog.Catalog) error {
	var err error
	if b.Layers, err = catalog.Layers(b.Dir, c); err != nil {
		return err
	}
	for _, l := range b.Layers {
		b.out.blobs[l.Digest] = l.Body
	}
	b.result.Ref = at.Repository()
	body, err := b.manifest(ctx, b.Original, 0)
	if err != nil {
		return err
	}
	if body == nil {
		return fmt.Errorf("%s is no image", b.Original)
	}
	b.result.Digest = oci.FromBytes(body)
	b.result.Ref.Digest = b.result.Digest
	return nil
}

// manifest rebuilds a manifest and all below it. It returns nil for what is no
// image.
func (b *rebuilder) manifest(ctx context.Context, d oci.Digest, depth int) ([]byte, error) {
	if depth > oci.MaxDepth {
		return nil, fmt.Errorf("indexes are nested more than %d deep", oci.MaxDepth)
	}
	desc, body, err := b.source.Manifest(ctx, repo.ByDigest(d))
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d, err)
	}
	m, err := oci.ParseManifest(desc.MediaType, body)
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d, err)
	}
	desc.Digest, desc.MediaType = d, m.MediaType
	switch {
	case oci.IsSchema1(m.MediaType):
		return nil, errSchema1(d)
	case m.IsIndex():
		body, err = b.index(ctx, desc, body, m, depth)
	case m.Config == nil || !oci.IsImageConfig(m.Config.MediaType):
		return nil, nil
	default:
		body, err = b.image(ctx, desc, body, m)
	}
	if err == nil {
		b.out.putManifest(m.MediaType, body)
	}
	return body, err
}

func (b *rebuilder) image(ctx context.Context, desc oci.Descriptor, body []byte, m *oci.Manifest) ([]byte, error) {
	config, err := img.ReadConfig(ctx, b.source, *m.Config)
	if err != nil {
		return nil, err
	}
	if err := checkLayers(config, m); err != nil {
		return nil, fmt.Errorf("image %s: %w", desc.Digest, err)
	}
	if config, err = b.Config(config, desc.Digest); err != nil {
		return nil, fmt.Errorf("image %s: %w", desc.Digest, err)
	}
	b.out.blobs[oci.FromBytes(config)] = config
	return b.Manifest(desc, body, config)
}

// checkLayers refuses an image whose configuration tells of other layers than it has:
// what runs the rebuilt one would take the catalog's layers for some of those.
func checkLayers(config []byte, m *oci.Manifest) error {
	var c struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return fmt.Errorf("its configuration: %w", err)
	}
	if told := len(c.RootFS.DiffIDs); told != len(m.Layers) {
		return fmt.Errorf("it has %d layers, but its configuration tells of %d: it cannot be rebuilt", len(m.Layers), told)
	}
	return nil
}

// index rebuilds the children of a list. Signatures and the like in it are about
// what the originals were, and are left out.
func (b *rebuilder) index(ctx context.Context, desc oci.Descriptor, body []byte, m *oci.Manifest, depth int) ([]byte, error) {
	var children []catalog.Child
	for _, child := range m.Manifests {
		if child.Platform != nil && child.Platform.IsAttestation() {
			b.leave(child, "it is about an image that is rebuilt")
			continue
		}
		made, err := b.manifest(ctx, child.Digest, depth+1)
		switch {
		case oci.IsNotFound(err):
			b.leave(child, "the source does not have it")
		case err != nil:
			return nil, err
		case made == nil:
			b.leave(child, "it is no image")
		}
		children = append(children, catalog.Child{Base: child.Digest, Body: made})
	}
	return b.Index(desc, body, children)
}

func (b *rebuilder) leave(child oci.Descriptor, why string) {
	name := child.Digest.String()
	if child.Platform != nil {
		name = child.Platform.String()
	}
	b.result.Left = append(b.result.Left, plan.Skipped{Ref: name, Digest: child.Digest, Why: why})
}
