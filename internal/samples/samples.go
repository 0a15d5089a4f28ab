// Package samples collects the images that the Cluster Samples Operator's image
// streams are made of: it reads the operator's config map, works out where the
// operator looks for each image once it is told of a mirror, and writes what it
// is told (the document, 3.6.1). It is pure.
package samples

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/yamldoc"
)

// The config map that the operator makes, and where it notes its version there.
const (
	mapName           = "imagestreamtag-to-image"
	mapNamespace      = "openshift-cluster-samples-operator"
	versionAnnotation = "samples.operator.openshift.io/version"
)

// Limits of what is read. A config map has at most a megabyte; a real one has
// some hundred entries.
const (
	maxFile    = 8 << 20 // bytes
	maxEntries = 10000
)

// ConfigMap is the operator's list of images.
type ConfigMap struct {
	Version string // of the operator, which is that of the cluster; "" if not noted
	Streams []Stream
	Record  *Record // what is on the medium that the map was read from, nil elsewhere
	data    map[string]string
}

// Stream is an image stream.
type Stream struct {
	Name string
	Tags []Tag
}

// Tag is a tag of an image stream.
type Tag struct {
	Name  string
	Image string // the image that fills it, as the operator names it
}

type wireMap struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   wireMetadata      `json:"metadata"`
	Data       map[string]string `json:"data"`
	Record     *Record           `json:"airbridge,omitempty"`
}

type wireMetadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// wireItems are the objects of a List. Others than config maps may have any shape.
type wireItems struct {
	Kind  string            `json:"kind"`
	Items []json.RawMessage `json:"items"`
}

// Parse reads the config map as "oc get -o yaml" or "-o json" exports it, alone
// or in a List, or the file of a medium, whose record is checked (*RecordError).
func Parse(content []byte) (*ConfigMap, error) {
	if len(content) > maxFile {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(content), maxFile)
	}
	doc, second := yamldoc.Only(content)
	if second > 0 {
		return nil, fmt.Errorf("it has several documents, the second on line %d: name a file with the config map alone", second)
	}
	text, err := yaml.YAMLToJSONStrict(doc.Text)
	if err != nil {
		return nil, fmt.Errorf("not valid YAML or JSON: %s", yamldoc.Fault(err))
	}
	wire, err := find(text)
	if err != nil {
		return nil, err
	}
	c := &ConfigMap{Version: wire.Metadata.Annotations[versionAnnotation], data: wire.Data, Record: wire.Record}
	if c.Record != nil {
		if err := c.Record.verify(wire.Data); err != nil {
			return nil, err
		}
	}
	c.Streams, err = streams(wire.Data)
	return c, err
}

// find returns the object, or the right one of a List.
func find(text []byte) (*wireMap, error) {
	var list wireItems
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, errors.New("it is not an object")
	}
	if len(list.Items) == 0 {
		return object(text)
	}
	for _, item := range list.Items {
		var head struct {
			Metadata wireMetadata `json:"metadata"`
		}
		if json.Unmarshal(item, &head) == nil && head.Metadata.Name == mapName {
			return object(item)
		}
	}
	return nil, fmt.Errorf("none of its %d objects is the config map %s", len(list.Items), mapName)
}

func object(text []byte) (*wireMap, error) {
	var w wireMap
	if err := json.Unmarshal(text, &w); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, fmt.Errorf("its field %s is a %s, which no config map %s has", e.Field, e.Value, mapName)
		}
		return nil, err
	}
	switch {
	case w.Kind != "ConfigMap":
		return nil, fmt.Errorf("it is no config map: its kind is %.100q", w.Kind)
	case len(w.Data) == 0:
		return nil, fmt.Errorf("the config map %.100q has no data", w.Metadata.Name)
	case len(w.Data) > maxEntries:
		return nil, fmt.Errorf("it has %d entries, more than %d", len(w.Data), maxEntries)
	}
	return &w, nil
}

// streamName is the name of an object, which never has an underscore; what
// follows the first one in a key is the tag, which may have more.
var streamName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)

// streams groups the entries by image stream, in order.
func streams(data map[string]string) ([]Stream, error) {
	var out []Stream
	keys := make([]string, 0, len(data))
	for key := range data {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		name, tag, ok := strings.Cut(key, "_")
		if !ok || !streamName.MatchString(name) || oci.CheckTag(tag) != nil {
			return nil, fmt.Errorf("its entry %.200q is not named IMAGESTREAM_TAG: is it the config map %s?", key, mapName)
		}
		i := slices.IndexFunc(out, func(s Stream) bool { return s.Name == name })
		if i < 0 {
			i = len(out)
			out = append(out, Stream{Name: name})
		}
		out[i].Tags = append(out[i].Tags, Tag{Name: tag, Image: data[key]})
	}
	slices.SortFunc(out, func(a, b Stream) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}
