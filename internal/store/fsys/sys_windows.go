package fsys

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// nonBlock: there are no pipes in directories here.
const nonBlock = 0

// lock locks one byte far behind the content: locks are mandatory here, and
// the content says who holds the lock, for others to read.
func lock(f *os.File) error {
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY)
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}

// mine: owners are not told with a file here.
func mine(os.FileInfo) bool { return false }

func space(top *os.File) (free, total int64, err error) {
	name, err := windows.UTF16PtrFromString(top.Name())
	if err != nil {
		return 0, 0, err
	}
	var mine, all uint64
	if err := windows.GetDiskFreeSpaceEx(name, &mine, &all, nil); err != nil {
		return 0, 0, err
	}
	return int64(mine), int64(all), nil
}

// syncDir has nothing to do: NTFS journals its directories, and a directory
// that was opened for reading cannot be flushed.
func syncDir(*os.File) error { return nil }
