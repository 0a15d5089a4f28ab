package fsys

import "os"

// TryLock locks a file for this process until it is closed, or its process
// ends. It is ErrLocked if somebody else holds it, through whatever opened file.
func TryLock(f *os.File) error { return lock(f) }
