package ocdir

import (
	"context"
	"crypto/sha512"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// Limits on what a medium may make us remember.
const (
	maxRepositories = 100_000
	maxDepth        = 64 // directories below v2/
	maxCached       = 8192
)

// emptyDigests are the only ones whose file may be empty: oc leaves empty
// files behind when it is stopped, and then believes them.
var emptyDigests = []oci.Digest{
	oci.FromBytes(nil), oci.NewDigest(oci.SHA512, sha512.New().Sum(nil)),
}

// tree is a v2/ directory as far as it has been looked at. What it remembers
// are hints: each is looked up again on the disk before it is used.
type tree struct {
	fs   fsys.FS
	seps []string // all separators, that of the names we write first

	mu        sync.RWMutex
	scanned   bool
	repos     names
	where     map[oci.Digest]at // a place of each blob seen
	manifests *cache[*manifest] // by path
	referrers *cache[[]*manifest]
}

// at is a place of content: its directory, and how its name is separated. Not
// a path, because a medium has many blobs.
type at struct {
	repo     string
	manifest bool // in manifests/, because there is no copy in blobs/
	sep      string
}

func (a at) path(d oci.Digest) string {
	if a.manifest {
		return manifestsPath(a.repo) + "/" + fileName(d, a.sep)
	}
	return blobsPath(a.repo) + "/" + fileName(d, a.sep)
}

func newTree(fs fsys.FS, sep string, now func() time.Time) *tree {
	seps := []string{sep}
	for _, s := range separators {
		if s != sep {
			seps = append(seps, s)
		}
	}
	return &tree{
		fs: fs, seps: seps, where: map[oci.Digest]at{},
		manifests: newCache[*manifest](maxCached, now), referrers: newCache[[]*manifest](maxCached/16, now),
	}
}

// absent reports whether err says that there is nothing to read under a path:
// nothing at all, or what is never read, a link or a device.
func absent(err error) bool {
	for _, nothing := range []error{fs.ErrNotExist, syscall.ENOTDIR, fsys.ErrLink, fsys.ErrNotRegular} {
		if errors.Is(err, nothing) {
			return true
		}
	}
	return false
}

// content returns the information of a file that can be the content of d: a
// regular file, empty only if d says so. The error matches fs.ErrNotExist for
// everything else.
func (t *tree) content(path string, d oci.Digest) (fs.FileInfo, error) {
	info, err := t.fs.Lstat(path)
	switch {
	case err == nil && info.Mode().IsRegular() && (info.Size() > 0 || slices.Contains(emptyDigests, d)):
		return info, nil
	case err == nil || absent(err):
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
	}
	return nil, err
}

// blob finds a blob of a repository.
func (t *tree) blob(repository string, d oci.Digest) (at, fs.FileInfo, error) {
	for _, sep := range t.seps {
		a := at{repo: repository, sep: sep}
		info, err := t.content(a.path(d), d)
		if err == nil {
			t.note(d, a)
			return a, info, nil
		}
		if !absent(err) {
			return at{}, nil, err
		}
	}
	return at{}, nil, fs.ErrNotExist
}

// places lists all files of a repository that are named by a digest.
func (t *tree) places(repository string, d oci.Digest) []at {
	var out []at
	for _, sep := range t.seps {
		for _, manifest := range []bool{false, true} {
			a := at{repo: repository, manifest: manifest, sep: sep}
			if manifest && t.isTag(repository, fileName(d, sep)) {
				continue
			}
			if _, err := t.content(a.path(d), d); err == nil {
				out = append(out, a)
			}
		}
	}
	return out
}

// isTag reports whether a file whose name has the form of a digest is a tag.
func (t *tree) isTag(repository, name string) bool {
	_, err := t.tag(repository, name)
	return err == nil
}

// note remembers a place of content, the latest for choice: who has just asked
// a repository for a blob gets that repository's copy.
func (t *tree) note(d oci.Digest, a at) {
	t.mu.RLock()
	same := t.where[d] == a
	t.mu.RUnlock()
	if same {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.where[d] = a
}

// find returns a place of the content of d in any repository, or an error that
// matches fs.ErrNotExist.
func (t *tree) find(ctx context.Context, d oci.Digest) (at, fs.FileInfo, error) {
	a, info, err := t.recall(d)
	if err == nil || !absent(err) {
		return a, info, err
	}
	if err := t.scanOnce(ctx); err != nil {
		return at{}, nil, err
	}
	return t.recall(d)
}

func (t *tree) recall(d oci.Digest) (at, fs.FileInfo, error) {
	t.mu.RLock()
	a, known := t.where[d]
	t.mu.RUnlock()
	if !known {
		return at{}, nil, fs.ErrNotExist
	}
	info, err := t.content(a.path(d), d)
	if err != nil {
		t.forget(d)
	}
	return a, info, err
}

// forget drops a place that is no longer good. There may be others, so that
// the next search has to walk again.
func (t *tree) forget(d oci.Digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.where, d)
	t.scanned = false
}

func (t *tree) scanOnce(ctx context.Context) error {
	t.mu.RLock()
	done := t.scanned
	t.mu.RUnlock()
	if done {
		return nil
	}
	return t.scan(ctx)
}

// scan walks v2/ and remembers its repositories and where each blob is. Only
// names are read.
func (t *tree) scan(ctx context.Context) error {
	s := scan{fs: t.fs, where: map[oci.Digest]at{}}
	if err := s.dir(ctx, "", 0); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.Copy(s.where, t.where) // what was noted meanwhile; a hint at worst
	t.where, t.scanned = s.where, true
	t.repos = newNames(s.repos)
	return nil
}

// repositories returns the names, of a fresh walk if asked.
func (t *tree) repositories(ctx context.Context, fresh bool) (names, error) {
	scan := t.scanOnce
	if fresh {
		scan = t.scan
	}
	if err := scan(ctx); err != nil {
		return names{}, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.repos, nil
}

// wrote notes that a repository was written to, so that listings have it.
func (t *tree) wrote(repository string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.repos = t.repos.with(repository)
}

// digestsSeen returns those of all blobs that the walk and our own writes found.
func (t *tree) digestsSeen() []oci.Digest {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(maps.Keys(t.where))
}

// body reads a manifest that is intact, from manifests/ alone.
func (t *tree) body(repository string, d oci.Digest) (at, []byte, error) {
	for _, sep := range t.seps {
		a := at{repo: repository, manifest: true, sep: sep}
		if _, err := t.content(a.path(d), d); absent(err) {
			continue
		}
		body, err := readFile(t.fs, a.path(d))
		if err != nil && !absent(err) {
			return at{}, nil, err
		}
		if err == nil && d.Check(body) == nil {
			return a, body, nil
		}
	}
	return at{}, nil, fs.ErrNotExist
}
