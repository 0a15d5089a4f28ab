package ocdir

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// step is a change as the tree has it.
type step struct {
	prefix string
	repo   string
	tag    string
	digest oci.Digest
	remove bool
}

// phase is a kind of steps. The order of phases lets each prefix of them be a
// sound tree: what is named is there for good before what names it, and goes
// after it.
type phase struct {
	prefix string
	remove bool
}

var phases = []phase{
	{repo.BlobPrefix, false},
	{repo.ManifestPrefix, false},
	{repo.TagPrefix, false},
	{repo.TagPrefix, true},
	{repo.ManifestPrefix, true},
	{repo.BlobPrefix, true},
}

// Apply implements kv.Store: the facts become files and links. The changes are
// durable on return, and made in an order in which a crash leaves no name of
// what is not there. They are not atomic, a directory cannot be; the same
// call made again completes what a fault or a crash cut short. Facts of
// referrers follow from manifests and change nothing. A value says nothing
// that the content does not: leases and media types are not kept.
func (f *facts) Apply(ctx context.Context, changes []kv.Change) error {
	w := f.write
	if w == nil {
		return kv.ErrReadOnly
	}
	w.applying.Lock()
	defer w.applying.Unlock()
	if w.failed != nil {
		return fmt.Errorf("%s takes no more writes: %w", w.fs.Root(), w.failed)
	}
	if err := f.conditions(ctx, changes); err != nil {
		return err
	}
	steps, err := w.steps(changes)
	if err != nil {
		return err
	}
	for _, p := range phases {
		if err := w.phase(ctx, steps, p); err != nil {
			return fmt.Errorf("writing to %s: %w", w.fs.Root(), err)
		}
	}
	return nil
}

// conditions checks each condition, with the changes before it made.
func (f *facts) conditions(ctx context.Context, changes []kv.Change) error {
	made := map[string][]byte{}
	for _, c := range changes {
		if c.If != (kv.Condition{}) {
			present, known := made[c.Key]
			if !known {
				var err error
				if present, err = f.Get(ctx, c.Key); err != nil && !errors.Is(err, kv.ErrNotFound) {
					return err
				}
			}
			if !c.If.Holds(present) {
				return kv.ErrConflict
			}
		}
		made[c.Key] = c.Value
	}
	return nil
}

// steps translates changes, the last of each key. All are checked before the
// first is made.
func (w *writer) steps(changes []kv.Change) ([]step, error) {
	last := map[string]int{}
	var out []step
	for _, c := range changes {
		s, err := w.step(c)
		if err != nil {
			return nil, fmt.Errorf("fact %s does not fit into oc's directory: %w", c.Key, err)
		}
		if i, again := last[c.Key]; again {
			out[i] = s
			continue
		}
		last[c.Key] = len(out)
		out = append(out, s)
	}
	return out, nil
}

func (w *writer) step(c kv.Change) (step, error) {
	prefix, name, rest, ok := repo.SplitKey(c.Key)
	if !ok {
		return step{}, errors.New("unknown kind of fact")
	}
	if err := oci.CheckName(name); err != nil {
		return step{}, err
	}
	s := step{prefix: prefix, repo: name, remove: c.Value == nil}
	switch prefix {
	case repo.TagPrefix:
		err := w.tagStep(&s, c.Key, rest, c.Value)
		return s, err
	case repo.ManifestPrefix, repo.BlobPrefix:
		d, err := oci.ParseDigest(rest)
		s.digest = d
		return s, err
	case repo.ReferrerPrefix:
		return s, nil
	}
	return step{}, errors.New("unknown kind of fact")
}

func (w *writer) tagStep(s *step, key, tag string, value []byte) error {
	if err := oci.CheckTag(tag); err != nil {
		return err
	}
	_, sep, digest := parseName(tag)
	if !isTag(tag) || digest && sep == w.tree.seps[0] {
		return oci.ErrTagInvalid.With(fmt.Sprintf("a file called %q means something else there", tag))
	}
	s.tag = tag
	if s.remove {
		return nil
	}
	fact, err := repo.DecodeFact[repo.TagFact](key, value)
	s.digest = fact.Digest
	if err == nil && s.digest.IsZero() {
		err = errors.New("tag without digest")
	}
	return err
}

// phase makes the steps of one kind, and makes them durable. A manifest is also
// a blob of its repository, as with oc, and made one first.
func (w *writer) phase(ctx context.Context, steps []step, p phase) error {
	for _, s := range steps {
		if p == (phase{repo.BlobPrefix, false}) && s.prefix == repo.ManifestPrefix && !s.remove {
			if err := w.putBlob(ctx, s.repo, s.digest); err != nil {
				return err
			}
		}
		if s.prefix != p.prefix || s.remove != p.remove {
			continue
		}
		if err := w.make(ctx, s); err != nil {
			return err
		}
	}
	return w.flush()
}

func (w *writer) make(ctx context.Context, s step) error {
	switch {
	case s.remove && s.prefix == repo.TagPrefix:
		return w.remove(manifestsPath(s.repo) + "/" + s.tag)
	case s.remove:
		return w.removeContent(s.repo, s.digest, s.prefix == repo.ManifestPrefix)
	case s.prefix == repo.TagPrefix:
		return w.putTag(s.repo, s.tag, s.digest)
	case s.prefix == repo.ManifestPrefix:
		return w.putManifest(ctx, s.repo, s.digest)
	}
	return w.putBlob(ctx, s.repo, s.digest)
}

// removeContent removes a manifest or a blob from a repository under all the
// names that it may have. The copy of a manifest in blobs/ stays, because it
// may also be a layer of something else.
func (w *writer) removeContent(repository string, d oci.Digest, manifest bool) error {
	for _, sep := range w.tree.seps {
		if manifest && w.tree.isTag(repository, fileName(d, sep)) {
			continue
		}
		if err := w.remove(at{repo: repository, manifest: manifest, sep: sep}.path(d)); err != nil {
			return err
		}
	}
	w.trust(file{repo: repository, manifest: manifest, digest: d}, false)
	w.tree.forget(d)
	return nil
}

// remove removes an entry that may be absent.
func (w *writer) remove(name string) error {
	err := w.fs.Remove(name)
	if absent(err) {
		return nil
	}
	w.changed(name)
	return err
}

// removeWrong removes all files that are named by d and have other content.
func (w *writer) removeWrong(ctx context.Context, d oci.Digest) error {
	w.applying.Lock()
	defer w.applying.Unlock()
	all, err := w.tree.repositories(ctx, false)
	if err != nil {
		return err
	}
	for _, name := range all.at {
		for _, a := range w.tree.places(name, d) {
			if !errors.Is(w.sure(ctx, a, d), oci.ErrDigestInvalid) {
				continue
			}
			if err := w.remove(a.path(d)); err != nil {
				return err
			}
		}
	}
	w.tree.forget(d)
	return w.flush()
}

// drop removes a blob everywhere. What is staged goes first.
func (w *writer) drop(ctx context.Context, d oci.Digest) error {
	w.applying.Lock()
	defer w.applying.Unlock()
	err := w.stage.Delete(ctx, d)
	if err != nil && !errors.Is(err, oci.ErrBlobUnknown) {
		return err
	}
	found := err == nil
	w.stage.setKnown(d, false)
	all, err := w.tree.repositories(ctx, false)
	if err != nil {
		return err
	}
	for _, name := range slices.Clone(all.at) {
		if _, _, err := w.tree.blob(name, d); err == nil {
			found = true
		}
		if err := errors.Join(w.removeContent(name, d, true), w.removeContent(name, d, false)); err != nil {
			return err
		}
	}
	if !found {
		return oci.ErrBlobUnknown.With("no blob " + d.String())
	}
	return w.flush()
}
