package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

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
		return manifestsError(err)
	}
	return nil
}

// manifestsError is an error of writing the manifests, with the flag that helps
// where something lies in their place.
func manifestsError(err error) error {
	taken := errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTDIR)
	locked := errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
	err = fmt.Errorf("writing the manifests: %w", err)
	switch {
	case taken:
		err = &hinted{err, "name another directory with --to-manifests, or move away what lies there"}
	case locked:
		err = &hinted{err, "name a directory that this user may write with --to-manifests"}
	}
	return err
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
	r.tellAddresses(c.Addresses(), files)
	return files, err
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

// tellManifests prints the lines that users record (oc.md 15.4), and how what was
// copied to disk goes on from there, where there is something.
func (r *catalogRun) tellManifests(something bool) {
	report := cluster.CatalogReport{Program: r.app.program(), Dir: filepath.ToSlash(r.dir.name), Files: r.dir.files}
	for _, n := range r.run.Names.Images {
		if n.Original.Digest.IsZero() {
			report.Tagged++
		}
	}
	if r.refs.dest.Scheme == ref.File && something {
		report.Upload, report.FromDir = r.run.Names.Served, r.dirs.to
	}
	r.ui.Result(report.String())
}
