package cas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// Create implements Store.
func (s *Files) Create(ctx context.Context, id, algorithm string) (Writer, error) {
	h, err := start(algorithm)
	if err != nil {
		return nil, err
	}
	if err := s.claim(ctx, id); err != nil {
		return nil, err
	}
	f, err := s.begin(partialName(id))
	if err != nil {
		s.release(id)
		return nil, err
	}
	return &fileWriter{s: s, id: id, f: f, running: h}, nil
}

// begin makes the file of a partial. One that exists is removed, not
// overwritten: after a power cut its content may also have a name below blobs/.
func (s *Files) begin(name string) (fsys.File, error) {
	const flag = os.O_RDWR | os.O_CREATE | os.O_EXCL
	f, err := s.fs.OpenFile(name, flag)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.fs.MkdirAll(partialDir); err != nil {
			return nil, err
		}
		return s.fs.OpenFile(name, flag)
	}
	if errors.Is(err, fs.ErrExist) {
		if err := s.fs.Remove(name); err != nil {
			return nil, err
		}
		return s.fs.OpenFile(name, flag)
	}
	return f, err
}

// Resume implements Store. The hash of a partial that this process suspended
// was kept; what another process left is read and hashed again.
func (s *Files) Resume(ctx context.Context, id string) (Writer, error) {
	if err := s.claim(ctx, id); err != nil {
		return nil, err
	}
	w, err := s.reopen(ctx, id)
	if err != nil {
		s.release(id)
		return nil, err
	}
	return w, nil
}

func (s *Files) reopen(ctx context.Context, id string) (*fileWriter, error) {
	f, err := s.fs.OpenFile(partialName(id), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unknownPartial(id)
	}
	if err != nil {
		return nil, err
	}
	h, err := s.position(ctx, id, f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("resuming upload %s: %w", id, err), f.Close())
	}
	return &fileWriter{s: s, id: id, f: f, running: h}, nil
}

// position brings a file that was opened to its end and returns its hash.
func (s *Files) position(ctx context.Context, id string, f fsys.File) (*running, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if h := s.wake(id); h != nil && h.size == end {
		return h, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	h, err := start("")
	if err != nil {
		return nil, err
	}
	return h, h.addAll(ctx, f)
}

func (s *Files) wake(id string) *running {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.asleep[id]
	delete(s.asleep, id)
	return h
}

// claim reserves an id for a Writer. The partial of a blob that waits for Sync
// is still needed, so Sync comes first; that is rare.
func (s *Files) claim(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	for {
		was, err := s.tryClaim(id)
		if err != nil || was == idle {
			return err
		}
		if was == writing {
			return heldPartial(id)
		}
		if err := s.Sync(ctx); err != nil {
			return err
		}
	}
}

func (s *Files) tryClaim(id string) (use, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.ids[id]
	if was == idle && s.failed == nil {
		s.ids[id] = writing
	}
	return was, s.refusal()
}

// release ends the use of an id whose partial is gone.
func (s *Files) release(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ids, id)
	delete(s.asleep, id)
}

// sleep ends the use of an id and keeps its hash. It reports false after a sync
// that failed: then the partial must go, because the memory of the kernel may
// hold what the disk lost, and the next process would believe it.
func (s *Files) sleep(id string, h *running) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return false
	}
	delete(s.ids, id)
	delete(s.asleep, id)
	if h != nil {
		s.asleep[id] = h
	}
	return true
}

// refusal is why nothing more is written. The caller holds mu.
func (s *Files) refusal() error {
	if s.failed == nil {
		return nil
	}
	return fmt.Errorf("store %s takes no more writes: %w", s.fs.Root(), s.failed)
}

func (s *Files) refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal()
}

// fileWriter writes one partial.
type fileWriter struct {
	*running
	s    *Files
	id   string
	f    fsys.File
	bad  error // of a Write: the file may lack what was hashed
	done bool
}

// Write implements io.Writer.
func (w *fileWriter) Write(p []byte) (int, error) {
	if w.done {
		return 0, errEnded
	}
	if w.bad != nil {
		return 0, w.bad
	}
	if err := w.s.refused(); err != nil {
		return 0, err
	}
	n, err := w.f.Write(p)
	w.add(p[:n])
	w.bad = err
	return n, err
}

// Offset implements Writer.
func (w *fileWriter) Offset() int64 { return w.size }

// Suspend implements Writer.
func (w *fileWriter) Suspend() error {
	if w.done {
		return errEnded
	}
	w.done = true
	err := w.f.Close()
	keep := w.running
	if err != nil || w.bad != nil {
		keep = nil
	}
	if !w.s.sleep(w.id, keep) {
		return errors.Join(err, w.drop())
	}
	return err
}

// Abort implements Writer.
func (w *fileWriter) Abort() error {
	if w.done {
		return errEnded
	}
	w.done = true
	err := errors.Join(w.f.Close(), w.s.fs.Remove(partialName(w.id)))
	w.s.release(w.id)
	return err
}

// Commit implements Writer.
func (w *fileWriter) Commit(ctx context.Context, d oci.Digest) error {
	if w.done {
		return errEnded
	}
	err := w.verify(ctx, d)
	if err != nil {
		if gone := w.Abort(); gone != nil {
			return errors.Join(err, gone)
		}
		return err
	}
	w.done = true
	if err := w.f.Close(); err != nil {
		return errors.Join(err, w.drop())
	}
	return w.accept(d)
}

func (w *fileWriter) verify(ctx context.Context, d oci.Digest) error {
	if w.bad != nil {
		return w.bad
	}
	return w.check(ctx, d, io.NewSectionReader(w.f, 0, w.size))
}

// accept makes the partial a pending blob, or drops it where the blob is there.
func (w *fileWriter) accept(d oci.Digest) error {
	present, err := w.present(d)
	if err != nil {
		return errors.Join(err, w.drop())
	}
	s := w.s
	s.mu.Lock()
	s.commits++
	_, twin := s.pending[d]
	err = s.refusal()
	if !present && !twin && err == nil {
		s.pending[d] = pending{id: w.id, size: w.size}
		s.ids[w.id] = waiting
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	return errors.Join(err, w.drop())
}

// present reports whether the blob has its name already. A file of another
// size is not the blob, and Sync replaces it.
func (w *fileWriter) present(d oci.Digest) (bool, error) {
	info, err := w.s.fs.Lstat(blobName(d))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Mode().IsRegular() && info.Size() == w.size, err
}

// drop removes the partial before its id is free for somebody else.
func (w *fileWriter) drop() error {
	err := w.s.fs.Remove(partialName(w.id))
	w.s.release(w.id)
	return err
}

// DeletePartial implements Store.
func (s *Files) DeletePartial(ctx context.Context, id string) error {
	if err := s.claim(ctx, id); err != nil {
		return err
	}
	defer s.release(id)
	err := s.fs.Remove(partialName(id))
	if errors.Is(err, fs.ErrNotExist) {
		return unknownPartial(id)
	}
	return err
}
