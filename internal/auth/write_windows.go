package auth

import (
	"os"

	"golang.org/x/sys/windows"
)

// lock waits for the right to change a file, by a file beside it: directories
// cannot be locked here. It is empty and stays.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{}); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// keepOwner has nothing to do: files inherit from their directory.
func keepOwner(*os.File, string) {}

// syncDir has nothing to do: NTFS journals its directories.
func syncDir(string) error { return nil }
