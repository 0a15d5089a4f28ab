package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// fake is a registry in memory that does what a test tells it to: it serves
// blobs from files, has no uploads, fails or waits. It follows the contracts
// and nothing more, which shows that the server needs no more.
type fake struct {
	mu       sync.Mutex
	repos    map[string]*fakeRepo
	sessions map[string]*fakeUpload
	started  int

	files   string                   // where blobs are also kept as files, "" for memory alone
	onWrite func(n int) error        // called for each write to an upload
	onStat  func(d oci.Digest) error // called for each look at a manifest or blob
}

type fakeRepo struct {
	reg       *fake
	name      string
	blobs     map[oci.Digest][]byte
	manifests map[oci.Digest]fakeManifest
	tags      map[string]oci.Digest
}

type fakeManifest struct {
	desc oci.Descriptor
	body []byte
}

func newFake() *fake {
	return &fake{repos: map[string]*fakeRepo{}, sessions: map[string]*fakeUpload{}}
}

func (f *fake) Name() string { return "fake" }

func (f *fake) Repo(name string) (repo.Repo, error) {
	if err := oci.CheckName(name); err != nil {
		return nil, err
	}
	return f.repository(name), nil
}

func (f *fake) repository(name string) *fakeRepo {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.repos[name]
	if r == nil {
		r = &fakeRepo{
			reg: f, name: name, blobs: map[oci.Digest][]byte{},
			manifests: map[oci.Digest]fakeManifest{}, tags: map[string]oci.Digest{},
		}
		f.repos[name] = r
	}
	return r
}

// addBlob puts content into a repository, behind the server's back.
func (f *fake) addBlob(repository string, body []byte) oci.Digest {
	r, d := f.repository(repository), oci.FromBytes(body)
	if err := r.addBlob(d, body); err != nil {
		panic(err)
	}
	return d
}

func (f *fake) Repositories(_ context.Context, after string) iter.Seq2[string, error] {
	f.mu.Lock()
	defer f.mu.Unlock()
	return sorted(slices.Collect(maps.Keys(f.repos)), after)
}

func sorted(items []string, after string) iter.Seq2[string, error] {
	slices.Sort(items)
	return func(yield func(string, error) bool) {
		for _, item := range items {
			if item > after && !yield(item, nil) {
				return
			}
		}
	}
}

func (r *fakeRepo) Name() string { return r.name }

func (r *fakeRepo) look(d oci.Digest) error {
	if r.reg.onStat != nil {
		return r.reg.onStat(d)
	}
	return nil
}

func (r *fakeRepo) Resolve(ctx context.Context, t repo.Target) (oci.Descriptor, error) {
	desc, _, err := r.Manifest(ctx, t)
	return desc, err
}

func (r *fakeRepo) Manifest(_ context.Context, t repo.Target) (oci.Descriptor, []byte, error) {
	r.reg.mu.Lock()
	defer r.reg.mu.Unlock()
	d := t.Digest
	if d.IsZero() {
		d = r.tags[t.Tag]
	}
	if err := r.look(d); err != nil {
		return oci.Descriptor{}, nil, err
	}
	m, ok := r.manifests[d]
	if !ok {
		return oci.Descriptor{}, nil, oci.ErrManifestUnknown.With("no manifest " + t.String())
	}
	return m.desc, m.body, nil
}

func (r *fakeRepo) StatBlob(_ context.Context, d oci.Digest) (oci.Descriptor, error) {
	r.reg.mu.Lock()
	defer r.reg.mu.Unlock()
	if err := r.look(d); err != nil {
		return oci.Descriptor{}, err
	}
	body, ok := r.blobs[d]
	if !ok {
		return oci.Descriptor{}, oci.ErrBlobUnknown.With("no blob " + d.String())
	}
	return oci.Descriptor{Digest: d, Size: int64(len(body))}, nil
}

func (r *fakeRepo) OpenBlob(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	if _, err := r.StatBlob(ctx, d); err != nil {
		return nil, err
	}
	if r.reg.files == "" {
		r.reg.mu.Lock()
		defer r.reg.mu.Unlock()
		return io.NopCloser(bytes.NewReader(r.blobs[d][offset:])), nil
	}
	f, err := os.Open(filepath.Join(r.reg.files, d.Hex()))
	if err != nil {
		return nil, err
	}
	_, err = f.Seek(offset, io.SeekStart)
	return f, err
}

func (r *fakeRepo) Tags(_ context.Context, after string) iter.Seq2[string, error] {
	r.reg.mu.Lock()
	defer r.reg.mu.Unlock()
	if len(r.manifests) == 0 {
		return func(yield func(string, error) bool) { yield("", oci.ErrNameUnknown.With("no repository "+r.name)) }
	}
	return sorted(slices.Collect(maps.Keys(r.tags)), after)
}

func (r *fakeRepo) Referrers(_ context.Context, subject oci.Digest) iter.Seq2[oci.Descriptor, error] {
	r.reg.mu.Lock()
	defer r.reg.mu.Unlock()
	if len(r.manifests) == 0 {
		return func(yield func(oci.Descriptor, error) bool) {
			yield(oci.Descriptor{}, oci.ErrNameUnknown.With("no repository "+r.name))
		}
	}
	found := []oci.Descriptor{}
	for _, m := range r.manifests {
		parsed, err := oci.ParseManifest(m.desc.MediaType, m.body)
		if err == nil && parsed.Subject != nil && parsed.Subject.Digest == subject {
			desc := m.desc
			desc.ArtifactType, desc.Annotations = parsed.ArtifactType, parsed.Annotations
			found = append(found, desc)
		}
	}
	return func(yield func(oci.Descriptor, error) bool) {
		for _, d := range found {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (r *fakeRepo) Missing(context.Context, []oci.Descriptor) ([]oci.Descriptor, error) {
	panic("the server does not ask")
}

func (r *fakeRepo) PutBlob(context.Context, oci.Descriptor, repo.Opener, string) (repo.Outcome, error) {
	panic("the server does not ask")
}

func (r *fakeRepo) PutManifest(_ context.Context, desc oci.Descriptor, body []byte, tags ...string) error {
	r.reg.mu.Lock()
	defer r.reg.mu.Unlock()
	r.manifests[desc.Digest] = fakeManifest{desc, body}
	for _, t := range tags {
		r.tags[t] = desc.Digest
	}
	return nil
}

func (r *fakeRepo) DeleteTag(_ context.Context, tag string) error {
	r.reg.mu.Lock()
	defer r.reg.mu.Unlock()
	if r.tags[tag].IsZero() {
		return oci.ErrManifestUnknown
	}
	delete(r.tags, tag)
	return nil
}

func (r *fakeRepo) DeleteManifest(_ context.Context, d oci.Digest) error {
	r.reg.mu.Lock()
	defer r.reg.mu.Unlock()
	if _, ok := r.manifests[d]; !ok {
		return oci.ErrManifestUnknown
	}
	delete(r.manifests, d)
	maps.DeleteFunc(r.tags, func(_ string, v oci.Digest) bool { return v == d })
	return nil
}

func (r *fakeRepo) DeleteBlob(_ context.Context, d oci.Digest) error {
	r.reg.mu.Lock()
	defer r.reg.mu.Unlock()
	if _, ok := r.blobs[d]; !ok {
		return oci.ErrBlobUnknown
	}
	delete(r.blobs, d)
	return nil
}

func (r *fakeRepo) addBlob(d oci.Digest, body []byte) error {
	r.reg.mu.Lock()
	defer r.reg.mu.Unlock()
	r.blobs[d] = body
	if r.reg.files == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(r.reg.files, d.Hex()), body, 0o600)
}

func (r *fakeRepo) Mount(_ context.Context, d oci.Digest, from string) (oci.Descriptor, error) {
	for name, other := range r.reg.all() {
		body, ok := other.blob(d)
		if ok && (from == "" || from == name) {
			return oci.Descriptor{Digest: d, Size: int64(len(body))}, r.addBlob(d, body)
		}
	}
	return oci.Descriptor{}, oci.ErrBlobUnknown.With("nothing to mount")
}

func (f *fake) all() map[string]*fakeRepo {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.repos)
}

func (r *fakeRepo) blob(d oci.Digest) ([]byte, bool) {
	r.reg.mu.Lock()
	defer r.reg.mu.Unlock()
	body, ok := r.blobs[d]
	return body, ok
}

// fakeUpload is a session: held by one, or waiting for the next.
type fakeUpload struct {
	repo *fakeRepo
	id   string
	body []byte
	held bool
}

func (r *fakeRepo) StartUpload(context.Context, string) (repo.Upload, error) {
	r.reg.mu.Lock()
	defer r.reg.mu.Unlock()
	r.reg.started++
	u := &fakeUpload{repo: r, id: fmt.Sprintf("session-%d", r.reg.started), held: true}
	r.reg.sessions[u.id] = u
	return u, nil
}

func (r *fakeRepo) ResumeUpload(_ context.Context, id string) (repo.Upload, error) {
	r.reg.mu.Lock()
	defer r.reg.mu.Unlock()
	u := r.reg.sessions[id]
	if u == nil || u.repo != r {
		return nil, oci.ErrBlobUploadUnknown.With("no upload " + id)
	}
	if u.held {
		return nil, oci.ErrBlobUploadInvalid.With("the upload is in use")
	}
	u.held = true
	return u, nil
}

func (u *fakeUpload) ID() string    { return u.id }
func (u *fakeUpload) Offset() int64 { return int64(len(u.body)) }

func (u *fakeUpload) Write(p []byte) (int, error) {
	if u.repo.reg.onWrite != nil {
		if err := u.repo.reg.onWrite(len(p)); err != nil {
			return 0, err
		}
	}
	u.body = append(u.body, p...)
	return len(p), nil
}

func (u *fakeUpload) Suspend() error {
	u.repo.reg.mu.Lock()
	defer u.repo.reg.mu.Unlock()
	u.held = false
	return nil
}

func (u *fakeUpload) Commit(_ context.Context, d oci.Digest) error {
	if err := u.Abort(); err != nil {
		return err
	}
	if err := d.Check(u.body); err != nil {
		return err
	}
	return u.repo.addBlob(d, u.body)
}

func (u *fakeUpload) Abort() error {
	u.repo.reg.mu.Lock()
	defer u.repo.reg.mu.Unlock()
	delete(u.repo.reg.sessions, u.id)
	return nil
}
