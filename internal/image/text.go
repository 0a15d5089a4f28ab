package image

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/table"
)

// Text describes an image in the layout of oc (oc.md 17). The time is for its
// age.
func (im *Image) Text(now time.Time) string {
	var b strings.Builder
	table.Columns(&b, 1, func(t *table.Table) { im.describe(rows{t}, now) })
	b.WriteByte('\n')
	return b.String()
}

func (im *Image) describe(w rows, now time.Time) {
	w.Row("Name:", im.Name)
	if im.Asked != im.Digest {
		w.Row("Digest:", im.Digest.String())
	}
	if !im.ListDigest.IsZero() {
		w.Row("Manifest List:", im.ListDigest.String())
	}
	w.Row("Media Type:", im.MediaType)
	if im.ArtifactType != "" {
		w.Row("Artifact Type:", im.ArtifactType)
	}
	if im.Config != nil {
		w.Row("Created:", created(im.Config.Created, now))
	}
	im.layers(w)
	if im.Config != nil {
		im.Config.text(w)
	}
	w.pairs("Annotations:", im.Annotations)
}

func created(at, now time.Time) string {
	if at.IsZero() {
		return "<unknown>"
	}
	return Age(now.Sub(at)) + " ago"
}

func (im *Image) layers(w rows) {
	size := fmt.Sprintf("%s in %d layers", Size(im.Size()), len(im.Layers))
	if im.Size() == 0 {
		size = fmt.Sprintf("%d layers (size unavailable)", len(im.Layers))
	}
	w.Row("Image Size:", size)
	first := "Layers:"
	for _, l := range im.Layers {
		size := Size(l.Size)
		if l.Size == 0 {
			size = "--"
		}
		w.Row(first, size, l.Digest.String())
		first = ""
	}
}

func (c *Config) text(w rows) {
	w.Row("OS:", c.Platform.OS)
	w.Row("Arch:", c.Platform.Architecture)
	w.some("Author:", c.Author)
	run := c.Run
	if run == nil {
		return
	}
	w.some("Entrypoint:", strings.Join(run.Entrypoint, " "))
	command := strings.Join(run.Cmd, " ")
	if len(run.Entrypoint) == 0 && len(run.Cmd) == 0 {
		command = "<none>"
	}
	w.some("Command:", command)
	w.some("Working Dir:", run.WorkingDir)
	w.some("User:", run.User)
	w.some("Exposes Ports:", strings.Join(slices.Sorted(maps.Keys(run.ExposedPorts)), ", "))
	w.list("Environment:", run.Env)
	w.pairs("Labels:", run.Labels)
	w.list("Volumes:", slices.Sorted(maps.Keys(run.Volumes)))
}

// rows writes a table of what an image says.
type rows struct{ *table.Table }

// some writes a row unless its value is empty.
func (t rows) some(name, value string) {
	if value != "" {
		t.Row(name, value)
	}
}

// list writes a row for each value, the first with the name.
func (t rows) list(name string, values []string) {
	for _, value := range values {
		t.Row(name, value)
		name = ""
	}
}

func (t rows) pairs(name string, values map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		t.Row(name, key+"="+values[key])
		name = ""
	}
}

// Age is a length of time with one unit, as the oc commands print it: 59s, 5m,
// 3h, 200d, 2y. What lies ahead of a clock that is slow is "<invalid>".
func Age(d time.Duration) string {
	seconds, hours := int64(d/time.Second), int64(d/time.Hour)
	switch {
	case seconds < -1:
		return "<invalid>"
	case seconds < 0:
		return "0s"
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 60*60:
		return fmt.Sprintf("%dm", seconds/60)
	case hours < 24:
		return fmt.Sprintf("%dh", hours)
	case hours < 24*365:
		return fmt.Sprintf("%dd", hours/24)
	}
	return fmt.Sprintf("%dy", hours/24/365)
}

// Size is a number of bytes in decimal units with four digits, as the info
// commands of oc print it: 1.234MB.
func Size(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	f, i := float64(n), 0
	for f >= 1000 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	return strconv.FormatFloat(f, 'g', 4, 64) + units[i]
}
