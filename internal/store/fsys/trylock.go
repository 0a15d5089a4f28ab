package fsys

import "os"

// TryLock locks a file for this process until it is closed, or its process
// ends. It is ErrLocked if somebody else holds it, through whatever opened file.
func TryLock(f *os.File) error { return lock(f) }

// Mine reports whether a file belongs to the user of this process, false where
// the system does not tell.
func Mine(info os.FileInfo) bool { return mine(info) }
