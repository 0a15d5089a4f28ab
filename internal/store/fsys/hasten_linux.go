package fsys

import (
	"os"

	"golang.org/x/sys/unix"
)

// Hasten asks the kernel to begin writing n bytes of a file, from offset, to
// the disk, and does not wait for it. Left alone the kernel waits with that
// until much of the memory is dirty, so that the disk would idle while bytes
// come in, and a sync at the end would wait for all of them. Nothing is durable
// by it, and errors stay for the sync to report; so this returns none.
func Hasten(f File, offset, n int64) {
	disk, ok := f.(*os.File)
	if !ok {
		return
	}
	conn, err := disk.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		_ = unix.SyncFileRange(int(fd), offset, n, unix.SYNC_FILE_RANGE_WRITE)
	})
}
