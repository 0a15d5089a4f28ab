package catalog

import (
	"cmp"
	"slices"
)

// Images returns the images that documents of any schema name, in the order of
// the catalog, a document's own before its related ones, each reference once.
func (c *Catalog) Images() []Image {
	found := foundImages{index: map[string]int{}}
	for _, m := range c.Documents() {
		found.add(m, RelatedImage{Image: m.Image})
		for _, image := range m.RelatedImages {
			found.add(m, image)
		}
	}
	return found.images
}

// foundImages are the images found so far, each with the last document that named it.
type foundImages struct {
	images []Image
	last   []*Meta
	index  map[string]int // by reference
}

func (f *foundImages) add(m *Meta, image RelatedImage) {
	if image.Image == "" {
		return
	}
	bundle := ""
	if m.Schema == SchemaBundle {
		bundle = m.Name
	}
	at, known := f.index[image.Image]
	switch {
	case !known:
		f.index[image.Image] = len(f.images)
		f.images = append(f.images, Image{Ref: image.Image, Name: image.Name, Package: m.Package, Bundle: bundle})
		f.last = append(f.last, m)
	case f.last[at] != m && bundle != "": // most bundles name their own image twice
		f.images[at].Others = append(f.images[at].Others, bundle)
		f.last[at] = m
	}
}

// Documents returns all documents in the order of the catalog.
func (c *Catalog) Documents() []*Meta {
	var out []*Meta
	for i := range c.Packages {
		out = append(out, &c.Packages[i].Meta)
	}
	for i := range c.Channels {
		out = append(out, &c.Channels[i].Meta)
	}
	for i := range c.Bundles {
		out = append(out, &c.Bundles[i].Meta)
	}
	for i := range c.Deprecations {
		out = append(out, &c.Deprecations[i])
	}
	for i := range c.Others {
		out = append(out, &c.Others[i])
	}
	slices.SortStableFunc(out, func(a, b *Meta) int { return cmp.Compare(a.order, b.order) })
	return out
}
