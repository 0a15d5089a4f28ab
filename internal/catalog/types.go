// Package catalog has what an operator catalog holds: packages, channels,
// bundles and the images that they name. It is pure: files in, values out.
//
// A catalog is a directory of JSON and YAML documents (a file-based catalog,
// in the words of OLM) or, in old releases, an SQLite database; package
// catalog/sqlite reads the latter into the same values.
package catalog

import (
	"encoding/json"
	"fmt"
)

// The schemas of OLM that are understood. Documents of all others are kept.
const (
	SchemaPackage      = "olm.package"
	SchemaChannel      = "olm.channel"
	SchemaBundle       = "olm.bundle"
	SchemaDeprecations = "olm.deprecations"
)

// The types of the properties of bundles that are understood.
const (
	PropertyPackage         = "olm.package"          // its name and version
	PropertyPackageRequired = "olm.package.required" // needs a package, in a range of versions
	PropertyGVK             = "olm.gvk"              // offers an API
	PropertyGVKRequired     = "olm.gvk.required"     // needs an API
	PropertyConstraint      = "olm.constraint"       // needs a compound of these
)

// Meta is one document: what every document has, and all of it as it was.
type Meta struct {
	Schema  string
	Package string // that it belongs to; of an olm.package document, its own name
	Name    string
	// Image and RelatedImages are what the document names, whatever its schema.
	Image         string
	RelatedImages []RelatedImage
	// Raw is the whole document as JSON, with its fields in their order, the
	// unknown ones too. It must not be changed.
	Raw  json.RawMessage
	File string // path below the catalog's root, "" where it is not from a file
	Line int    // where the document begins, from 1

	order int // its number in the catalog
}

// RelatedImage is an image that a document needs.
type RelatedImage struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

// Package is an olm.package document.
type Package struct {
	Meta
	DefaultChannel string
}

// Channel is an olm.channel document.
type Channel struct {
	Meta
	Entries []Entry
}

// Entry is a bundle's place in the upgrade graph of a channel.
type Entry struct {
	Name      string   `json:"name"` // of the bundle
	Replaces  string   `json:"replaces,omitempty"`
	Skips     []string `json:"skips,omitempty"`
	SkipRange string   `json:"skipRange,omitempty"`
}

// Bundle is an olm.bundle document: one version of an operator. Its image is
// in Meta.
type Bundle struct {
	Meta
	Version    string // as its olm.package property has it, "" where there is none
	Properties []Property
}

// Property is a typed value, in the order of the document.
type Property struct {
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"` // must not be changed
}

// Catalog is what a catalog holds. Each list is in the order of the catalog.
type Catalog struct {
	Packages     []Package
	Channels     []Channel
	Bundles      []Bundle
	Deprecations []Meta
	Others       []Meta // of unknown schemas, or of none

	last int // order of the last document, 0 where that has to be found out
}

// Image is an image that a catalog names.
type Image struct {
	Ref  string // as the catalog writes it, unparsed
	Name string // that a related image has there, may be ""
	// Package and Bundle are those of the first document that names it, "" where
	// it says none, or is no bundle.
	Package, Bundle string
	// Others are the other bundles that name it, in the order of the catalog.
	Others []string
}

// Problem is a document that cannot be read.
type Problem struct {
	File    string
	Line    int    // of the fault as exactly as it is known, from 1; 0 in a database
	Package string // that the document belongs to, "" where that cannot be told
	Err     error
}

// Error implements error.
func (p Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where += fmt.Sprintf(", line %d", p.Line)
	}
	if p.Package != "" {
		where += fmt.Sprintf(" (package %s)", p.Package)
	}
	return where + ": " + p.Err.Error()
}

// Unwrap returns what is wrong.
func (p Problem) Unwrap() error { return p.Err }
