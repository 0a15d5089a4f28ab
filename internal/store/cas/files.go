package cas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"path"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

const (
	blobDir    = "blobs"
	partialDir = "airbridge/partial"
)

// errEnded is a programming error: a Writer ends once.
var errEnded = errors.New("the writer has ended")

// Files is the Store in a directory: blobs/<algorithm>/<hex> holds durable and
// verified content, airbridge/partial/<id> everything else. A blob that was
// committed stays in its partial until Sync has made it durable, so that a name
// below blobs/ is never seen with content that a power cut could take back;
// until then the map of pending blobs finds it for this process.
type Files struct {
	fs fsys.FS
	// turn holds one token: the right to change what lies below blobs/.
	turn chan struct{}
	// ready are the algorithms whose directory is known to be durable; adopted
	// says that the names of earlier processes are. Both belong to whoever has
	// the turn.
	ready   map[string]bool
	adopted bool

	mu      sync.Mutex
	ids     map[string]use
	asleep  map[string]*running // hashes of suspended partials
	pending map[oci.Digest]pending
	commits uint64 // commits so far
	durable uint64 // commits of these that are durable
	failed  error  // the sync that failed; nothing is written after it
}

// use says what a partial is being used for.
type use int

const (
	idle use = iota
	writing
	waiting // committed, for the next Sync
)

// pending is a blob that was committed and not yet synced.
type pending struct {
	id   string
	size int64
}

// FS returns the Store in a directory. It does no I/O before it is used and
// writes nothing before Create, so that a read-only mount or an empty
// directory will do for reading. Only one process at a time may write: that is
// for the caller to ensure with a lock.
func FS(f fsys.FS) *Files {
	return &Files{
		fs: f, turn: make(chan struct{}, 1), ready: map[string]bool{},
		ids: map[string]use{}, asleep: map[string]*running{}, pending: map[oci.Digest]pending{},
		// The first Sync has work even if nothing was committed: a process
		// killed before it may have left names that are not durable.
		commits: 1,
	}
}

func blobName(d oci.Digest) string { return path.Join(blobDir, d.Algorithm(), d.Hex()) }

func partialName(id string) string { return path.Join(partialDir, id) }

// find does something with the file of a blob: the partial if the blob is
// pending, else, or if Sync has just moved it, the one below blobs/.
func find[T any](s *Files, d oci.Digest, do func(name string) (T, error)) (T, error) {
	s.mu.Lock()
	p, ok := s.pending[d]
	s.mu.Unlock()
	if ok {
		if got, err := do(partialName(p.id)); !errors.Is(err, fs.ErrNotExist) {
			return got, err
		}
	}
	if d.IsZero() {
		var none T
		return none, unknownBlob(d)
	}
	got, err := do(blobName(d))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fsys.ErrNotRegular) || errors.Is(err, fsys.ErrLink) {
		err = unknownBlob(d)
	}
	return got, err
}

func (s *Files) lstat(name string) (fs.FileInfo, error) {
	info, err := s.fs.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fsys.ErrNotRegular
	}
	return info, err
}

// Stat implements Store.
func (s *Files) Stat(_ context.Context, d oci.Digest) (int64, error) {
	info, err := find(s, d, s.lstat)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Open implements Store.
func (s *Files) Open(_ context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	f, err := find(s, d, s.fs.Open)
	if err != nil {
		return nil, err
	}
	if offset != 0 {
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			return nil, errors.Join(fmt.Errorf("reading blob %s from %d: %w", d, offset, err), f.Close())
		}
	}
	return f, nil
}

// Walk implements Store. What has no name of a blob is passed over.
func (s *Files) Walk(ctx context.Context) iter.Seq2[Blob, error] {
	return func(yield func(Blob, error) bool) {
		s.mu.Lock()
		seen := maps.Clone(s.pending)
		s.mu.Unlock()
		for d := range seen {
			if !s.yieldBlob(d, yield) {
				return
			}
		}
		for d, err := range s.stored(ctx) {
			if err != nil {
				yield(Blob{}, err)
				return
			}
			if _, done := seen[d]; !done && !s.yieldBlob(d, yield) {
				return
			}
		}
	}
}

// stored lists the names below blobs/.
func (s *Files) stored(ctx context.Context) iter.Seq2[oci.Digest, error] {
	return func(yield func(oci.Digest, error) bool) {
		for _, algorithm := range []string{oci.SHA256, oci.SHA512} {
			entries, err := s.list(path.Join(blobDir, algorithm))
			if err != nil {
				yield(oci.Digest{}, err)
				return
			}
			for _, e := range entries {
				d, bad := oci.ParseDigest(algorithm + ":" + e.Name())
				if err := context.Cause(ctx); err != nil || bad == nil {
					if !yield(d, err) {
						return
					}
				}
			}
		}
	}
}

func (s *Files) yieldBlob(d oci.Digest, yield func(Blob, error) bool) bool {
	info, err := find(s, d, s.lstat)
	if oci.IsNotFound(err) { // deleted meanwhile, or no file
		return true
	}
	if err != nil {
		return yield(Blob{Digest: d}, err)
	}
	return yield(Blob{Digest: d, Size: info.Size(), ModTime: info.ModTime()}, nil)
}

// list is ReadDir where a directory that is missing has no entries.
func (s *Files) list(name string) ([]fs.DirEntry, error) {
	entries, err := s.fs.ReadDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// Partials implements Store.
func (s *Files) Partials(ctx context.Context) iter.Seq2[Partial, error] {
	return func(yield func(Partial, error) bool) {
		entries, err := s.list(partialDir)
		if err != nil {
			yield(Partial{}, err)
			return
		}
		for _, e := range entries {
			if err := context.Cause(ctx); err != nil {
				yield(Partial{}, err)
				return
			}
			if p, ok := s.partial(e.Name()); ok && !yield(p, nil) {
				return
			}
		}
	}
}

func (s *Files) partial(id string) (Partial, bool) {
	info, err := s.lstat(partialName(id))
	if err != nil || checkID(id) != nil || s.using(id) == waiting {
		return Partial{}, false
	}
	return Partial{ID: id, Size: info.Size(), ModTime: info.ModTime()}, true
}

func (s *Files) using(id string) use {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[id]
}

// Limits implements Store.
func (s *Files) Limits() Limits {
	if l, ok := s.fs.(fsys.Limited); ok {
		limits := l.Limits()
		return Limits{LargestBlob: limits.LargestFile, Names: limits.Names}
	}
	return Limits{}
}

// Free implements Store.
func (s *Files) Free(context.Context) (int64, error) { return s.fs.Free() }
