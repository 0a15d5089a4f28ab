package fsys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// dirFlag makes an open of anything but a directory fail at once.
const dirFlag = unix.O_DIRECTORY

// open opens a name of which no part is a link.
func (d *disk) open(local string, flag int) (*os.File, error) {
	fd, err := d.beneath(local, flag|nonBlock)
	if errors.Is(err, errors.ErrUnsupported) {
		if err := d.walk(local); err != nil {
			return nil, err
		}
		return d.root.OpenFile(local, flag|nonBlock, fileMode)
	}
	if err != nil {
		return nil, err
	}
	// A regular file never blocks; without the flag os.NewFile does not try to
	// register it with the poller.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flag&unix.O_APPEND); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), d.full(local)), nil
}

func (d *disk) lstat(local string) (fs.FileInfo, error) {
	fd, err := d.beneath(local, unix.O_PATH|unix.O_NOFOLLOW)
	if errors.Is(err, errors.ErrUnsupported) {
		if err := d.plain(filepath.Dir(local)); err != nil {
			return nil, err
		}
		return d.root.Lstat(local)
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), local)
	info, err := f.Stat()
	return info, errors.Join(err, f.Close())
}

// plain returns ErrLink if a part of a name is a link; what does not exist is
// left to the call that follows.
func (d *disk) plain(local string) error {
	if local == "." {
		return nil
	}
	fd, err := d.beneath(local, unix.O_PATH)
	switch {
	case err == nil:
		return unix.Close(fd)
	case errors.Is(err, errors.ErrUnsupported):
		return d.walk(local)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// beneath opens a name in one call that fails on any link (openat2(2),
// RESOLVE_NO_SYMLINKS; Linux 5.6). Where the kernel or a seccomp filter of a
// container runtime does not know the call, the error is ErrUnsupported.
func (d *disk) beneath(local string, flag int) (int, error) {
	if !d.at.openat2 {
		return 0, errors.ErrUnsupported
	}
	how := &unix.OpenHow{
		Flags:   uint64(flag) | unix.O_CLOEXEC | unix.O_LARGEFILE,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	if flag&unix.O_CREAT != 0 {
		how.Mode = fileMode
	}
	for {
		fd, err := unix.Openat2(int(d.top.Fd()), local, how)
		runtime.KeepAlive(d) // or top could be closed by its finalizer in the call
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err == unix.ELOOP {
			err = ErrLink
		}
		if err != nil {
			return 0, &fs.PathError{Op: "open", Path: local, Err: err}
		}
		return fd, nil
	}
}

// between is a call on two names, each below an open directory.
type between func(fromDir int, from string, toDir int, to string) error

// renameAt answers as os.Rename does where a directory is in the way.
func renameAt(fromDir int, from string, toDir int, to string) error {
	err := unix.Renameat(fromDir, from, toDir, to)
	if errors.Is(err, unix.EISDIR) || to == "." {
		return unix.EEXIST
	}
	return err
}

func linkAt(fromDir int, from string, toDir int, to string) error {
	return unix.Linkat(fromDir, from, toDir, to, 0)
}

// between opens the directories of two names, no part of which is a link, and
// acts below them. Errors are of type *os.LinkError, but for ErrLink, which
// names the directory.
func (d *disk) between(op, from, to string, act between) error {
	err := d.within(from, func(fromDir int, from string) error {
		return d.within(to, func(toDir int, to string) error {
			return uninterrupted(func() error { return act(fromDir, from, toDir, to) })
		})
	})
	if err == nil || errors.Is(err, ErrLink) || errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return &os.LinkError{Op: op, Old: from, New: to, Err: err}
}

// within calls do with the directory that a name lies in, open.
func (d *disk) within(local string, do func(dir int, base string) error) error {
	dir, err := d.beneath(filepath.Dir(local), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	err = do(dir, filepath.Base(local))
	_ = unix.Close(dir) // nothing was written through it
	return err
}
