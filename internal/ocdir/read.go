package ocdir

import (
	"crypto/sha512"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// manifest is what the facts say of a manifest file.
type manifest struct {
	desc    oci.Descriptor // with annotations where it has a subject
	subject oci.Digest
	// tag is set where the file is not a manifest by that name but a tag: its
	// name has the form of both.
	tag oci.Digest
}

// tag is what a tag points at, and when it was made.
type tag struct {
	digest oci.Digest
	time   time.Time
}

// tag reads one tag. The error matches fs.ErrNotExist where name is none.
func (t *tree) tag(repository, name string) (tag, error) {
	if !isTag(name) {
		return tag{}, fs.ErrNotExist
	}
	path := manifestsPath(repository) + "/" + name
	info, err := t.fs.Lstat(path)
	if absent(err) {
		return tag{}, fs.ErrNotExist
	}
	if err != nil {
		return tag{}, err
	}
	d, err := t.pointsAt(repository, path, info)
	return tag{digest: d, time: info.ModTime()}, err
}

// pointsAt returns the digest that the entry of a tag stands for.
func (t *tree) pointsAt(repository, path string, info fs.FileInfo) (oci.Digest, error) {
	if info.Mode().Type() == fs.ModeSymlink {
		text, err := t.fs.Readlink(path)
		if err != nil {
			return oci.Digest{}, err
		}
		if d, ok := parseLink(text); ok {
			return d, nil
		}
		return oci.Digest{}, fs.ErrNotExist
	}
	m, err := t.file(repository, path, info)
	if err != nil {
		return oci.Digest{}, err
	}
	if m.tag.IsZero() {
		return oci.Digest{}, fs.ErrNotExist
	}
	return m.tag, nil
}

// manifest reads what a manifest of a repository is. The error matches
// fs.ErrNotExist where there is none.
func (t *tree) manifest(repository string, d oci.Digest) (*manifest, error) {
	for _, sep := range t.seps {
		path := manifestsPath(repository) + "/" + fileName(d, sep)
		info, err := t.content(path, d)
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m, err := t.file(repository, path, info)
		if err == nil && m.tag.IsZero() {
			t.note(d, at{repo: repository, manifest: true, sep: sep})
			return m, nil
		}
		if err != nil && !absent(err) {
			return nil, err
		}
	}
	return nil, fs.ErrNotExist
}

// file says what a regular file in manifests/ is, reading it once. The error
// matches fs.ErrNotExist for what is neither manifest nor tag.
func (t *tree) file(repository, path string, info fs.FileInfo) (*manifest, error) {
	if !info.Mode().IsRegular() || info.Size() == 0 || info.Size() > oci.MaxManifestSize {
		return nil, fs.ErrNotExist
	}
	if m, ok := t.manifests.get(path, info); ok {
		return m, nil
	}
	moment := t.manifests.moment()
	body, err := readFile(t.fs, path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	_, name := split(path)
	m := judge(name, body)
	if m == nil {
		return nil, fs.ErrNotExist
	}
	if !m.tag.IsZero() {
		m.tag = t.known(repository, m.tag, body)
	}
	if m.tag.IsZero() || moment.rested(info) {
		t.manifests.put(moment, path, info, m)
	}
	return m, nil
}

// judge says what a file is from its name and content. A name with a hyphen
// can be that of a manifest, as oc writes it on Windows, or a tag, as cosign
// and the referrers fallback make them: the content decides. Under a colon is
// always a manifest, be it damaged. Nil is neither.
func judge(name string, body []byte) *manifest {
	d, sep, named := parseName(name)
	if named && d.Check(body) == nil {
		return describe(d, body)
	}
	if !named || sep != ":" {
		if to, ok := stands(body); ok {
			return &manifest{tag: to}
		}
	}
	if named {
		return describe(d, body)
	}
	return nil
}

// describe derives the facts of a manifest. One that cannot be parsed keeps
// its place, so that reading it tells of the damage.
func describe(d oci.Digest, body []byte) *manifest {
	out := &manifest{desc: oci.Descriptor{MediaType: oci.MediaTypeOctetStream, Digest: d, Size: int64(len(body))}}
	m, err := oci.ParseManifest("", body)
	if err != nil {
		return out
	}
	out.desc.MediaType, out.desc.ArtifactType = m.MediaType, m.ArtifactType
	if m.Subject != nil {
		out.subject, out.desc.Annotations = m.Subject.Digest, m.Annotations
	}
	return out
}

// stands returns the digest that the content of a tag's file means: the text
// of the link that it was, or the manifest that the link led to.
func stands(body []byte) (oci.Digest, bool) {
	const longestLink = 4096
	if len(body) <= longestLink {
		if d, ok := parseLink(string(body)); ok {
			return d, true
		}
	}
	m, err := oci.ParseManifest("", body)
	if err != nil || !oci.IsManifest(m.MediaType) {
		return oci.Digest{}, false
	}
	if m.Config == nil && m.Manifests == nil && !oci.IsSchema1(m.MediaType) {
		return oci.Digest{}, false // some other JSON
	}
	return oci.FromBytes(body), true
}

// known returns the digest by which the repository has the manifest that a
// tag's file is a copy of: the canonical one unless only the other is there.
func (t *tree) known(repository string, d oci.Digest, body []byte) oci.Digest {
	sum := sha512.Sum512(body)
	h := oci.NewDigest(oci.SHA512, sum[:])
	if d == oci.FromBytes(body) && !t.has(repository, d) && t.has(repository, h) {
		return h
	}
	return d
}

func (t *tree) has(repository string, d oci.Digest) bool {
	for _, sep := range t.seps {
		if _, err := t.content(manifestsPath(repository)+"/"+fileName(d, sep), d); err == nil {
			return true
		}
	}
	return false
}

// tagNames lists what may be tags, sorted, those after the given one.
func (t *tree) tagNames(repository, after string) ([]string, error) {
	entries, err := list(t.fs, manifestsPath(repository))
	var out []string
	for _, e := range entries {
		mode := e.Type()
		if (mode.IsRegular() || mode == fs.ModeSymlink) && e.Name() > after && isTag(e.Name()) {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, err
}

// digests lists what a directory has by digest, sorted by the text of the
// digest.
func (t *tree) digests(dir string) ([]oci.Digest, error) {
	entries, err := list(t.fs, dir)
	var out []oci.Digest
	for _, e := range entries {
		if d, _, ok := parseName(e.Name()); ok && e.Type().IsRegular() {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b oci.Digest) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(out), err
}

// list returns the entries of a directory, none where it is not there.
func list(files fsys.FS, dir string) ([]fs.DirEntry, error) {
	entries, err := files.ReadDir(dir)
	if absent(err) {
		return nil, nil
	}
	return entries, err
}

// referring lists the manifests of a repository that have a subject. It reads
// each manifest once, and remembers until the directory changes.
func (t *tree) referring(repository string) ([]*manifest, error) {
	dir := manifestsPath(repository)
	info, err := t.fs.Lstat(dir)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if list, ok := t.referrers.get(dir, info); ok {
		return list, nil
	}
	moment := t.referrers.moment()
	list, err := t.findReferring(repository)
	if err == nil && moment.rested(info) {
		t.referrers.put(moment, dir, info, list)
	}
	return list, err
}

func (t *tree) findReferring(repository string) ([]*manifest, error) {
	digests, err := t.digests(manifestsPath(repository))
	if err != nil {
		return nil, err
	}
	var list []*manifest
	for _, d := range digests {
		m, err := t.manifest(repository, d)
		if err != nil && !absent(err) {
			return nil, err
		}
		if err == nil && !m.subject.IsZero() {
			list = append(list, m)
		}
	}
	return list, nil
}

// readFile reads a file that is no larger than a manifest may be.
func readFile(files fsys.FS, path string) ([]byte, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, oci.MaxManifestSize+1))
	if err == nil && len(body) > oci.MaxManifestSize {
		return nil, fs.ErrNotExist
	}
	return body, err
}
