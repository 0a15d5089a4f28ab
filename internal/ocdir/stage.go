package ocdir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// What lies beside v2/, so that oc does not see it.
const (
	ownDir     = "airbridge"
	lockFile   = ownDir + "/lock"
	partialDir = ownDir + "/partial"
	stagedDir  = ownDir + "/blobs"
	tempPrefix = ownDir + "/new-" // links and copies on their way into v2/
)

// stage is where content lies that is in no repository yet: a blob store of
// its own below airbridge/, whose blobs are moved away into v2/.
type stage struct {
	*cas.Files

	mu    sync.Mutex
	known map[oci.Digest]bool // hashed by this process
}

func newStage(files fsys.FS) *stage {
	return &stage{Files: cas.FS(below{files}), known: map[oci.Digest]bool{}}
}

func stagedPath(d oci.Digest) string { return stagedDir + "/" + d.Algorithm() + "/" + d.Hex() }

func (s *stage) isKnown(d oci.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[d]
}

func (s *stage) setKnown(d oci.Digest, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known {
		s.known[d] = true
	} else {
		delete(s.known, d)
	}
}

// verify hashes what an earlier run left of a digest. The error is a
// *repo.CorruptError if it is wrong, and it is gone then; it matches
// oci.ErrBlobUnknown where nothing is staged.
func (s *stage) verify(ctx context.Context, d oci.Digest) error {
	if _, err := s.Stat(ctx, d); err != nil || s.isKnown(d) {
		return err
	}
	if err := s.Recheck(ctx, d); err != nil {
		return err
	}
	s.setKnown(d, true)
	return nil
}

// isCorrupt reports whether an error says that content is not what its name says.
func isCorrupt(err error) bool {
	_, wrong := errors.AsType[*repo.CorruptError](err)
	return wrong || errors.Is(err, oci.ErrDigestInvalid)
}

// incoming is a Writer of the stage.
type incoming struct {
	cas.Writer
	stage *stage
}

// Commit implements cas.Writer. What an earlier run left under the digest is
// hashed first: the store below drops the new content where the old has its size.
func (w incoming) Commit(ctx context.Context, d oci.Digest) error {
	err := w.stage.verify(ctx, d)
	if err != nil && !errors.Is(err, oci.ErrBlobUnknown) && !isCorrupt(err) {
		return errors.Join(err, w.Suspend())
	}
	if err := w.Writer.Commit(ctx, d); err != nil {
		return err
	}
	w.stage.setKnown(d, true)
	return nil
}

// below is a file system as the stage sees it: all of it is under airbridge/.
type below struct{ fsys.FS }

func under(name string) string {
	switch {
	case name == ".":
		return ownDir
	case name == ownDir, strings.HasPrefix(name, ownDir+"/"):
		return name
	}
	return ownDir + "/" + name
}

func (b below) Open(name string) (fsys.File, error) { return b.FS.Open(under(name)) }

func (b below) OpenFile(name string, flag int) (fsys.File, error) {
	return b.FS.OpenFile(under(name), flag)
}

func (b below) Lstat(name string) (fs.FileInfo, error)     { return b.FS.Lstat(under(name)) }
func (b below) Readlink(name string) (string, error)       { return b.FS.Readlink(under(name)) }
func (b below) ReadDir(name string) ([]fs.DirEntry, error) { return b.FS.ReadDir(under(name)) }
func (b below) Rename(from, to string) error               { return b.FS.Rename(under(from), under(to)) }

func (b below) Link(from, to string) error { return b.FS.Link(under(from), under(to)) }

func (b below) Symlink(text, name string) error     { return b.FS.Symlink(text, under(name)) }
func (b below) Remove(name string) error            { return b.FS.Remove(under(name)) }
func (b below) MkdirAll(name string) error          { return b.FS.MkdirAll(under(name)) }
func (b below) SyncDir(name string) error           { return b.FS.SyncDir(under(name)) }
func (b below) Lock(name string) (io.Closer, error) { return b.FS.Lock(under(name)) }
