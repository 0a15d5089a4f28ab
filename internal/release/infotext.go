package release

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/table"
)

// Table says what is shown of each component.
type Table int

// The tables. Sizes needs the images looked up.
const (
	Digests Table = iota
	PullSpecs
	Commits
	CommitURLs
	Sizes
)

// Text describes the release in the layout of oc (oc.md 14). The time is for
// the age of images.
func (i *Info) Text(t Table, now time.Time) string {
	var b strings.Builder
	i.head(&b)
	i.metadata(&b)
	i.components(&b)
	b.WriteString("\nImages:\n")
	table.Columns(&b, 1, func(w *table.Table) { i.table(w, t, now) })
	if t == Sizes {
		i.total(&b)
	}
	if len(i.Warnings) > 0 {
		b.WriteString("\nWarnings:\n")
		for _, warning := range i.Warnings {
			fmt.Fprintf(&b, "* %s\n", table.Printable(warning))
		}
	}
	b.WriteString("\n")
	return b.String()
}

func (i *Info) head(b *strings.Builder) {
	table.Columns(b, 1, func(w *table.Table) {
		w.Row("Name:", i.Name())
		w.Row("Digest:", i.Root().String())
		w.Row("Created:", created(i.Config.Created))
		w.Row("OS/Arch:", i.Platform())
		w.Row("Manifests:", strconv.Itoa(len(i.Manifests)))
		if len(i.Others) > 0 {
			w.Row("Metadata files:", strconv.Itoa(len(i.Others)))
		}
	})
	fmt.Fprintf(b, "\nPull From: %s\n", i.From.WithDigest(i.Root()))
}

// unknown stands for what the release does not say.
const unknown = "<unknown>"

func created(at time.Time) string {
	if at.IsZero() {
		return unknown
	}
	return at.UTC().Truncate(time.Second).Format(time.RFC3339)
}

func (i *Info) metadata(b *strings.Builder) {
	if i.Metadata.Raw == nil {
		return
	}
	upgrades := "<none>"
	if len(i.Metadata.Previous) > 0 {
		upgrades = strings.Join(sortVersions(i.Metadata.Previous), ", ")
	}
	b.WriteString("\nRelease Metadata:\n")
	table.Columns(b, 1, func(w *table.Table) {
		w.Row("  Version:", i.Metadata.Version)
		w.Row("  Upgrades:", upgrades)
	})
	b.WriteString("  Metadata:\n")
	table.Columns(b, 1, func(w *table.Table) {
		for _, key := range slices.Sorted(maps.Keys(i.Metadata.All)) {
			if value := i.Metadata.All[key]; !isEmpty(value) {
				w.Row("    "+key+":", fmt.Sprint(value))
			}
		}
	})
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func (i *Info) components(b *strings.Builder) {
	if len(i.Versions) == 0 {
		return
	}
	b.WriteString("\nComponent Versions:\n")
	table.Columns(b, 1, func(w *table.Table) {
		for _, name := range slices.Sorted(maps.Keys(i.Versions)) {
			w.Row("  "+name, i.Versions[name].Version, i.Versions[name].DisplayName)
		}
	})
}

func (i *Info) table(w *table.Table, t Table, now time.Time) {
	if t == Sizes {
		i.sizes(w, now)
		return
	}
	// The empty columns at the end are oc's.
	w.Row(append([]string{"  NAME"}, map[Table][]string{
		Digests: {"DIGEST"}, PullSpecs: {"PULL SPEC"}, Commits: {"REPO", "COMMIT", ""}, CommitURLs: {"URL", ""},
	}[t]...)...)
	for _, tag := range i.Tags {
		switch t {
		case PullSpecs:
			w.Row("  "+tag.Name, tag.From.String())
		case Commits:
			w.Row("  "+tag.Name, tag.Source(), tag.Commit())
		case CommitURLs:
			w.Row("  "+tag.Name, tag.commitURL())
		default:
			w.Row("  "+tag.Name, tag.From.Digest.String())
		}
	}
}

// scpForm is what ssh takes for an address: git@github.com:openshift/cli.
var scpForm = regexp.MustCompile(`^[\w-]+@([^:/]+):/?(.+)$`)

// commitURL is the page of the commit where it is known how to make one, else
// the repository and the commit.
func (t Tag) commitURL() string {
	source := t.Source()
	if m := scpForm.FindStringSubmatch(source); m != nil {
		source = "https://" + m[1] + "/" + m[2]
	}
	if u, err := url.Parse(source); err == nil && u.Host == "github.com" {
		return fmt.Sprintf("https://github.com%s/commit/%s", u.Path, t.Commit())
	}
	return t.Source() + " " + t.Commit()
}
