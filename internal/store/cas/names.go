package cas

import (
	"context"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// maxID is the longest id of a partial, in characters: a file name, with room
// to spare on every file system.
const maxID = 140

// checkID keeps ids to what every file system takes as a name.
func checkID(id string) error {
	if id == "" || len(id) > maxID || id == "." || id == ".." || strings.ContainsFunc(id, notInID) {
		return oci.ErrBlobUploadInvalid.With(fmt.Sprintf("%.150q is no id of an upload", id))
	}
	return nil
}

func notInID(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
}

func unknownBlob(d oci.Digest) error {
	return oci.ErrBlobUnknown.With(fmt.Sprintf("no blob %q here", d))
}

func unknownPartial(id string) error {
	return oci.ErrBlobUploadUnknown.With("no upload " + id + " here")
}

func heldPartial(id string) error {
	return oci.ErrBlobUploadInvalid.With("upload " + id + " is being written by somebody else")
}

// running is the hash of a partial as far as it has been written.
type running struct {
	algorithm string
	hash      hash.Hash
	size      int64
}

// start begins a hash; algorithm "" is the canonical one.
func start(algorithm string) (*running, error) {
	if algorithm == "" {
		algorithm = oci.Canonical
	}
	h, err := oci.NewHash(algorithm)
	return &running{algorithm: algorithm, hash: h}, err
}

func (r *running) add(p []byte) {
	r.hash.Write(p)
	r.size += int64(len(p))
}

// check compares the content with d. Content begun under another algorithm
// than d's, as a client may do that names the digest at the end only, is read
// once more from content.
func (r *running) check(ctx context.Context, d oci.Digest, content io.Reader) error {
	if d.IsZero() {
		return oci.ErrDigestInvalid.With("no digest to commit")
	}
	if r.algorithm != d.Algorithm() {
		again, err := start(d.Algorithm())
		if err != nil {
			return err
		}
		if err := again.addAll(ctx, content); err != nil {
			return err
		}
		r = again
	}
	if !d.Matches(r.hash) {
		got := oci.NewDigest(r.algorithm, r.hash.Sum(nil))
		return oci.ErrDigestInvalid.With(fmt.Sprintf("content is %s, want %s", got, d))
	}
	return nil
}

// readSize is how much is read at once for hashing alone, in bytes.
const readSize = 256 << 10

// addAll adds a whole content to the hash.
func (r *running) addAll(ctx context.Context, content io.Reader) error {
	buf := make([]byte, readSize)
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := content.Read(buf)
		r.add(buf[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
