package kv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// maxHeader is more than a header can have, in bytes.
const maxHeader = 4096

// head is a log whose header was read; log is 0 where it was never finished.
type head struct {
	header
	path string
	raw  []byte // the header as it stands in the file
	size int64  // of the file
}

// readHead reads the header of a log. A log that ends with its first line, and
// that line not whole, was begun by a process that got no further; anything
// else that is not a header is a *CorruptError.
func readHead(fs fsys.FS, path string, number uint64) (head, error) {
	start, size, err := readStart(fs, path)
	if err != nil {
		return head{}, err
	}
	line, _, whole := bytes.Cut(start, []byte{'\n'})
	h, err := parseHeader(line)
	if newer, ok := errors.AsType[*repo.VersionError](err); ok {
		newer.Path = path
		return head{}, newer
	}
	corrupt := &CorruptError{Path: path, Line: 1}
	switch {
	case whole && err == nil && h.log != number:
		corrupt.Reason = fmt.Sprintf("it is log %d by its content", h.log)
	case whole && err == nil:
		return head{header: h, path: path, raw: start[:len(line)+1], size: size}, nil
	case size <= int64(len(line)+1):
		return head{path: path, size: size}, nil
	default:
		corrupt.Reason = "it is not the header of a log"
	}
	return head{}, corrupt
}

// readStart returns the first bytes of a file and its size before that.
func readStart(fs fsys.FS, path string) ([]byte, int64, error) {
	file, err := fs.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	start := make([]byte, maxHeader)
	n, err := file.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("reading %s: %w", path, err)
	}
	return start[:n], info.Size(), nil
}

// inEffect reports whether all that a log repeats is in it, and at least one
// Apply: the header alone may not be durable, but a later write proves that it is.
func (h head) inEffect(fs fsys.FS) (bool, error) {
	file, err := fs.Open(h.path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	d := newDecoder(h.path, h.header, h.raw)
	until := h.next + max(h.carry, 1)
	err = d.readTail(section(file, d.good(), math.MaxInt64), until, func([]item) {})
	return d.next >= until, err
}
