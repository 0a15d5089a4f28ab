package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// MemoryDir is where a medium's memory of its catalogs is, below v2/. No
// repository can be called so, so that oc, which opens the files it expects and
// no others (oc.md 8), never comes across it. There is a file for each catalog:
// two media can be copied together, and nothing is rewritten.
const MemoryDir = "_airbridge/catalogs"

// Limits of a memory that is read. The largest catalogs name 20,000 images.
const (
	maxMemory       = 64 << 20 // bytes
	maxRemembered   = 1_000_000
	maxMemories     = 10_000 // files in the directory
	memoryVersion   = 1
	memoryKind      = "airbridge catalog memory"
	memoryExtension = ".json"
)

// ErrNewerMemory is the error of a memory in a form that a later version of
// the program has written.
var ErrNewerMemory = errors.New("it was written by a newer version of this program")

// Memory is what a medium remembers of a catalog on it: the names that its
// images have outside, which are not those of the directory.
type Memory struct {
	// Index is the place of the index image on the medium, Digest is what it
	// is, Original is its name where it came from, zero where nobody knew. A
	// medium may hold another image there by now: this is about the digest alone.
	Index    ref.Ref
	Digest   oci.Digest
	Original ref.Ref
	// Images are the related images, by their originals.
	Images []Remembered
}

// Remembered is an image's original name and its place on the medium.
type Remembered struct {
	Original ref.Ref
	At       ref.Ref // with a tag
}

// Remember returns what a medium has to know of a catalog that goes to it. The
// digest is that of the index image, of the list where it is one.
func (n Names) Remember(digest oci.Digest) Memory {
	m := Memory{Index: place(n.Index.Destination), Digest: digest, Original: n.Index.Original}
	for _, image := range n.Images {
		m.Images = append(m.Images, Remembered{Original: image.Original, At: place(image.Destination)})
	}
	m.Images = sorted(m.Images)
	return m
}

// place is a reference without what is not part of its place on the medium.
func place(r ref.Ref) ref.Ref { return ref.Ref{Scheme: ref.File, Path: r.Path, Tag: r.Tag} }

// Find returns the place of an image on the medium. A nil Memory has none.
func (m *Memory) Find(original ref.Ref) (ref.Ref, bool) {
	if m == nil {
		return ref.Ref{}, false
	}
	i, ok := slices.BinarySearchFunc(m.Images, original, func(r Remembered, o ref.Ref) int { return byKey(r.Original, o) })
	if !ok {
		return ref.Ref{}, false
	}
	return m.Images[i].At, true
}

// byKey is the order of originals: text that has the tag as well as the digest.
func byKey(a, b ref.Ref) int { return strings.Compare(key(a), key(b)) }

// text is key, but nothing for no reference.
func text(r ref.Ref) string {
	if r.IsZero() {
		return ""
	}
	return key(r)
}

func key(r ref.Ref) string {
	if r.Digest.IsZero() || r.Tag == "" {
		return r.String()
	}
	return r.WithTag(r.Tag).String() + "@" + r.Digest.String()
}

// Path is the memory's file below v2/. Its name says of which digest and of
// which place the memory is, without characters that a file system may refuse.
func (m Memory) Path() string {
	return path.Join(MemoryDir, memoryPrefix(m.Digest)+fingerprint(key(m.Index))+memoryExtension)
}

func memoryPrefix(d oci.Digest) string { return strings.ReplaceAll(d.String(), ":", "-") + "-" }

// memoryFile is the form of the file. Images have a line each: the original,
// and the place as "path:tag".
type memoryFile struct {
	Kind     string      `json:"kind"`
	Version  int         `json:"version"`
	Index    string      `json:"index"`
	Digest   string      `json:"digest"`
	Original string      `json:"original"`
	Images   [][2]string `json:"images"`
}

// Encode returns the content of the memory's file: the same bytes for the same
// memory.
func (m Memory) Encode() []byte {
	f := memoryFile{Kind: memoryKind, Version: memoryVersion, Index: m.Index.Name(), Digest: m.Digest.String(), Original: text(m.Original), Images: [][2]string{}}
	for _, r := range sorted(m.Images) {
		f.Images = append(f.Images, [2]string{key(r.Original), r.At.Name()})
	}
	return f.lines()
}

func sorted(images []Remembered) []Remembered {
	return slices.SortedFunc(slices.Values(images), func(a, b Remembered) int { return byKey(a.Original, b.Original) })
}

// lines prints the file with an image a line, so that people can compare two.
func (f memoryFile) lines() []byte {
	images := f.Images
	f.Images = [][2]string{}
	head, err := json.Marshal(f)
	if err != nil {
		panic(err) // text and a number can always be printed
	}
	var b bytes.Buffer
	b.Write(bytes.TrimSuffix(head, []byte("]}")))
	for i, image := range images {
		line, err := json.Marshal(image)
		if err != nil {
			panic(err)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n" + string(line))
	}
	b.WriteString("\n]}\n")
	return b.Bytes()
}

// ParseMemory reads a memory's file. It comes from outside: whatever is not
// exactly what Encode writes is an error.
func ParseMemory(content []byte) (Memory, error) {
	f, err := decodeMemory(content)
	if err != nil {
		return Memory{}, err
	}
	m := Memory{}
	if m.Index, err = parsePlace(f.Index); err != nil {
		return Memory{}, fmt.Errorf("its index: %w", err)
	}
	if m.Digest, err = oci.ParseDigest(f.Digest); err != nil {
		return Memory{}, fmt.Errorf("its digest: %w", err)
	}
	if f.Original != "" {
		if m.Original, err = parseOriginal(f.Original); err != nil {
			return Memory{}, fmt.Errorf("its original: %w", err)
		}
	}
	if m.Images, err = parseRemembered(f.Images); err != nil {
		return Memory{}, err
	}
	if !bytes.Equal(m.Encode(), content) {
		return Memory{}, errors.New("it has more in it than such a file has")
	}
	return m, nil
}

func decodeMemory(content []byte) (memoryFile, error) {
	var f memoryFile
	if len(content) > maxMemory {
		return f, fmt.Errorf("it has more than %d bytes", maxMemory)
	}
	var head struct {
		Kind    string
		Version int
	}
	if err := json.Unmarshal(content, &head); err != nil {
		return f, fmt.Errorf("it is not JSON: %w", err)
	}
	switch {
	case head.Kind != memoryKind:
		return f, fmt.Errorf("its kind is not %q", memoryKind)
	case head.Version > memoryVersion:
		return f, fmt.Errorf("%w (form %d, known is %d)", ErrNewerMemory, head.Version, memoryVersion)
	case head.Version < 1:
		return f, fmt.Errorf("its version is %d", head.Version)
	}
	return f, json.Unmarshal(content, &f)
}

func parseRemembered(lines [][2]string) ([]Remembered, error) {
	if len(lines) > maxRemembered {
		return nil, fmt.Errorf("it has more than %d images", maxRemembered)
	}
	var out []Remembered
	for i, line := range lines {
		original, err := parseOriginal(line[0])
		if err != nil {
			return nil, fmt.Errorf("image %d: %w", i+1, err)
		}
		at, err := parsePlace(line[1])
		if err != nil {
			return nil, fmt.Errorf("image %d: %w", i+1, err)
		}
		if i > 0 && byKey(out[i-1].Original, original) >= 0 {
			return nil, fmt.Errorf("image %d: %s is not in its place in the order", i+1, original)
		}
		out = append(out, Remembered{Original: original, At: at})
	}
	return out, nil
}

// parsePlace reads a place on the medium: a repository of the directory, and a tag.
func parsePlace(s string) (ref.Ref, error) {
	path, tag, _ := strings.Cut(s, ":")
	if oci.CheckName(path) != nil || oci.CheckTag(tag) != nil {
		return ref.Ref{}, fmt.Errorf("%.300q is not the place of an image on a medium", s)
	}
	return ref.Ref{Scheme: ref.File, Path: path, Tag: tag}, nil
}

// parseOriginal reads the name of an image in its registry, written out.
func parseOriginal(s string) (ref.Ref, error) {
	r, err := ref.Parse(s)
	switch {
	case err != nil:
		return ref.Ref{}, err
	case r.Scheme != ref.Registry || r.Path == "" || r != r.Canonical() || key(r) != s || r == r.Repository():
		return ref.Ref{}, fmt.Errorf("%.300q is not the full name of an image in a registry", s)
	}
	return r, nil
}

// ReadMemories returns what a medium remembers of an index image, by its
// digest: usually one memory, several where the same image is in several
// places, none on media of oc. v2 is the medium's directory of that name. The
// problems are files that are of no use, with their names, and do not matter
// where another one serves.
func ReadMemories(v2 fs.FS, digest oci.Digest) (memories []Memory, problems []error, err error) {
	entries, err := fs.ReadDir(v2, MemoryDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading what the medium knows of its catalogs: %w", err)
	}
	for _, e := range entries[:min(len(entries), maxMemories)] {
		if !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), memoryPrefix(digest)) || path.Ext(e.Name()) != memoryExtension {
			continue
		}
		m, err := readMemory(v2, path.Join(MemoryDir, e.Name()))
		if err == nil && (m.Digest != digest || path.Base(m.Path()) != e.Name()) {
			err = errors.New("it is of another catalog than its name says")
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s/%s: %w", MemoryDir, e.Name(), err))
			continue
		}
		memories = append(memories, m)
	}
	return memories, problems, nil
}

func readMemory(v2 fs.FS, name string) (Memory, error) {
	f, err := v2.Open(name)
	if err != nil {
		return Memory{}, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	content, err := io.ReadAll(io.LimitReader(f, maxMemory+1))
	if err != nil {
		return Memory{}, err
	}
	return ParseMemory(content)
}

// Recall returns what is remembered of the naming's index image, nil if that is
// nothing. On a medium it is the memory of the place that the user names; for an
// index image in a registry it is that of the place from which, or the memory of
// the name under which, an image comes to be there, or that of the place itself
// where the medium is the registry. Where there is one memory of that image only,
// it will do.
func (n Naming) Recall(memories []Memory) *Memory {
	for i, m := range memories {
		if n.Index.Scheme != ref.Registry && m.is(n.Index.WithDefaultTag()) {
			return &memories[i]
		}
		if n.Index.Scheme == ref.Registry && (n.IsServed(m.Index) || n.IsAt(m.Index) || !m.Original.IsZero() && n.IsAt(m.Original)) {
			return &memories[i]
		}
	}
	if n.Index.Scheme == ref.Registry && len(memories) == 1 {
		return &memories[0]
	}
	return nil
}

// is reports whether the memory is of the index image that a reference of the
// medium names, by its tag or, in that repository, by its digest.
func (m *Memory) is(index ref.Ref) bool {
	if !index.Digest.IsZero() {
		return m.Index.Path == index.Path && m.Digest == index.Digest
	}
	return m.Index == place(index)
}
