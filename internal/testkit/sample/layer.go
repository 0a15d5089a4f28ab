package sample

import (
	"archive/tar"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// epoch is the time that everything generated carries.
var epoch = time.Date(2023, time.January, 12, 18, 29, 52, 0, time.UTC)

// File is one entry of a layer.
type File struct {
	Name string
	Body []byte
}

// Layer makes a layer with one file of incompressible bytes. The layer as a
// blob is about 2 KiB larger.
func (m *Maker) Layer(size int64) Blob {
	m.made++
	key := make([]byte, 16)
	binary.BigEndian.PutUint64(key, m.seed)
	binary.BigEndian.PutUint64(key[8:], m.made)
	head := tarHeader(fmt.Sprintf("data/%016x", m.made), size)
	end := make([]byte, -size&511+1024) // up to a block, and two empty ones
	return layer(func() (io.Reader, int64) {
		noise := io.LimitReader(keystream(key), size)
		return io.MultiReader(bytes.NewReader(head), noise, bytes.NewReader(end)), int64(len(head)+len(end)) + size
	})
}

// Files makes a layer of the given files.
func Files(files ...File) Blob {
	var buf bytes.Buffer
	for _, f := range files {
		buf.Write(tarHeader(f.Name, int64(len(f.Body))))
		buf.Write(f.Body)
		buf.Write(make([]byte, -len(f.Body)&511))
	}
	buf.Write(make([]byte, 1024))
	content := buf.Bytes()
	return layer(func() (io.Reader, int64) { return bytes.NewReader(content), int64(len(content)) })
}

// layer describes the gzipped form of a tar by generating it once.
func layer(tarball func() (io.Reader, int64)) Blob {
	start := func() io.Reader {
		r, size := tarball()
		return newStoredGzip(r, size)
	}
	plain, _ := tarball()
	return Blob{
		Desc:   describe(start(), oci.MediaTypeOCILayerGzip),
		DiffID: describe(plain, "").Digest,
		start:  start,
	}
}

// describe hashes generated content, which cannot fail to be read.
func describe(r io.Reader, mediaType string) oci.Descriptor {
	h := oci.Digest{}.Hash()
	n, err := io.Copy(h, r)
	if err != nil {
		panic(fmt.Sprintf("generated content cannot be read: %v", err))
	}
	return oci.Descriptor{MediaType: mediaType, Digest: oci.NewDigest(oci.Canonical, h.Sum(nil)), Size: n}
}

func tarHeader(name string, size int64) []byte {
	var buf bytes.Buffer
	err := tar.NewWriter(&buf).WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: epoch, Format: tar.FormatUSTAR,
	})
	if err != nil {
		panic(fmt.Sprintf("tar header of %s: %v", name, err))
	}
	return buf.Bytes()
}

// keystream is an endless stream of bytes that look random: AES in counter
// mode, the fastest generator that the standard library has.
func keystream(key []byte) io.Reader {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has 16 bytes
	}
	return &cipher.StreamReader{S: cipher.NewCTR(block, make([]byte, aes.BlockSize)), R: zeros{}}
}

// zeros reads as zero bytes without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// storedGzip frames content as a gzip stream of stored blocks (RFC 1951, 3.2.4;
// RFC 1952): valid, as fast as copying, and the same bytes with every version
// of Go, which no compressor promises.
type storedGzip struct {
	src  io.Reader
	size int64  // of the content
	left int64  // of it to read
	crc  uint32 // of what was read
	buf  []byte // storage of out
	out  []byte // framed bytes to hand out
	done bool
}

// storedMax is the most a stored block holds, in bytes.
const storedMax = 65535

func newStoredGzip(src io.Reader, size int64) *storedGzip {
	z := &storedGzip{src: src, size: size, left: size, buf: make([]byte, 0, storedMax+5)}
	// Magic, deflate, no flags, no time, no extra flags, unknown system.
	z.out = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}
	return z
}

// Read implements io.Reader.
func (z *storedGzip) Read(p []byte) (int, error) {
	for len(z.out) == 0 {
		if z.done {
			return 0, io.EOF
		}
		if err := z.frame(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.out)
	z.out = z.out[n:]
	return n, nil
}

// frame fills out with the next block, and after the last with the trailer.
func (z *storedGzip) frame() error {
	n := min(z.left, storedMax)
	z.left -= n
	b := z.buf[:5+n]
	b[0] = 0
	if z.left == 0 {
		b[0], z.done = 1, true // the final block
	}
	binary.LittleEndian.PutUint16(b[1:], uint16(n))
	binary.LittleEndian.PutUint16(b[3:], ^uint16(n))
	if _, err := io.ReadFull(z.src, b[5:]); err != nil {
		return err
	}
	z.crc = crc32.Update(z.crc, crc32.IEEETable, b[5:])
	if z.done {
		b = binary.LittleEndian.AppendUint32(b, z.crc)
		b = binary.LittleEndian.AppendUint32(b, uint32(z.size)) // modulo 2^32, as the RFC says
	}
	z.out = b
	return nil
}
