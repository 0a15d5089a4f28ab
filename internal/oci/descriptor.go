package oci

// Descriptor points at content: its type, digest and size in bytes (OCI
// image-spec, descriptor.md). Docker's manifests use the same fields.
type Descriptor struct {
	MediaType    string            `json:"mediaType,omitempty"`
	Digest       Digest            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Data         []byte            `json:"data,omitempty"`
	Platform     *Platform         `json:"platform,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
}

// Media types of manifests and of the layers that must never be pushed.
const (
	MediaTypeImageManifest  = "application/vnd.oci.image.manifest.v1+json"
	MediaTypeImageIndex     = "application/vnd.oci.image.index.v1+json"
	MediaTypeImageConfig    = "application/vnd.oci.image.config.v1+json"
	MediaTypeEmpty          = "application/vnd.oci.empty.v1+json"
	MediaTypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	MediaTypeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	MediaTypeDockerConfig   = "application/vnd.docker.container.image.v1+json"
	MediaTypeSchema1        = "application/vnd.docker.distribution.manifest.v1+json"
	MediaTypeSchema1Signed  = "application/vnd.docker.distribution.manifest.v1+prettyjws"
	MediaTypeOCILayerGzip   = "application/vnd.oci.image.layer.v1.tar+gzip"
	MediaTypeDockerLayer    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	MediaTypeOctetStream    = "application/octet-stream"
)

// ManifestTypes are the media types that a client accepts for manifests, in
// order of preference: indexes first, as every oc command asks for them.
var ManifestTypes = []string{
	MediaTypeImageIndex, MediaTypeDockerList, MediaTypeImageManifest, MediaTypeDockerManifest,
	MediaTypeSchema1Signed, MediaTypeSchema1,
}

// IsIndex reports whether mediaType is an OCI index or a Docker list.
func IsIndex(mediaType string) bool {
	return mediaType == MediaTypeImageIndex || mediaType == MediaTypeDockerList
}

// IsImageConfig reports whether mediaType is that of the config of an image that
// can be run, OCI's or Docker's. Artifacts have others.
func IsImageConfig(mediaType string) bool {
	return mediaType == MediaTypeImageConfig || mediaType == MediaTypeDockerConfig
}

// IsManifest reports whether mediaType is one that manifests have.
func IsManifest(mediaType string) bool {
	return IsIndex(mediaType) || IsSchema1(mediaType) ||
		mediaType == MediaTypeImageManifest || mediaType == MediaTypeDockerManifest
}

// IsSchema1 reports whether mediaType is Docker's first manifest format, which
// is refused by name and never converted: converting changes digests.
func IsSchema1(mediaType string) bool {
	return mediaType == MediaTypeSchema1 || mediaType == MediaTypeSchema1Signed
}

// IsForeign reports whether a layer is non-distributable: it is named in the
// manifest, fetched from its URLs by the runtime, and not pushed.
func (d Descriptor) IsForeign() bool {
	switch d.MediaType {
	case "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd":
		return true
	}
	return false
}

// Bare returns the descriptor's type, digest and size alone.
func (d Descriptor) Bare() Descriptor {
	return Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}
