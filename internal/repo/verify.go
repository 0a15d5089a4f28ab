package repo

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// tail is how much a Verifier withholds until the hash is right, in bytes: so
// much is always missing from wrong content that it can never complete a
// request that declared its length.
const tail = 32 << 10

// Verifier reads content and hands out its last 32 KiB only after the whole
// has the digest and size of its descriptor. Content that has not, ends in a
// *CorruptError before it is complete.
type Verifier struct {
	src     io.ReadCloser
	desc    oci.Descriptor
	where   string
	hash    hash.Hash
	held    []byte // withheld end, at most tail bytes
	out     []byte // verified rest to hand out, part of held
	read    int64  // bytes taken from src
	settled error  // io.EOF once verified, or what went wrong
}

// NewVerifier opens content from its start. where names it in errors.
func NewVerifier(ctx context.Context, desc oci.Descriptor, content Opener, where string) (*Verifier, error) {
	src, err := content(ctx, 0)
	if err != nil {
		return nil, err
	}
	return &Verifier{src: src, desc: desc, where: where, hash: desc.Digest.Hash(), held: make([]byte, 0, tail)}, nil
}

// OpenVerified opens a blob of a source from its start, as NewVerifier does. Its
// error names the blob.
func OpenVerified(ctx context.Context, src Source, desc oci.Descriptor, where string) (*Verifier, error) {
	v, err := NewVerifier(ctx, desc, func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		return src.OpenBlob(ctx, desc.Digest, offset)
	}, where)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", desc.Digest, err)
	}
	return v, nil
}

// Read implements io.Reader.
func (v *Verifier) Read(p []byte) (int, error) {
	if v.settled != nil {
		return v.drain(p)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if free := v.desc.Size - tail - v.read; free > 0 {
		return v.pass(p[:min(int64(len(p)), free)])
	}
	v.settled = v.finish()
	return v.drain(p)
}

// pass hands out bytes that lie before the withheld end.
func (v *Verifier) pass(p []byte) (int, error) {
	n, err := v.src.Read(p)
	v.hash.Write(p[:n])
	v.read += int64(n)
	if errors.Is(err, io.EOF) {
		err = v.short()
	}
	if err != nil {
		v.settled = err
	}
	return n, err
}

// finish reads the withheld end and one byte more, and judges the whole.
func (v *Verifier) finish() error {
	rest := v.held[:max(v.desc.Size-v.read, 0)]
	n, err := io.ReadFull(v.src, rest)
	v.hash.Write(rest[:n])
	v.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if v.read < v.desc.Size {
		return v.short()
	}
	if extra, _ := io.ReadFull(v.src, make([]byte, 1)); extra > 0 {
		return v.corrupt(fmt.Sprintf("longer than its %d bytes", v.desc.Size))
	}
	if !v.desc.Digest.Matches(v.hash) {
		return v.corrupt("content is " + oci.NewDigest(v.desc.Digest.Algorithm(), v.hash.Sum(nil)).String())
	}
	v.out = rest
	return io.EOF
}

func (v *Verifier) drain(p []byte) (int, error) {
	if len(v.out) == 0 {
		return 0, v.settled
	}
	n := copy(p, v.out)
	v.out = v.out[n:]
	return n, nil
}

func (v *Verifier) short() error {
	return v.corrupt(fmt.Sprintf("got %d bytes of %d", v.read, v.desc.Size))
}

func (v *Verifier) corrupt(reason string) error {
	return &CorruptError{Where: v.where, Digest: v.desc.Digest, Reason: reason}
}

// Close closes the content.
func (v *Verifier) Close() error { return v.src.Close() }
