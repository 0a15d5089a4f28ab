package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/airbridge-dev/airbridge/internal/layout"
	"github.com/airbridge-dev/airbridge/internal/ocdir"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/store"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// Form is what a directory is (ARCHITECTURE.md, On disk).
type Form string

// The forms that a directory can have.
const (
	FormStore  Form = "store"
	FormOC     Form = "v2 directory"
	FormLayout Form = "OCI layout"
	FormNew    Form = "new"
)

// ErrNoImages is the error of a directory that holds nothing we can read.
var ErrNoImages = errors.New("it is neither a store, nor a v2/ directory, nor an OCI layout")

// ErrOwnName is the error of a directory in which something else has the name
// that is ours there: most likely the program itself.
var ErrOwnName = errors.New("it holds a file called airbridge, where a directory of that name is to be")

// checkOwnName is asked before anything is written.
func checkOwnName(files fsys.FS) error {
	info, err := files.Lstat("airbridge")
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s: %w", files.Root(), ErrOwnName)
	}
	return nil
}

// DirectoryOptions says how a directory is opened.
type DirectoryOptions struct {
	Write bool // else nothing is changed, and no lock is taken
	// Missing takes a directory that is not there, or holds nothing yet, as empty.
	Missing bool
	// Batch gathers writes until a checkpoint, see registry.Options.
	Batch bool
	// Sparse takes images without all their blobs, see registry.Options.
	Sparse bool
	Holder string
	Now    func() time.Time
}

// Directory is an open directory, whatever its form, as a registry.
type Directory struct {
	Path     string
	Form     Form
	Registry *registry.Registry
	// Notice says what the user should know of the choice of form, "" if nothing.
	Notice string
	close  func() error
	// reserve is the part of the disk in bytes that is kept free.
	reserve int64
}

// Probe says which form a directory has. A store may lie beside other things;
// v2/ is looked for before a layout, because oc's media never are one.
func Probe(files fsys.FS) Form {
	switch {
	case store.IsStore(files):
		return FormStore
	case ocdir.Is(files):
		return FormOC
	case layout.Is(files):
		return FormLayout
	}
	return FormNew
}

// OpenDirectory opens a directory as what it is. A new one becomes a v2/
// directory where the file system takes links and colons, else a store.
func OpenDirectory(ctx context.Context, dir string, o DirectoryOptions) (*Directory, error) {
	files, err := openRoot(dir, o)
	if err != nil {
		return nil, err
	}
	if files == nil {
		return emptyDirectory(dir, o), nil
	}
	if o.Missing || o.Write {
		if err := checkOwnName(files); err != nil {
			return nil, err
		}
	}
	d := &Directory{Path: dir, Form: Probe(files)}
	switch d.Form {
	case FormStore:
		return d, d.openStore(files, o)
	case FormOC:
		return d, d.openOC(files, o)
	case FormLayout:
		return d, d.openLayout(ctx, files, o)
	}
	return d, d.openNew(files, o)
}

func openRoot(dir string, o DirectoryOptions) (fsys.FS, error) {
	files, err := fsys.OS(dir)
	if err == nil || !errors.Is(err, fs.ErrNotExist) || !o.Missing {
		return files, err
	}
	if !o.Write {
		return nil, nil //nolint:nilnil // a dry run: nothing is there, and nothing is made
	}
	return fsys.Make(dir)
}

func emptyDirectory(dir string, o DirectoryOptions) *Directory {
	reg := registry.New(dir, cas.Mem(), kv.Mem(), registry.Options{Now: o.Now})
	return &Directory{Path: dir, Form: FormNew, Registry: reg, close: func() error { return nil }}
}

func (d *Directory) openNew(files fsys.FS, o DirectoryOptions) error {
	switch {
	case !o.Missing:
		return fmt.Errorf("%s: %w", d.Path, ErrNoImages)
	case !o.Write:
		*d = *emptyDirectory(d.Path, o)
		return nil
	}
	if err := ocdir.Possible(files); err != nil {
		d.Notice = fmt.Sprintf("%s becomes a store, because its file system cannot hold a v2/ directory (%v)", d.Path, err)
		if err := store.Init(files); err != nil {
			return err
		}
		d.Form = FormStore
		return d.openStore(files, o)
	}
	d.Form = FormOC
	return d.openOC(files, o)
}

func (d *Directory) openStore(files fsys.FS, o DirectoryOptions) error {
	open := func() (*store.Store, error) { return store.Open(files, o.Holder) }
	if !o.Write {
		open = func() (*store.Store, error) { return store.OpenReadOnly(files, o.Now) }
	}
	s, err := open()
	if err != nil {
		return err
	}
	d.reserve = reserve(files, o)
	d.serve(s.CAS, s.KV, s.Close, o)
	return nil
}

// reserve is what a server never fills of a disk, so that its own log, and
// whatever else lives there, go on: a twentieth. A run fills a medium wholly.
func reserve(files fsys.FS, o DirectoryOptions) int64 {
	sized, ok := files.(fsys.Sized)
	if !ok || o.Batch {
		return 0
	}
	size, err := sized.Size()
	if err != nil {
		return 0 // not known is not a reason to take nothing
	}
	return size / 20
}

func (d *Directory) openOC(files fsys.FS, o DirectoryOptions) error {
	v2, err := ocdir.Open(files, !o.Write, o.Now)
	if err != nil {
		return err
	}
	d.serve(v2.CAS, v2.KV, v2.Close, o)
	return nil
}

func (d *Directory) openLayout(ctx context.Context, files fsys.FS, o DirectoryOptions) error {
	if o.Write {
		return fmt.Errorf("%s is an OCI layout, which is read but not written; copy into a new directory instead", d.Path)
	}
	l, err := layout.Open(ctx, files, filepath.Base(d.Path))
	if err != nil {
		return err
	}
	d.serve(l.CAS, l.KV, l.Close, o)
	return nil
}

func (d *Directory) serve(blobs cas.Store, facts kv.Store, closeAll func() error, o DirectoryOptions) {
	d.Registry = registry.New(d.Path, blobs, facts, registry.Options{ReadOnly: !o.Write, Batch: o.Batch, Sparse: o.Sparse, MinFree: d.reserve, Now: o.Now})
	d.close = closeAll
}

// Close makes what was written durable and gives the directory back.
func (d *Directory) Close(ctx context.Context) error {
	err := d.Registry.Close(ctx)
	return errors.Join(err, d.close())
}

// FormOf says what a directory is without opening it. One that holds nothing
// we can read matches ErrNoImages.
func FormOf(dir string) (Form, error) {
	files, err := fsys.OS(dir)
	if err != nil {
		return "", err
	}
	form := Probe(files)
	if form == FormNew {
		return form, fmt.Errorf("%s: %w", dir, ErrNoImages)
	}
	return form, nil
}

// InitStore makes a store of a directory that is not there or holds no images
// yet. One that is a store already stays as it is.
func InitStore(dir string) error {
	files, err := fsys.Make(dir)
	if err != nil {
		return err
	}
	switch form := Probe(files); form {
	case FormNew, FormStore:
		if err := checkOwnName(files); err != nil {
			return err
		}
		return store.Init(files)
	default:
		return fmt.Errorf("%s is a %s already", dir, form)
	}
}
