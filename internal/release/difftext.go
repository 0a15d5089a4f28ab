package release

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/table"
)

// Text describes the changes in the layout of oc (oc.md 14), with commits in
// place of digests where those are asked for. The time is for ages.
func (d *Diff) Text(commits bool, now time.Time) string {
	if d.Same() {
		return "Releases are identical\n"
	}
	var b strings.Builder
	d.head(&b, now)
	show := digestsOf
	if commits {
		show = commitsOf
	}
	width := 0
	for _, t := range d.Images {
		width = max(width, len(t.Name))
	}
	for _, part := range d.parts() {
		if len(part.tags) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s:\n", part.title)
		table.Columns(&b, 1, func(w *table.Table) {
			for _, t := range part.tags {
				cells := []string{fmt.Sprintf("  %-*s", width, t.Name)}
				if t.To != nil {
					cells = append(cells, show(t))
				}
				w.Row(cells...)
			}
		})
	}
	b.WriteString("\n")
	return b.String()
}

func (d *Diff) head(b *strings.Builder, now time.Time) {
	table.Columns(b, 2, func(w *table.Table) {
		w.Row("", "FROM", "TO")
		w.Row("Name:", d.From.Name(), d.To.Name())
		w.Row("Created:", ageOf(d.From, now), ageOf(d.To, now))
		if from, to := d.From.Platform(), d.To.Platform(); from != to {
			w.Row("OS/Arch:", from, to)
		}
		before, after := d.From.Metadata.Raw != nil, d.To.Metadata.Raw != nil
		switch {
		case before && after:
			w.Row("")
			w.Row("Version:", d.From.Metadata.Version, d.To.Metadata.Version)
			w.Row("Upgrade From:", "", yesNo(slices.Contains(d.To.Metadata.Previous, d.From.Metadata.Version)))
		case before:
			w.Row("Has Release Metadata:", "Yes", "")
		case after:
			w.Row("Has Release Metadata:", "", "Yes")
		}
	})
}

func ageOf(i *Info, now time.Time) string {
	if i.Config.Created.IsZero() {
		return unknown
	}
	return image.Age(now.Sub(i.Config.Created))
}

func yesNo(yes bool) string {
	if yes {
		return "Yes"
	}
	return "No"
}

type diffPart struct {
	title string
	tags  []TagDiff
}

// parts sorts the components by what became of them.
func (d *Diff) parts() []diffPart {
	parts := []diffPart{{title: "Images Changed"}, {title: "Images Rebuilt"}, {title: "Images Added"}, {title: "Images Removed"}}
	for _, t := range d.Images {
		n := 0
		switch {
		case t.From != nil && t.To != nil && t.From.Component.From.Digest == t.To.Component.From.Digest:
			continue // in another repository, but the same
		case t.From == nil:
			n = 2
		case t.To == nil:
			n = 3
		case t.rebuilt():
			n = 1
		}
		parts[n].tags = append(parts[n].tags, t)
	}
	return parts
}

func digestsOf(t TagDiff) string {
	switch {
	case t.To == nil:
		return ""
	case t.From == nil:
		return t.To.Component.From.Digest.String()
	}
	return t.From.Component.From.Digest.String() + " " + t.To.Component.From.Digest.String()
}

func commitsOf(t TagDiff) string {
	switch {
	case t.To == nil:
		return ""
	case t.To.Source() == "" || t.To.Commit() == "":
		return unknown
	case t.From == nil:
		return commitAt(t.To)
	case t.From.Source() == t.To.Source() && t.From.Commit() != t.To.Commit():
		return commitRange(t.To.Source(), t.From.Commit(), t.To.Commit())
	case t.From.Source() == t.To.Source():
		return commitAt(t.To)
	case t.From.Commit() == "":
		return t.From.Source() + " " + unknown + " -> " + commitAt(t.To)
	case t.From.Commit() == t.To.Commit():
		return t.From.Source() + " -> " + commitAt(t.To)
	}
	return commitAt(t.From) + " -> " + commitAt(t.To)
}

func commitAt(t *Tag) string {
	if page, ok := gitHub(t.Source(), "commit", t.Commit()); ok {
		return page
	}
	return t.Source() + " " + t.Commit()
}

func commitRange(source, from, to string) string {
	if page, ok := gitHub(source, "compare", from+"..."+to); ok {
		return page
	}
	return source + " " + from + " " + to
}

// gitHub returns the page of a repository that shows a thing of a kind.
func gitHub(source, kind, thing string) (string, bool) {
	u, err := url.Parse(source)
	if err != nil || !strings.HasPrefix(source, "https://github.com/") {
		return "", false
	}
	u.Path = path.Join(u.Path, kind, thing)
	return u.String(), true
}
