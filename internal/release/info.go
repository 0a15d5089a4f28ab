package release

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// Info is all that "adm release info" knows of a release (oc.md 14).
type Info struct {
	*Contents
	From ref.Ref // where it was read
	Tags []Tag   // the component images, in the order of the payload
	// Versions are what the components are made of: "kubernetes", "machine-os".
	Versions map[string]ComponentVersion
	// VersionTags names a component image that has each of them.
	VersionTags map[string]string
	// Images are the component images that were looked up, by component; nil
	// where none was asked for.
	Images   map[string]*image.Image
	Warnings []string // sorted
	// Notice is what is no fault of the release; "" for none.
	Notice string
}

// Tag is a component of the release with what the payload says of how it was
// built.
type Tag struct {
	Component
	Annotations map[string]string
	raw         json.RawMessage // for JSON, as it was written
}

// Annotations of the components (oc.md 11).
const (
	annotationCommit       = "io.openshift.build.commit.id"
	annotationSource       = "io.openshift.build.source-location"
	annotationVersions     = "io.openshift.build.versions"
	annotationDisplayNames = "io.openshift.build.version-display-names"
)

// Commit is the source revision that the component was built from, "" where
// the payload does not say.
func (t Tag) Commit() string { return t.Annotations[annotationCommit] }

// Source is the address of the source repository, "" where it is not known.
func (t Tag) Source() string { return t.Annotations[annotationSource] }

// NewInfo puts together what a payload says. from is where it was read.
func NewInfo(from ref.Ref, c *Contents) (*Info, error) {
	info := &Info{Contents: c, From: from}
	var s struct {
		Spec struct {
			Tags []json.RawMessage `json:"tags"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(c.References, &s); err != nil {
		return nil, fmt.Errorf("unable to load image-references from release payload: %w", err)
	}
	byName := map[string]Tag{}
	for _, raw := range s.Spec.Tags {
		tag := Tag{raw: raw}
		if err := tag.parse(); err != nil {
			return nil, fmt.Errorf("unable to load image-references from release payload: %w", err)
		}
		byName[tag.Name] = tag
	}
	for _, component := range c.Components {
		tag := byName[component.Name]
		tag.Component = component
		info.Tags = append(info.Tags, tag)
	}
	info.readVersions()
	slices.Sort(info.Warnings)
	return info, nil
}

// parse reads the tag's name and annotations.
func (t *Tag) parse() error {
	var w struct {
		Name        string            `json:"name"`
		Annotations map[string]string `json:"annotations"`
	}
	err := json.Unmarshal(t.raw, &w)
	t.Name, t.Annotations = w.Name, w.Annotations
	return err
}

// AddImage records a component image that was looked up, or why it could not
// be.
func (i *Info) AddImage(component string, im *image.Image, err error) {
	if i.Images == nil {
		i.Images = map[string]*image.Image{}
	}
	if err != nil {
		i.Warnings = append(i.Warnings, fmt.Sprintf("tag %q: %v", component, err))
		slices.Sort(i.Warnings)
		return
	}
	i.Images[component] = im
}

// Name is the release's version as its metadata has it, else as its images are
// named.
func (i *Info) Name() string {
	if i.Metadata.Raw != nil {
		return i.Metadata.Version
	}
	return i.Version
}

// Platform is what the release image runs on; a list is "multi" with the
// platform that was read.
func (i *Info) Platform() string {
	p := i.Config.Platform
	if p.OS == "" {
		p.OS = "unknown"
	}
	if p.Architecture == "" {
		p.Architecture = "unknown"
	}
	text := p.OS + "/" + p.Architecture
	if i.Multi() {
		return "multi (" + text + ")"
	}
	return text
}

// ImageFor returns where the payload says that a component is.
func (i *Info) ImageFor(component string) (ref.Ref, error) {
	for _, tag := range i.Tags {
		if tag.Name == component {
			return tag.From, nil
		}
	}
	return ref.Ref{}, &NoComponentError{Component: component, Release: i.From, Known: i.names()}
}

func (i *Info) names() []string {
	out := make([]string, len(i.Tags))
	for n, tag := range i.Tags {
		out[n] = tag.Name
	}
	return out
}

// MarshalJSON writes the keys of oc (oc.md 14). Content is always verified
// here, so the digest of the content is the digest.
func (i *Info) MarshalJSON() ([]byte, error) {
	metadata := json.RawMessage("null")
	if i.Metadata.Raw != nil {
		metadata = i.Metadata.Raw
	}
	return json.Marshal(struct {
		Image         string                      `json:"image"`
		Digest        oci.Digest                  `json:"digest"`
		ContentDigest oci.Digest                  `json:"contentDigest"`
		ListDigest    oci.Digest                  `json:"listDigest"`
		Config        map[string]any              `json:"config"`
		Metadata      json.RawMessage             `json:"metadata"`
		References    json.RawMessage             `json:"references"`
		Old           map[string]string           `json:"versions"` // oc never fills it
		Versions      map[string]ComponentVersion `json:"displayVersions"`
		VersionTags   map[string]string           `json:"versionsTags"`
		Images        map[string]*image.Image     `json:"images"`
		Warnings      []string                    `json:"warnings"`
	}{
		i.From.String(), i.Digest, i.Digest, i.ListDigest, i.Config.JSON(i.Size), metadata, i.References,
		nil, i.Versions, i.VersionTags, i.Images, i.Warnings,
	})
}
