package ocdir

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"os"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// partial is a cas.Writer.
type partial struct {
	stage *stage
	id    string
	path  string
	alg   string
	file  fsys.File
	hash  hash.Hash
	size  int64
}

// suffix512 marks the partials that are hashed with sha512, so that Resume
// knows. A comma is in no id.
const suffix512 = ",sha512"

func partialPath(id, algorithm string) string {
	if algorithm == oci.SHA512 {
		return partialDir + "/" + id + suffix512
	}
	return partialDir + "/" + id
}

// claim makes this the only Writer of an id.
func (s *stage) claim(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	if len(id) == 0 || len(id) > 140 || strings.Trim(id, idCharacters) != "" || strings.Trim(id, ".") == "" {
		return oci.ErrBlobUploadInvalid.With(fmt.Sprintf("%.150q is no id of an upload", id))
	}
	if s.open[id] {
		return oci.ErrBlobUploadInvalid.With("upload " + id + " is being written by somebody else")
	}
	s.open[id] = true
	return nil
}

const idCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

func (s *stage) release(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, id)
}

// create begins a partial anew.
func (s *stage) create(id, algorithm string) (*partial, error) {
	if algorithm == "" {
		algorithm = oci.Canonical
	}
	h, err := oci.NewHash(algorithm)
	if err != nil {
		return nil, err
	}
	if err := s.claim(id); err != nil {
		return nil, err
	}
	p := &partial{stage: s, id: id, alg: algorithm, path: partialPath(id, algorithm), hash: h}
	if p.file, err = s.begin(p.path, id); err != nil {
		s.release(id)
		return nil, err
	}
	return p, nil
}

func (s *stage) begin(path, id string) (fsys.File, error) {
	if err := s.fs.MkdirAll(partialDir); err != nil {
		return nil, err
	}
	for _, alg := range []string{oci.SHA256, oci.SHA512} {
		if err := s.fs.Remove(partialPath(id, alg)); err != nil && !absent(err) {
			return nil, err
		}
	}
	return s.fs.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// resume takes up a partial and hashes what is there.
func (s *stage) resume(ctx context.Context, id string) (*partial, error) {
	if err := s.claim(id); err != nil {
		return nil, err
	}
	p, err := s.reopen(ctx, id)
	if err != nil {
		s.release(id)
	}
	return p, err
}

// removePartial forgets a partial that no Writer has.
func (s *stage) removePartial(id string) error {
	if err := s.claim(id); err != nil {
		return err
	}
	defer s.release(id)
	found := false
	for _, alg := range []string{oci.SHA256, oci.SHA512} {
		err := s.fs.Remove(partialPath(id, alg))
		if err != nil && !absent(err) {
			return err
		}
		found = found || err == nil
	}
	if !found {
		return oci.ErrBlobUploadUnknown.With("no upload " + id)
	}
	return nil
}

func (s *stage) reopen(ctx context.Context, id string) (*partial, error) {
	for _, alg := range []string{oci.SHA256, oci.SHA512} {
		p := &partial{stage: s, id: id, alg: alg, path: partialPath(id, alg)}
		f, err := s.fs.OpenFile(p.path, os.O_RDWR)
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p.file = f
		if p.hash, err = oci.NewHash(alg); err == nil {
			p.size, err = copyHash(ctx, p.hash, f)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return p, nil
	}
	return nil, oci.ErrBlobUploadUnknown.With("no upload " + id)
}

// Write implements cas.Writer.
func (p *partial) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	p.hash.Write(b[:n])
	p.size += int64(n)
	return n, err
}

// Offset implements cas.Writer.
func (p *partial) Offset() int64 { return p.size }

// Suspend implements cas.Writer.
func (p *partial) Suspend() error {
	defer p.stage.release(p.id)
	return p.file.Close()
}

// Abort implements cas.Writer.
func (p *partial) Abort() error {
	defer p.stage.release(p.id)
	return errors.Join(p.file.Close(), p.stage.fs.Remove(p.path))
}

// Commit implements cas.Writer.
func (p *partial) Commit(ctx context.Context, d oci.Digest) error {
	if err := p.stage.usable(); err != nil {
		return errors.Join(err, p.Suspend())
	}
	if err := p.check(ctx, d); err != nil {
		if errors.Is(err, oci.ErrDigestInvalid) {
			return errors.Join(err, p.Abort())
		}
		return errors.Join(err, p.Suspend())
	}
	defer p.stage.release(p.id)
	if err := p.file.Close(); err != nil {
		return err
	}
	return p.stage.take(p.path, d, p.size)
}

// check compares the content with d, hashing it once more only where d is of
// another algorithm than was said in the beginning.
func (p *partial) check(ctx context.Context, d oci.Digest) error {
	if d.Algorithm() != p.alg {
		return checkFile(ctx, p.stage.fs, p.path, d)
	}
	if !d.Matches(p.hash) {
		return oci.ErrDigestInvalid.With(fmt.Sprintf("content is %s, want %s", oci.NewDigest(p.alg, p.hash.Sum(nil)), d))
	}
	return nil
}
