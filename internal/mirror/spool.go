package mirror

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// Spool keeps blobs that were read and verified, for what reads them later in
// the run. They are files without a name, where the system knows such, so that
// nothing is left of a run that is killed. It is for what is good to have: what
// cannot be kept is read again.
type Spool struct {
	dir  string
	mu   sync.Mutex
	kept map[oci.Digest]*spoolFile
}

// spoolFile is a file of a spool.
type spoolFile struct {
	*os.File
	named bool // it could not be parted from its name while it is open
}

// NewSpool returns a spool in a directory, "" for the system's temporary one.
func NewSpool(dir string) *Spool {
	if dir == "" {
		dir = os.TempDir()
	}
	return &Spool{dir: dir, kept: map[oci.Digest]*spoolFile{}}
}

// Open reads a blob from an offset in bytes, false if it is not kept. A nil
// spool keeps nothing.
func (s *Spool) Open(d oci.Digest, offset int64) (io.ReadCloser, bool) {
	if s == nil {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.kept[d]
	if f == nil {
		return nil, false
	}
	info, err := f.Stat()
	if err != nil || offset > info.Size() {
		return nil, false
	}
	return io.NopCloser(io.NewSectionReader(f, offset, info.Size()-offset)), true
}

// Drop gives back the room of all blobs that are kept, and reports whether there
// were any.
func (s *Spool) Drop() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	some := len(s.kept) > 0
	for d, f := range s.kept {
		f.discard()
		delete(s.kept, d)
	}
	return some
}

// discard gives the room of a file back.
func (f *spoolFile) discard() {
	_ = f.Close() // of what is not wanted any more
	if f.named {
		_ = os.Remove(f.Name())
	}
}

// take returns a writer for a blob that is about to be read (rootfs.Reader.Spool).
func (s *Spool) take(desc oci.Descriptor) (io.Writer, func(whole bool)) {
	w := &spooled{}
	if _, kept := s.Open(desc.Digest, 0); !kept && s.room(desc.Size) {
		w.file = s.create()
	}
	return w, func(whole bool) {
		if whole && w.file != nil {
			s.keep(desc.Digest, w.file)
		} else {
			w.discard()
		}
	}
}

// room reports whether a blob leaves most of the disk to what needs it more.
func (s *Spool) room(size int64) bool {
	disk, err := fsys.OS(s.dir)
	if err != nil {
		return false
	}
	free, err := disk.Free()
	return err == nil && size <= free/spoolShare
}

// spoolShare is the part of the room left on a disk that one blob may take: a
// fourth.
const spoolShare = 4

// create makes a file, nil if it cannot be made.
func (s *Spool) create() *spoolFile {
	f, err := os.CreateTemp(s.dir, "airbridge-layer-")
	if err != nil {
		return nil
	}
	return &spoolFile{f, os.Remove(f.Name()) != nil}
}

func (s *Spool) keep(d oci.Digest, f *spoolFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[d] = f
}

// spooled is a blob that is being written. What it cannot write, it does not
// keep, and gives its room back at once.
type spooled struct{ file *spoolFile }

// Write implements io.Writer. It never fails.
func (w *spooled) Write(p []byte) (int, error) {
	if w.file != nil {
		if _, err := w.file.Write(p); err != nil {
			w.discard()
		}
	}
	return len(p), nil
}

func (w *spooled) discard() {
	if w.file != nil {
		w.file.discard()
		w.file = nil
	}
}

// over reads from the spool what it keeps, and else from a source.
func (s *Spool) over(src repo.Source) repo.Source { return overSource{src, s} }

type overSource struct {
	repo.Source
	spool *Spool
}

// OpenBlob implements repo.Source.
func (o overSource) OpenBlob(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	if content, ok := o.spool.Open(d, offset); ok {
		return content, nil
	}
	return o.Source.OpenBlob(ctx, d, offset)
}

// withRoom does something that needs room, and once more without what is kept if
// there was too little.
func (s *Spool) withRoom(do func() error) error {
	err := do()
	if _, full := errors.AsType[*repo.SpaceError](err); full && s.Drop() {
		err = do()
	}
	return err
}
