package ui

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
)

// window is the time over which the rate is taken.
const window = 10 * time.Second

// progress is what is known of a run: how far it is and how fast it goes.
type progress struct {
	want    plan.Totals
	started time.Time
	hosts   func() []Host

	images, failed int
	moved          int64                // bytes read from sources, also those read again
	there          int64                // bytes of what is at its destination
	counted        map[located]struct{} // each once a registry, as the plan's totals have it
	active         map[placed]*flight
	samples        []sample // moved over time, for the rate
}

// located is content in a registry, placed in a repository.
type located struct {
	registry string
	digest   oci.Digest
}

type placed struct {
	plan.Place
	digest oci.Digest
}

// flight is a blob on its way.
type flight struct {
	item *plan.Item
	desc oci.Descriptor
	to   plan.Place
	got  int64
}

type sample struct {
	at    time.Time
	moved int64
}

func newProgress(want plan.Totals, now time.Time, hosts func() []Host) progress {
	return progress{
		want: want, started: now, hosts: hosts, counted: map[located]struct{}{},
		active: map[placed]*flight{}, samples: []sample{{now, 0}},
	}
}

func (p *progress) add(e engine.Event) {
	at := placed{e.Target.Place, e.Desc.Digest}
	switch e.Kind {
	case engine.BlobStarted:
		p.active[at] = &flight{item: e.Item, desc: e.Desc, to: e.Target.Place}
	case engine.BlobBytes:
		p.moved += e.Bytes
		if f := p.active[at]; f != nil {
			f.got += e.Bytes
		}
	case engine.BlobDone:
		delete(p.active, at)
		p.arrived(located{e.Target.Registry, e.Desc.Digest}, e.Desc.Size)
	case engine.ManifestDone:
		p.arrived(located{e.Target.Registry, e.Desc.Digest}, e.Desc.Size)
	case engine.ImageDone:
		p.images++
	case engine.ImageFailed:
		p.failed++
		maps.DeleteFunc(p.active, func(_ placed, f *flight) bool { return f.item != nil && f.item == e.Item })
	}
}

// arrived counts content, whatever was read of it: a mount or a resumed blob
// moves fewer bytes than its size.
func (p *progress) arrived(what located, size int64) {
	if _, before := p.counted[what]; !before {
		p.counted[what] = struct{}{}
		p.there += size
	}
}

// done is how much of the plan's bytes has arrived or been read.
func (p *progress) done() int64 {
	sum := p.there
	for at, f := range p.active {
		if _, before := p.counted[located{at.Registry, at.digest}]; !before {
			sum += min(f.got, f.desc.Size)
		}
	}
	return min(sum, p.want.Bytes)
}

// rate is in bytes a second, over the last few seconds.
func (p *progress) rate(now time.Time) float64 {
	p.samples = append(p.samples, sample{now, p.moved})
	for len(p.samples) > 2 && now.Sub(p.samples[0].at) > window {
		p.samples = p.samples[1:]
	}
	first := p.samples[0]
	if d := now.Sub(first.at).Seconds(); d > 0 {
		return float64(p.moved-first.moved) / d
	}
	return 0
}

// line is the whole state in one line.
func (p *progress) line(now time.Time) string {
	s := fmt.Sprintf("%d of %d images, %s of %s", p.images, p.want.Images, Size(p.done()), Size(p.want.Bytes))
	if p.want.Bytes > 0 {
		s += fmt.Sprintf(" (%d%%)", 100*p.done()/p.want.Bytes)
	}
	rate := p.rate(now)
	s += fmt.Sprintf(", %s", Rate(rate))
	if left := p.want.Bytes - p.done(); left > 0 && rate > 1 {
		s += fmt.Sprintf(", %s left", Duration(time.Duration(float64(left)/rate*float64(time.Second))))
	}
	if p.failed > 0 {
		s += fmt.Sprintf(", %d failed", p.failed)
	}
	return s
}

// fields is the state as a JSON event.
func (p *progress) fields(now time.Time) map[string]any {
	return map[string]any{
		"event": "progress", "images": p.images, "imagesTotal": p.want.Images, "failed": p.failed,
		"bytes": p.done(), "bytesTotal": p.want.Bytes, "bytesPerSecond": int64(p.rate(now)),
	}
}

// screen is the state as lines that fit a terminal.
func (p *progress) screen(now time.Time, columns, rows int) []string {
	lines := wrap(p.line(now), columns-1)
	if p.hosts != nil {
		for _, h := range p.hosts() {
			lines = append(lines, "  "+h.line())
		}
	}
	lines = append(lines, p.flights(min(6, rows-len(lines)-2))...)
	clip(lines, columns)
	return lines[:min(len(lines), max(rows-1, 1))]
}

// clip cuts lines so that each has one row: what is erased is counted in lines.
func clip(lines []string, columns int) {
	for i, l := range lines {
		if r := []rune(l); columns > 1 && len(r) >= columns {
			lines[i] = string(r[:columns-1])
		}
	}
}

// wrap breaks a line after commas, so that a narrow terminal shows it whole.
func wrap(line string, width int) []string {
	var out []string
	for _, part := range strings.SplitAfter(line, ", ") {
		last := len(out) - 1
		if last >= 0 && len(out[last])+len(strings.TrimRight(part, " ")) <= width {
			out[last] += part
			continue
		}
		out = append(out, part)
	}
	return out
}

func (h Host) line() string {
	s := fmt.Sprintf("%-32s %2d of at most %2d transfers", h.Name, h.Active, h.Limit)
	if h.Retries > 0 {
		s += fmt.Sprintf(", %d retried", h.Retries)
	}
	if h.Wait > 0 {
		s += fmt.Sprintf(", asked to wait %s", Duration(h.Wait))
	}
	return s
}

// flights are the largest blobs under way, largest first.
func (p *progress) flights(most int) []string {
	all := make([]*flight, 0, len(p.active))
	for _, f := range p.active {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *flight) int {
		if a.desc.Size != b.desc.Size {
			return int(b.desc.Size>>10) - int(a.desc.Size>>10)
		}
		return strings.Compare(a.desc.Digest.String(), b.desc.Digest.String())
	})
	var out []string
	for _, f := range all[:max(0, min(most, len(all)))] {
		out = append(out, fmt.Sprintf("  %s %9s of %9s  %s", f.desc.Digest.Short(), Size(f.got), Size(f.desc.Size), f.to))
	}
	return out
}
