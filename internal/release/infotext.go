package release

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/airbridge-dev/airbridge/internal/image"
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
	section(&b, func(w io.Writer) {
		fmt.Fprint(w, "\nImages:\n")
		i.table(w, t, now)
	})
	if len(i.Warnings) > 0 {
		b.WriteString("\nWarnings:\n")
		for _, warning := range i.Warnings {
			fmt.Fprintf(&b, "* %s\n", image.Printable(warning))
		}
	}
	b.WriteString("\n")
	return b.String()
}

// section aligns the columns of what is written in it.
func section(b *strings.Builder, write func(io.Writer)) {
	w := tabwriter.NewWriter(b, 0, 4, 1, ' ', 0)
	write(w)
	_ = w.Flush() // to memory
}

func (i *Info) head(b *strings.Builder) {
	section(b, func(w io.Writer) {
		fmt.Fprintf(w, "Name:\t%s\n", image.Printable(i.Name()))
		fmt.Fprintf(w, "Digest:\t%s\n", i.Root())
		fmt.Fprintf(w, "Created:\t%s\n", created(i.Config.Created))
		fmt.Fprintf(w, "OS/Arch:\t%s\n", image.Printable(i.Platform()))
		fmt.Fprintf(w, "Manifests:\t%d\n", len(i.Manifests))
		if len(i.Others) > 0 {
			fmt.Fprintf(w, "Metadata files:\t%d\n", len(i.Others))
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
	section(b, func(w io.Writer) {
		fmt.Fprintf(w, "  Version:\t%s\n", image.Printable(i.Metadata.Version))
		fmt.Fprintf(w, "  Upgrades:\t%s\n", image.Printable(upgrades))
	})
	b.WriteString("  Metadata:\n")
	section(b, func(w io.Writer) {
		for _, key := range slices.Sorted(maps.Keys(i.Metadata.All)) {
			if value := i.Metadata.All[key]; !isEmpty(value) {
				fmt.Fprintf(w, "    %s:\t%s\n", image.Printable(key), image.Printable(fmt.Sprint(value)))
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
	section(b, func(w io.Writer) {
		for _, name := range slices.Sorted(maps.Keys(i.Versions)) {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", name, i.Versions[name].Version, i.Versions[name].DisplayName)
		}
	})
}

func (i *Info) table(w io.Writer, t Table, now time.Time) {
	if t == Sizes {
		i.sizes(w, now)
		return
	}
	header := map[Table]string{Digests: "DIGEST", PullSpecs: "PULL SPEC", Commits: "REPO\tCOMMIT\t", CommitURLs: "URL\t"}[t]
	fmt.Fprintf(w, "  NAME\t%s\n", header)
	for _, tag := range i.Tags {
		cell := tag.From.Digest.String()
		switch t {
		case PullSpecs:
			cell = tag.From.String()
		case Commits:
			cell = image.Printable(tag.Source()) + "\t" + image.Printable(tag.Commit())
		case CommitURLs:
			cell = image.Printable(tag.commitURL())
		}
		fmt.Fprintf(w, "  %s\t%s\n", tag.Name, cell)
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
