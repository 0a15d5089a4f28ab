package release

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
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

const (
	maxLayer  = 2 << 30  // bytes in one layer, also as it is stored
	maxWindow = 64 << 20 // bytes that zstd may look back
)

// directory is where a release image keeps its payload (oc.md 11).
const directory = "release-manifests/"

// errLimit is what a layer gets that is made to exhaust us.
var errLimit = errors.New("limit exceeded")

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
	plain, err := decompress(r)
	if err != nil {
		return err
	}
	defer plain.Close()
	entries := tar.NewReader(&budget{plain, l.layer})
	seen := map[string]bool{}
	for n := 0; ; n++ {
		header, err := entries.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading layer: %w", err)
		case n == l.entries:
			return fmt.Errorf("%w: the layer has more than %d entries", errLimit, n)
		}
		if err := l.entry(entries, header, seen, visit); err != nil {
			return err
		}
	}
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
		return fmt.Errorf("%w: %.300s has %d bytes, more than %d", errLimit, h.Name, h.Size, l.file)
	case len(name) > 255:
		return fmt.Errorf("%w: %.300s has a name of more than 255 bytes", errLimit, h.Name)
	case len(seen) == l.files:
		return fmt.Errorf("%w: the layer has more than %d payload files", errLimit, l.files)
	case seen[name]:
		return fmt.Errorf("%s is in the layer twice", h.Name)
	}
	return nil
}

// decompress undoes what the first bytes tell.
func decompress(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReader(r)
	magic, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading layer: %w", err)
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("reading layer: %w", err)
		}
		return z, nil
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("reading layer: %w", err)
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(buffered), nil
}

// budget fails a reader that gives more than so many bytes.
type budget struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (b *budget) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, fmt.Errorf("%w: the layer unpacks to too many bytes", errLimit)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
