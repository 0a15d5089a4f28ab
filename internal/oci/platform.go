package oci

// Platform says what an image runs on (OCI image-spec, image-index.md).
type Platform struct {
	OS           string   `json:"os"`
	Architecture string   `json:"architecture"`
	Variant      string   `json:"variant,omitempty"`
	OSVersion    string   `json:"os.version,omitempty"`
	OSFeatures   []string `json:"os.features,omitempty"`
}

// String returns os/arch[/variant], the text that oc's --filter-by-os matches.
func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// IsAttestation reports whether this is the unknown/unknown platform that
// build tools give to attestations in an index.
func (p Platform) IsAttestation() bool { return p.OS == "unknown" && p.Architecture == "unknown" }
