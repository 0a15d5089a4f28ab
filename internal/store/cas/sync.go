package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// few is how many files are rather synced one by one than with all that is
// dirty on the file system, which may be the work of other programs.
const few = 4

// Sync implements Store. Whoever gets the turn first works for all commits up
// to that moment; those who waited meanwhile find theirs done.
func (s *Files) Sync(ctx context.Context) error {
	s.mu.Lock()
	want, done, err := s.commits, s.durable == s.commits, s.refusal()
	s.mu.Unlock()
	if err != nil || done {
		return err
	}
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.pass()
	s.mu.Lock()
	batch, upto, done, err := maps.Clone(s.pending), s.commits, s.durable >= want, s.refusal()
	s.mu.Unlock()
	if err != nil || done {
		return err
	}
	if err := s.persist(batch); err != nil {
		return s.void(err)
	}
	s.settle(batch, upto)
	return nil
}

func (s *Files) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Files) pass() { <-s.turn }

// settle records that a batch lies below blobs/ and is durable.
func (s *Files) settle(batch map[oci.Digest]pending, upto uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, p := range batch {
		delete(s.pending, d)
		delete(s.ids, p.id)
	}
	s.durable = upto
}

// persist brings a batch to the disk: content, then names, then directories.
// It is not cut by a context, because others wait for the same batch.
func (s *Files) persist(batch map[oci.Digest]pending) error {
	if err := s.persistContent(batch); err != nil {
		return err
	}
	dirty := map[string]bool{}
	for d, p := range batch {
		if err := s.prepare(d.Algorithm()); err != nil {
			return err
		}
		if err := s.fs.Rename(partialName(p.id), blobName(d)); err != nil {
			return err
		}
		dirty[path.Dir(blobName(d))] = true
	}
	if err := s.adopt(dirty); err != nil {
		return err
	}
	for dir := range dirty {
		if err := s.fs.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func (s *Files) persistContent(batch map[oci.Digest]pending) error {
	if len(batch) > few {
		if err := s.fs.SyncFS(); !errors.Is(err, fsys.ErrNoSyncFS) {
			return err
		}
	}
	for _, p := range batch {
		if err := s.syncFile(partialName(p.id)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Files) syncFile(name string) error {
	// A descriptor opened now reports write errors of the past too, as long as
	// nobody was told of them. Windows flushes only what is open for writing.
	f, err := s.fs.OpenFile(name, os.O_RDWR)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// prepare makes the directory of an algorithm, durable with its parents. One
// that a killed process made may be durable or not.
func (s *Files) prepare(algorithm string) error {
	if s.ready[algorithm] {
		return nil
	}
	if err := s.fs.MkdirAll(path.Join(blobDir, algorithm)); err != nil {
		return err
	}
	for _, dir := range []string{".", blobDir} {
		if err := s.fs.SyncDir(dir); err != nil {
			return err
		}
	}
	s.ready[algorithm] = true
	return nil
}

// adopt adds the directories that an earlier process filled, once: it may
// have been killed between its renames and the sync of the directory.
func (s *Files) adopt(dirty map[string]bool) error {
	if s.adopted {
		return nil
	}
	for _, algorithm := range []string{oci.SHA256, oci.SHA512} {
		dir := path.Join(blobDir, algorithm)
		if _, err := s.fs.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := s.prepare(algorithm); err != nil {
			return err
		}
		dirty[dir] = true
	}
	s.adopted = true
	return nil
}

// void gives up after a sync that failed. The kernel reports a write error once
// and then believes its memory clean, so that what was not durable by then
// could be read, hashed and synced again without an error and still be lost.
// So nothing of it is left to be taken up; errors of a disk that fails already
// are of no interest.
func (s *Files) void(cause error) error {
	s.mu.Lock()
	s.failed = cause
	clear(s.pending)
	clear(s.asleep)
	maps.DeleteFunc(s.ids, func(_ string, u use) bool { return u == waiting })
	held := maps.Clone(s.ids) // these remove their own when they end
	s.mu.Unlock()
	entries, _ := s.list(partialDir)
	for _, e := range entries {
		if held[e.Name()] == idle {
			_ = s.fs.Remove(partialName(e.Name()))
		}
	}
	return fmt.Errorf("making the blobs of %s durable: %w", s.fs.Root(), cause)
}
