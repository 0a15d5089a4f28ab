package image

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Text describes an image in the layout of oc (oc.md 17). The time is for its
// age.
func (im *Image) Text(now time.Time) string {
	var b strings.Builder
	w := &table{tabwriter.NewWriter(&b, 0, 4, 1, ' ', 0)}
	w.row("Name:", im.Name)
	if im.Asked != im.Digest {
		w.row("Digest:", im.Digest.String())
	}
	if !im.ListDigest.IsZero() {
		w.row("Manifest List:", im.ListDigest.String())
	}
	w.row("Media Type:", im.MediaType)
	if im.ArtifactType != "" {
		w.row("Artifact Type:", im.ArtifactType)
	}
	if im.Config != nil {
		w.row("Created:", created(im.Config.Created, now))
	}
	im.layers(w)
	if im.Config != nil {
		im.Config.text(w)
	}
	w.pairs("Annotations:", im.Annotations)
	fmt.Fprintln(w)
	_ = w.Flush() // to memory
	return b.String()
}

func created(at, now time.Time) string {
	if at.IsZero() {
		return "<unknown>"
	}
	return Age(now.Sub(at)) + " ago"
}

func (im *Image) layers(w *table) {
	size := fmt.Sprintf("%s in %d layers", Size(im.Size()), len(im.Layers))
	if im.Size() == 0 {
		size = fmt.Sprintf("%d layers (size unavailable)", len(im.Layers))
	}
	w.row("Image Size:", size)
	first := "Layers:"
	for _, l := range im.Layers {
		size := Size(l.Size)
		if l.Size == 0 {
			size = "--"
		}
		w.row(first, size, l.Digest.String())
		first = ""
	}
}

func (c *Config) text(w *table) {
	w.row("OS:", c.Platform.OS)
	w.row("Arch:", c.Platform.Architecture)
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

// table writes rows of cells, in columns, with whatever an image says made fit
// to be shown.
type table struct{ *tabwriter.Writer }

func (t *table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = Printable(cell)
	}
	_, _ = io.WriteString(t, strings.Join(cells, "\t")+"\n") // to memory
}

// some writes a row unless its value is empty.
func (t *table) some(name, value string) {
	if value != "" {
		t.row(name, value)
	}
}

// list writes a row for each value, the first with the name.
func (t *table) list(name string, values []string) {
	for _, value := range values {
		t.row(name, value)
		name = ""
	}
}

func (t *table) pairs(name string, values map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		t.row(name, key+"="+values[key])
		name = ""
	}
}

// Printable shows control characters as escapes: what strangers wrote into a
// label must not steer a terminal, nor break a column.
func Printable(s string) string {
	if strings.IndexFunc(s, unicode.IsControl) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
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
