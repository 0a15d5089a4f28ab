package ocdir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// Where content waits, beside v2/ so that oc does not see it.
const (
	ownDir     = "airbridge"
	lockFile   = ownDir + "/lock"
	partialDir = ownDir + "/partial" // being written, by id
	stagedDir  = ownDir + "/staged"  // complete, by digest with a hyphen
	tempPrefix = stagedDir + "/new-" // links and copies on their way into v2/
)

// fewFiles is up to how many files are synced one by one: syncing the file
// system would also write what others have left in the cache.
const fewFiles = 4

// stage holds content that is complete and verified, but not in any repository yet.
type stage struct {
	fs fsys.FS

	mu     sync.Mutex
	blobs  map[oci.Digest]*staged
	open   map[string]bool // ids of partials with a Writer
	failed error           // why nothing more is written

	taking  sync.Mutex // one blob at a time comes in
	syncing sync.Mutex // one flush at a time; who waited finds less left to do
}

// staged is one blob of the stage.
type staged struct {
	size     int64
	verified bool // false: an earlier run left it
	durable  bool
}

func newStage(files fsys.FS) *stage {
	return &stage{fs: files, blobs: map[oci.Digest]*staged{}, open: map[string]bool{}}
}

func stagedPath(d oci.Digest) string { return stagedDir + "/" + fileName(d, "-") }

// load takes up what an earlier run left, and removes its temporary files.
func (s *stage) load() error {
	entries, err := s.fs.ReadDir(stagedDir)
	if absent(err) {
		return nil
	}
	for _, e := range entries {
		path := stagedDir + "/" + e.Name()
		if d, _, ok := parseName(e.Name()); ok {
			info, statErr := s.fs.Lstat(path)
			if statErr == nil && info.Mode().IsRegular() {
				s.blobs[d] = &staged{size: info.Size()}
			}
		} else if strings.HasPrefix(path, tempPrefix) {
			err = errors.Join(err, s.fs.Remove(path))
		}
	}
	return err
}

// usable returns the error that ended all writing, if there was one.
func (s *stage) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// fail ends all writing: what the disk has is not known any more.
func (s *stage) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = fmt.Errorf("writing was given up: %w", err)
	}
	return err
}

// stat returns what is staged of a digest.
func (s *stage) stat(d oci.Digest) (staged, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.blobs[d]; ok {
		return *b, true
	}
	return staged{}, false
}

func (s *stage) set(d oci.Digest, b staged) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[d] = &b
}

// gone forgets a blob that was moved away or removed.
func (s *stage) gone(d oci.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.blobs, d)
}

// verify hashes a blob that an earlier run left, and removes it if it is wrong.
// The error matches oci.ErrDigestInvalid then, and fs.ErrNotExist where
// nothing is staged.
func (s *stage) verify(ctx context.Context, d oci.Digest) error {
	b, ok := s.stat(d)
	if !ok {
		return fs.ErrNotExist
	}
	if b.verified {
		return nil
	}
	err := checkFile(ctx, s.fs, stagedPath(d), d)
	if errors.Is(err, oci.ErrDigestInvalid) {
		s.gone(d)
		return errors.Join(err, s.fs.Remove(stagedPath(d)))
	}
	if err == nil {
		s.set(d, staged{size: b.size, verified: true})
	}
	return err
}

// sync makes all that is staged durable.
func (s *stage) sync(ctx context.Context) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	if err := errors.Join(ctx.Err(), s.usable()); err != nil {
		return err
	}
	waiting := s.waiting()
	if len(waiting) == 0 {
		return nil
	}
	if err := s.flush(waiting); err != nil {
		return s.fail(fmt.Errorf("making content durable in %s: %w", s.fs.Root(), err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, b := range waiting {
		b.durable = s.blobs[d] == b
	}
	return nil
}

// waiting returns what is verified and not durable.
func (s *stage) waiting() map[oci.Digest]*staged {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[oci.Digest]*staged{}
	for d, b := range s.blobs {
		if b.verified && !b.durable {
			out[d] = b
		}
	}
	return out
}

func (s *stage) flush(blobs map[oci.Digest]*staged) error {
	if len(blobs) > fewFiles {
		err := s.fs.SyncFS()
		if !errors.Is(err, fsys.ErrNoSyncFS) {
			return err
		}
	}
	for d := range blobs {
		if err := syncFile(s.fs, stagedPath(d)); err != nil && !absent(err) {
			return err
		}
	}
	return nil
}

func syncFile(files fsys.FS, path string) error {
	f, err := files.OpenFile(path, os.O_RDWR)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// checkFile hashes a file. The error matches oci.ErrDigestInvalid if it is not d.
func checkFile(ctx context.Context, files fsys.FS, path string, d oci.Digest) error {
	f, err := files.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := d.Hash()
	if _, err := copyHash(ctx, h, f); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if !d.Matches(h) {
		return oci.ErrDigestInvalid.With(path + " has other content than its name says")
	}
	return nil
}

// copyHash reads all of src into dst and returns how much it was. It ends
// early with ctx.
func copyHash(ctx context.Context, dst io.Writer, src io.Reader) (int64, error) {
	buf := make([]byte, 128<<10)
	var total int64
	for ctx.Err() == nil {
		n, err := src.Read(buf)
		total += int64(n)
		if _, werr := dst.Write(buf[:n]); werr != nil {
			return total, werr
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
	return total, ctx.Err()
}

// take moves a verified partial to the stage.
func (s *stage) take(path string, d oci.Digest, size int64) error {
	s.taking.Lock()
	defer s.taking.Unlock()
	if b, ok := s.stat(d); ok && b.verified {
		return s.fs.Remove(path) // somebody else was quicker
	}
	if err := s.fs.MkdirAll(stagedDir); err != nil {
		return err
	}
	if err := s.fs.Rename(path, stagedPath(d)); err != nil {
		return err
	}
	s.set(d, staged{size: size, verified: true})
	return nil
}

// ids lists the partials that are there.
func (s *stage) ids() ([]fs.DirEntry, error) {
	entries, err := s.fs.ReadDir(partialDir)
	if absent(err) {
		return nil, nil
	}
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !e.Type().IsRegular() }), err
}

// digests returns those of all that is staged.
func (s *stage) digests() []oci.Digest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.blobs))
}
