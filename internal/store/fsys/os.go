package fsys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

const (
	fileMode = 0o600
	dirMode  = 0o755
)

// disk is a directory of the operating system. Everything goes through an
// os.Root, so that no name can leave the directory; what os.Root allows and we
// do not, links that stay below it, is refused by plain.
type disk struct {
	dir  string
	root *os.Root
	top  *os.File // the directory itself, open for the life of the FS
	at   features
}

// OS returns the file system below an existing directory. Files it opens are
// *os.File. It writes nothing by itself, so that a read-only mount will do.
func OS(dir string) (FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	top, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &disk{dir: dir, root: root, top: top, at: probe(top)}, nil
}

// Make is OS for a directory that is made, with its parents, where it is
// missing. All new directories are durable in their parents.
func Make(dir string) (FS, error) {
	if err := makeDurable(filepath.Clean(dir)); err != nil {
		return nil, err
	}
	return OS(dir)
}

func makeDurable(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDurable(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	up, err := os.Open(parent)
	if err != nil {
		return err
	}
	return errors.Join(syncDir(up), up.Close())
}

// Root implements FS.
func (d *disk) Root() string { return d.dir }

// Open implements FS.
func (d *disk) Open(name string) (File, error) { return d.OpenFile(name, os.O_RDONLY) }

// OpenFile implements FS.
func (d *disk) OpenFile(name string, flag int) (File, error) {
	f, err := d.openFile(name, flag)
	if err != nil {
		return nil, err // and no File that holds a nil *os.File
	}
	return f, nil
}

// openFile opens without waiting, so that a pipe put in a file's place cannot
// hold the process up, and judges what it opened after that.
func (d *disk) openFile(name string, flag int) (*os.File, error) {
	local, err := localize("open", name)
	if err != nil {
		return nil, d.place(err)
	}
	f, err := d.open(local, flag)
	if errors.Is(err, syscall.EISDIR) { // what opening a directory for writing gives
		err = &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	}
	if err != nil {
		return nil, d.place(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = d.place(&fs.PathError{Op: "open", Path: name, Err: ErrNotRegular})
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Lstat implements FS.
func (d *disk) Lstat(name string) (fs.FileInfo, error) {
	local, err := localize("lstat", name)
	if err != nil {
		return nil, d.place(err)
	}
	info, err := d.lstat(local)
	return info, d.place(err)
}

// Readlink implements FS.
func (d *disk) Readlink(name string) (string, error) {
	local, err := d.inDir("readlink", name)
	if err != nil {
		return "", err
	}
	text, err := d.root.Readlink(local)
	return text, d.place(err)
}

// ReadDir implements FS.
func (d *disk) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := d.openDir("readdir", name)
	if err != nil {
		return nil, err
	}
	entries, err := f.ReadDir(-1)
	return entries, errors.Join(err, f.Close())
}

// Rename implements FS.
func (d *disk) Rename(oldName, newName string) error {
	return d.two("rename", oldName, newName, renameAt, d.root.Rename)
}

// Link implements FS.
func (d *disk) Link(oldName, newName string) error {
	return d.two("link", oldName, newName, linkAt, d.root.Link)
}

// two acts on two names: between the directories they lie in where the kernel
// opens those and checks them in one call, else part by part.
func (d *disk) two(op, oldName, newName string, act between, portable func(oldName, newName string) error) error {
	from, err := localize(op, oldName)
	if err != nil {
		return d.place(err)
	}
	to, err := localize(op, newName)
	if err != nil {
		return d.place(err)
	}
	if err := d.between(op, from, to, act); !errors.Is(err, errors.ErrUnsupported) {
		return d.place(err)
	}
	if err := errors.Join(d.plain(filepath.Dir(from)), d.plain(filepath.Dir(to))); err != nil {
		return d.place(err)
	}
	return d.place(portable(from, to))
}

// Symlink implements FS.
func (d *disk) Symlink(text, name string) error {
	local, err := d.inDir("symlink", name)
	if err != nil {
		return err
	}
	return d.place(d.root.Symlink(text, local))
}

// Remove implements FS.
func (d *disk) Remove(name string) error {
	local, err := d.inDir("remove", name)
	if err != nil {
		return err
	}
	return d.place(d.root.Remove(local))
}

// MkdirAll implements FS.
func (d *disk) MkdirAll(name string) error {
	local, err := localize("mkdir", name)
	if err == nil {
		err = d.plain(local)
	}
	if err == nil {
		err = d.root.MkdirAll(local, dirMode)
	}
	return d.place(err)
}

// SyncDir implements FS.
func (d *disk) SyncDir(name string) error {
	f, err := d.openDir("sync", name)
	if err != nil {
		return err
	}
	return errors.Join(d.place(syncDir(f)), f.Close())
}

// SyncFS implements FS.
func (d *disk) SyncFS() error {
	if !d.at.syncFS {
		return ErrNoSyncFS
	}
	if err := syncFS(d.top); err != nil {
		return &fs.PathError{Op: "syncfs", Path: d.dir, Err: err}
	}
	return nil
}

// Lock implements FS.
func (d *disk) Lock(name string) (io.Closer, error) {
	f, err := d.openFile(name, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: d.full(name), Err: err}, f.Close())
	}
	return f, nil
}

// Free implements FS.
func (d *disk) Free() (int64, error) {
	n, _, err := space(d.top)
	if err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: d.dir, Err: err}
	}
	return n, nil
}

// Size implements Sized.
func (d *disk) Size() (int64, error) {
	_, n, err := space(d.top)
	if err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: d.dir, Err: err}
	}
	return n, nil
}

// Limits implements Limited.
func (d *disk) Limits() Limits { return d.at.limits }

// inDir checks a name and that the directory it lies in is no link.
func (d *disk) inDir(op, name string) (string, error) {
	local, err := localize(op, name)
	if err == nil {
		err = d.plain(filepath.Dir(local))
	}
	return local, d.place(err)
}

func (d *disk) openDir(op, name string) (*os.File, error) {
	local, err := localize(op, name)
	if err == nil {
		err = d.plain(local)
	}
	if err != nil {
		return nil, d.place(err)
	}
	f, err := d.root.OpenFile(local, os.O_RDONLY|dirFlag, 0)
	return f, d.place(err)
}

// walk refuses a name if one of its existing parts is a link. It serves where
// the kernel cannot check and open in one call; if somebody swaps a part
// meanwhile, os.Root still keeps us below the directory.
func (d *disk) walk(local string) error {
	for i := range len(local) {
		if os.IsPathSeparator(local[i]) {
			if err := d.notLink(local[:i]); err != nil {
				return err
			}
		}
	}
	return d.notLink(local)
}

func (d *disk) notLink(local string) error {
	info, err := d.root.Lstat(local)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the call that follows says so in its own words
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return &fs.PathError{Op: "open", Path: local, Err: ErrLink}
	}
	return err
}

func localize(op, name string) (string, error) {
	local, err := filepath.Localize(path.Clean(name))
	if err != nil {
		return "", &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("name %q: %w", name, fs.ErrInvalid)}
	}
	return local, nil
}

func (d *disk) full(name string) string { return filepath.Join(d.dir, name) }

// place puts the directory in front of the names in an error of os.Root, which
// knows only the part below it.
func (d *disk) place(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: p.Op, Path: d.full(p.Path), Err: p.Err}
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return &os.LinkError{Op: l.Op, Old: d.full(l.Old), New: d.full(l.New), Err: l.Err}
	}
	return err
}
