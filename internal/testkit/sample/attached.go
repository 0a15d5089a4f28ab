package sample

import (
	"bytes"
	"fmt"
	"io"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Media types of what is attached to images.
const (
	typeSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	typeEmpty         = "application/vnd.oci.empty.v1+json"
	typeBundle        = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

type attachedManifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        oci.Descriptor    `json:"config"`
	Layers        []oci.Descriptor  `json:"layers"`
	Subject       *oci.Descriptor   `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// CosignTag is the tag under which cosign keeps what it attaches to a manifest:
// ending is ".sig", ".att" or ".sbom".
func CosignTag(subject oci.Digest, ending string) string {
	return subject.Algorithm() + "-" + subject.Hex() + ending
}

// Signature makes an image of the form in which cosign keeps a signature of a
// manifest: the layer names the digest. It signs nothing.
func Signature(subject oci.Digest) *Image {
	layer := text(fmt.Sprintf(`{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, subject), typeSimpleSigning)
	layer.Desc.Annotations = map[string]string{"dev.cosignproject.cosign/signature": "bm90IGEgc2lnbmF0dXJl"}
	spec := ImageSpec{Platform: AMD64}
	return attached(attachedManifest{}, spec.config(oci.MediaTypeImageConfig), layer)
}

// Referrer makes an artifact whose subject is another manifest, as sigstore's
// bundles are attached: it has no tag.
func Referrer(subject *Image, content string) *Image {
	about := subject.Desc.Bare()
	return attached(attachedManifest{ArtifactType: typeBundle, Subject: &about}, text("{}", typeEmpty), text(content, typeBundle))
}

func text(content, mediaType string) Blob {
	body := []byte(content)
	return Blob{
		Desc:  describe(bytes.NewReader(body), mediaType),
		start: func() io.Reader { return bytes.NewReader(body) },
	}
}

func attached(m attachedManifest, config, layer Blob) *Image {
	m.SchemaVersion, m.MediaType = 2, oci.MediaTypeImageManifest
	m.Config, m.Layers = config.Desc, []oci.Descriptor{layer.Desc}
	im := &Image{Body: OCI.encode(m), Blobs: []Blob{config, layer}}
	im.Desc = describe(bytes.NewReader(im.Body), m.MediaType)
	return im
}
