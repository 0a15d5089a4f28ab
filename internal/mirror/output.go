package mirror

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// output is a file on its way to its name: complete there, or not there at all.
type output struct {
	*os.File
	dir string
}

// unfinished is how outputs are called that have no name yet.
const unfinished = ".airbridge-"

// newOutput makes a file without a name of its own in a directory. It is locked
// until it is closed, which tells it from what a run left that was killed.
func newOutput(dir string) (*output, error) {
	for {
		f, err := os.CreateTemp(dir, unfinished+"*")
		if err != nil {
			return nil, err
		}
		o := &output{f, dir}
		if o.claim() {
			return o, nil
		}
		o.discard()
	}
}

// claim locks the file, and reports whether it is still there: another run may
// have been faster, and have taken it for one that is left. Where the file
// system knows no locks, it is nobody's to remove.
func (o *output) claim() bool {
	if errors.Is(fsys.TryLock(o.File), fsys.ErrLocked) {
		return false
	}
	_, err := os.Lstat(o.Name())
	return err == nil
}

// sweep removes from a directory what runs have left that were killed: files
// that are called like outputs without a name and that nobody holds.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // writing says why
	}
	for _, e := range entries {
		if !numbered(e.Name(), unfinished, "") {
			continue
		}
		if info, err := e.Info(); err == nil && unchanged(info) {
			removeUnheld(filepath.Join(dir, e.Name()))
		}
	}
}

// numbered reports whether a name is one that os.CreateTemp or os.MkdirTemp made,
// with a number between two texts.
func numbered(name, before, after string) bool {
	number, begins := strings.CutPrefix(name, before)
	number, ends := strings.CutSuffix(number, after)
	_, err := strconv.ParseUint(number, 10, 32)
	return begins && ends && err == nil
}

// unchanged reports whether a file has the mode of one that is being written. Others
// are just about to get their name, without a lock. Where there are no modes,
// none has it.
func unchanged(info os.FileInfo) bool { return info.Mode() == 0o600 }

// removeUnheld removes a file that nobody holds. Only under the lock its mode
// tells that it was not finished since it was listed.
func removeUnheld(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	if fsys.TryLock(f) != nil {
		return
	}
	if info, err := f.Stat(); err == nil && unchanged(info) {
		_ = os.Remove(path)
	}
}

// finish makes the file durable and gives it its name, in place of what has it.
func (o *output) finish(name string, mode os.FileMode, modified time.Time) error {
	err := o.Chmod(mode)
	if err == nil {
		err = o.Sync()
	}
	if cerr := o.Close(); err == nil {
		err = cerr
	}
	if err == nil && !modified.IsZero() {
		err = os.Chtimes(o.Name(), modified, modified)
	}
	if err == nil {
		err = rename(o.Name(), filepath.Join(o.dir, name))
	}
	return err
}

// rename gives a file its name. Where that does not work, the name that it had
// before says nothing to anybody.
func rename(from, to string) error {
	err := os.Rename(from, to)
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		err = &os.PathError{Op: "write", Path: to, Err: e.Err}
		if info, serr := os.Stat(to); serr == nil && info.IsDir() {
			err = &os.PathError{Op: "write", Path: to, Err: syscall.EISDIR}
		}
	}
	return err
}

// discard removes the file, unless it has its name already.
func (o *output) discard() {
	_ = o.Close() // closed twice where it was finished
	_ = os.Remove(o.Name())
}

// size is how much was written, in bytes.
func (o *output) size() (int64, error) { return o.Seek(0, io.SeekEnd) }

// writeFile writes a file whole or not at all.
func writeFile(dir, name string, content []byte) error {
	o, err := newOutput(dir)
	if err != nil {
		return err
	}
	defer o.discard()
	if _, err := o.Write(content); err != nil {
		return err
	}
	return o.finish(name, 0o644, time.Time{})
}
