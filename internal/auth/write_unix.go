//go:build unix

package auth

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lock waits for the right to change the files of a directory. The directory
// itself is locked, so that no lock file stays behind beside the secrets. Where
// the file system has no such locks there is none.
func lock(path string) (unlock func(), err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(dir.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil && !isAny(err, unix.EBADF, unix.ENOLCK, unix.ENOTSUP, unix.EINVAL, unix.ENOSYS) {
		_ = dir.Close()
		return nil, err
	}
	return func() { _ = dir.Close() }, nil
}

func isAny(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// keepOwner gives a file the owner of the one it will replace, where the
// directory is the same user's: what root changes for a user stays the user's,
// while a file that somebody put into /tmp gets no secrets for its owner. Who
// may not change owners owns the file already.
func keepOwner(f *os.File, old string) {
	var was, dir unix.Stat_t
	if unix.Stat(old, &was) == nil && unix.Stat(filepath.Dir(old), &dir) == nil && was.Uid == dir.Uid {
		_ = f.Chown(int(was.Uid), int(was.Gid))
	}
}

// syncDir makes a rename durable. Some file systems have nothing to flush for
// a directory and say so.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !isAny(err, unix.EINVAL, unix.ENOTSUP) {
		return err
	}
	return nil
}
