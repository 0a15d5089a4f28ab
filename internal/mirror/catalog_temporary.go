package mirror

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// How the directories of a catalog's run are called, around a number. Users
// hardly call theirs so.
const (
	temporaryName = "airbridge-catalog-"
	temporaryEnd  = ".tmp"
)

// temporary is a directory that is removed at the end of a run. It is locked for
// as long as it is there, which tells it from what a run left that was killed.
type temporary struct {
	path string
	lock *os.File // nil where the file system knows no locks of directories
}

// newTemporary makes a directory in another; hidden gives it a name with a dot.
func newTemporary(parent string, hidden bool) (*temporary, error) {
	name := temporaryName + "*" + temporaryEnd
	if hidden {
		name = "." + name
	}
	for {
		path, err := os.MkdirTemp(parent, name)
		if err != nil {
			return nil, err
		}
		if t := (&temporary{path: path}); t.claim() {
			return t, nil
		}
	}
}

// claim locks the directory, and reports whether it is still there and nobody's
// to remove: another run may have been faster, and have taken it for one that is
// left. Where there are no locks nobody removes what is not his own.
func (t *temporary) claim() bool {
	f, err := os.Open(t.path)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	if err := fsys.TryLock(f); err != nil {
		f.Close()
		return !errors.Is(err, fsys.ErrLocked)
	}
	t.lock = f
	_, err = os.Lstat(t.path)
	if err != nil {
		f.Close()
	}
	return err == nil
}

// remove removes the directory with all that is in it.
func (t *temporary) remove() error {
	err := os.RemoveAll(t.path)
	if t.lock != nil {
		t.lock.Close()
	}
	return err
}

// sweepTemporary removes from a directory what this user's runs have left that
// were killed: directories that are called like temporary ones and that nobody
// holds.
func sweepTemporary(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return // making one says why
	}
	for _, e := range entries {
		if !isTemporary(e.Name()) || !e.IsDir() {
			continue
		}
		if info, err := e.Info(); err == nil && fsys.Mine(info) {
			left := &temporary{path: filepath.Join(parent, e.Name())}
			if left.claim() && left.lock != nil {
				_ = left.remove() // the next run tries again
			}
		}
	}
}

// isTemporary knows the names that newTemporary gives.
func isTemporary(name string) bool {
	return numbered(strings.TrimPrefix(name, "."), temporaryName, temporaryEnd)
}
