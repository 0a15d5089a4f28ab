// Package release reads the payload of an OpenShift release image, which names
// the component images that a release is made of, and says where each of them
// goes when the release is mirrored (oc.md 11 and 12.2).
package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// Payload is what a release image says about its release.
type Payload struct {
	// Digest is the image that was read. ListDigest is the list it was chosen
	// from, zero where the release is a single image.
	Digest     oci.Digest
	ListDigest oci.Digest
	// Version is the release's name, "4.14.3"; it is fit to begin a tag.
	Version string
	// Created is when the release was put together, zero if it does not say.
	Created time.Time
	// Arch is the architecture of the image that was read in the words of its
	// config, "amd64"; "" if it does not say.
	Arch string
	// Components are in the order of the payload. No two have one name.
	Components   []Component
	Metadata     Metadata
	Verification Verification
}

// Component is an image that the release consists of.
type Component struct {
	Name string
	From ref.Ref // by digest
}

// Metadata is the release's place in the update graph.
type Metadata struct {
	Raw      []byte `json:"-"` // the whole file, nil where the payload has none
	Kind     string
	Version  string
	Previous []string          // versions that may be updated to this one
	Next     []string          // versions that this one may be updated to
	Values   map[string]string `json:"-"` // of its "metadata": "url", "description"
	All      map[string]any    `json:"-"` // the same with those that are not text
}

// Multi reports whether the release image is a list of several architectures.
func (p *Payload) Multi() bool { return !p.ListDigest.IsZero() }

// Root is the digest that the release image is known by: of the list if it is
// one, else of the image.
func (p *Payload) Root() oci.Digest {
	if p.Multi() {
		return p.ListDigest
	}
	return p.Digest
}

// wireStream is the part of an ImageStream (image.openshift.io/v1) that counts.
type wireStream struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Metadata   struct {
		Name              string    `json:"name"`
		CreationTimestamp time.Time `json:"creationTimestamp"`
	} `json:"metadata"`
	Spec struct {
		Tags []struct {
			Name string `json:"name"`
			From *struct {
				Kind string `json:"kind"`
				Name string `json:"name"`
			} `json:"from"`
		} `json:"tags"`
	} `json:"spec"`
}

// parseReferences fills in what image-references says.
func (p *Payload) parseReferences(body []byte) error {
	var s wireStream
	if err := json.Unmarshal(body, &s); err != nil {
		return fmt.Errorf("unable to load image-references from release payload: %w", err)
	}
	if s.Kind != "ImageStream" || s.APIVersion != "image.openshift.io/v1" {
		return fmt.Errorf("unrecognized image-references in release payload: kind %.100q of %.100q", s.Kind, s.APIVersion)
	}
	if oci.CheckTag(s.Metadata.Name) != nil {
		return fmt.Errorf("the release payload has the version %.150q, which cannot be part of a tag", s.Metadata.Name)
	}
	p.Version, p.Created = s.Metadata.Name, s.Metadata.CreationTimestamp
	return p.setComponents(&s)
}

func (p *Payload) setComponents(s *wireStream) error {
	if len(s.Spec.Tags) > oci.MaxChildren {
		return fmt.Errorf("the release payload has %d components, more than %d", len(s.Spec.Tags), oci.MaxChildren)
	}
	seen := map[string]bool{}
	for _, tag := range s.Spec.Tags {
		if tag.From == nil || tag.From.Kind != "DockerImage" {
			continue // oc passes over references within a cluster
		}
		c, err := parseComponent(tag.Name, tag.From.Name)
		if err != nil {
			return err
		}
		if seen[c.Name] {
			return fmt.Errorf("the release payload has the component %q twice", c.Name)
		}
		seen[c.Name] = true
		p.Components = append(p.Components, c)
	}
	return nil
}

func parseComponent(name, from string) (Component, error) {
	if oci.CheckTag(name) != nil {
		return Component{}, fmt.Errorf("release tag %.150q is not valid: it cannot be part of a tag", name)
	}
	r, err := ref.Parse(from)
	if err == nil && r.Scheme != ref.Registry {
		err = errors.New("it is not in a registry")
	}
	if err != nil {
		return Component{}, fmt.Errorf("release tag %q is not valid: %w", name, err)
	}
	if r.Tag != "" || r.Digest.IsZero() {
		return Component{}, fmt.Errorf("image-references should only contain pointers to images by digest: %s", from)
	}
	return Component{Name: name, From: r}, nil
}

// parseMetadata fills in what release-metadata says. A payload without one can
// still be mirrored.
func (p *Payload) parseMetadata(body []byte) error {
	if body == nil {
		return nil
	}
	var m struct {
		Metadata
		Any map[string]any `json:"metadata"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return fmt.Errorf("unable to load release-metadata from release payload: %w", err)
	}
	p.Metadata = m.Metadata
	p.Metadata.Raw = body
	p.Metadata.Values, p.Metadata.All = map[string]string{}, m.Any
	for key, value := range m.Any {
		if text, ok := value.(string); ok {
			p.Metadata.Values[key] = text
		}
	}
	return nil
}
