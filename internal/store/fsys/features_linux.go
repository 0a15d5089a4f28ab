package fsys

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// features is what is known of the kernel and of the file system.
type features struct {
	openat2 bool
	syncFS  bool
	limits  Limits
}

// flushes are the file systems whose syncfs is known to bring content as far
// as a flush of the device's own cache. Others only start writing (FAT and
// exFAT send no flush), or do not tell a server at all (FUSE, SMB), and there
// each file is synced.
var flushes = map[int64]bool{
	unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true,
	unix.F2FS_SUPER_MAGIC: true, unix.TMPFS_MAGIC: true, unix.OVERLAYFS_SUPER_MAGIC: true,
	zfsMagic: true,
}

// zfsMagic is the type that OpenZFS reports; x/sys does not name it.
const zfsMagic = 0x2fc12fc1

// fatLimits: a size is a 32-bit number; a directory has at most 65,536 slots
// of 32 bytes, and a name of 64 characters takes six (Microsoft FAT32 File
// System Specification, long directory entries).
var fatLimits = Limits{LargestFile: 1<<32 - 1, Names: 65536/6 - 1}

func probe(top *os.File) features {
	var got features
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(top.Fd()), &st); err == nil {
		// A kernel before 5.8 does not report write errors through syncfs(2).
		got.syncFS = flushes[int64(st.Type)] && kernelAtLeast(5, 8)
		if int64(st.Type) == unix.MSDOS_SUPER_MAGIC {
			got.limits = fatLimits
		}
	}
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	if fd, err := unix.Openat2(int(top.Fd()), ".", how); err == nil {
		got.openat2 = unix.Close(fd) == nil
	}
	return got
}

func kernelAtLeast(major, minor int) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var a, b int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// syncFS flushes the file system that holds the directory. The descriptor was
// opened before the first write, which is what makes the kernel report every
// write error since then.
func syncFS(top *os.File) error {
	return uninterrupted(func() error { return unix.Syncfs(int(top.Fd())) })
}
