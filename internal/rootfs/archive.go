package rootfs

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// ErrLimit is what an image gets that is made to exhaust us.
var ErrLimit = errors.New("limit exceeded")

// maxWindow is how many bytes zstd may look back.
const maxWindow = 64 << 20

// Limits of a name: archives have them of a megabyte, and each directory in one
// costs a call of the system for each file, when it is made, read and removed.
const (
	maxName = 4096 // bytes, as Linux
	maxDeep = 255  // slashes
)

// Entry is an entry of a layer. Its content can be read until the next one is asked for.
type Entry struct {
	*tar.Header
	Content io.Reader
}

// ArchiveLimits bound what a layer may make us read.
type ArchiveLimits struct {
	Bytes   int64 // unpacked
	Entries int
}

// Entries reads a layer: a tar archive, plain or compressed with gzip or zstd,
// which is found out from its first bytes. It yields an error, and ends, where
// the archive is damaged or exceeds a limit (ErrLimit).
func Entries(r io.Reader, l ArchiveLimits) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		plain, err := decompress(r)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer plain.Close()
		entries := tar.NewReader(&budget{plain, l.Bytes})
		for n := 0; ; n++ {
			h, err := entries.Next()
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				err = fmt.Errorf("reading layer: %w", err)
			case n == l.Entries:
				err = fmt.Errorf("%w: the layer has more than %d entries", ErrLimit, n)
			case h.Typeflag == tar.TypeXGlobalHeader:
				continue // about the archive, and no entry; it has a name all the same
			case len(h.Name) > maxName || strings.Count(h.Name, "/") > maxDeep:
				err = fmt.Errorf("%w: a name of %d bytes, %.40q and so on, is too long or too deep for any system", ErrLimit, len(h.Name), h.Name)
			}
			if !yield(Entry{h, entries}, err) || err != nil {
				return
			}
		}
	}
}

// decompress undoes what the first bytes tell.
func decompress(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
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
		return 0, fmt.Errorf("%w: the layer unpacks to too many bytes", ErrLimit)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
