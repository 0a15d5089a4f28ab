package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

// manifestsDir is the directory that manifests are written to.
type manifestsDir struct {
	name  string
	files []cluster.File // for clusters
}

// path is where a file of the directory is, as people would write it.
func (d manifestsDir) path(name string) string {
	return filepath.Join(d.name, filepath.FromSlash(name))
}

// writeManifests writes all that clusters need to know, and the mapping, before
// anything is copied: whatever happens later, they are there.
func (r *catalogRun) writeManifests() (err error) {
	if r.refs.dest.Scheme == ref.Registry {
		if r.dir.files, err = r.manifests(); err != nil {
			return err
		}
	}
	r.dir.name = r.flags.toManifests
	if r.dir.name == "" {
		r.dir.name, err = mirror.MakeManifestsDir(r.refs.index, r.app.Now().Unix())
	}
	if err == nil {
		err = r.dir.write(r.ui, append([]cluster.File{{Name: mirror.MappingFile, Content: r.run.Mapping()}}, r.dir.files...))
	}
	if err != nil {
		return fmt.Errorf("writing the manifests: %w", err)
	}
	return nil
}

func (d manifestsDir) write(u *ui.UI, files []cluster.File) error {
	replaced, err := mirror.WriteManifests(d.name, files)
	if len(replaced) > 0 {
		u.Info("of an earlier run, these files in %s are replaced or removed: %s", d.name, strings.Join(replaced, ", "))
	}
	return err
}

// manifests are the objects for clusters (oc.md 15.4).
func (r *catalogRun) manifests() ([]cluster.File, error) {
	c := cluster.Catalog{
		Name: catalog.RepositoryName(r.run.Names.Named), Index: r.run.Names.Served,
		OldForm: r.content.form == mirror.CatalogDatabase, ICSP: r.refs.sets, IDMS: r.refs.sets,
	}
	for _, n := range r.run.Names.All() {
		if !n.Original.IsZero() {
			c.Images = append(c.Images, cluster.Mirrored{Original: n.Original, Mirror: n.Destination})
		}
	}
	files, err := c.Files()
	if _, large := errors.AsType[*cluster.TooLargeError](err); large {
		err = &hinted{err, "give it more room with --max-idms-size"}
	}
	return files, err
}

// end tells what came of the run, and what to do next. The error says that
// something is missing; it is cause where that kept the run from all of it.
func (r *catalogRun) end(o *mirror.CatalogOutcome, cause error) error {
	err := r.tellMissing(o)
	if err != nil && o.Empty() {
		r.dir.files = nil // there is nothing for a cluster yet
	}
	if err != nil && cause != nil && o.Untouched() {
		err = cause
	}
	r.tellManifests()
	if err == nil {
		return cause
	}
	return err
}

// add writes further files.
func (d manifestsDir) add(files []cluster.File) error {
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(d.path(f.Name)), 0o755); err != nil {
			return err
		}
		if err := writeFile(d.path(f.Name), f.Content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// tellManifests prints the lines that users record (oc.md 15.4).
func (r *catalogRun) tellManifests() {
	report := cluster.CatalogReport{Program: r.app.program(), Dir: filepath.ToSlash(r.dir.name), Files: r.dir.files}
	for _, n := range r.run.Names.Images {
		if n.Original.Digest.IsZero() {
			report.Tagged++
		}
	}
	if r.refs.dest.Scheme == ref.File {
		report.Upload, report.FromDir = r.run.Names.Served, r.dirs.to
	}
	r.ui.Result(report.String())
}

// tellMissing reports what is not there, if anything: as text, as an event of
// --json, and in files beside the manifests.
func (r *catalogRun) tellMissing(o *mirror.CatalogOutcome) error {
	if len(o.Missing) == 0 && len(o.Documents) == 0 {
		return nil
	}
	if !o.Untouched() {
		r.ui.Plain("\n" + o.Text())
	}
	r.ui.Report("catalog", o)
	body, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	files := []cluster.File{{Name: mirror.MissingFile, Content: append(body, '\n')}}
	retry := o.Retry()
	if len(retry) > 0 {
		files = append(files, cluster.File{Name: mirror.RetryFile, Content: retry})
	}
	if err := r.dir.add(files); err != nil {
		return fmt.Errorf("writing what is missing: %w", err)
	}
	if o.Complete {
		return nil
	}
	failed := error(&incompleteError{o.Summary() + " (" + r.dir.path(mirror.MissingFile) + ")", o.Worst()})
	switch {
	case r.run.Rebuilt != nil: // whose index image that command could not make
		return &hinted{failed, "to try again what is missing, run the same command"}
	case len(retry) > 0:
		return &hinted{failed, "to try again what is missing: " + r.retryCommand()}
	}
	return failed
}
