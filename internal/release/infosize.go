package release

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/table"
)

// fewBases is how many bases are told apart by columns, more by numbers.
const fewBases = 5

// layerUse is how the components share their layers.
type layerUse struct {
	uses  map[oci.Digest]int // images that have the layer
	total int64              // bytes, each layer once
	bases map[oci.Digest]int // lowest layers, by the number they are shown with; 0 for not yet
	shown map[oci.Digest]bool
}

func (i *Info) layerUse() *layerUse {
	u := &layerUse{uses: map[oci.Digest]int{}, bases: map[oci.Digest]int{}, shown: map[oci.Digest]bool{}}
	for _, im := range i.Images {
		for n, l := range im.Layers {
			if n == 0 {
				u.bases[l.Digest] = 0
			}
			if u.uses[l.Digest]++; u.uses[l.Digest] == 1 {
				u.total += l.Size
			}
		}
	}
	return u
}

// sizes writes the table of --size: for each image its own size and what the
// payload would be smaller without it.
func (i *Info) sizes(w *table.Table, now time.Time) {
	u := i.layerUse()
	header := ""
	if len(u.bases) > 1 {
		header = "BASE"
	}
	w.Row("  NAME", " AGE", " LAYERS", " SIZE MB", " UNIQUE MB", " "+header)
	next := 1
	for _, tag := range i.Tags {
		im := i.Images[tag.Name]
		if im == nil {
			w.Row("  "+tag.Name, "", "", "", "", "")
			continue
		}
		if base := u.base(im); base != nil && u.bases[*base] == 0 {
			u.bases[*base] = next
			next++
		}
		w.Row("  "+tag.Name, fmt.Sprintf("%4s", age(im, now)), fmt.Sprintf("%7d", len(im.Layers)),
			fmt.Sprintf("%8.1f", mebibytes(im.Size())), fmt.Sprintf("%10.1f", mebibytes(u.unique(im))), " "+u.column(im))
	}
}

// total writes the line below the table of --size.
func (i *Info) total(b *strings.Builder) {
	u := i.layerUse()
	fmt.Fprintf(b, "\n  %s across %d layers", image.Size(u.total), len(u.uses))
	if len(u.bases) > 1 {
		fmt.Fprintf(b, ", %d different base images", len(u.bases))
	}
	b.WriteByte('\n')
}

func mebibytes(n int64) float64 { return float64(n) / 1024 / 1024 }

func age(im *image.Image, now time.Time) string {
	if im.Config == nil || im.Config.Created.IsZero() {
		return ""
	}
	return image.Age(now.Sub(im.Config.Created))
}

// base is the lowest layer, nil where there are no layers.
func (u *layerUse) base(im *image.Image) *oci.Digest {
	if len(im.Layers) == 0 {
		return nil
	}
	return &im.Layers[0].Digest
}

// column tells the bases apart: a letter in a column of its own, or a number
// where there are many.
func (u *layerUse) column(im *image.Image) string {
	base := u.base(im)
	if base == nil || len(u.bases) <= 1 {
		return ""
	}
	n := u.bases[*base]
	if len(u.bases) > fewBases {
		return strconv.Itoa(n)
	}
	return strings.Repeat(" ", n-1) + string(rune('A'+n-1))
}

// unique is the size in bytes of the layers that no other image has. Of an
// image without any, its topmost counts for the first image that has it.
func (u *layerUse) unique(im *image.Image) int64 {
	var n int64
	for _, l := range im.Layers {
		if u.uses[l.Digest] == 1 {
			n += l.Size
		}
	}
	if n > 0 || len(im.Layers) == 0 {
		return n
	}
	top := im.Layers[len(im.Layers)-1]
	if u.shown[top.Digest] {
		return 0
	}
	u.shown[top.Digest] = true
	return top.Size
}
