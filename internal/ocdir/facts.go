package ocdir

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// facts is the kv.Store: the facts of package repo, derived from the tree.
type facts struct {
	tree  *tree
	write *writer // nil where the directory is open for reading
}

// prefixes of facts, in the order of keys, with the separator after the name.
var prefixes = []struct{ prefix, sep string }{
	{repo.BlobPrefix, "@"}, {repo.ManifestPrefix, "@"}, {repo.ReferrerPrefix, "@"}, {repo.TagPrefix, ":"},
}

// Get implements kv.Store. Where the directory is open for writing, a blob
// that was there before is hashed once before it is said to be there, and a
// manifest needs all its blobs: oc and faulty media leave files that are
// incomplete or wrong, and a mirror run must replace them.
func (f *facts) Get(ctx context.Context, key string) ([]byte, error) {
	prefix, name, rest, ok := repo.SplitKey(key)
	if !ok || oci.CheckName(name) != nil {
		return nil, kv.ErrNotFound
	}
	value, err := f.value(ctx, prefix, name, rest)
	if err == nil {
		return repo.EncodeFact(value), nil
	}
	if absent(err) || errors.Is(err, oci.ErrDigestInvalid) {
		return nil, kv.ErrNotFound
	}
	return nil, err
}

// value derives one fact.
func (f *facts) value(ctx context.Context, prefix, name, rest string) (any, error) {
	switch prefix {
	case repo.TagPrefix:
		return f.tagFact(name, rest)
	case repo.ReferrerPrefix:
		subject, digest, _ := strings.Cut(rest, "@")
		return f.referrer(name, subject, digest)
	}
	d, err := oci.ParseDigest(rest)
	if err != nil {
		return nil, err
	}
	switch prefix {
	case repo.ManifestPrefix:
		return f.manifestFact(ctx, name, d)
	case repo.BlobPrefix:
		return f.blobFact(ctx, name, d)
	}
	return nil, fs.ErrNotExist
}

func (f *facts) tagFact(name, text string) (any, error) {
	tag, err := f.tree.tag(name, text)
	if err != nil {
		return nil, err
	}
	return repo.TagFact{Digest: tag.digest, Time: tag.time.Unix()}, nil
}

func (f *facts) manifestFact(ctx context.Context, name string, d oci.Digest) (any, error) {
	if f.write != nil {
		if err := f.write.complete(ctx, name, d); err != nil {
			return nil, err
		}
	}
	m, err := f.tree.manifest(name, d)
	if err != nil {
		return nil, err
	}
	fact := repo.ManifestFact{MediaType: m.desc.MediaType, Size: m.desc.Size, ArtifactType: m.desc.ArtifactType}
	if !m.subject.IsZero() {
		fact.Subject = &m.subject
	}
	return fact, nil
}

// blobFact says Held of every blob: the directory knows no leases.
func (f *facts) blobFact(ctx context.Context, name string, d oci.Digest) (any, error) {
	if f.write != nil {
		if err := f.write.blob(ctx, name, d); err != nil {
			return nil, err
		}
	}
	_, info, err := f.tree.blob(name, d)
	if err != nil {
		return nil, err
	}
	return repo.BlobFact{Size: info.Size(), Time: info.ModTime().Unix(), Held: true}, nil
}

func (f *facts) referrer(name, subject, digest string) (any, error) {
	d, err := oci.ParseDigest(digest)
	if err != nil {
		return nil, err
	}
	m, err := f.tree.manifest(name, d)
	if err != nil {
		return nil, err
	}
	if m.subject.IsZero() || m.subject.String() != subject {
		return nil, fs.ErrNotExist
	}
	return m.desc, nil
}

// List implements kv.Store. Repositories are found by a walk at the start of
// a listing of more than one of them; the facts of each are derived as they
// are asked for.
func (f *facts) List(ctx context.Context, prefix, after string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		for _, p := range prefixes {
			l := listing{facts: f, prefix: p.prefix, sep: p.sep, want: prefix, after: after}
			if err := l.run(ctx, yield); err != nil {
				if !errors.Is(err, errStopped) {
					yield(kv.Entry{}, err)
				}
				return
			}
		}
	}
}

// errStopped says that whoever lists has had enough.
var errStopped = errors.New("stopped")

// listing is one List over one kind of facts.
type listing struct {
	facts       *facts
	prefix, sep string
	want, after string
}

func (l listing) run(ctx context.Context, yield func(kv.Entry, error) bool) error {
	if !reaches(l.prefix, l.want, l.after) {
		return nil
	}
	names, err := l.names(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !reaches(l.prefix+name+l.sep, l.want, l.after) {
			continue
		}
		if err := l.repository(ctx, name, yield); err != nil {
			return err
		}
	}
	return nil
}

// reaches reports whether keys that begin with base can be in a listing.
func reaches(base, want, after string) bool {
	return (strings.HasPrefix(base, want) || strings.HasPrefix(want, base)) &&
		(after < base || strings.HasPrefix(after, base))
}

// names returns the repositories in question, in the order of their keys: the
// one that the prefix names, else those that a walk found.
func (l listing) names(ctx context.Context) ([]string, error) {
	if prefix, name, _, ok := repo.SplitKey(l.want); ok {
		if prefix == l.prefix && oci.CheckName(name) == nil {
			return []string{name}, nil
		}
		return nil, nil
	}
	all, err := l.facts.tree.repositories(ctx, l.after <= l.prefix)
	if err != nil {
		return nil, err
	}
	start := strings.TrimPrefix(max(l.after, l.want, l.prefix), l.prefix)
	return all.from(start, l.sep), nil
}

// repository yields the facts of one repository.
func (l listing) repository(ctx context.Context, name string, yield func(kv.Entry, error) bool) error {
	base := l.prefix + name + l.sep
	rest, err := l.facts.rests(l.prefix, name, strings.TrimPrefix(max(l.after, base), base))
	if err != nil {
		return err
	}
	for _, r := range rest {
		key := base + r
		if !strings.HasPrefix(key, l.want) || key <= l.after {
			continue
		}
		value, err := l.facts.listed(ctx, l.prefix, name, r)
		if absent(err) {
			continue
		}
		if err != nil {
			return err
		}
		if !yield(kv.Entry{Key: key, Value: repo.EncodeFact(value)}, nil) {
			return errStopped
		}
	}
	return nil
}

// listed is value, but believes blobs: a listing of everything must not hash
// everything.
func (f *facts) listed(ctx context.Context, prefix, name, rest string) (any, error) {
	return (&facts{tree: f.tree}).value(ctx, prefix, name, rest)
}

// rests lists what follows the separator in the keys of a repository, sorted.
// Some may turn out to be none.
func (f *facts) rests(prefix, name, after string) ([]string, error) {
	switch prefix {
	case repo.TagPrefix:
		return f.tree.tagNames(name, after)
	case repo.ReferrerPrefix:
		return f.referrerRests(name)
	}
	digests, err := f.tree.digests(manifestsPath(name))
	if err == nil && prefix == repo.BlobPrefix {
		digests, err = f.blobsOnly(name, digests)
	}
	out := make([]string, 0, len(digests))
	for _, d := range digests {
		if text := d.String(); text > after {
			out = append(out, text)
		}
	}
	return out, err
}

// blobsOnly lists the blobs of a repository without the copies of its
// manifests, which would count twice wherever facts are counted. Whoever asks
// for such a blob by its digest gets it.
func (f *facts) blobsOnly(name string, manifests []oci.Digest) ([]oci.Digest, error) {
	all, err := f.tree.digests(blobsPath(name))
	copies := make(map[oci.Digest]bool, len(manifests))
	for _, d := range manifests {
		copies[d] = true
	}
	return slices.DeleteFunc(all, func(d oci.Digest) bool { return copies[d] }), err
}

func (f *facts) referrerRests(name string) ([]string, error) {
	list, err := f.tree.referring(name)
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.subject.String() + "@" + m.desc.Digest.String()
	}
	slices.Sort(out)
	return out, err
}
