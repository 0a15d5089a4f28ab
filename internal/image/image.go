// Package image has images as the info commands show them (oc.md 14 and 17):
// what a manifest and its config say, read from any source, as text and as
// JSON. Nothing here prints or looks at a clock.
package image

import (
	"encoding/json"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Image is one image of one platform.
type Image struct {
	// Name is the reference that it was read by, without a scheme.
	Name string
	// Asked is the digest of that reference, zero where it has a tag alone.
	Asked oci.Digest
	// Digest is that of the image, ListDigest that of the list it was chosen
	// from, zero where there is none.
	Digest     oci.Digest
	ListDigest oci.Digest
	MediaType  string
	// ArtifactType is set where this is no image that runs, but a signature or
	// whatever else is kept in that form. It has no Config then.
	ArtifactType string
	Layers       []oci.Descriptor
	Annotations  map[string]string // of the manifest
	Config       *Config
}

// Size is that of all layers in bytes, as they are stored.
func (im *Image) Size() int64 {
	var n int64
	for _, l := range im.Layers {
		n += l.Size
	}
	return n
}

// Platform is what the image runs on; empty where it does not say.
func (im *Image) Platform() oci.Platform {
	if im.Config == nil {
		return oci.Platform{}
	}
	return im.Config.Platform
}

// MarshalJSON writes the keys of oc (oc.md 14). Content is always verified
// here, so the digest of the content is the digest.
func (im *Image) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name          string            `json:"name"`
		Digest        oci.Digest        `json:"digest"`
		ContentDigest oci.Digest        `json:"contentDigest"`
		ListDigest    oci.Digest        `json:"listDigest"`
		MediaType     string            `json:"mediaType"`
		ArtifactType  string            `json:"artifactType,omitempty"`
		Annotations   map[string]string `json:"annotations,omitempty"`
		Layers        []oci.Descriptor  `json:"layers"`
		Config        map[string]any    `json:"config"`
	}{
		im.Name, im.Digest, im.Digest, im.ListDigest, im.MediaType, im.ArtifactType, im.Annotations,
		append([]oci.Descriptor{}, im.Layers...), im.Config.JSON(im.Size()),
	})
}
