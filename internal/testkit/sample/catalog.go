package sample

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// The labels by which the content of an index image is found (oc.md 15.2).
const (
	ConfigsLabel  = "operators.operatorframework.io.index.configs.v1"
	DatabaseLabel = "operators.operatorframework.io.index.database.v1"
)

// CatalogSpec says what catalog to make. The zero values are right for tests.
type CatalogSpec struct {
	Host      string         // of all images, as the catalog names them; "" for registry.example.com
	Packages  int            // 0 for 3
	Bundles   int            // of each package; 0 for 3
	Related   int            // images of each bundle besides its own and one that all share; 0 for 2
	Tagged    bool           // the first package names one image by its tag
	SQLite    bool           // a database instead of files
	NoLabel   bool           // the index image does not say where its catalog is
	Built     bool           // the history of the index image says what its layers have, as BuildKit's does
	Platforms []oci.Platform // of the index image, several in a list; nil for one image for linux/amd64
	Format    Format         // of all images
	LayerSize int64          // of each layer in bytes; 0 for 1 KiB
}

// CatalogImage is an image that a catalog names.
type CatalogImage struct {
	Ref   string // as the catalog names it
	Repo  string // the repository, without the host
	Tag   string // "" where Ref has a digest
	Image *Image
}

// Catalog is an operator catalog: the index image and all images it names.
type Catalog struct {
	Index  *Image
	Images []CatalogImage
	Files  []File // of the catalog, below its directory in the image
}

// catalogBundle is one version of an operator.
type catalogBundle struct {
	pkg, name, version, replaces string
	image                        string
	related                      []string
}

func (spec CatalogSpec) withDefaults() CatalogSpec {
	if spec.Host == "" {
		spec.Host = "registry.example.com"
	}
	for _, n := range []struct {
		value *int
		other int
	}{{&spec.Packages, 3}, {&spec.Bundles, 3}, {&spec.Related, 2}} {
		if *n.value == 0 {
			*n.value = n.other
		}
	}
	if spec.LayerSize == 0 {
		spec.LayerSize = 1 << 10
	}
	if spec.Platforms == nil {
		spec.Platforms = []oci.Platform{AMD64}
	}
	return spec
}

// Catalog makes a catalog. Each package has a channel "stable" with all its
// bundles, one replacing the other, which is the default, and, where it has
// several, a channel "candidate" with the newest alone. Every second package is
// written as YAML.
func (m *Maker) Catalog(spec CatalogSpec) *Catalog {
	spec = spec.withDefaults()
	c := &Catalog{}
	shared := m.catalogImage(c, spec, "shared/proxy", "")
	var bundles []catalogBundle
	for p := range spec.Packages {
		bundles = append(bundles, m.catalogPackage(c, spec, p, shared)...)
	}
	if spec.SQLite {
		c.Files = []File{{"index.db", database(bundles)}}
	} else {
		c.Files = catalogFiles(bundles)
	}
	c.Index = m.index(spec, c.Files)
	return c
}

// catalogPackage makes the bundles of a package.
func (m *Maker) catalogPackage(c *Catalog, spec CatalogSpec, p int, shared string) (out []catalogBundle) {
	pkg := fmt.Sprintf("operator-%03d", p)
	last := ""
	for v := range spec.Bundles {
		b := catalogBundle{pkg: pkg, version: fmt.Sprintf("1.%d.0", v), replaces: last, related: []string{shared}}
		b.name = pkg + ".v" + b.version
		b.image = m.catalogImage(c, spec, pkg+"/bundle", "")
		for n := range spec.Related {
			tag := ""
			if spec.Tagged && p == 0 && n == 0 {
				tag = "v" + b.version
			}
			b.related = append(b.related, m.catalogImage(c, spec, fmt.Sprintf("%s/image-%d", pkg, n), tag))
		}
		last = b.name
		out = append(out, b)
	}
	return out
}

// catalogImage makes an image and returns how the catalog names it.
func (m *Maker) catalogImage(c *Catalog, spec CatalogSpec, repository, tag string) string {
	image := NewImage(ImageSpec{Format: spec.Format, Layers: []Blob{m.Layer(spec.LayerSize)}})
	name := spec.Host + "/" + repository + "@" + image.Desc.Digest.String()
	if tag != "" {
		name = spec.Host + "/" + repository + ":" + tag
	}
	c.Images = append(c.Images, CatalogImage{name, repository, tag, image})
	return name
}

// index makes the index image: a base, the catalog, and a layer on top.
func (m *Maker) index(spec CatalogSpec, files []File) *Image {
	label, dir := ConfigsLabel, "configs/"
	if spec.SQLite {
		label, dir = DatabaseLabel, "database/"
	}
	var content []File
	for _, f := range files {
		content = append(content, File{dir + f.Name, f.Body})
	}
	labels := map[string]string{label: "/" + strings.TrimSuffix(dir, "/")}
	if spec.SQLite {
		labels[label] = "/database/index.db"
	}
	if spec.NoLabel {
		labels = nil
	}
	var steps []string
	if spec.Built {
		steps = []string{"/bin/sh -c #(nop) ADD file:0a1b in / ", "COPY /" + dir + " /" + dir + " # buildkit", "COPY /data /data # buildkit"}
	}
	layer := Files(content...)
	var images []*Image
	for _, p := range spec.Platforms {
		images = append(images, NewImage(ImageSpec{
			Format: spec.Format, Platform: p, Labels: labels, Layers: []Blob{m.Layer(spec.LayerSize), layer, m.Layer(spec.LayerSize)}, Steps: steps,
		}))
	}
	if len(images) == 1 {
		return images[0]
	}
	return NewIndex(spec.Format, images...)
}

// Push writes the index image under its tag, and all images it names to the
// repositories that find returns for their names without the host.
func (c *Catalog) Push(ctx context.Context, index repo.Repo, tag string, find func(name string) (repo.Repo, error)) error {
	for _, im := range c.Images {
		to, err := find(im.Repo)
		if err != nil {
			return err
		}
		var tags []string
		if im.Tag != "" {
			tags = []string{im.Tag}
		}
		if err := im.Image.Push(ctx, to, tags...); err != nil {
			return fmt.Errorf("%s: %w", im.Ref, err)
		}
	}
	return c.Index.Push(ctx, index, tag)
}

// catalogFiles writes bundles as a file-based catalog.
func catalogFiles(bundles []catalogBundle) []File {
	out := []File{{".indexignore", []byte("*.md\n")}, {"README.md", []byte("# A sample\n")}}
	for len(bundles) > 0 {
		n := 1
		for n < len(bundles) && bundles[n].pkg == bundles[0].pkg {
			n++
		}
		documents := packageDocuments(bundles[:n])
		if len(out)%2 == 0 {
			out = append(out, File{bundles[0].pkg + "/catalog.json", jsonStream(documents)})
		} else {
			out = append(out, File{bundles[0].pkg + "/catalog.yaml", yamlStream(documents)})
		}
		bundles = bundles[n:]
	}
	return out
}

type object = map[string]any

// packageDocuments are the documents of one package.
func packageDocuments(bundles []catalogBundle) []object {
	pkg := bundles[0].pkg
	var entries []object
	for _, b := range bundles {
		e := object{"name": b.name}
		if b.replaces != "" {
			e["replaces"] = b.replaces
		}
		entries = append(entries, e)
	}
	out := []object{
		{"schema": "olm.package", "name": pkg, "defaultChannel": "stable", "description": "A sample operator."},
		{"schema": "olm.channel", "package": pkg, "name": "stable", "entries": entries},
	}
	if len(bundles) > 1 {
		out = append(out, object{"schema": "olm.channel", "package": pkg, "name": "candidate", "entries": entries[len(entries)-1:]})
	}
	for _, b := range bundles {
		related := []object{{"name": "", "image": b.image}}
		for i, image := range b.related {
			related = append(related, object{"name": fmt.Sprintf("image-%d", i), "image": image})
		}
		out = append(out, object{
			"schema": "olm.bundle", "package": pkg, "name": b.name, "image": b.image, "relatedImages": related,
			"properties": []object{
				{"type": "olm.package", "value": object{"packageName": pkg, "version": b.version}},
				{"type": "olm.gvk", "value": object{"group": pkg + ".example.com", "version": "v1", "kind": "Sample"}},
			},
		})
	}
	return out
}

func jsonStream(documents []object) (out []byte) {
	for _, d := range documents {
		out = append(append(out, pretty(d)...), '\n')
	}
	return out
}

func yamlStream(documents []object) (out []byte) {
	for _, d := range documents {
		body, err := json.Marshal(d)
		if err == nil {
			body, err = yaml.JSONToYAML(body)
		}
		if err != nil {
			panic(fmt.Sprintf("encoding a generated document: %v", err))
		}
		out = append(append(out, "---\n"...), body...)
	}
	return out
}
