package mirror

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// The files of a directory of manifests that say what is missing, if anything
// is: the outcome as JSON, and a list for another try. They lie apart, because
// "oc apply -f DIRECTORY" takes every JSON file beside the manifests for an object.
const (
	MissingFile = "missing/report.json"
	RetryFile   = "missing/mapping.txt"
)

// CatalogOutcome is what became of a catalog: what is missing, and why. It is
// written as JSON.
type CatalogOutcome struct {
	Index       string `json:"index"`       // the index image, as the user named it
	Destination string `json:"destination"` // of the index image
	// Complete says that everything asked for is there, but for what the source
	// no longer has and was allowed to miss.
	Complete bool `json:"complete"`
	Images   int  `json:"images"` // that the catalog names, and the index image
	// Why is what ended the run before its end, "" if nothing did.
	Why string `json:"why,omitempty"`
	// Hint is what helps, "" where nothing is known to.
	Hint string `json:"hint,omitempty"`
	// Command is what tries again what is missing, "" where nothing has to be.
	Command string `json:"retry,omitempty"`
	// Replay says that the mapping file beside the report is all that Command needs.
	Replay bool `json:"replay,omitempty"`
	// Directory is where destinations on disk are, from the root on.
	Directory string `json:"directory,omitempty"`
	// Missing are the images that are not there, and signatures of images.
	Missing []MissingImage `json:"missing"`
	// Documents are those of the catalog that could not be read: the images that
	// they name are not known.
	Documents []BrokenDocument `json:"documents,omitempty"`
}

// MissingImage is an image that is not at its destination.
type MissingImage struct {
	Image       string `json:"image"` // as the catalog names it; the index image as the user does
	Source      string `json:"source,omitempty"`
	Destination string `json:"destination,omitempty"`
	Package     string `json:"package,omitempty"`
	Bundle      string `json:"bundle,omitempty"` // the first that names it
	// Others are the other bundles that name it, and lack it as well.
	Others []string `json:"otherBundles,omitempty"`
	Why    string   `json:"why"`
	// Gone says that the source no longer has it, and that it was allowed to be
	// missing (--skip-missing).
	Gone bool `json:"gone,omitempty"`
	// Refused says that the destination refuses to take it, for a reason that is known.
	Refused bool `json:"refused,omitempty"`
	// NotTried says that the run ended before it.
	NotTried bool `json:"notTried,omitempty"`
	// Hint is what helps this image, where it has a fate of its own.
	Hint string `json:"hint,omitempty"`
	// AttachedTo is the image whose signature, or the like, this is.
	AttachedTo string `json:"attachedTo,omitempty"`

	err error
}

// BrokenDocument is a document of the catalog that could not be read.
type BrokenDocument struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Package string `json:"package,omitempty"`
	Why     string `json:"why"`
}

// Empty reports whether no image at all is at its destination.
func (o *CatalogOutcome) Empty() bool {
	images, _ := count(o.Missing)
	return images >= o.Images
}

// count tells images from what is attached to them.
func count(missing []MissingImage) (images, attached int) {
	for _, m := range missing {
		if m.AttachedTo == "" {
			images++
		} else {
			attached++
		}
	}
	return images, attached
}

// Untouched reports whether no image was even tried: what ended the run is why.
func (o *CatalogOutcome) Untouched() bool {
	return o.Empty() && !slices.ContainsFunc(o.Missing, func(m MissingImage) bool { return !m.NotTried })
}

// fates is what became of images, by their sources.
type fates struct {
	done     map[ref.Ref]bool
	failed   map[ref.Ref]error
	gone     map[string]string // why, by the source as text
	partly   map[string]string // of images that are there, why not all of it is
	attached []MissingImage
	refused  map[ref.Ref]error // what a look at the destination found, where the run ended then
	rest     error             // why what was not tried was not
}

func newFates(result *Result, err error) *fates {
	f := &fates{done: map[ref.Ref]bool{}, gone: map[string]string{}, partly: map[string]string{}, failed: map[ref.Ref]error{}, refused: map[ref.Ref]error{}, rest: err}
	if result == nil {
		return f
	}
	for _, err := range result.Planning {
		if e, ok := errors.AsType[*WishError](err); ok {
			f.failed[e.Source] = e.Err
		}
	}
	for _, s := range result.Plan.Skipped {
		f.gone[s.Ref] = s.Why
	}
	for _, item := range result.Plan.Items {
		for _, s := range item.Skipped {
			f.partly[s.Ref] = fmt.Sprintf("of the list, %s: %s", s.Digest, s.Why)
		}
	}
	f.lookedAt(result)
	if result.Report == nil {
		return f
	}
	for _, item := range result.Report.Done {
		if item.Subject.IsZero() {
			f.done[item.Ref] = true
		}
	}
	f.failures(result)
	return f
}

// lookedAt takes in what was known before anything was copied: what is there
// already, or would be copied where nothing was to be, and what is refused.
func (f *fates) lookedAt(result *Result) {
	for i := range result.Plan.Items {
		item := &result.Plan.Items[i]
		if !item.Subject.IsZero() {
			continue
		}
		if !item.Todo() || result.DryRun {
			f.done[item.Ref] = true
		}
		for _, t := range item.Targets {
			if err := result.Refused.Why(item, t); err != nil {
				f.refused[item.Ref] = &repo.Error{Op: "copying", Side: repo.SideDestination, Ref: t.Place.String(), Err: err}
			}
		}
	}
}

// failures takes in what failed while copying: images, and what is attached to
// them. Of images that failed it is not told besides.
func (f *fates) failures(result *Result) {
	images := map[oci.Digest]ref.Ref{}
	for i := range result.Plan.Items {
		item := &result.Plan.Items[i]
		for _, m := range item.Manifests {
			images[m.Digest] = item.Ref
		}
		if item.Subject.IsZero() {
			images[item.Root] = item.Ref
		}
	}
	for _, failure := range result.Report.Failures {
		item := failure.Item
		if item.Subject.IsZero() {
			f.failed[item.Ref] = failure.Err
			continue
		}
		for _, t := range item.Targets {
			to := t.Place.String()
			if len(t.Tags) > 0 {
				to += ":" + t.Tags[0]
			}
			f.attached = append(f.attached, MissingImage{
				Image: item.Ref.String(), Source: item.Ref.String(), Destination: to,
				AttachedTo: images[item.Subject].String(), Why: whyOf(failure.Err), err: failure.Err,
			})
		}
	}
}

// of returns what became of an image with that source, false if it is there.
func (f *fates) of(source ref.Ref, n catalog.Name) (MissingImage, bool) {
	m := MissingImage{
		Image: n.Image.Ref, Package: n.Image.Package, Bundle: n.Image.Bundle, Others: n.Image.Others,
		Source: source.String(), Destination: n.Destination.String(),
	}
	if m.Image == "" {
		m.Image = n.Source.String()
	}
	if f.done[source] && f.failed[source] == nil && f.partly[source.String()] == "" {
		return m, false
	}
	if !f.judge(&m, source) {
		m.NotTried, m.err = true, f.rest
		m.Why = "it was not tried, because the run ended before"
		if f.rest != nil {
			m.Why += ": " + inOneLine(f.rest)
		}
	}
	return m, true
}

// judge says why an image with that source is not there. It returns false, and
// changes nothing, where the run did not come to it.
func (f *fates) judge(m *MissingImage, source ref.Ref) bool {
	gone := f.gone[source.String()]
	if f.done[source] {
		gone = f.partly[source.String()]
	}
	switch err := f.failed[source]; {
	case err != nil:
		_, refused := errors.AsType[*remote.PushError](err)
		m.Why, m.err, m.Refused = whyOf(err), err, refused
	case gone != "":
		m.Why, m.Gone = gone, true
	case f.refused[source] != nil:
		m.NotTried, m.Refused, m.err = true, true, f.refused[source]
		m.Why = "it was not tried: " + whyOf(m.err)
	default:
		return false
	}
	return true
}

// whyOf is an error without the name of the image, which is told beside it.
func whyOf(err error) string {
	if e, ok := errors.AsType[*repo.Error](err); ok && e.Side != "" {
		return fmt.Sprintf("%s: %s", e.Side, inOneLine(e.Err))
	}
	return inOneLine(err)
}

func inOneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// Retry is a file for "image mirror -f" with what is missing and may come yet,
// sorted. It is empty where there is nothing of that kind, and where names are
// refused: the images have to get others.
func (o *CatalogOutcome) Retry() []byte {
	if o.Renames() {
		return nil
	}
	return o.lines()
}

func (o *CatalogOutcome) lines() []byte {
	var lines []string
	for _, m := range o.Missing {
		if !m.Gone && m.Source != "" {
			lines = append(lines, m.Source+"="+m.Destination+"\n")
		}
	}
	slices.Sort(lines)
	return []byte(strings.Join(slices.Compact(lines), ""))
}

// Renames reports whether the names are what a registry refuses.
func (o *CatalogOutcome) Renames() bool {
	return slices.ContainsFunc(o.Missing, func(m MissingImage) bool {
		e, refused := errors.AsType[*remote.PushError](m.err)
		return refused && e.OfName()
	})
}

// Partly reports whether some of what was not tried is not refused.
func (o *CatalogOutcome) Partly() bool {
	return slices.ContainsFunc(o.Missing, func(m MissingImage) bool { return m.NotTried && !m.Refused }) &&
		slices.ContainsFunc(o.Missing, func(m MissingImage) bool { return m.NotTried && m.Refused })
}

// Advise puts to each image what helps. What was not tried because of others
// has no fate of its own.
func (o *CatalogOutcome) Advise(hint func(error) string) {
	for i := range o.Missing {
		if m := &o.Missing[i]; m.err != nil && (!m.NotTried || m.Refused) {
			m.Hint = hint(m.err)
		}
	}
}

// NextStep is what helps, and the command then, in one line.
func (o *CatalogOutcome) NextStep() string {
	if o.Command == "" {
		return o.Hint
	}
	again := "to try again what is missing: " + o.Command
	if o.Hint == "" {
		return again
	}
	return o.Hint + "; " + again
}

// maxTold is how many lines of one kind a text has.
const maxTold = 20

// Text tells people what is missing, "" if nothing is.
func (o *CatalogOutcome) Text() string {
	var b strings.Builder
	kinds := []struct {
		title string
		is    func(MissingImage) bool
	}{
		{"missing", func(m MissingImage) bool { return !m.Gone && !m.NotTried }},
		{"not tried, because the run ended before", func(m MissingImage) bool { return m.NotTried }},
		{"no longer at the source, and left out", func(m MissingImage) bool { return m.Gone }},
	}
	for _, kind := range kinds {
		found, lines := o.choose(kind.is)
		section(&b, o.countOf(found)+" "+kind.title+":", lines)
	}
	var lines []string
	for _, d := range o.Documents {
		lines = append(lines, catalog.Problem{File: d.File, Line: d.Line, Package: d.Package, Err: errors.New(d.Why)}.Error())
	}
	section(&b, counted(len(lines), "document")+" of the catalog cannot be read, and what is named there is not known:", lines)
	return b.String()
}

// choose returns the missing images of one kind, and the lines that tell of them.
func (o *CatalogOutcome) choose(is func(MissingImage) bool) (found []MissingImage, lines []string) {
	for _, m := range o.Missing {
		if is(m) {
			found, lines = append(found, m), append(lines, m.line())
		}
	}
	return found, lines
}

// countOf says how many of the images some are: "2 of 14 images are", and
// signatures besides.
func (o *CatalogOutcome) countOf(missing []MissingImage) string {
	images, attached := count(missing)
	switch of := counted(o.Images, "image"); {
	case attached == 0:
		return fmt.Sprintf("%d of %s %s", images, of, verb(images))
	case images == 0:
		return counted(attached, "signature") + " " + verb(attached)
	default:
		return fmt.Sprintf("%d of %s and %s are", images, of, counted(attached, "signature"))
	}
}

// counted is a number of things: 1 image, 2 images.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func verb(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func section(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	b.WriteString(title + "\n")
	for _, line := range lines[:min(len(lines), maxTold)] {
		b.WriteString("  " + strings.Join(strings.Fields(line), " ") + "\n") // names may have line breaks in them
	}
	if more := len(lines) - maxTold; more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}

// line tells of one image: its name, whose it is, and why it is not there.
func (m MissingImage) line() string {
	line := m.Image
	switch {
	case m.AttachedTo != "":
		line = fmt.Sprintf("what is attached to %s: %s", m.AttachedTo, m.Image)
	case m.Bundle != "":
		line += fmt.Sprintf(" (bundle %s%s)", m.Bundle, m.andOthers())
	case m.Package != "":
		line += fmt.Sprintf(" (package %s)", m.Package)
	}
	if m.NotTried {
		return line
	}
	return line + ": " + m.Why
}

// andOthers counts the further bundles: the report names them.
func (m MissingImage) andOthers() string {
	if len(m.Others) == 0 {
		return ""
	}
	return " and " + counted(len(m.Others), "other")
}

// Summary says in one line what is missing.
func (o *CatalogOutcome) Summary() string {
	missing, _ := o.choose(func(m MissingImage) bool { return !m.Gone })
	parts := []string{}
	if len(missing) > 0 {
		parts = append(parts, o.countOf(missing)+" missing")
	}
	if n := len(o.Documents); n > 0 {
		parts = append(parts, counted(n, "document")+" of the catalog cannot be read")
	}
	return strings.Join(parts, ", ")
}

// Worst returns the error that decides on hint and exit code.
func (o *CatalogOutcome) Worst() error {
	var errs []error
	for _, m := range o.Missing {
		if m.err != nil {
			errs = append(errs, m.err)
		}
	}
	if len(errs) == 0 {
		return ErrSome
	}
	return together(errs)
}
