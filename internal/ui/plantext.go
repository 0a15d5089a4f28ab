package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
)

// Summary says in a line what is about to be copied.
func Summary(t plan.Totals) string {
	s := fmt.Sprintf("%s to copy: %s, %s, at most %s",
		Count(t.Images-t.Present, "image"), Count(t.Manifests, "manifest"), Count(t.Blobs, "layer"), Size(t.Bytes))
	if t.Attached > 0 {
		s += fmt.Sprintf("; attached: %s", Count(t.Attached, "signature"))
	}
	if t.Present > 0 {
		s += fmt.Sprintf("; there already: %d", t.Present)
	}
	return s
}

// PlanText is a plan in oc's form (oc.md 10.3), which people read before they
// give a run its hours: destinations, their blobs by size, their manifests.
func PlanText(p *plan.Plan) string {
	var b strings.Builder
	registry := ""
	for _, place := range p.Destinations() {
		if place.Registry != registry {
			registry = place.Registry
			b.WriteString(registryLine(registry))
		}
		placeText(&b, p, place)
	}
	t := p.Totals()
	fmt.Fprintf(&b, "\ntotal: %s\n", Summary(t))
	return b.String()
}

func registryLine(key string) string {
	if dir, ok := strings.CutPrefix(key, "file://"); ok {
		return dir + "\n"
	}
	return key + "/\n"
}

// placeText lists what goes into one repository.
func placeText(b *strings.Builder, p *plan.Plan, place plan.Place) {
	blobs, manifests, present := contents(p, place)
	fmt.Fprintf(b, "  %s\n", place.Repo)
	total := int64(0)
	if len(blobs) > 0 {
		b.WriteString("    blobs:\n")
	}
	for _, l := range blobs {
		total += l.desc.Size
		fmt.Fprintf(b, "      %s %s %s\n", l.source, l.desc.Digest, Size(l.desc.Size))
	}
	if len(manifests) > 0 {
		b.WriteString("    manifests:\n")
	}
	for _, m := range manifests {
		fmt.Fprintf(b, "      %s\n", m)
	}
	if present > 0 {
		fmt.Fprintf(b, "    present: %s there already\n", Count(present, "image"))
	}
	fmt.Fprintf(b, "  stats: unique=%d size=%s\n", len(blobs), Size(total))
}

type blobLine struct {
	source string
	desc   oci.Descriptor
}

// contents gathers the lines of one repository: blobs by size, then digest,
// each once; manifests in the order in which they are written.
func contents(p *plan.Plan, place plan.Place) (blobs []blobLine, manifests []string, present int) {
	seen := map[oci.Digest]bool{}
	for i := range p.Items {
		item := &p.Items[i]
		for _, t := range item.Targets {
			if t.Place != place {
				continue
			}
			if t.Present {
				present++
				continue
			}
			for _, d := range item.Blobs() {
				if !seen[d.Digest] {
					seen[d.Digest] = true
					blobs = append(blobs, blobLine{item.Source.String(), d})
				}
			}
			manifests = append(manifests, manifestLines(item, t, seen)...)
		}
	}
	slices.SortFunc(blobs, func(a, b blobLine) int {
		return cmp.Or(cmp.Compare(a.desc.Size, b.desc.Size), strings.Compare(a.desc.Digest.String(), b.desc.Digest.String()))
	})
	return blobs, manifests, present
}

func manifestLines(item *plan.Item, t plan.Target, seen map[oci.Digest]bool) (out []string) {
	for i, m := range item.Manifests {
		if i == len(item.Manifests)-1 && len(t.Tags) > 0 {
			for _, tag := range t.Tags {
				out = append(out, fmt.Sprintf("%s -> %s", m.Digest, tag))
			}
		} else if !seen[m.Digest] {
			seen[m.Digest] = true
			out = append(out, m.Digest.String())
		}
	}
	return out
}
