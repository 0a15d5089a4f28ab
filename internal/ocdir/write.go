package ocdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// writer puts content that is staged into repositories.
type writer struct {
	fs    fsys.FS
	tree  *tree
	stage *stage

	mu    sync.Mutex
	sound map[file]bool // hashed by this process, or written by it

	moving sync.RWMutex // content on its way from the stage into v2/

	applying sync.Mutex      // guards what follows
	failed   error           // why nothing more is written
	made     map[string]bool // directories that are there for good
	dirty    map[string]bool // directories to be synced
	temps    int
}

// file is a file of a repository by what it must contain.
type file struct {
	repo     string
	manifest bool
	digest   oci.Digest
}

func newWriter(files fsys.FS, t *tree) *writer {
	return &writer{
		fs: files, tree: t, stage: newStage(files),
		sound: map[file]bool{}, made: map[string]bool{}, dirty: map[string]bool{},
	}
}

// sure hashes a file once; the error matches oci.ErrDigestInvalid if it is wrong.
func (w *writer) sure(ctx context.Context, a at, d oci.Digest) error {
	key := file{repo: a.repo, manifest: a.manifest, digest: d}
	w.mu.Lock()
	known := w.sound[key]
	w.mu.Unlock()
	if known {
		return nil
	}
	if err := checkFile(ctx, w.fs, a.path(d), d); err != nil {
		return err
	}
	w.trust(key, true)
	return nil
}

func (w *writer) trust(key file, sound bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if sound {
		w.sound[key] = true
	} else {
		delete(w.sound, key)
	}
}

// blob returns nil if a repository has a blob whose content was hashed.
func (w *writer) blob(ctx context.Context, repository string, d oci.Digest) error {
	a, _, err := w.tree.blob(repository, d)
	if err != nil {
		return err
	}
	return w.sure(ctx, a, d)
}

// complete returns nil if a repository has a manifest that is intact and all
// its blobs in their sizes. oc leaves manifests without blobs when it is told
// to go on after errors.
func (w *writer) complete(ctx context.Context, repository string, d oci.Digest) error {
	a, body, err := w.tree.body(repository, d)
	if err != nil {
		return err
	}
	if err := w.sure(ctx, a, d); err != nil {
		return err
	}
	for _, desc := range needed(body) {
		if desc.IsForeign() {
			continue
		}
		_, info, err := w.tree.blob(repository, desc.Digest)
		if err != nil {
			return err
		}
		if info.Size() != desc.Size {
			return fs.ErrNotExist
		}
	}
	return nil
}

// needed lists what a manifest names besides children. One of a kind that we
// do not know needs nothing: its bytes are right.
func needed(body []byte) []oci.Descriptor {
	if m, err := oci.ParseManifest("", body); err == nil {
		return m.Blobs()
	}
	return nil
}

// source finds content to link from: a file of some repository that was hashed.
func (w *writer) source(ctx context.Context, d oci.Digest) (string, error) {
	a, _, err := w.tree.find(ctx, d)
	if err != nil {
		return "", err
	}
	if err = w.sure(ctx, a, d); err == nil {
		return a.path(d), nil
	}
	if !errors.Is(err, oci.ErrDigestInvalid) {
		return "", err
	}
	return w.another(ctx, d)
}

// another looks through all repositories for a copy that is not damaged.
func (w *writer) another(ctx context.Context, d oci.Digest) (string, error) {
	all, err := w.tree.repositories(ctx, false)
	if err != nil {
		return "", err
	}
	for _, name := range all.at {
		a, _, err := w.tree.blob(name, d)
		if err == nil {
			err = w.sure(ctx, a, d)
		}
		if err == nil {
			return a.path(d), nil
		}
		if !absent(err) && !errors.Is(err, oci.ErrDigestInvalid) {
			return "", err
		}
	}
	return "", oci.ErrDigestInvalid.With("no file named " + d.String() + " has that content")
}

// putBlob makes a repository have a blob: a staged one is moved there, one of
// another repository is linked.
func (w *writer) putBlob(ctx context.Context, repository string, d oci.Digest) error {
	err := w.blob(ctx, repository, d)
	if err == nil {
		return w.unstage(ctx, d)
	}
	if !absent(err) && !isCorrupt(err) {
		return err
	}
	a := at{repo: repository, sep: w.tree.seps[0]}
	if err := w.dir(blobsPath(repository)); err != nil {
		return err
	}
	if err := w.fill(ctx, a, d); err != nil {
		return fmt.Errorf("no content for %s: %w", a.path(d), err)
	}
	w.settled(a, d)
	return nil
}

func (w *writer) fill(ctx context.Context, a at, d oci.Digest) error {
	err := w.stage.verify(ctx, d)
	if err == nil {
		return w.move(ctx, a, d)
	}
	if !errors.Is(err, oci.ErrBlobUnknown) && !isCorrupt(err) {
		return err
	}
	from, err := w.source(ctx, d)
	if err != nil {
		return err
	}
	return w.link(ctx, from, a.path(d), d)
}

// move puts a staged blob in its place, once it is durable.
func (w *writer) move(ctx context.Context, a at, d oci.Digest) error {
	if err := w.stage.Sync(ctx); err != nil {
		return err
	}
	w.moving.Lock()
	defer w.moving.Unlock()
	if err := w.fs.Rename(stagedPath(d), a.path(d)); err != nil {
		return err
	}
	w.tree.note(d, a)
	w.stage.setKnown(d, false)
	return nil
}

// unstage removes content from the stage that has come into v2/ otherwise.
func (w *writer) unstage(ctx context.Context, d oci.Digest) error {
	if err := w.stage.Delete(ctx, d); err != nil && !errors.Is(err, oci.ErrBlobUnknown) {
		return err
	}
	w.stage.setKnown(d, false)
	return nil
}

// still keeps content from being moved while it is looked for; to be called
// with the result at the end.
func (w *writer) still() (end func()) {
	w.moving.RLock()
	return w.moving.RUnlock
}

// settled notes that a file was written.
func (w *writer) settled(a at, d oci.Digest) {
	w.trust(file{repo: a.repo, manifest: a.manifest, digest: d}, true)
	w.tree.note(d, a)
	w.tree.wrote(a.repo)
	w.changed(a.path(d))
}

// changed notes that the entry of a path is to be made durable, and that what
// was derived from it is out of date.
func (w *writer) changed(name string) {
	dir, _ := split(name)
	w.dirty[dir] = true
	w.tree.manifests.drop(name)
	w.tree.referrers.drop(dir)
}

// putManifest links a manifest that is in blobs/ into manifests/.
func (w *writer) putManifest(ctx context.Context, repository string, d oci.Digest) error {
	if a, _, err := w.tree.body(repository, d); err == nil && w.sure(ctx, a, d) == nil {
		return nil
	}
	a := at{repo: repository, manifest: true, sep: w.tree.seps[0]}
	if err := w.dir(manifestsPath(repository)); err != nil {
		return err
	}
	from, _, err := w.tree.blob(repository, d)
	if err != nil {
		return err
	}
	if err := w.link(ctx, from.path(d), a.path(d), d); err != nil {
		return err
	}
	w.settled(a, d)
	w.tree.note(d, from)
	return nil
}

// putTag points a tag at a manifest, the way oc does.
func (w *writer) putTag(repository, tag string, d oci.Digest) error {
	if had, err := w.tree.tag(repository, tag); err == nil && had.digest == d {
		return nil
	}
	if err := w.dir(manifestsPath(repository)); err != nil {
		return err
	}
	text, name := fileName(d, w.tree.seps[0]), manifestsPath(repository)+"/"+tag
	err := w.replace(name, func(name string) error { return w.fs.Symlink(text, name) })
	if err != nil {
		return err
	}
	w.changed(name)
	return nil
}

// link gives content a second name. Where the file system has no links, or
// one file has all it can have, the content is copied.
func (w *writer) link(ctx context.Context, from, to string, d oci.Digest) error {
	err := w.replace(to, func(name string) error { return w.fs.Link(from, name) })
	if err == nil || absent(err) {
		return err
	}
	if copyErr := w.copy(ctx, from, to, d); copyErr != nil {
		return errors.Join(err, copyErr)
	}
	return nil
}

// replace makes an entry, in place of another if there is one. It is made under
// another name outside of v2/ then: oc takes each link in manifests/ for a tag.
func (w *writer) replace(name string, create func(name string) error) error {
	err := create(name)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	temp, err := w.temp()
	if err != nil {
		return err
	}
	if err := create(temp); err != nil {
		return err
	}
	err = w.fs.Rename(temp, name)
	// Renaming one name of a file to another of the same file does nothing.
	if left := w.fs.Remove(temp); left != nil && !absent(left) {
		err = errors.Join(err, left)
	}
	return err
}

// temp returns a name that is free.
func (w *writer) temp() (string, error) {
	w.temps++
	name := tempPrefix + strconv.Itoa(w.temps)
	if err := w.fs.Remove(name); err != nil && !absent(err) {
		return "", err
	}
	return name, nil
}

func (w *writer) copy(ctx context.Context, from, to string, d oci.Digest) error {
	temp, err := w.temp()
	if err != nil {
		return err
	}
	if err := w.copyFile(ctx, from, temp, d); err != nil {
		return errors.Join(err, w.fs.Remove(temp))
	}
	return w.fs.Rename(temp, to)
}

func (w *writer) copyFile(ctx context.Context, from, to string, d oci.Digest) error {
	src, err := w.fs.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := w.fs.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if err := pour(ctx, dst, src); err != nil {
		return errors.Join(err, dst.Close())
	}
	if err := errors.Join(dst.Sync(), dst.Close()); err != nil {
		return err
	}
	return checkFile(ctx, w.fs, to, d)
}

// dir makes a directory of a repository, and notes what must be synced for it
// to last.
func (w *writer) dir(name string) error {
	if w.made[name] {
		return nil
	}
	if err := w.fs.MkdirAll(name); err != nil {
		return err
	}
	for ; name != "."; name = path.Dir(name) {
		if w.made[name] {
			return nil
		}
		w.made[name] = true
		w.dirty[path.Dir(name)] = true
	}
	return nil
}

// flush makes the entries of all directories that were changed durable.
func (w *writer) flush() error {
	dirs := make([]string, 0, len(w.dirty))
	for dir := range w.dirty {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	for _, dir := range dirs {
		if err := w.fs.SyncDir(dir); err != nil {
			w.failed = fmt.Errorf("making entries durable: %w", err)
			return w.failed
		}
	}
	clear(w.dirty)
	return nil
}
