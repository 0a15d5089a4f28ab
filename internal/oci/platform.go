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

// machines has the architectures that uname, and with it the tags of OpenShift
// releases, calls other than Go does (oc.md 12.2).
var machines = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// Machine returns what uname calls an architecture of Go: "x86_64" for "amd64".
// Most have one name.
func Machine(arch string) string {
	if name, ok := machines[arch]; ok {
		return name
	}
	return arch
}

// GoArch returns what Go calls an architecture, by either name.
func GoArch(name string) string {
	for arch, machine := range machines {
		if name == machine {
			return arch
		}
	}
	return name
}
