package sqlite

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// data is what the tables hold, by the names that join them.
type data struct {
	packages map[string]string     // default channel
	heads    map[[2]string]string  // by package and channel
	entries  map[[2]string][]entry // by package and channel
	bundles  map[string]*bundle
	images   map[string][]string // by bundle

	problems []catalog.Problem // of bundles that cannot be made documents, without the file
}

// entry is a bundle's place in a channel.
type entry struct {
	id, bundle, replaces string // replaces is the id of another entry
	depth                string
}

type bundle struct {
	name, csv, objects, image                  string
	skipRange, version, replaces, skips, pkg   string
	properties, dependencies, offers, requires []typed
}

// typed is a property as the table has it: its value is JSON.
type typed struct{ kind, value string }

func (r *reader) data(ctx context.Context) (*data, error) {
	d := &data{
		packages: map[string]string{}, heads: map[[2]string]string{}, entries: map[[2]string][]entry{},
		bundles: map[string]*bundle{}, images: map[string][]string{},
	}
	for _, read := range []func(context.Context, *data) error{r.bundleRows, r.graph, r.properties, r.apis} {
		if err := read(ctx, d); err != nil {
			return nil, err
		}
	}
	d.sort()
	return d, nil
}

func (r *reader) bundleRows(ctx context.Context, d *data) error {
	err := r.table(ctx, "operatorbundle", func(v []string) {
		d.bundles[v[0]] = &bundle{
			name: v[0], csv: v[1], objects: v[2], image: v[3], skipRange: v[4], version: v[5], replaces: v[6], skips: v[7],
		}
	}, "name", "csv", "bundle", "bundlepath", "skiprange", "version", "replaces", "skips")
	if err != nil {
		return err
	}
	return r.table(ctx, "related_image", func(v []string) {
		if v[1] != "" {
			d.images[v[0]] = append(d.images[v[0]], v[1])
		}
	}, "operatorbundle_name", "image")
}

func (r *reader) graph(ctx context.Context, d *data) error {
	err := r.table(ctx, "package", func(v []string) { d.packages[v[0]] = v[1] }, "name", "default_channel")
	if err != nil {
		return err
	}
	err = r.table(ctx, "channel", func(v []string) { d.heads[[2]string{v[0], v[1]}] = v[2] }, "package_name", "name", "head_operatorbundle_name")
	if err != nil {
		return err
	}
	return r.table(ctx, "channel_entry", func(v []string) {
		key := [2]string{v[0], v[1]}
		d.entries[key] = append(d.entries[key], entry{id: v[2], bundle: v[3], replaces: v[4], depth: v[5]})
		if b := d.bundles[v[3]]; b != nil && b.pkg == "" {
			b.pkg = v[0]
		}
	}, "package_name", "channel_name", "entry_id", "operatorbundle_name", "replaces", "depth")
}

// properties reads what bundles say of themselves. Before there was the table
// properties, dependencies had one of their own.
func (r *reader) properties(ctx context.Context, d *data) error {
	err := r.table(ctx, "properties", func(v []string) {
		if b := d.bundles[v[0]]; b != nil {
			b.properties = append(b.properties, typed{v[1], v[2]})
		}
	}, "operatorbundle_name", "type", "value")
	if err != nil {
		return err
	}
	return r.table(ctx, "dependencies", func(v []string) {
		if b := d.bundles[v[0]]; b != nil {
			b.dependencies = append(b.dependencies, typed{v[1], v[2]})
		}
	}, "operatorbundle_name", "type", "value")
}

// apis reads which APIs bundles offer and need.
func (r *reader) apis(ctx context.Context, d *data) error {
	columns := []string{"operatorbundle_name", "group_name", "version", "kind"}
	err := r.table(ctx, "api_provider", func(v []string) {
		if b := d.bundles[v[0]]; b != nil {
			b.offers = append(b.offers, gvk(v[1], v[2], v[3], "olm.gvk"))
		}
	}, columns...)
	if err != nil {
		return err
	}
	return r.table(ctx, "api_requirer", func(v []string) {
		if b := d.bundles[v[0]]; b != nil {
			b.requires = append(b.requires, gvk(v[1], v[2], v[3], "olm.gvk.required"))
		}
	}, columns...)
}

// sort puts everything into an order that does not depend on the rows'.
func (d *data) sort() {
	for _, list := range d.entries {
		slices.SortStableFunc(list, func(a, b entry) int {
			return cmp.Or(cmp.Compare(len(a.depth), len(b.depth)), strings.Compare(a.depth, b.depth), strings.Compare(a.bundle, b.bundle))
		})
	}
	for name := range d.images {
		slices.Sort(d.images[name])
		d.images[name] = slices.Compact(d.images[name])
	}
	for _, b := range d.bundles {
		for _, list := range []*[]typed{&b.properties, &b.dependencies, &b.offers, &b.requires} {
			slices.SortFunc(*list, func(x, y typed) int {
				return cmp.Or(strings.Compare(x.kind, y.kind), strings.Compare(x.value, y.value))
			})
			*list = slices.Compact(*list)
		}
	}
}

// packageNames returns all packages, in order.
func (d *data) packageNames() []string { return slices.Sorted(maps.Keys(d.packages)) }

// channels returns the channels of a package, in order.
func (d *data) channels(pkg string) (out []string) {
	for key := range d.heads {
		if key[0] == pkg {
			out = append(out, key[1])
		}
	}
	slices.Sort(out)
	return out
}
