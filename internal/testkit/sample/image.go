package sample

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Format is the family of media types an image has.
type Format int

// The two families. The media type of the layers inside differs too.
const (
	OCI    Format = iota
	Docker        // schema 2, lists
)

// The platforms that releases come for.
var (
	AMD64   = oci.Platform{OS: "linux", Architecture: "amd64"}
	ARM64   = oci.Platform{OS: "linux", Architecture: "arm64"}
	PPC64LE = oci.Platform{OS: "linux", Architecture: "ppc64le"}
	S390X   = oci.Platform{OS: "linux", Architecture: "s390x"}
)

// ImageSpec says what image to make. The zero Platform is linux/amd64.
type ImageSpec struct {
	Format   Format
	Platform oci.Platform
	Labels   map[string]string // of the config
	Layers   []Blob            // the base first
	Steps    []string          // that made the layers, by the image's history; nil for "sample" each
}

type history struct {
	Created   string `json:"created"`
	CreatedBy string `json:"created_by"`
}

type config struct {
	Created string `json:"created"`
	oci.Platform
	Config struct {
		Labels map[string]string `json:"Labels,omitempty"`
	} `json:"config"`
	RootFS struct {
		Type    string       `json:"type"`
		DiffIDs []oci.Digest `json:"diff_ids"`
	} `json:"rootfs"`
	History []history `json:"history"`
}

type manifest struct {
	SchemaVersion int              `json:"schemaVersion"`
	MediaType     string           `json:"mediaType"`
	Config        oci.Descriptor   `json:"config"`
	Layers        []oci.Descriptor `json:"layers"`
}

type index struct {
	SchemaVersion int              `json:"schemaVersion"`
	MediaType     string           `json:"mediaType"`
	Manifests     []oci.Descriptor `json:"manifests"`
}

// types returns the media types of a format: manifest, index, config, layer.
func (f Format) types() (string, string, string, string) {
	if f == Docker {
		return oci.MediaTypeDockerManifest, oci.MediaTypeDockerList, oci.MediaTypeDockerConfig, oci.MediaTypeDockerLayer
	}
	return oci.MediaTypeImageManifest, oci.MediaTypeImageIndex, oci.MediaTypeImageConfig, oci.MediaTypeOCILayerGzip
}

// encode writes a manifest the way the format's own tools do: Docker's are
// indented, which whoever marshals anew instead of copying will get wrong.
func (f Format) encode(v any) []byte {
	indent := ""
	if f == Docker {
		indent = "   "
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("encoding a generated manifest: %v", err))
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// NewImage makes an image of one platform.
func NewImage(spec ImageSpec) *Image {
	if spec.Platform.OS == "" {
		spec.Platform = AMD64
	}
	manifestType, _, configType, layerType := spec.Format.types()
	m := manifest{SchemaVersion: 2, MediaType: manifestType}
	blobs := []Blob{spec.config(configType)}
	m.Config = blobs[0].Desc
	for _, l := range spec.Layers {
		l.Desc.MediaType = layerType
		m.Layers = append(m.Layers, l.Desc)
		blobs = append(blobs, l)
	}
	im := &Image{Body: spec.Format.encode(m), Blobs: blobs}
	im.Desc = describe(bytes.NewReader(im.Body), manifestType)
	im.Desc.Platform = &spec.Platform
	return im
}

func (spec ImageSpec) config(mediaType string) Blob {
	created := epoch.Format("2006-01-02T15:04:05Z")
	c := config{Created: created, Platform: spec.Platform}
	c.Config.Labels = spec.Labels
	c.RootFS.Type = "layers"
	for i, l := range spec.Layers {
		step := "sample"
		if spec.Steps != nil {
			step = spec.Steps[i]
		}
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, l.DiffID)
		c.History = append(c.History, history{Created: created, CreatedBy: step})
	}
	body := OCI.encode(c)
	return Blob{
		Desc:  describe(bytes.NewReader(body), mediaType),
		start: func() io.Reader { return bytes.NewReader(body) },
	}
}

// NewIndex makes an index, or a Docker list, of images.
func NewIndex(f Format, images ...*Image) *Image {
	_, indexType, _, _ := f.types()
	ix := index{SchemaVersion: 2, MediaType: indexType}
	for _, im := range images {
		ix.Manifests = append(ix.Manifests, im.Desc)
	}
	out := &Image{Body: f.encode(ix), Children: images}
	out.Desc = describe(bytes.NewReader(out.Body), indexType)
	return out
}
