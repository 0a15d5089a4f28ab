package registry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
)

// uploadPrefix begins the ids of partials that are upload sessions. The id is
// all there is of a session: it tells the repository (by a hash) and cannot be
// guessed, and the partial keeps bytes and algorithm. So a session is there
// from its first answer on, also after a kill, at no cost in facts.
const uploadPrefix = "u-"

// uploads knows the open sessions.
type uploads struct {
	mu     sync.Mutex
	loaded bool
	used   map[string]time.Time // by id: when the session was last held
	held   map[string]bool
}

func newUploads() *uploads {
	return &uploads{used: map[string]time.Time{}, held: map[string]bool{}}
}

// StartUpload implements repo.Uploader.
func (p *repository) StartUpload(ctx context.Context, algorithm string) (repo.Upload, error) {
	if err := p.writable(); err != nil {
		return nil, err
	}
	if algorithm == "" {
		algorithm = oci.Canonical
	}
	if _, err := oci.NewHash(algorithm); err != nil {
		return nil, err
	}
	id := p.newUploadID()
	if err := p.uploads.open(ctx, p.Registry, id); err != nil {
		return nil, err
	}
	w, err := p.blobs.Create(ctx, id, algorithm)
	if err != nil {
		p.uploads.forget(id)
		return nil, err
	}
	return p.hand(ctx, id, w)
}

// ResumeUpload implements repo.Uploader.
func (p *repository) ResumeUpload(ctx context.Context, id string) (repo.Upload, error) {
	if err := p.writable(); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(id, p.uploadIDs()) {
		return nil, p.noUpload(id)
	}
	if err := p.uploads.take(ctx, p.Registry, id); err != nil {
		return nil, err
	}
	w, err := p.blobs.Resume(ctx, id)
	if errors.Is(err, oci.ErrBlobUploadUnknown) {
		p.uploads.forget(id)
		return nil, p.noUpload(id)
	}
	if err != nil {
		p.uploads.release(id, p.opts.Now())
		return nil, err
	}
	return p.hand(ctx, id, w)
}

func (p *repository) noUpload(id string) error {
	return oci.ErrBlobUploadUnknown.With(fmt.Sprintf("%s has no upload %.150q", p.name, id))
}

// uploadIDs is what the ids of all sessions of the repository begin with.
func (p *repository) uploadIDs() string {
	sum := sha256.Sum256([]byte(p.name))
	return uploadPrefix + hex.EncodeToString(sum[:8]) + "-"
}

func (p *repository) newUploadID() string { return p.uploadIDs() + strings.ToLower(rand.Text()) }

// Mount implements repo.Uploader.
func (p *repository) Mount(ctx context.Context, d oci.Digest, from string) (oci.Descriptor, error) {
	if err := p.writable(); err != nil {
		return oci.Descriptor{}, err
	}
	fact, err := p.source(ctx, d, from)
	if err != nil {
		return oci.Descriptor{}, err
	}
	desc := oci.Descriptor{MediaType: oci.MediaTypeOctetStream, Digest: d, Size: fact.Size}
	if err := p.lease(ctx, desc); err != nil {
		return oci.Descriptor{}, err
	}
	return desc, p.acknowledge(ctx)
}

// source finds the blob to mount; only where it is told to, if it is.
func (p *repository) source(ctx context.Context, d oci.Digest, from string) (repo.BlobFact, error) {
	var fact repo.BlobFact
	var ok bool
	var err error
	if from == "" {
		fact, ok, err = p.elsewhere(ctx, p.ledger, d, "")
	} else {
		fact, ok, err = (&repository{p.Registry, from}).visible(ctx, p.ledger, d)
	}
	if err == nil && !ok {
		err = p.noBlob(d)
	}
	return fact, err
}

// upload is a session in the hands of one request.
type upload struct {
	repo *repository
	id   string
	w    cas.Writer
	room int64 // bytes that the disk could still take when it was taken up
}

// hand gives a session to a request.
func (p *repository) hand(ctx context.Context, id string, w cas.Writer) (repo.Upload, error) {
	free, err := p.Free(ctx)
	if err != nil {
		p.uploads.release(id, p.opts.Now())
		return nil, errors.Join(err, w.Suspend())
	}
	return &upload{repo: p, id: id, w: w, room: free}, nil
}

// ID implements repo.Upload.
func (u *upload) ID() string { return u.id }

// Offset implements repo.Upload.
func (u *upload) Offset() int64 { return u.w.Offset() }

// Write implements repo.Upload. A full disk is a *repo.SpaceError.
func (u *upload) Write(b []byte) (int, error) {
	if u.room < int64(len(b)) {
		return 0, &repo.SpaceError{Path: u.repo.Registry.name, Need: int64(len(b)), Free: u.room}
	}
	n, err := u.w.Write(b)
	u.room -= int64(n)
	if errors.Is(err, syscall.ENOSPC) {
		err = &repo.SpaceError{Path: u.repo.Registry.name, Need: int64(len(b))}
	}
	return n, err
}

// Suspend implements repo.Upload.
func (u *upload) Suspend() error {
	defer u.repo.uploads.release(u.id, u.repo.opts.Now())
	return u.w.Suspend()
}

// Abort implements repo.Upload.
func (u *upload) Abort() error {
	defer u.repo.uploads.forget(u.id)
	return u.w.Abort()
}

// Commit implements repo.Upload.
func (u *upload) Commit(ctx context.Context, d oci.Digest) error {
	err := u.repo.finish(ctx, oci.Descriptor{Digest: d, Size: u.w.Offset()}, u.w)
	u.repo.uploads.forget(u.id)
	if err != nil {
		return err
	}
	return u.repo.acknowledge(ctx)
}

// finish makes a session's content a blob that is leased to the repository.
func (p *repository) finish(ctx context.Context, desc oci.Descriptor, w cas.Writer) error {
	release, err := p.claims.claim(ctx, desc.Digest)
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	defer release()
	// What lies there already would win over what was sent: see that it is right.
	if _, err := p.locate(ctx, desc, ""); err != nil {
		return errors.Join(err, w.Abort())
	}
	if err := w.Commit(ctx, desc.Digest); err != nil {
		return err
	}
	return p.lease(ctx, desc)
}

// open registers a new session, held.
func (s *uploads) open(ctx context.Context, r *Registry, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx, r); err != nil {
		return err
	}
	if len(s.used) >= r.opts.MaxUploads {
		return oci.ErrTooManyRequests.With(fmt.Sprintf("%d uploads are open", len(s.used)))
	}
	s.used[id], s.held[id] = r.opts.Now(), true
	return nil
}

// take takes up a session that nobody holds.
func (s *uploads) take(ctx context.Context, r *Registry, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx, r); err != nil {
		return err
	}
	if s.held[id] {
		return oci.ErrBlobUploadInvalid.With(fmt.Sprintf("upload %.150q is in use by another request", id))
	}
	if _, ok := s.used[id]; !ok {
		return oci.ErrBlobUploadUnknown.With(fmt.Sprintf("there is no upload %.150q", id))
	}
	s.held[id] = true
	return nil
}

func (s *uploads) release(id string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, id)
	s.used[id] = now
}

func (s *uploads) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, id)
	delete(s.used, id)
}

// load finds the sessions that an earlier process left, once, and drops those
// that waited too long.
func (s *uploads) load(ctx context.Context, r *Registry) error {
	if !s.loaded {
		for part, err := range r.blobs.Partials(ctx) {
			if err != nil {
				return err
			}
			if strings.HasPrefix(part.ID, uploadPrefix) && !s.held[part.ID] {
				s.used[part.ID] = part.ModTime
			}
		}
		s.loaded = true
	}
	return s.expire(ctx, r)
}

func (s *uploads) expire(ctx context.Context, r *Registry) error {
	for id, used := range s.used {
		if s.held[id] || r.opts.Now().Sub(used) < r.opts.Lease {
			continue
		}
		err := r.blobs.DeletePartial(ctx, id)
		if err != nil && !errors.Is(err, oci.ErrBlobUploadUnknown) {
			return err
		}
		delete(s.used, id)
	}
	return nil
}
