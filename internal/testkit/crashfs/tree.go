package crashfs

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// node is a file, link or directory: what it is now, and what of it is durable.
type node struct {
	mode  fs.FileMode
	mtime time.Time

	data    []byte // content of a file, or the text of a link
	durable []byte
	lost    bool // a sync failed: what it did not write is never written

	entries map[string]*node // of a directory
	kept    map[string]*node // those that are durable
}

func newDir() *node {
	return &node{mode: fs.ModeDir | 0o755, entries: map[string]*node{}, kept: map[string]*node{}}
}

// edit sets one entry of a directory, or removes it where to is nil.
type edit struct {
	dir  *node
	name string
	to   *node
}

// change is what one call did to directories; it becomes durable as a whole,
// with the directory home.
type change struct {
	home  *node
	edits []edit
}

type entry struct {
	dir  *node
	name string
}

// do makes a change visible and remembers it as not yet durable.
func (d *disk) do(home *node, edits ...edit) {
	for _, e := range edits {
		set(e.dir.entries, e)
		e.dir.mtime = d.now()
	}
	d.changes = append(d.changes, change{home: home, edits: edits})
}

func set(entries map[string]*node, e edit) {
	if e.to == nil {
		delete(entries, e.name)
		return
	}
	entries[e.name] = e.to
}

// makeDurable makes the wanted changes durable, and with them the earlier
// changes of the same names, because a name is changed in order.
func (d *disk) makeDurable(wanted func(change) bool) {
	need := map[entry]bool{}
	var done, left []change
	for _, c := range slices.Backward(d.changes) {
		if wanted(c) || c.touches(need) {
			c.mark(need)
			done = append(done, c)
		} else {
			left = append(left, c)
		}
	}
	for _, c := range slices.Backward(done) {
		for _, e := range c.edits {
			set(e.dir.kept, e)
		}
	}
	slices.Reverse(left)
	d.changes = left
}

func (c change) touches(names map[entry]bool) bool {
	return slices.ContainsFunc(c.edits, func(e edit) bool { return names[entry{e.dir, e.name}] })
}

func (c change) mark(names map[entry]bool) {
	for _, e := range c.edits {
		names[entry{e.dir, e.name}] = true
	}
}

// node finds a name. It follows no links.
func (d *disk) node(name string) (*node, error) {
	if strings.HasPrefix(name, "/") || !fs.ValidPath(path.Clean(name)) {
		return nil, fs.ErrInvalid
	}
	n := d.root
	if path.Clean(name) == "." {
		return n, nil
	}
	for part := range strings.SplitSeq(path.Clean(name), "/") {
		if n.mode&fs.ModeSymlink != 0 {
			return nil, fsys.ErrLink
		}
		if !n.mode.IsDir() {
			return nil, syscall.ENOTDIR
		}
		if n = n.entries[part]; n == nil {
			return nil, syscall.ENOENT
		}
	}
	return n, nil
}

func (d *disk) dir(name string) (*node, error) {
	n, err := d.node(name)
	if err == nil && n.mode&fs.ModeSymlink != 0 {
		return nil, fsys.ErrLink
	}
	if err == nil && !n.mode.IsDir() {
		return nil, syscall.ENOTDIR
	}
	return n, err
}

// place finds the directory of a name and what has that name now, if anything.
// The root lies in no directory.
func (d *disk) place(name string) (dir *node, base string, now *node, err error) {
	base = path.Base(path.Clean(name))
	if base == "." {
		return nil, "", d.root, nil
	}
	dir, err = d.dir(path.Dir(path.Clean(name)))
	if err != nil {
		return nil, "", nil, err
	}
	return dir, base, dir.entries[base], nil
}

// Lstat implements fsys.FS.
func (f *FS) Lstat(name string) (fs.FileInfo, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	err := f.step()
	if err != nil {
		return nil, pathError("lstat", name, err)
	}
	n, err := f.d.node(name)
	if err != nil {
		return nil, pathError("lstat", name, err)
	}
	return n.info(path.Base(name)), nil
}

// Readlink implements fsys.FS.
func (f *FS) Readlink(name string) (string, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.step(); err != nil {
		return "", pathError("readlink", name, err)
	}
	n, err := f.d.node(name)
	if err == nil && n.mode&fs.ModeSymlink == 0 {
		err = syscall.EINVAL
	}
	if err != nil {
		return "", pathError("readlink", name, err)
	}
	return string(n.data), nil
}

// ReadDir implements fsys.FS. The order is another each time.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.step(); err != nil {
		return nil, pathError("readdir", name, err)
	}
	dir, err := f.d.dir(name)
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	var all []fs.DirEntry
	for _, base := range sortedKeys(dir.entries) { // so that the seed alone decides
		all = append(all, fs.FileInfoToDirEntry(dir.entries[base].info(base)))
	}
	f.d.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all, nil
}

// MkdirAll implements fsys.FS.
func (f *FS) MkdirAll(name string) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.change(); err != nil {
		return pathError("mkdir", name, err)
	}
	return pathError("mkdir", name, f.d.mkdirAll(path.Clean(name)))
}

func (d *disk) mkdirAll(name string) error {
	if _, err := d.dir(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.mkdirAll(path.Dir(name)); err != nil {
		return err
	}
	dir, base, _, err := d.place(name)
	if err == nil {
		d.do(dir, edit{dir, base, newDir()})
	}
	return err
}

// Symlink implements fsys.FS.
func (f *FS) Symlink(text, name string) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	made := &node{mode: fs.ModeSymlink | 0o777, data: []byte(text), durable: []byte(text), mtime: f.d.now()}
	return linkError("symlink", text, name, f.add(name, made))
}

// Link implements fsys.FS.
func (f *FS) Link(oldName, newName string) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	n, err := f.d.node(oldName)
	if err == nil {
		err = f.add(newName, n)
	}
	return linkError("link", oldName, newName, err)
}

// add gives a node a name that is not taken.
func (f *FS) add(name string, n *node) error {
	if err := f.change(); err != nil {
		return err
	}
	dir, base, now, err := f.d.place(name)
	if err != nil {
		return err
	}
	if now != nil {
		return syscall.EEXIST
	}
	if n.mode.IsDir() {
		return syscall.EPERM
	}
	f.d.do(dir, edit{dir, base, n})
	return nil
}

// Remove implements fsys.FS.
func (f *FS) Remove(name string) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.change(); err != nil {
		return pathError("remove", name, err)
	}
	dir, base, now, err := f.d.place(name)
	switch {
	case err != nil:
	case now == nil:
		err = syscall.ENOENT
	case dir == nil:
		err = syscall.EBUSY
	case len(now.entries) > 0:
		err = syscall.ENOTEMPTY
	default:
		f.d.do(dir, edit{dir, base, nil})
	}
	return pathError("remove", name, err)
}

// Rename implements fsys.FS.
func (f *FS) Rename(oldName, newName string) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	err := f.change()
	if err == nil {
		err = f.d.rename(oldName, newName)
	}
	return linkError("rename", oldName, newName, err)
}

func (d *disk) rename(oldName, newName string) error {
	from, oldBase, n, err := d.place(oldName)
	if err != nil {
		return err
	}
	to, newBase, over, err := d.place(newName)
	if err != nil {
		return err
	}
	switch {
	case n == nil:
		return syscall.ENOENT
	case from == nil:
		return syscall.EBUSY
	case to == nil:
		return syscall.EEXIST
	case n == over: // two names of one file: POSIX says that nothing happens
		return nil
	case over != nil && (over.mode.IsDir() || n.mode.IsDir()):
		return syscall.EEXIST
	}
	d.do(to, edit{from, oldBase, nil}, edit{to, newBase, n})
	return nil
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path.Join("crashfs", name), Err: err}
}

func linkError(op, oldName, newName string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: op, Old: oldName, New: newName, Err: err}
}

// info is a fs.FileInfo.
type info struct {
	name string
	size int64
	mode fs.FileMode
	time time.Time
}

func (n *node) info(name string) fs.FileInfo {
	return info{name: name, size: int64(len(n.data)), mode: n.mode, time: n.mtime}
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.time }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
