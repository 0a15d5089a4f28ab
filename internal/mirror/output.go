package mirror

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// output is a file on its way to its name: complete there, or not there at all.
type output struct {
	*os.File
	dir string
}

// newOutput makes a file without a name of its own in a directory.
func newOutput(dir string) (*output, error) {
	f, err := os.CreateTemp(dir, ".airbridge-*")
	if err != nil {
		return nil, err
	}
	return &output{f, dir}, nil
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
