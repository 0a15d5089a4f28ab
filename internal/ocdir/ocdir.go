package ocdir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// Dir is an open directory of oc's form.
type Dir struct {
	CAS cas.Store
	KV  kv.Store

	fs   fsys.FS
	lock io.Closer // nil where open for reading
}

// Is reports whether a directory has oc's form: a v2/ directory in it.
func Is(files fsys.FS) bool {
	info, err := files.Lstat(top)
	return err == nil && info.IsDir()
}

// Open opens a directory. For writing it need not have oc's form yet, but has
// it at once, so that what a killed run leaves is known for what it is. It is
// locked until Close: a *repo.LockedError where somebody else writes to it.
// For reading nothing at all is written. The clock tells how old a change is,
// before what follows from it is remembered.
func Open(files fsys.FS, readOnly bool, now func() time.Time) (*Dir, error) {
	return open(files, readOnly, naming(files, runtime.GOOS), now)
}

// naming returns the separator for names we write: that of what is there, else
// the one that oc uses on an operating system.
func naming(files fsys.FS, goos string) string {
	if sep, ok := present(files, top, 0); ok {
		return sep
	}
	if goos == "windows" {
		return "-"
	}
	return ":"
}

// present looks for any one blob, and returns the separator of its name if oc
// writes such names.
func present(files fsys.FS, dir string, depth int) (string, bool) {
	entries, err := files.ReadDir(dir)
	if err != nil || depth > maxDepth {
		return "", false
	}
	_, base := split(dir)
	for _, e := range entries {
		if _, sep, ok := parseName(e.Name()); ok && base == blobsDir && (sep == ":" || sep == "-") {
			return sep, true
		}
		if !e.IsDir() {
			continue
		}
		if sep, ok := present(files, dir+"/"+e.Name(), depth+1); ok {
			return sep, true
		}
	}
	return "", false
}

func open(files fsys.FS, readOnly bool, sep string, now func() time.Time) (*Dir, error) {
	t := newTree(files, sep, now)
	d := &Dir{fs: files}
	var w *writer
	if !readOnly {
		lock, err := take(files)
		if err != nil {
			return nil, err
		}
		d.lock, w = lock, newWriter(files, t)
		if err := errors.Join(clean(files), files.MkdirAll(top)); err != nil {
			return nil, errors.Join(fmt.Errorf("opening %s: %w", files.Root(), err), d.Close())
		}
	}
	d.CAS, d.KV = &blobs{fs: files, tree: t, write: w}, &facts{tree: t, write: w}
	return d, nil
}

// clean removes the temporary files of a process that was killed.
func clean(files fsys.FS) error {
	entries, err := files.ReadDir(ownDir)
	for _, e := range entries {
		if name := ownDir + "/" + e.Name(); strings.HasPrefix(name, tempPrefix) {
			err = errors.Join(err, files.Remove(name))
		}
	}
	return err
}

// take locks the directory. The lock's file goes away with its holder, so that
// one that was locked may be one that was removed: then once more.
func take(files fsys.FS) (io.Closer, error) {
	for {
		if err := files.MkdirAll(ownDir); err != nil {
			return nil, err
		}
		lock, err := files.Lock(lockFile)
		if errors.Is(err, fsys.ErrLocked) {
			return nil, &repo.LockedError{Path: files.Root(), Holder: holder(files)}
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // the directory was removed in between
		}
		if err != nil {
			return nil, err
		}
		if current(files, lock) {
			sign(files)
			return lock, nil
		}
		if err := lock.Close(); err != nil {
			return nil, err
		}
	}
}

// sign leaves in the lock's file who holds it. That is for a message alone, so
// that it is no failure where it cannot be written.
func sign(files fsys.FS) {
	f, err := files.OpenFile(lockFile, os.O_WRONLY|os.O_TRUNC)
	if err != nil {
		return
	}
	_, _ = io.WriteString(f, strconv.Itoa(os.Getpid()))
	_ = f.Close()
}

// holder says who holds the lock, as far as that is known.
func holder(files fsys.FS) string {
	text, err := readFile(files, lockFile)
	if pid, bad := strconv.Atoi(string(text)); err == nil && bad == nil {
		return "process " + strconv.Itoa(pid)
	}
	return "another process"
}

// current reports whether a lock is on the file that others will try to lock.
func current(files fsys.FS, lock io.Closer) bool {
	held, ok := lock.(interface{ Stat() (fs.FileInfo, error) })
	if !ok {
		return true // not a file, and not one that can be removed
	}
	mine, err := held.Stat()
	if err != nil {
		return false
	}
	now, err := files.Lstat(lockFile)
	return err == nil && os.SameFile(mine, now)
}

// Close ends the writing and removes what is empty of airbridge/, and v2/ if
// nothing at all came to be. Content that no fact was made of stays for the
// next run.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	staged := []string{stagedDir + "/" + oci.SHA256, stagedDir + "/" + oci.SHA512, stagedDir}
	for _, name := range append(staged, partialDir, lockFile, ownDir) {
		// A directory that is not empty stays; that is no failure.
		_ = d.fs.Remove(name)
	}
	if _, err := d.fs.Lstat(ownDir); absent(err) {
		_ = d.fs.Remove(top)
	}
	return d.lock.Close()
}

// Possible returns an error that says why, unless a directory of oc's form can
// be written here: it takes symbolic links and, except on Windows, colons in
// names. FAT and exFAT take neither.
func Possible(files fsys.FS) error {
	sep := naming(files, runtime.GOOS)
	probe := tempPrefix + fileName(oci.FromBytes(nil), sep)
	if err := files.MkdirAll(ownDir); err != nil {
		return err
	}
	_ = files.Remove(probe) // of a process that was killed right here
	err := files.Symlink(fileName(oci.FromBytes(nil), sep), probe)
	if err == nil {
		err = files.Remove(probe)
	}
	_ = files.Remove(ownDir) // stays where it is not empty
	if err != nil {
		return fmt.Errorf("%s cannot hold a directory as oc writes it, with links and colons in names: %w", files.Root(), err)
	}
	return nil
}
