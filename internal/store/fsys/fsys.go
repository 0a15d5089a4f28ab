// Package fsys is the one seam through which everything durable is written: a
// file system rooted in a directory, as an interface, so that tests can record
// operations, lose what was not synced, fail any call and run out of space.
package fsys

import (
	"errors"
	"io"
	"io/fs"
)

// ErrNoSyncFS says that the file system cannot flush all its files with one
// call; each file has to be synced.
var ErrNoSyncFS = errors.New("no syncfs here")

// FS is a directory tree. Names are slash-separated, relative to the root and
// never leave it; symbolic links are never followed, except in directories
// above the root. Errors are *fs.PathError or *os.LinkError, and match
// fs.ErrNotExist, fs.ErrExist, fs.ErrPermission and syscall numbers (ENOSPC, EIO).
type FS interface {
	// Root is the directory as the user named it, for messages.
	Root() string
	// Open opens a regular file for reading.
	Open(name string) (File, error)
	// OpenFile is Open with the os.O_ flags. New files have mode 0600.
	OpenFile(name string, flag int) (File, error)
	Lstat(name string) (fs.FileInfo, error)
	Readlink(name string) (string, error)
	// ReadDir returns the entries of a directory in no order.
	ReadDir(name string) ([]fs.DirEntry, error)
	Rename(oldName, newName string) error
	Link(oldName, newName string) error
	Symlink(text, name string) error
	Remove(name string) error
	// MkdirAll makes a directory and its parents, mode 0755; durable after
	// SyncDir of each parent.
	MkdirAll(name string) error
	// SyncDir makes the entries of a directory durable.
	SyncDir(name string) error
	// SyncFS makes the content and size of every file of the file system
	// durable, or returns ErrNoSyncFS.
	SyncFS() error
	// Lock takes an exclusive lock on a file, which is made if need be, and
	// returns at once: an error that matches ErrLocked if another process (or
	// another Lock in this one) holds it. The lock ends with Close or the process.
	Lock(name string) (io.Closer, error)
	// Free returns how many bytes may still be written.
	Free() (int64, error)
}

// ErrLocked is what Lock returns when somebody else holds the lock.
var ErrLocked = errors.New("locked by another process")

// ErrLink is why a name was refused that is, or leads through, a symbolic link.
var ErrLink = errors.New("a symbolic link, which is not followed")

// ErrNotRegular is why a pipe, device or directory was not opened as a file.
var ErrNotRegular = errors.New("not a regular file")

// Limits is what a file system cannot exceed; zero values mean no known limit.
type Limits struct {
	LargestFile int64 // bytes
	Names       int   // entries with names of 64 characters in one directory
}

// Limited is the optional power of an FS that knows its limits, as FAT has them.
type Limited interface {
	Limits() Limits
}

// Sized is the optional power of an FS that knows how large it is.
type Sized interface {
	// Size returns how many bytes the file system holds in all, used and free.
	Size() (int64, error)
}

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Seeker
	io.Writer
	io.Closer
	Stat() (fs.FileInfo, error)
	// Sync makes content and size durable (fdatasync or stronger).
	Sync() error
	Truncate(size int64) error
}
