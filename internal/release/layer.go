package release

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/rootfs"
)

// limits bound what a layer may make us read.
type limits struct {
	file    int64 // bytes in one payload file
	layer   int64 // bytes in one layer, unpacked
	entries int   // entries in one layer
	files   int   // payload files in one layer
}

// standard are the limits of ARCHITECTURE.md, On the wire. A real release has
// 650 files, of 120 KB at most, in a layer of 5 MB.
var standard = limits{file: 64 << 20, layer: maxLayer, entries: 1000000, files: 10000}

const maxLayer = 2 << 30 // bytes in one layer, also as it is stored

// directory is where a release image keeps its payload (oc.md 11).
const directory = "release-manifests/"

// ReadLayer reads a layer (a tar archive, plain or compressed with gzip or
// zstd, which is found out from its first bytes) and shows the payload files in
// it, the regular files directly below release-manifests/, by their base name and in
// the order of the archive. It returns the first error of visit, an error
// for an archive that is damaged, exceeds a limit or has a payload file twice.
// Nothing is written anywhere, and links are not followed.
func ReadLayer(r io.Reader, visit func(name string, content []byte) error) error {
	return standard.readLayer(r, visit)
}

func (l limits) readLayer(r io.Reader, visit func(name string, content []byte) error) error {
	seen := map[string]bool{}
	for e, err := range rootfs.Entries(r, rootfs.ArchiveLimits{Bytes: l.layer, Entries: l.entries}) {
		if err != nil {
			return err
		}
		if err := l.entry(e.Content, e.Header, seen, visit); err != nil {
			return err
		}
	}
	return nil
}

// entry shows one entry if it is a payload file.
func (l limits) entry(r io.Reader, h *tar.Header, seen map[string]bool, visit func(string, []byte) error) error {
	name, ok := payloadName(h)
	if !ok {
		return nil
	}
	if err := l.check(h, seen, name); err != nil {
		return err
	}
	seen[name] = true
	content, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("reading %s: %w", h.Name, err)
	}
	return visit(name, content)
}

// payloadName returns the base name of a payload file. Archives made with
// "tar ." have ./ before each name. Whiteouts are not files, and are not
// interpreted, as oc does not.
func payloadName(h *tar.Header) (string, bool) {
	name, ok := strings.CutPrefix(strings.TrimPrefix(h.Name, "./"), directory)
	if !ok || h.Typeflag != tar.TypeReg || name != path.Base(name) || strings.HasPrefix(name, ".") {
		return "", false
	}
	return name, true
}

func (l limits) check(h *tar.Header, seen map[string]bool, name string) error {
	switch {
	case h.Size > l.file:
		return fmt.Errorf("%w: %.300s has %d bytes, more than %d", rootfs.ErrLimit, h.Name, h.Size, l.file)
	case len(name) > 255:
		return fmt.Errorf("%w: %.300s has a name of more than 255 bytes", rootfs.ErrLimit, h.Name)
	case len(seen) == l.files:
		return fmt.Errorf("%w: the layer has more than %d payload files", rootfs.ErrLimit, l.files)
	case seen[name]:
		return fmt.Errorf("%s is in the layer twice", h.Name)
	}
	return nil
}
