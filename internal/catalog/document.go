package catalog

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// document is a document that is taken apart as far as every schema allows.
type document struct {
	Meta
	defaultChannel      []byte
	entries, properties []byte
}

// newDocument takes an object apart. What it has where others have a string or a list is
// an error in a schema of OLM; the others may mean something else by the name.
func newDocument(object []byte) (document, error) {
	d := document{Meta: Meta{Raw: object}}
	var images []byte
	strs := map[string]*string{"schema": &d.Schema, "package": &d.Package, "name": &d.Name, "image": &d.Image}
	var wrong error
	for name, value := range jsonFields(object) {
		switch name {
		case "schema", "package", "name", "image":
			s, err := asString(name, value)
			if err != nil && wrong == nil {
				wrong = err
			}
			*strs[name] = s
		case "relatedImages":
			images = value
		case "defaultChannel":
			d.defaultChannel = value
		case "entries":
			d.entries = value
		case "properties":
			d.properties = value
		default:
			if fieldName(name) != name {
				d, err := newDocument(withFieldNames(object))
				return d, cmp.Or(spelledTwice(object), err)
			}
		}
	}
	if d.Schema == SchemaPackage {
		d.Package = d.Name
	}
	related, err := relatedImages(images)
	d.RelatedImages = related
	if wrong == nil {
		wrong = err
	}
	if !d.isOLM() {
		wrong = nil
	}
	return d, wrong
}

func (d *document) isOLM() bool { return strings.HasPrefix(d.Schema, "olm.") }

// asString returns a string field; null is no string at all.
func asString(name string, value []byte) (string, error) {
	switch value[0] {
	case '"':
		return jsonString(value), nil
	case 'n':
		return "", nil
	}
	return "", fmt.Errorf("%s is %s, not a string", name, jsonKind(value))
}

// asList returns a list field, nil where there is none.
func asList(name string, value []byte) ([]byte, error) {
	switch {
	case value == nil || value[0] == 'n':
		return nil, nil
	case value[0] != '[':
		return nil, fmt.Errorf("%s is %s, not a list", name, jsonKind(value))
	}
	return value, nil
}

func relatedImages(value []byte) ([]RelatedImage, error) {
	list, err := asList("relatedImages", value)
	if list == nil || err != nil {
		return nil, err
	}
	var out []RelatedImage
	for element := range jsonElements(list) {
		image, err := relatedImage(element)
		if err != nil {
			return out, err
		}
		if image.Image != "" { // one without is of no use, and costs much more here than in the catalog
			out = append(out, image)
		}
	}
	return out, nil
}

func relatedImage(element []byte) (image RelatedImage, err error) {
	if element[0] != '{' {
		return image, fmt.Errorf("relatedImages has %s where an object belongs", jsonKind(element))
	}
	odd := false
	for name, value := range jsonFields(element) {
		known := strings.ToLower(name)
		odd = odd || known != name
		switch known {
		case "name":
			image.Name, err = asString("name of a related image", value)
		case "image":
			image.Image, err = asString("image of a related image", value)
		}
		if err != nil {
			return image, err
		}
	}
	if odd {
		err = spelledTwice(element)
	}
	return image, err
}

func propertiesOf(value []byte) ([]Property, error) {
	list, err := asList("properties", value)
	if list == nil || err != nil {
		return nil, err
	}
	var out []Property
	for element := range jsonElements(list) {
		if element[0] != '{' {
			return nil, fmt.Errorf("properties has %s where an object belongs", jsonKind(element))
		}
		var p Property
		for name, value := range jsonFields(element) {
			switch strings.ToLower(name) {
			case "type":
				p.Type, err = asString("type of a property", value)
			case "value":
				p.Value = value
			}
			if err != nil {
				return nil, err
			}
		}
		if p.Type != "" {
			out = append(out, p)
		}
	}
	return out, nil
}

// versionOf returns the version that the properties of a bundle tell.
func versionOf(properties []Property) (string, error) {
	for _, p := range properties {
		if p.Type != PropertyPackage || len(p.Value) == 0 || p.Value[0] != '{' {
			continue
		}
		for name, value := range jsonFields(p.Value) {
			if strings.EqualFold(name, "version") {
				return asString("version of the property "+PropertyPackage, value)
			}
		}
	}
	return "", nil
}

// add puts a document where it belongs. It is not added where it is wrong.
func (c *Catalog) add(d document) error {
	switch d.Schema {
	case SchemaPackage:
		p := Package{Meta: d.Meta}
		if d.defaultChannel != nil {
			var err error
			if p.DefaultChannel, err = asString("defaultChannel", d.defaultChannel); err != nil {
				return err
			}
		}
		c.Packages = append(c.Packages, p)
	case SchemaChannel:
		channel := Channel{Meta: d.Meta}
		if d.entries != nil {
			if err := entriesOf(d.entries, &channel.Entries); err != nil {
				return fmt.Errorf("entries: %w", err)
			}
		}
		c.Channels = append(c.Channels, channel)
	case SchemaBundle:
		return c.addBundle(d)
	case SchemaDeprecations:
		c.Deprecations = append(c.Deprecations, d.Meta)
	default:
		c.Others = append(c.Others, d.Meta)
	}
	return nil
}

// maxEntries is how many entries a channel may have: empty ones cost forty times
// here of what they do in the catalog.
const maxEntries = 100_000

func entriesOf(value []byte, to *[]Entry) error {
	if value[0] == '[' {
		n := 0
		for range jsonElements(value) {
			if n++; n > maxEntries {
				return fmt.Errorf("%w: they are more than %d", errLimit, maxEntries)
			}
		}
	}
	return json.Unmarshal(value, to)
}

func (c *Catalog) addBundle(d document) error {
	properties, err := propertiesOf(d.properties)
	if err != nil {
		return err
	}
	version, err := versionOf(properties)
	if err != nil {
		return err
	}
	c.Bundles = append(c.Bundles, Bundle{Meta: d.Meta, Version: version, Properties: properties})
	return nil
}

// Add adds a document, given as JSON, at the end of the catalog. It is for
// documents that are made in the run. The catalog keeps the bytes.
func (c *Catalog) Add(object []byte) error {
	if !json.Valid(object) || object[0] != '{' {
		return errors.New("a document of a catalog has to be a JSON object")
	}
	d, err := newDocument(object)
	if err != nil {
		return err
	}
	d.order = c.next()
	return c.add(d)
}

// next returns the number of the next document.
func (c *Catalog) next() int {
	if c.last == 0 {
		for _, m := range c.Documents() {
			c.last = max(c.last, m.order)
		}
	}
	c.last++
	return c.last
}
