package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/imagelist"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// CatalogRetry is a list of what a catalog lacks that is tried again, with the
// report beside it, which has to go on telling the truth.
type CatalogRetry struct {
	Report *CatalogOutcome
	dir    string
	list   []byte // what the mapping file had
}

// FindRetry returns the report that belongs to a mapping file and the directory
// of what is copied to disk, nil where there is none: where the file is not one
// that a catalog's run wrote, has been changed, or what it brings is not all
// that the catalog needs.
func FindRetry(mapping, directory string) *CatalogRetry {
	r := &CatalogRetry{dir: filepath.Dir(mapping)}
	body, err := os.ReadFile(r.Name())
	if err != nil || filepath.Base(mapping) != path.Base(RetryFile) || json.Unmarshal(body, &r.Report) != nil {
		return nil
	}
	if r.list, err = os.ReadFile(mapping); err != nil || r.Report == nil || !r.Report.Replay || !within(r.Report.Retry(), r.list) {
		return nil
	}
	if r.Report.Directory != "" && !sameFile(r.Report.Directory, directory) {
		return nil
	}
	return r
}

// Name is the path of the report.
func (r *CatalogRetry) Name() string { return filepath.Join(r.dir, path.Base(MissingFile)) }

func (r *CatalogRetry) mapping() string { return filepath.Join(r.dir, path.Base(RetryFile)) }

// within reports whether a list has all lines of another. It has more where a run
// was killed between the report, which is written first, and the list.
func within(some, all []byte) bool {
	have := map[string]bool{}
	for line := range strings.SplitSeq(string(all), "\n") {
		have[line] = true
	}
	for line := range strings.Lines(string(some)) {
		if !have[strings.TrimSuffix(line, "\n")] {
			return false
		}
	}
	return len(some) > 0
}

func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// After says what is missing after the list was copied: result and err are
// Copy's. What the run did not come to stays as it was told.
func (r *CatalogRetry) After(list []imagelist.Mapping, result *Result, err error) *CatalogOutcome {
	o := *r.Report
	o.Missing, o.Why = []MissingImage{}, ""
	fates, sources := newFates(result, err), map[string]ref.Ref{}
	for _, m := range list {
		sources[m.Source.String()+"="+m.Destinations[0].String()] = m.Source.Ref
	}
	for _, m := range r.Report.Missing {
		source, listed := sources[m.Source+"="+m.Destination]
		if !listed || fates.missesStill(&m, source) {
			o.Missing = append(o.Missing, m)
		}
	}
	o.Missing = append(o.Missing, fates.attached...)
	if o.Complete = o.complete(); o.Complete {
		o.Hint = ""
	}
	if len(o.lines()) == 0 {
		o.Command = ""
	}
	return &o
}

// missesStill reports whether an image is still missing, with what the run found
// about it.
func (f *fates) missesStill(m *MissingImage, source ref.Ref) bool {
	before := *m
	m.NotTried, m.Refused, m.Hint = false, false, ""
	if f.judge(m, source) {
		return true
	}
	*m = before
	return !f.done[source]
}

// Write replaces the report and the list, or removes what has nothing to say any
// more. Whenever it ends the list has all that the report calls missing, and
// what others wrote into the list stays.
func (r *CatalogRetry) Write(o *CatalogOutcome) error {
	if len(o.Missing) == 0 && len(o.Documents) == 0 {
		return errors.Join(os.Remove(r.Name()), r.dropList())
	}
	body, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(r.dir, path.Base(MissingFile), append(body, '\n')); err != nil {
		return err
	}
	switch lines := o.lines(); {
	case len(lines) == 0:
		return r.dropList()
	case r.ours() && !bytes.Equal(lines, r.list):
		return writeFile(r.dir, path.Base(RetryFile), lines)
	}
	return nil
}

// ours reports whether the list is as it was written.
func (r *CatalogRetry) ours() bool { return bytes.Equal(r.Report.lines(), r.list) }

func (r *CatalogRetry) dropList() error {
	if !r.ours() {
		return nil
	}
	err := os.Remove(r.mapping())
	_ = os.Remove(r.dir) // unless something else is in it
	return err
}
