package release

import (
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// Placeholders in the tag of --to (oc.md 12.2).
const (
	componentMark = "${component}"
	versionMark   = "${version}"
)

// Template is where a release goes: a repository, in which each image gets a
// tag made of version, component and architecture.
type Template struct {
	Repository ref.Ref
	tag        string // with placeholders, "" for the usual names
}

// Templated reports whether the tags were given with placeholders; oc words its
// report differently then.
func (t Template) Templated() bool { return t.tag != "" }

// ParseTemplate reads the value of --to: a repository, or one with a tag in
// which ${component}, and perhaps ${version}, is replaced.
func ParseTemplate(to string) (Template, error) {
	if !strings.Contains(to, "${") {
		return parseRepository(to)
	}
	name, tag := to, ""
	if i := strings.LastIndexByte(to, ':'); i > strings.LastIndexByte(to, '/') {
		name, tag = to[:i], to[i+1:]
	}
	if strings.Count(to, componentMark) != 1 || !strings.Contains(tag, componentMark) || strings.Contains(name, "${") {
		return Template{}, fmt.Errorf("--to %q: ${component} must stand once, in the tag, and ${version} in the tag only; "+
			"to mirror to several repositories use \"oc adm release new\" with --from-release and --mirror", to)
	}
	t, err := parseRepository(name)
	if err != nil {
		return Template{}, err
	}
	t.tag = tag
	return t, oci.CheckTag(t.replace("component", "0.0.0"))
}

func parseRepository(to string) (Template, error) {
	r, err := ref.Parse(to)
	if err == nil {
		err = r.RequireRepository()
	}
	if err != nil {
		return Template{}, fmt.Errorf("--to must be a valid image repository: %w", err)
	}
	if r != r.Repository() {
		return Template{}, fmt.Errorf("--to must be to an image repository and may not contain a tag or digest: %s", to)
	}
	return Template{Repository: r}, nil
}

func (t Template) replace(component, version string) string {
	return strings.NewReplacer(componentMark, component, versionMark, version).Replace(t.tag)
}

// Naming says where the images of a release go.
type Naming struct {
	To Template
	// ReleaseImage, if set, is where the release image goes instead.
	ReleaseImage ref.Ref
	// ReleaseRepository, if set, is the repository of the release image alone,
	// which keeps its usual tag. It is not set together with ReleaseImage.
	ReleaseRepository ref.Ref
	// SkipRelease leaves the release image out.
	SkipRelease bool
	// KeepList names a release of several architectures by "multi" and not by
	// the one that was read.
	KeepList bool
}

// ArchName returns the architecture as release tags have it: "x86_64",
// "multi" for a list that is kept, "" where the image does not say.
func (p *Payload) ArchName(keepList bool) string {
	if keepList && p.Multi() {
		return "multi"
	}
	return oci.Machine(p.Arch)
}

// Tag returns the tag of a component, or, for "", of the release image.
func (n Naming) Tag(p *Payload, component string) string {
	arch := p.ArchName(n.KeepList)
	if !n.To.Templated() {
		return join(p.Version, arch, component)
	}
	if component == "" {
		component = "release"
	}
	return join(n.To.replace(component, p.Version), arch)
}

// join puts dashes between what is not empty.
func join(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "-")
}

// Release returns where the release image goes.
func (n Naming) Release(p *Payload) ref.Ref {
	if !n.ReleaseImage.IsZero() {
		return n.ReleaseImage
	}
	if !n.ReleaseRepository.IsZero() {
		return n.ReleaseRepository.WithTag(n.Tag(p, ""))
	}
	return n.To.Repository.WithTag(n.Tag(p, ""))
}

// Targets says where each image of a release goes: the release image, read
// from "from" and pinned to what was read, first, though it is to be written
// last; then the components in the order of the payload.
func Targets(p *Payload, from ref.Ref, n Naming) ([]plan.Mapping, error) {
	out := make([]plan.Mapping, 0, len(p.Components)+1)
	if !n.SkipRelease {
		from.Digest = p.Root()
		out = append(out, plan.Mapping{Source: from, Destinations: []ref.Ref{n.Release(p)}, Last: true})
	}
	for _, c := range p.Components {
		to := n.To.Repository.WithTag(n.Tag(p, c.Name))
		out = append(out, plan.Mapping{Source: c.From, Destinations: []ref.Ref{to}})
	}
	for _, m := range out {
		if err := oci.CheckTag(m.Destinations[0].Tag); err != nil {
			return nil, fmt.Errorf("naming %s: %w", m.Source, err)
		}
	}
	return out, nil
}
