package sqlite

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// The documents of a file-based catalog that has the same content.
type (
	packageDocument struct {
		Schema         string `json:"schema"`
		Name           string `json:"name"`
		DefaultChannel string `json:"defaultChannel"`
		Description    string `json:"description,omitempty"`
		Icon           *icon  `json:"icon,omitempty"`
	}
	icon struct {
		Data      string `json:"base64data"`
		MediaType string `json:"mediatype"`
	}
	channelDocument struct {
		Schema  string          `json:"schema"`
		Package string          `json:"package"`
		Name    string          `json:"name"`
		Entries []catalog.Entry `json:"entries"`
	}
	bundleDocument struct {
		Schema     string                 `json:"schema"`
		Package    string                 `json:"package,omitempty"`
		Name       string                 `json:"name"`
		Image      string                 `json:"image"`
		Properties []catalog.Property     `json:"properties,omitempty"`
		Related    []catalog.RelatedImage `json:"relatedImages,omitempty"`
	}
)

// SchemaImages is that of documents with the related images of bundles that the
// database does not have otherwise.
const SchemaImages = "airbridge.related-images"

// catalog makes the values: each package with its channels and bundles, then
// the bundles that are in no channel.
func (d *data) catalog() (*catalog.Catalog, error) {
	c := &catalog.Catalog{}
	byPackage := map[string][]*bundle{}
	for _, name := range slices.Sorted(maps.Keys(d.bundles)) {
		b := d.bundles[name]
		byPackage[b.pkg] = append(byPackage[b.pkg], b)
	}
	for _, pkg := range d.packageNames() {
		if err := d.addPackage(c, pkg, byPackage[pkg]); err != nil {
			return nil, fmt.Errorf("package %s: %w", pkg, err)
		}
		delete(byPackage, pkg)
	}
	for _, pkg := range slices.Sorted(maps.Keys(byPackage)) {
		d.addBundles(c, byPackage[pkg])
	}
	for _, name := range slices.Sorted(maps.Keys(d.images)) {
		if d.bundles[name] != nil {
			continue
		}
		if err := add(c, bundleDocument{Schema: SchemaImages, Name: name, Related: d.related(name, "")}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func add(c *catalog.Catalog, document any) error {
	body, err := marshal(document)
	if err != nil {
		return err
	}
	return c.Add(body)
}

func (d *data) addPackage(c *catalog.Catalog, pkg string, bundles []*bundle) error {
	p := packageDocument{Schema: catalog.SchemaPackage, Name: pkg, DefaultChannel: d.packages[pkg]}
	if head := d.bundles[d.heads[[2]string{pkg, p.DefaultChannel}]]; head != nil {
		p.Description, p.Icon = describe(head.csv)
	}
	if err := add(c, p); err != nil {
		return err
	}
	for _, channel := range d.channels(pkg) {
		err := add(c, channelDocument{catalog.SchemaChannel, pkg, channel, d.channelEntries(pkg, channel)})
		if err != nil {
			return err
		}
	}
	d.addBundles(c, bundles)
	return nil
}

// describe returns what the console shows of an operator, as far as its
// cluster service version is there and says so.
func describe(csv string) (string, *icon) {
	var v struct {
		Spec struct {
			Description string `json:"description"`
			Icon        []icon `json:"icon"`
		} `json:"spec"`
	}
	if json.Unmarshal([]byte(csv), &v) != nil || len(v.Spec.Icon) == 0 {
		return v.Spec.Description, nil
	}
	return v.Spec.Description, &v.Spec.Icon[0]
}

// channelEntries returns the bundles of a channel, the head first. Rows of bundles that are not
// there stand for what others skip.
func (d *data) channelEntries(pkg, channel string) []catalog.Entry {
	rows := d.entries[[2]string{pkg, channel}]
	names := map[string]string{} // of bundles, by the id of their rows
	for _, row := range rows {
		names[row.id] = row.bundle
	}
	out := []catalog.Entry{}
	seen := map[string]bool{}
	for _, row := range rows {
		b := d.bundles[row.bundle]
		if b == nil || seen[row.bundle] {
			continue
		}
		seen[row.bundle] = true
		e := catalog.Entry{Name: b.name, Replaces: b.replaces, SkipRange: b.skipRange, Skips: splitNames(b.skips)}
		if e.Replaces == "" && !slices.Contains(e.Skips, names[row.replaces]) {
			e.Replaces = names[row.replaces]
		}
		out = append(out, e)
	}
	return out
}

func splitNames(list string) (out []string) {
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}

func (d *data) addBundles(c *catalog.Catalog, bundles []*bundle) {
	for _, b := range bundles {
		properties, err := b.all()
		if err == nil {
			err = add(c, bundleDocument{catalog.SchemaBundle, b.pkg, b.name, b.image, properties, d.related(b.name, b.image)})
		}
		if err != nil {
			d.problems = append(d.problems, catalog.Problem{Package: b.pkg, Err: fmt.Errorf("bundle %s: %w", b.name, err)})
		}
	}
}

// related returns the related images of a bundle, its own first, as file-based
// catalogs have it.
func (d *data) related(name, own string) (out []catalog.RelatedImage) {
	if own != "" {
		out = append(out, catalog.RelatedImage{Image: own})
	}
	for _, image := range d.images[name] {
		if image != own {
			out = append(out, catalog.RelatedImage{Image: image})
		}
	}
	return out
}
