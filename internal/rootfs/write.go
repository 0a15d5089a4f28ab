package rootfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// writeError is a failure on our side, not of the image.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

// head is how many bytes of a file Keep is shown.
const head = 16

// write writes a file, unless its first bytes say that it is not wanted. It
// reports whether it did.
func (t *tree) write(h header, content io.Reader) (bool, error) {
	first := make([]byte, min(head, h.size))
	if _, err := io.ReadFull(content, first); err != nil {
		return false, fmt.Errorf("reading %s: %w", h.name, err)
	}
	if t.r.Keep != nil && !t.r.Keep(first) {
		return false, nil
	}
	if err := t.r.spend(h.size); err != nil {
		return false, err
	}
	f, err := t.create(t.place(h.name))
	if err != nil {
		return false, &writeError{err}
	}
	err = fill(f, first, content)
	return true, errors.Join(err, closed(f))
}

// spend counts what is written.
func (r *Reader) spend(size int64) error {
	r.files++
	r.bytes += size
	switch {
	case r.files > r.limits.files:
		return fmt.Errorf("%w: more than %d files", ErrLimit, r.limits.files)
	case r.bytes > r.limits.bytes:
		return fmt.Errorf("%w: the files have more than %d bytes", ErrLimit, r.limits.bytes)
	}
	return nil
}

// fill tells an error of the image from one of the disk.
func fill(f io.Writer, first []byte, content io.Reader) error {
	if _, err := f.Write(first); err != nil {
		return &writeError{err}
	}
	out := &watched{w: f}
	_, err := io.Copy(out, content)
	if out.failed {
		return &writeError{err}
	}
	return err
}

// watched remembers whether a write failed.
type watched struct {
	w      io.Writer
	failed bool
}

// Write implements io.Writer.
func (w *watched) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.failed = err != nil
	return n, err
}

func closed(f *os.File) error {
	if err := f.Close(); err != nil {
		return &writeError{err}
	}
	return nil
}

// create makes a file with the directories above it. A file of the same layer
// that has the name is replaced, as unpacking the archive would. Any other file there
// has a name that the image tells from this one and our file system does not (case,
// on Windows and macOS): one would silently take the place of the other.
func (t *tree) create(name string) (*os.File, error) {
	if !fs.ValidPath(name) { // which what reads the files will ask for by name
		return nil, fmt.Errorf("the name %q is not UTF-8", name)
	}
	if err := t.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return nil, err
	}
	f, err := t.root.OpenFile(name, t.r.claim(name), 0o644)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("the file system that is written to does not tell %q from another file of the image", name)
	}
	return f, err
}

// claim returns how a file is opened: one that was not written before must be new.
func (r *Reader) claim(name string) int {
	flag := os.O_CREATE | os.O_TRUNC | os.O_WRONLY
	if !r.written[name] {
		flag |= os.O_EXCL
	}
	if r.written == nil {
		r.written = map[string]bool{}
	}
	r.written[name] = true
	return flag
}

// copy makes a link to a file of the tree a file.
func (t *tree) copy(l link) error {
	from, err := t.root.Open(t.place(l.target))
	if err != nil {
		return &writeError{err}
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return &writeError{err}
	}
	if err := t.r.spend(info.Size()); err != nil {
		return err
	}
	to, err := t.create(t.place(l.name))
	if err != nil {
		return &writeError{err}
	}
	return errors.Join(fill(to, nil, from), closed(to))
}
