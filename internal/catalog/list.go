package catalog

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/blang/semver/v4"
)

// PackageListing is a package as a list for people and programs has it.
type PackageListing struct {
	Name           string           `json:"name"`
	DisplayName    string           `json:"displayName,omitempty"` // of the newest bundle of the default channel
	DefaultChannel string           `json:"defaultChannel"`
	Channels       []ChannelListing `json:"channels"`
}

// ChannelListing is a channel of a package.
type ChannelListing struct {
	Name    string `json:"name"`
	Head    string `json:"head,omitempty"` // the newest bundle
	Version string `json:"version,omitempty"`
	// Problem says why there is no head.
	Problem string          `json:"problem,omitempty"`
	Bundles []BundleListing `json:"bundles"`
}

// BundleListing is a bundle's place in a channel.
type BundleListing struct {
	Version   string   `json:"version,omitempty"`
	Name      string   `json:"name"`
	Replaces  string   `json:"replaces,omitempty"`
	Skips     []string `json:"skips,omitempty"`
	SkipRange string   `json:"skipRange,omitempty"`
	Image     string   `json:"image,omitempty"`
}

// List returns the catalog's packages by their names, their channels by their
// names, and the bundles of these by their versions.
func (c *Catalog) List() []PackageListing {
	l := listing{bundles: map[[2]string]*Bundle{}, channels: map[string][]*Channel{}}
	for i := range c.Bundles {
		l.bundles[[2]string{c.Bundles[i].Package, c.Bundles[i].Name}] = &c.Bundles[i]
	}
	for i := range c.Channels {
		l.channels[c.Channels[i].Package] = append(l.channels[c.Channels[i].Package], &c.Channels[i])
	}
	out := make([]PackageListing, 0, len(c.Packages))
	for i := range c.Packages {
		out = append(out, l.pkg(&c.Packages[i]))
	}
	slices.SortFunc(out, func(a, b PackageListing) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// NearPackages returns the packages of a list whose names look most like one that
// it does not have, at most five.
func NearPackages(list []PackageListing, name string) []string {
	var names []string
	for _, p := range list {
		names = append(names, p.Name)
	}
	return nearest(name, names)
}

// listing finds what belongs to a package.
type listing struct {
	bundles  map[[2]string]*Bundle // by package and name
	channels map[string][]*Channel
}

func (l listing) pkg(p *Package) PackageListing {
	out := PackageListing{Name: p.Name, DefaultChannel: p.DefaultChannel, Channels: []ChannelListing{}}
	for _, c := range l.channels[p.Name] {
		channel := l.channel(c)
		if c.Name == p.DefaultChannel {
			out.DisplayName = displayName(l.bundles[[2]string{p.Name, channel.Head}])
		}
		out.Channels = append(out.Channels, channel)
	}
	slices.SortFunc(out.Channels, func(a, b ChannelListing) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (l listing) channel(c *Channel) ChannelListing {
	out := ChannelListing{Name: c.Name, Bundles: []BundleListing{}}
	for _, e := range c.Entries {
		b := BundleListing{Name: e.Name, Replaces: e.Replaces, Skips: e.Skips, SkipRange: e.SkipRange}
		if bundle := l.bundles[[2]string{c.Package, e.Name}]; bundle != nil {
			b.Version, b.Image = bundle.Version, bundle.Image
		}
		out.Bundles = append(out.Bundles, b)
	}
	slices.SortFunc(out.Bundles, byVersion)
	g, err := newUpgrades(c)
	if err != nil {
		out.Problem = err.Error()
		return out
	}
	out.Head = g.head()
	if b := l.bundles[[2]string{c.Package, out.Head}]; b != nil {
		out.Version = b.Version
	}
	return out
}

// byVersion puts what has no version first.
func byVersion(a, b BundleListing) int {
	v, _ := semver.Parse(a.Version) // 0.0.0 where it is none
	w, _ := semver.Parse(b.Version)
	return cmp.Or(v.Compare(w), strings.Compare(a.Version, b.Version), strings.Compare(a.Name, b.Name))
}

// The properties of a bundle in which its ClusterServiceVersion is found: what
// is needed of it, in newer catalogs, or each object whole.
const (
	propertyCSV    = "olm.csv.metadata"
	propertyObject = "olm.bundle.object"
)

// displayName is the name that people know an operator by, "" where the bundle
// does not say.
func displayName(b *Bundle) string {
	if b == nil {
		return ""
	}
	for _, p := range b.Properties {
		var csv struct {
			DisplayName string `json:"displayName"`
			Kind        string `json:"kind"`
			Spec        struct {
				DisplayName string `json:"displayName"`
			} `json:"spec"`
		}
		switch p.Type {
		case propertyCSV:
			if json.Unmarshal(p.Value, &csv) == nil && csv.DisplayName != "" {
				return csv.DisplayName
			}
		case propertyObject:
			var object struct {
				Data []byte `json:"data"`
			}
			if json.Unmarshal(p.Value, &object) == nil && json.Unmarshal(object.Data, &csv) == nil && csv.Kind == "ClusterServiceVersion" {
				return csv.Spec.DisplayName
			}
		}
	}
	return ""
}
