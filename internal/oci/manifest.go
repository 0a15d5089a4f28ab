package oci

import (
	"encoding/json"
	"fmt"
	"mime"
)

// Limits on manifests from anywhere (ARCHITECTURE.md, On the wire).
const (
	MaxManifestSize = 8 << 20 // bytes
	MaxChildren     = 10000   // descriptors in one manifest or index
	MaxDepth        = 8       // indexes within indexes
)

// Manifest is what an image manifest, an index or a Docker list refers to. It
// is a reading of bytes that are themselves kept and passed on unchanged;
// there is no way back from a Manifest to bytes.
type Manifest struct {
	MediaType    string
	ArtifactType string
	Config       *Descriptor  // nil in an index
	Layers       []Descriptor // empty in an index
	Manifests    []Descriptor // children of an index
	Subject      *Descriptor  // the manifest that this one is about, or nil
	Annotations  map[string]string
}

type wireManifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *Descriptor       `json:"config"`
	Layers        []Descriptor      `json:"layers"`
	Blobs         []Descriptor      `json:"blobs"` // the retired OCI artifact manifest
	Manifests     []Descriptor      `json:"manifests"`
	Subject       *Descriptor       `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
	FSLayers      json.RawMessage   `json:"fsLayers"`
	Signatures    json.RawMessage   `json:"signatures"`
}

// ParseManifest reads a manifest of the media type it was served with. A
// mediaType of "" or octet-stream is found out from the content, as oc does
// for its directories. The errors match ErrManifestInvalid: no JSON, a type
// that contradicts the content, too large, too many children, bad digests.
// Schema 1 is read as a Manifest with its media type and nothing else, and so
// is JSON of a kind unknown here whose fields mean something else.
func ParseManifest(mediaType string, body []byte) (*Manifest, error) {
	if len(body) > MaxManifestSize {
		return nil, ErrManifestInvalid.With(fmt.Sprintf("manifest of %d bytes is over the limit of %d", len(body), MaxManifestSize))
	}
	var w wireManifest
	if err := json.Unmarshal(body, &w); err != nil {
		if served := baseType(mediaType); isForeignKind(served) && json.Valid(body) {
			return &Manifest{MediaType: served}, nil
		}
		return nil, ErrManifestInvalid.Wrap(fmt.Errorf("manifest is not valid JSON: %w", err))
	}
	mediaType, err := w.resolveType(mediaType)
	if err != nil {
		return nil, err
	}
	m := &Manifest{MediaType: mediaType}
	if !IsSchema1(mediaType) {
		w.fill(m)
	}
	return m, m.check()
}

// resolveType reconciles the type served with the type inside.
func (w *wireManifest) resolveType(served string) (string, error) {
	served = baseType(served)
	if isUntold(served) {
		return w.sniff(), nil
	}
	if IsManifest(served) && w.MediaType != "" && w.MediaType != served && !IsSchema1(served) {
		return "", ErrManifestInvalid.With(fmt.Sprintf("manifest says it is %q but was served as %q", w.MediaType, served))
	}
	return served, nil
}

// baseType is a media type without parameters.
func baseType(served string) string {
	if t, _, err := mime.ParseMediaType(served); err == nil {
		return t
	}
	return served
}

// isUntold reports whether a media type says nothing of what a manifest is.
func isUntold(served string) bool {
	return served == "" || served == MediaTypeOctetStream || served == "text/plain" || served == "application/json"
}

// isForeignKind reports whether a media type is one we know nothing of.
func isForeignKind(served string) bool { return !isUntold(served) && !IsManifest(served) }

// sniff finds the media type of a manifest kept without one (oc.md 8).
func (w *wireManifest) sniff() string {
	switch {
	case w.MediaType != "":
		return w.MediaType
	case w.SchemaVersion == 1 && w.Signatures != nil:
		return MediaTypeSchema1Signed
	case w.SchemaVersion == 1:
		return MediaTypeSchema1
	case w.Config != nil && w.Config.MediaType == MediaTypeDockerConfig:
		return MediaTypeDockerManifest
	case len(w.Manifests) > 0 || w.Manifests != nil:
		return MediaTypeImageIndex
	}
	return MediaTypeImageManifest
}

func (w *wireManifest) fill(m *Manifest) {
	m.ArtifactType, m.Subject, m.Annotations = w.ArtifactType, w.Subject, w.Annotations
	if IsIndex(m.MediaType) {
		m.Manifests = w.Manifests
		return
	}
	m.Config, m.Layers = w.Config, append(w.Layers, w.Blobs...)
	if m.ArtifactType == "" && w.Config != nil {
		m.ArtifactType = w.Config.MediaType
	}
}

func (m *Manifest) check() error {
	if n := len(m.Layers) + len(m.Manifests); n > MaxChildren {
		return ErrManifestInvalid.With(fmt.Sprintf("manifest has %d children, over the limit of %d", n, MaxChildren))
	}
	for _, d := range append(m.Blobs(), m.Manifests...) {
		if d.Digest.IsZero() || d.Size < 0 {
			return ErrManifestInvalid.With("manifest has a descriptor without digest or with a negative size")
		}
	}
	return nil
}

// IsIndex reports whether the manifest is an index or a list.
func (m *Manifest) IsIndex() bool { return IsIndex(m.MediaType) }

// Blobs returns the config and the layers, in that order, foreign layers too.
// It is a new slice.
func (m *Manifest) Blobs() []Descriptor {
	out := make([]Descriptor, 0, len(m.Layers)+1)
	if m.Config != nil {
		out = append(out, *m.Config)
	}
	return append(out, m.Layers...)
}
