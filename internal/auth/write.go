package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// ErrExists says that a file is not overwritten.
var ErrExists = errors.New("the file exists already")

// ErrSameFile says that what is to be written is one of the files read.
var ErrSameFile = errors.New("this is the file that is read: the original is never changed")

// errNotPlain says that a device, a pipe or a directory is not replaced.
var errNotPlain = errors.New("this is not a plain file")

// Update changes a credential file, which is made if it is not there, with its
// directory. Another process that does the same waits. The file has mode 0600
// and is replaced as a whole; where it is a symbolic link, the link stays and
// its target is replaced. A change that changes nothing writes nothing, unless
// others may read the file.
func Update(path string, change func(*Document) error) error {
	target, err := followLinks(path)
	if err != nil {
		return fmt.Errorf("credentials in %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fmt.Errorf("credentials in %s: %w", path, err)
	}
	unlock, err := lock(target)
	if err != nil {
		return fmt.Errorf("credentials in %s: locking: %w", path, err)
	}
	defer unlock()
	d, err := ReadDocument(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	before := d.Encode("")
	if err := change(d); err != nil || bytes.Equal(before, d.Encode("")) && isPrivate(target) {
		return err
	}
	return replace(target, d.Encode("\t"))
}

// isPrivate reports whether nobody but its owner may read a file. Modes on
// Windows say nothing of that.
func isPrivate(path string) bool {
	info, err := os.Stat(path)
	return err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0
}

// ReadDocument reads a file that can be written again: no device, and no pipe,
// which might never end. One that is not there is an empty document with an
// error that matches fs.ErrNotExist.
func ReadDocument(path string) (*Document, error) {
	d := &Document{&object{}, &object{}}
	if err := checkPlain(path); err != nil {
		return d, fmt.Errorf("credentials in %s: %w", path, err)
	}
	data, err := readFile(path)
	if err != nil {
		return d, fmt.Errorf("credentials: %w", err)
	}
	if d, err = ParseDocument(data); err != nil {
		return d, fmt.Errorf("credentials in %s: %w", path, err)
	}
	return d, nil
}

// readFile reads a file, but never more of it than a credential file may have.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxFile+1))
}

// WriteNew writes a file with secrets, mode 0600, complete or not at all. It
// never touches one of the inputs, under whatever name (ErrSameFile), and
// another file only with force (ErrExists).
func WriteNew(path string, data []byte, force bool, inputs ...string) error {
	if err := MayWrite(path, force, inputs...); err != nil {
		return err
	}
	target, err := followLinks(path)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return replace(target, data)
}

// MayWrite returns the error that WriteNew would, as far as it can be told
// before there is anything to write.
func MayWrite(path string, force bool, inputs ...string) error {
	if err := mayWrite(path, force, inputs); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func mayWrite(path string, force bool, inputs []string) error {
	info, err := os.Stat(path)
	for _, in := range inputs {
		if read, inErr := os.Stat(in); err == nil && inErr == nil && os.SameFile(info, read) {
			return ErrSameFile
		}
	}
	switch {
	case err == nil && !info.Mode().IsRegular():
		return errNotPlain
	case err == nil && !force:
		return ErrExists
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// mostLinks bounds a chain of symbolic links.
const mostLinks = 40

// followLinks returns the file that a path leads to in the end, which need not
// be there.
func followLinks(path string) (string, error) {
	for range mostLinks {
		if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return path, nil //nolint:nilerr // what is not there can be made
		}
		text, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(text) {
			text = filepath.Join(filepath.Dir(path), text)
		}
		path = text
	}
	return "", errors.New("too many symbolic links")
}

// checkPlain refuses what is there and is not a file: root could replace
// /dev/null. Directories have errors of their own.
func checkPlain(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return errNotPlain
	}
	return nil
}

// replace puts a file in place of another in one step, durably.
func replace(path string, data []byte) (err error) {
	if err := checkPlain(path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".airbridge-*.tmp") // mode 0600
	if err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err // the temporary name says nothing to anybody
		}
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	keepOwner(f, path)
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
