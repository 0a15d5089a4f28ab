package codesign

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
)

// Numbers of a signature (cs_blobs.h). All of it is big endian.
const (
	magicSuperBlob     = 0xfade0cc0
	magicCodeDirectory = 0xfade0c02

	// version is the first that has the fields of the executable segment.
	version            = 0x20400
	flagAdHoc          = 0x2
	flagLinkerSigned   = 0x20000
	hashSHA256         = 2
	pageBits           = 12
	pageSize           = 1 << pageBits
	execSegmentMain    = 0x1
	superBlobSize      = 12 + 8 // its head, and where its only blob is
	codeDirectorySize  = 88
	hashesAt           = codeDirectorySize + int64(len(identifier)) + 1
	hashesInFile       = superBlobSize + hashesAt
	bufferPages        = 256
	identifier         = "a.out" // Go's linker gives every program this one
	codeDirectoryIndex = 0
)

// blobSize is how long the signature of the first n bytes of a file is.
func blobSize(n int64) int64 { return hashesInFile + pages(n)*sha256.Size }

func pages(n int64) int64 { return (n + pageSize - 1) / pageSize }

// writeSignature writes the signature of all that is before it.
func (p *program) writeSignature(f File) error {
	if _, err := f.WriteAt(p.blobHead(), p.signature.offset); err != nil {
		return err
	}
	content := io.NewSectionReader(f, 0, p.signature.offset)
	n, err := hashPages(io.NewOffsetWriter(f, p.signature.offset+hashesInFile), content)
	if err == nil && n < p.signature.offset {
		return io.ErrUnexpectedEOF // the file is shorter than we were told
	}
	return err
}

// blobHead is the signature up to the hashes.
func (p *program) blobHead() []byte {
	n := p.signature.offset
	b := make([]byte, 0, hashesInFile)
	u32 := func(values ...uint32) {
		for _, v := range values {
			b = binary.BigEndian.AppendUint32(b, v)
		}
	}
	u32(magicSuperBlob, uint32(blobSize(n)), 1, codeDirectoryIndex, superBlobSize)
	u32(magicCodeDirectory, uint32(blobSize(n)-superBlobSize), version, flagAdHoc|flagLinkerSigned)
	u32(uint32(hashesAt), codeDirectorySize, 0, uint32(pages(n)), uint32(n)) // no special slots
	b = append(b, sha256.Size, hashSHA256, 0, pageBits)
	u32(0, 0, 0, 0) // spare, scatter, team, spare
	for _, v := range []uint64{0, uint64(p.text.offset), uint64(p.text.length), p.execFlags()} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return append(append(b, identifier...), 0)
}

func (p *program) execFlags() uint64 {
	if p.kind == typeExecute {
		return execSegmentMain
	}
	return 0
}

// hashPages writes the hash of each page of r, the last of which may be short,
// and returns how long r was.
func hashPages(w io.Writer, r io.Reader) (total int64, err error) {
	buf := make([]byte, bufferPages*pageSize)
	hashes := make([]byte, 0, bufferPages*sha256.Size)
	for err == nil {
		var n int
		n, err = io.ReadFull(r, buf)
		total += int64(n)
		hashes = hashes[:0]
		for b := buf[:n]; len(b) > 0; b = b[min(pageSize, len(b)):] {
			sum := sha256.Sum256(b[:min(pageSize, len(b))])
			hashes = append(hashes, sum[:]...)
		}
		if _, err := w.Write(hashes); err != nil {
			return total, err
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return total, err
}
