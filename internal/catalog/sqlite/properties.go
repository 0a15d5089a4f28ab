package sqlite

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// marshal writes JSON as json.Marshal does, but leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func gvk(group, version, kind, property string) typed {
	value, err := marshal(map[string]string{"group": group, "version": version, "kind": kind})
	if err != nil {
		return typed{kind: property} // cannot be: strings can always be written
	}
	return typed{property, string(value)}
}

// all returns the properties of a bundle as file-based catalogs have them: what
// old versions keep elsewhere, and the objects of one without an image, too.
func (b *bundle) all() ([]catalog.Property, error) {
	var out []catalog.Property
	for _, p := range b.properties {
		if p.kind == "" || !json.Valid([]byte(p.value)) {
			return nil, fmt.Errorf("the property %q has no valid value", p.kind)
		}
		out = append(out, catalog.Property{Type: p.kind, Value: json.RawMessage(p.value)})
	}
	lacks := func(kind string) bool {
		return !slices.ContainsFunc(out, func(p catalog.Property) bool { return p.Type == kind })
	}
	var more []typed
	if lacks(catalog.PropertyPackage) && b.pkg != "" && b.version != "" {
		value, err := marshal(map[string]string{"packageName": b.pkg, "version": b.version})
		if err != nil {
			return nil, err
		}
		more = append(more, typed{catalog.PropertyPackage, string(value)})
	}
	if lacks(catalog.PropertyGVK) {
		more = append(more, b.offers...)
	}
	needs, err := b.needs()
	if err != nil {
		return nil, err
	}
	for _, p := range needs {
		if lacks(p.kind) {
			more = append(more, p)
		}
	}
	for _, p := range more {
		out = append(out, catalog.Property{Type: p.kind, Value: json.RawMessage(p.value)})
	}
	objects, err := b.embedded()
	return append(out, objects...), err
}

// needs returns the dependencies, which are properties of other names today.
func (b *bundle) needs() ([]typed, error) {
	var out []typed
	for _, d := range b.dependencies {
		switch d.kind {
		case "olm.gvk":
			out = append(out, typed{catalog.PropertyGVKRequired, d.value})
		case "olm.package":
			var v struct{ PackageName, Version string }
			if err := json.Unmarshal([]byte(d.value), &v); err != nil {
				return nil, fmt.Errorf("a dependency cannot be read: %w", err)
			}
			value, err := marshal(map[string]string{"packageName": v.PackageName, "versionRange": v.Version})
			if err != nil {
				return nil, err
			}
			out = append(out, typed{catalog.PropertyPackageRequired, string(value)})
		default:
			out = append(out, d)
		}
	}
	if len(out) == 0 {
		out = b.requires
	}
	for _, p := range out {
		if !json.Valid([]byte(p.value)) {
			return nil, fmt.Errorf("the dependency %q has no valid value", p.kind)
		}
	}
	return out, nil
}

// propertyObject holds a manifest of the bundle in base64.
const propertyObject = "olm.bundle.object"

// embedded returns the manifests that the database has of a bundle, which
// without an image are nowhere else.
func (b *bundle) embedded() ([]catalog.Property, error) {
	if b.image != "" {
		return nil, nil
	}
	var out []catalog.Property
	for dec := json.NewDecoder(strings.NewReader(b.objects)); ; {
		var object json.RawMessage
		err := dec.Decode(&object)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("its manifests cannot be read: %w", err)
		}
		value, err := marshal(map[string]string{"data": base64.StdEncoding.EncodeToString(object)})
		if err != nil {
			return nil, err
		}
		out = append(out, catalog.Property{Type: propertyObject, Value: value})
	}
}
