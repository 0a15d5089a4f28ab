package release

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/rootfs"
)

// streamed are the limits of files that are passed on and not held: the layers
// with installers for all platforms unpack to several gigabytes.
var streamed = limits{file: 8 << 30, layer: 64 << 30, entries: standard.entries}

// maxLinks is how many links are followed to one file.
const maxLinks = 16

// FileReader reads regular files out of an image, as a container made of it
// would see them: what an upper layer removes is not there, and links within
// the image are followed. Layers are read from the top, one at a time, and not
// below the last file that is wanted (oc.md 13.3).
type FileReader struct {
	Source repo.Source
	Name   string           // of the image, for errors on its content
	Layers []oci.Descriptor // the base first, as in the manifest
	// Found is given each file while its layer is being read. The content is
	// not verified yet: it must not come to be used before Verified is called.
	Found func(f ImageFile, content io.Reader) error
	// Verified is called when a layer was read to its end and has its digest,
	// if it had any of the files.
	Verified func() error
	// Progress, if set, is told how many bytes of the layers opened so far were
	// read, and how many they have.
	Progress func(done, total int64)
}

// ImageFile is a regular file in an image.
type ImageFile struct {
	Path    string // as it was asked for
	Size    int64  // bytes
	ModTime time.Time
}

// ReadFiles reads the files with the given paths, which have no slash before
// them. missing are those that the image does not have.
func (r *FileReader) ReadFiles(ctx context.Context, paths ...string) (missing []string, err error) {
	s := &fileSearch{reader: r}
	for _, p := range paths {
		s.wants = append(s.wants, &want{asked: p, path: path.Clean(p)})
	}
	for s.any(looking) {
		if err := s.pass(ctx); err != nil {
			return nil, err
		}
	}
	for _, w := range s.wants {
		if w.state == gone {
			missing = append(missing, w.asked)
		}
	}
	return missing, nil
}

// wantState says what became of a file that is looked for.
type wantState int

const (
	looking wantState = iota // in this pass through the layers
	linked                   // somewhere else, where the next pass looks for it
	found
	gone
)

// want is a file that is looked for.
type want struct {
	asked  string
	path   string // where it is looked for, which a link may have changed
	top    int    // the number of the layer to begin with, from the top
	links  int    // that were followed
	state  wantState
	hidden bool // lower layers cannot have it
	// dirs are the directories above it that an upper layer has, which hide
	// whatever lower layers have in their place.
	dirs map[string]bool
}

// follow makes the next pass look elsewhere.
func (w *want) follow(to string, top int) error {
	if w.links++; w.links > maxLinks {
		return fmt.Errorf("%w: %s is behind more than %d links", rootfs.ErrLimit, w.asked, maxLinks)
	}
	w.path, w.top, w.state, w.hidden, w.dirs = to, top, linked, false, nil
	return nil
}

type fileSearch struct {
	reader      *FileReader
	wants       []*want
	done, total int64 // bytes of layers
}

func (s *fileSearch) any(state wantState) bool {
	return slices.ContainsFunc(s.wants, func(w *want) bool { return w.state == state })
}

// pass goes through the layers once, from the top.
func (s *fileSearch) pass(ctx context.Context) error {
	layers := s.reader.Layers
	for i := range layers {
		desc := layers[len(layers)-1-i]
		scan := &layerScan{number: i, found: s.reader.Found}
		for _, w := range s.wants {
			if w.state == looking && w.top <= i {
				scan.wants = append(scan.wants, w)
			}
		}
		if len(scan.wants) == 0 || desc.IsForeign() {
			continue // what is not in the registry cannot be read
		}
		if err := s.layer(ctx, desc, scan); err != nil {
			return err
		}
	}
	for _, w := range s.wants {
		switch w.state {
		case looking:
			w.state = gone
		case linked:
			w.state = looking
		}
	}
	return nil
}

// layer scans a layer and reads on to its end, because a part cannot be
// verified. What is wrong with the content explains what is wrong with the
// archive, so it is told first.
func (s *fileSearch) layer(ctx context.Context, desc oci.Descriptor, scan *layerScan) error {
	content, err := repo.OpenVerified(ctx, s.reader.Source, desc, s.reader.Name)
	if err != nil {
		return err
	}
	defer io.Closer(content).Close()
	s.total += desc.Size
	counted := readFunc(func(p []byte) (int, error) {
		n, err := content.Read(p)
		s.done += int64(n)
		if s.reader.Progress != nil {
			s.reader.Progress(s.done, s.total)
		}
		return n, err
	})
	err = scan.read(until(ctx, counted))
	if _, ours := errors.AsType[*foundError](err); ours || errors.Is(err, rootfs.ErrLimit) {
		return fmt.Errorf("layer %s: %w", desc.Digest, err)
	}
	if _, corrupt := io.Copy(io.Discard, until(ctx, counted)); corrupt != nil {
		return corrupt
	}
	if err != nil {
		return fmt.Errorf("layer %s: %w", desc.Digest, err)
	}
	scan.settle()
	if scan.had {
		return s.reader.Verified()
	}
	return nil
}

// foundError is a failure of whoever is given a file, and not of the content.
type foundError struct{ error }

func (e *foundError) Unwrap() error { return e.error }

// layerScan looks for files in one layer.
type layerScan struct {
	number int // of the layer, from the top
	wants  []*want
	found  func(ImageFile, io.Reader) error
	had    bool // one of the files was in it
}

// read goes through the archive until nothing more is to be learnt from it.
func (s *layerScan) read(r io.Reader) error {
	for e, err := range rootfs.Entries(r, rootfs.ArchiveLimits{Bytes: streamed.layer, Entries: streamed.entries}) {
		if err != nil {
			return err
		}
		if err := s.entry(e.Header, e.Content); err != nil || !s.open() {
			return err
		}
	}
	return nil
}

// open reports whether a file is still looked for.
func (s *layerScan) open() bool {
	return slices.ContainsFunc(s.wants, func(w *want) bool { return w.state == looking })
}

// settle gives up what lower layers cannot have.
func (s *layerScan) settle() {
	for _, w := range s.wants {
		if w.hidden && w.state == looking {
			w.state = gone
		}
	}
}

// entry compares one entry with what is looked for.
func (s *layerScan) entry(h *tar.Header, content io.Reader) error {
	name, ok := rootfs.EntryName(h.Name)
	if !ok || name == "." {
		return nil // outside of the image, or its root, which no file is
	}
	wipe, removes := rootfs.Whiteout(name)
	for _, w := range s.wants {
		var err error
		switch {
		case w.state != looking:
		case removes:
			w.hidden = w.hidden || wipe.Hides(w.path)
		case name == w.path:
			err = s.here(w, h, content)
		case rootfs.Covers(name, w.path):
			err = s.above(w, name, h)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// here deals with the entry that has the path of a file.
func (s *layerScan) here(w *want, h *tar.Header, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		return s.hand(w, h, content)
	case tar.TypeSymlink:
		return w.follow(rootfs.Resolve(w.path, h.Linkname), 0)
	case tar.TypeLink:
		target, ok := rootfs.EntryName(h.Linkname)
		if !ok || target == "." {
			w.state = gone
			return nil
		}
		return w.follow(target, s.number)
	}
	w.state = gone // a directory, a device
	return nil
}

// hand gives a file out. An error of its content comes before one of whoever
// takes it, who may only be passing it on.
func (s *layerScan) hand(w *want, h *tar.Header, content io.Reader) error {
	if h.Size > streamed.file {
		return fmt.Errorf("%w: %s has %d bytes, more than %d", rootfs.ErrLimit, w.asked, h.Size, streamed.file)
	}
	var broken error
	watched := readFunc(func(p []byte) (int, error) {
		n, err := content.Read(p)
		if err != nil && !errors.Is(err, io.EOF) {
			broken = err
		}
		return n, err
	})
	w.state, s.had = found, true
	err := s.found(ImageFile{Path: w.asked, Size: h.Size, ModTime: h.ModTime}, watched)
	switch {
	case broken != nil:
		return fmt.Errorf("reading %s: %w", w.asked, broken)
	case err != nil:
		return &foundError{err}
	}
	return nil
}

// above deals with an entry that has the path of a directory above a file. A
// link leads elsewhere; anything else that is no directory hides what lower
// layers have there.
func (s *layerScan) above(w *want, name string, h *tar.Header) error {
	switch {
	case w.dirs[name]:
	case h.Typeflag == tar.TypeDir:
		if w.dirs == nil {
			w.dirs = map[string]bool{}
		}
		w.dirs[name] = true
	case h.Typeflag == tar.TypeSymlink:
		return w.follow(path.Join(rootfs.Resolve(name, h.Linkname), strings.TrimPrefix(w.path, name+"/")), 0)
	default:
		w.hidden = true
	}
	return nil
}
