// Package codesign signs macOS programs ad hoc, as Go's linker does.
//
// An arm64 Mac runs no program whose signature does not fit its content, so a
// program that values were written into must be signed again. An ad-hoc
// signature names nobody: it is a list of hashes of the program's pages, at the
// end of the file. The layout is that of Mach-O and of the headers of Apple's
// kernel (cs_blobs.h).
package codesign

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// ErrFormat is what a file is refused with that is not a whole 64-bit Mach-O
// program for amd64 or arm64; the text around it says why.
var ErrFormat = errors.New("not a macOS program that can be signed")

// File is what is signed in place: an *os.File.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
}

// alignment is where a signature that was not there before begins.
const alignment = 16

// Signed reports whether the program in the first size bytes of r has a
// signature, of whatever kind. The error is ErrFormat, or one of r.
func Signed(r io.ReaderAt, size int64) (bool, error) {
	p, err := parse(r, size)
	if err != nil {
		return false, err
	}
	return p.hasSignature(), nil
}

// Sign signs the program in f, which is size bytes long, and returns how long
// it is afterwards. A signature that is there, of whatever kind, is replaced; the
// length stays where that was made by Go's linker. Where there is none the
// headers must have room to name one. Signing twice makes no difference. The
// error is ErrFormat, f then being as it was, or one of f, which is then of no use.
func Sign(f File, size int64) (int64, error) {
	p, err := parse(f, size)
	if err != nil {
		return 0, err
	}
	if !p.hasSignature() {
		if err := p.makeRoom(f); err != nil {
			return 0, err
		}
	}
	end := p.signature.offset + blobSize(p.signature.offset)
	if end > math.MaxUint32 {
		return 0, fmt.Errorf("%w: it has %d bytes, more than a signature can cover", ErrFormat, size)
	}
	if err := p.resize(f, end); err != nil {
		return 0, err
	}
	return end, p.writeSignature(f)
}

// resize makes the signature end where the file is to end, and says so in the
// headers.
func (p *program) resize(f File, end int64) error {
	if end != p.size {
		if err := p.setEnd(end); err != nil {
			return err
		}
		if err := f.Truncate(end); err != nil {
			return err
		}
	}
	if !p.changed {
		return nil
	}
	_, err := f.WriteAt(p.head, 0)
	return err
}
