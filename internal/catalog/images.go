package catalog

import (
	"cmp"
	"slices"
)

// Images returns the images that documents of any schema name, in the order of
// the catalog, a document's own before its related ones, each reference once.
func (c *Catalog) Images() []Image {
	seen := map[string]bool{}
	var out []Image
	add := func(m *Meta, image RelatedImage) {
		if image.Image == "" || seen[image.Image] {
			return
		}
		seen[image.Image] = true
		found := Image{Ref: image.Image, Name: image.Name, Package: m.Package}
		if m.Schema == SchemaBundle {
			found.Bundle = m.Name
		}
		out = append(out, found)
	}
	for _, m := range c.Documents() {
		add(m, RelatedImage{Image: m.Image})
		for _, image := range m.RelatedImages {
			add(m, image)
		}
	}
	return out
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
