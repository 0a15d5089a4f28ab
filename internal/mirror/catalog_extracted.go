package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/catalog/sqlite"
)

// ExtractedCatalog is a catalog that was taken out of its image.
type ExtractedCatalog struct {
	Form CatalogForm
	Dir  string // that it is in
	// Database is the path of the database, where it is one.
	Database string

	index   *Index
	own     *temporary      // the directory, where it is ours to remove
	at      *temporary      // the staging directory
	staging *os.Root        // that is written to first
	names   map[string]bool // of what was extracted; true for files, false for directories
}

func newExtracted(x *Index, dir string) (*ExtractedCatalog, error) {
	e := &ExtractedCatalog{Form: x.Form, Dir: dir, index: x, names: map[string]bool{}}
	err := e.makeDir()
	if err == nil {
		e.at, err = newTemporary(e.Dir, true)
	}
	if err == nil {
		e.staging, err = os.OpenRoot(e.at.path)
	}
	if err != nil {
		return nil, errors.Join(e.notWritten(err), e.Close())
	}
	return e, nil
}

// makeDir makes the directory of the catalog, after removing what runs have left
// that were killed: its room may be what this one needs.
func (e *ExtractedCatalog) makeDir() (err error) {
	sweepTemporary(os.TempDir())
	if e.Dir != "" {
		sweepTemporary(e.Dir)
		return os.MkdirAll(e.Dir, 0o755)
	}
	if e.own, err = newTemporary("", false); err == nil {
		e.Dir = e.own.path
	}
	return err
}

func (e *ExtractedCatalog) notWritten(err error) error {
	if e.own != nil || e.Dir == "" {
		return &CatalogDirError{Err: err}
	}
	return &CatalogDirError{Dir: e.Dir, Err: err}
}

// CatalogDirError says that a catalog cannot be written to its directory.
type CatalogDirError struct {
	Dir string // "" for a temporary one
	Err error
}

// Error implements error.
func (e *CatalogDirError) Error() string {
	if e.Dir == "" {
		return fmt.Sprintf("writing the catalog to a temporary directory: %v", e.Err)
	}
	return fmt.Sprintf("writing the catalog to %s: %v", e.Dir, e.Err)
}

// Unwrap returns what the system says.
func (e *CatalogDirError) Unwrap() error { return e.Err }

// Close removes what is temporary.
func (e *ExtractedCatalog) Close() error {
	if e.staging != nil {
		e.staging.Close()
		e.staging = nil
	}
	var err error
	for _, t := range []*temporary{e.at, e.own} {
		if t != nil {
			err = errors.Join(err, t.remove())
		}
	}
	return err
}

// publish gives the files their place.
func (e *ExtractedCatalog) publish() error {
	err := fs.WalkDir(e.staging.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		e.names[name] = !d.IsDir()
		target := filepath.Join(e.Dir, filepath.FromSlash(name))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		return os.Rename(filepath.Join(e.at.path, filepath.FromSlash(name)), target)
	})
	if err != nil {
		return e.notWritten(err)
	}
	if err := errors.Join(e.staging.Close(), e.at.remove()); err != nil {
		return err
	}
	e.staging, e.at = nil, nil
	return nil
}

// files returns the names of the files, in lexical order.
func (e *ExtractedCatalog) files() (out []string) {
	for name, isFile := range e.names {
		if isFile {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// settle finds out whether it is a database where the label does not say, or
// where the path is not the label's. The first file counts, in lexical order,
// that is the database of a catalog; base systems keep their packages in databases too.
func (e *ExtractedCatalog) settle(ctx context.Context) error {
	if e.Form == CatalogFiles && e.index.o.Path == "" {
		return nil
	}
	var failed []error
	for _, name := range e.files() {
		file := filepath.Join(e.Dir, filepath.FromSlash(name))
		err := sqlite.Check(ctx, file)
		if err == nil {
			e.Form, e.Database = CatalogDatabase, file
			return nil
		}
		if !errors.Is(err, sqlite.ErrNoCatalog) {
			failed = append(failed, fmt.Errorf("/%s: %w", name, err))
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case len(failed) > 0:
		return indexError(e.index.At, errors.Join(failed...))
	case e.index.o.Path != "":
		e.Form = CatalogFiles
		return nil
	}
	return indexError(e.index.At, fmt.Errorf("%w: it has no database of a catalog, and no label %s", ErrNoCatalog, catalog.LabelConfigs))
}

// only is a file system of which nothing is seen but some names: what was in a
// directory before the catalog was put there is no part of it.
type only struct {
	fs.FS
	names map[string]bool
}

// Open implements fs.FS.
func (o only) Open(name string) (fs.File, error) {
	if _, ok := o.names[name]; !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return o.FS.Open(name)
}

// ReadDir implements fs.ReadDirFS.
func (o only) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(o.FS, name)
	return slices.DeleteFunc(entries, func(d fs.DirEntry) bool {
		_, ok := o.names[path.Join(name, d.Name())]
		return !ok
	}), err
}
