package sample

import (
	"fmt"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// LoadSpec says how big a load of the bench is.
type LoadSpec struct {
	Images int     // in all, lists and small ones included
	Lists  int     // of them with four platforms
	Small  int     // of them with one layer, 64 KiB in all
	Median float64 // of a layer, in bytes
	Sigma  float64 // of the layer sizes, log-normal
}

// The loads of the bench. Tests take smaller ones of the same shape.
var (
	BenchLoad = LoadSpec{Images: 190, Lists: 10, Median: 600_000, Sigma: 1.4}
	LargeLoad = LoadSpec{Images: 2000, Lists: 10, Small: 1810, Median: 600_000, Sigma: 1.4}
	TinyLoad  = LoadSpec{Images: 19, Lists: 1, Small: 3, Median: 2_000, Sigma: 1.4}
)

// smallLayer makes an image of 64 KiB with its config, gzip and tar frames.
const smallLayer = 62 << 10

// TaggedImage is an image of a load.
type TaggedImage struct {
	Tag   string
	Image *Image
}

// Load makes the images of a load for one repository: each stands on one of
// four bases and has two to six layers of its own. The last, under the tag
// "payload", is a release image whose payload names all others. A larger load
// of the same seed begins with the same images as a smaller one.
func Load(seed uint64, spec LoadSpec) []TaggedImage {
	m := New(seed)
	bases := make([][]Blob, 4)
	for i := range bases {
		bases[i] = m.layers(2, spec)
	}
	var out []TaggedImage
	for i := range spec.Images - spec.Small {
		image := m.listOrImage(i < spec.Lists, bases, spec)
		out = append(out, TaggedImage{Tag: fmt.Sprintf("image-%04d", i), Image: image})
	}
	for range spec.Small {
		image := NewImage(ImageSpec{Format: Docker, Layers: []Blob{m.Layer(smallLayer)}})
		out = append(out, TaggedImage{Tag: fmt.Sprintf("image-%04d", len(out)), Image: image})
	}
	return append(out, TaggedImage{Tag: "payload", Image: loadPayload(out, bases[0])})
}

// listOrImage makes the next image: Docker's form mostly, as releases have it,
// and OCI's for every fifth.
func (m *Maker) listOrImage(list bool, bases [][]Blob, spec LoadSpec) *Image {
	format := Docker
	if m.rng.IntN(5) == 0 {
		format = OCI
	}
	base := bases[m.rng.IntN(len(bases))]
	if !list {
		return NewImage(ImageSpec{Format: format, Layers: m.stack(base, spec)})
	}
	var children []*Image
	for _, platform := range []oci.Platform{AMD64, ARM64, PPC64LE, S390X} {
		children = append(children, NewImage(ImageSpec{Format: format, Platform: platform, Layers: m.stack(base, spec)}))
	}
	return NewIndex(format, children...)
}

// stack puts two to six new layers on a base.
func (m *Maker) stack(base []Blob, spec LoadSpec) []Blob {
	return append(append([]Blob{}, base...), m.layers(2+m.rng.IntN(5), spec)...)
}

func (m *Maker) layers(n int, spec LoadSpec) []Blob {
	var out []Blob
	for range n {
		out = append(out, m.Layer(m.LogNormal(spec.Median, spec.Sigma)))
	}
	return out
}

func loadPayload(images []TaggedImage, base []Blob) *Image {
	var components []Component
	for _, im := range images {
		components = append(components, Component{Name: im.Tag, Image: im.Image})
	}
	payload := ReleaseSpec{}.withDefaults().payload(components)
	return NewImage(ImageSpec{Format: Docker, Layers: append(append([]Blob{}, base...), payload)})
}
