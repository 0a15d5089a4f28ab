package repotest

import (
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// testUploads tests upload sessions, where there are any.
func testUploads(s *suite) {
	r := s.repo("")
	up, ok := r.(repo.Uploader)
	if !ok {
		s.Skip("the registry has no upload sessions")
	}
	for name, run := range map[string]func(*suite, repo.Uploader, Blob){
		"chunks": uploadChunks, "wrong": uploadWrong, "abort": uploadAbort, "held": uploadHeld, "foreign": uploadForeign,
		"mount": uploadMount, "long": uploadSHA512,
	} {
		s.Run(name, func(t *testing.T) {
			own := *s
			own.T = t
			run(&own, up, own.blob(name, 100000))
		})
	}
}

// start opens a session and writes the beginning of a blob.
func (s *suite) start(up repo.Uploader, algorithm string, part []byte) repo.Upload {
	s.Helper()
	u, err := up.StartUpload(s.ctx(), algorithm)
	if err != nil {
		s.Fatal(err)
	}
	s.write(u, part)
	return u
}

func (s *suite) write(u repo.Upload, part []byte) {
	s.Helper()
	before := u.Offset()
	if n, err := u.Write(part); err != nil || n != len(part) {
		s.Fatalf("writing %d bytes: %d, %v", len(part), n, err)
	}
	if got := u.Offset() - before; got != int64(len(part)) {
		s.Errorf("offset grew by %d for %d bytes", got, len(part))
	}
}

func (s *suite) resume(up repo.Uploader, id string) repo.Upload {
	s.Helper()
	u, err := up.ResumeUpload(s.ctx(), id)
	if err != nil {
		s.Fatal(err)
	}
	return u
}

func (s *suite) suspend(u repo.Upload) {
	s.Helper()
	if err := u.Suspend(); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) commit(u repo.Upload, d oci.Digest) {
	s.Helper()
	if err := u.Commit(s.ctx(), d); err != nil {
		s.Fatal(err)
	}
}

func uploadChunks(s *suite, up repo.Uploader, b Blob) {
	u := s.start(up, "", b.Bytes[:10])
	s.suspend(u)
	u = s.resume(up, u.ID())
	if u.Offset() != 10 {
		s.Errorf("resumed at %d, want 10", u.Offset())
	}
	s.write(u, b.Bytes[10:70000])
	s.suspend(u)
	_, err := s.repo("").StatBlob(s.ctx(), b.Desc.Digest)
	s.wantMissing("blob before the commit", err)
	u = s.resume(up, u.ID())
	s.write(u, b.Bytes[70000:])
	s.commit(u, b.Desc.Digest)
	CheckBlob(s.ctx(), s, s.repo(""), b)
	_, err = up.ResumeUpload(s.ctx(), u.ID())
	s.wantCode("session after its commit", err, oci.ErrBlobUploadUnknown)
}

func uploadWrong(s *suite, up repo.Uploader, b Blob) {
	u := s.start(up, "", b.Bytes[1:])
	s.wantCode("committing other content", u.Commit(s.ctx(), b.Desc.Digest), oci.ErrDigestInvalid)
	_, err := up.ResumeUpload(s.ctx(), u.ID())
	s.wantCode("session after wrong content", err, oci.ErrBlobUploadUnknown)
	_, err = s.repo("").StatBlob(s.ctx(), b.Desc.Digest)
	s.wantMissing("blob after wrong content", err)
}

func uploadAbort(s *suite, up repo.Uploader, b Blob) {
	u := s.start(up, "", b.Bytes)
	if err := u.Abort(); err != nil {
		s.Error(err)
	}
	_, err := up.ResumeUpload(s.ctx(), u.ID())
	s.wantCode("session after its end", err, oci.ErrBlobUploadUnknown)
}

func uploadHeld(s *suite, up repo.Uploader, b Blob) {
	u := s.start(up, "", b.Bytes)
	_, err := up.ResumeUpload(s.ctx(), u.ID())
	s.wantCode("session in use", err, oci.ErrBlobUploadInvalid)
	s.suspend(u)
	u = s.resume(up, u.ID())
	s.commit(u, b.Desc.Digest)
}

func uploadForeign(s *suite, up repo.Uploader, b Blob) {
	u := s.start(up, "", b.Bytes)
	s.suspend(u)
	other, ok := s.repo("/other").(repo.Uploader)
	if !ok {
		s.Fatal("one repository has upload sessions, the other has not")
	}
	_, err := other.ResumeUpload(s.ctx(), u.ID())
	s.wantCode("session of another repository", err, oci.ErrBlobUploadUnknown)
	for _, id := range []string{"", "x", "../x", "d-sha256-" + b.Desc.Digest.Hex()} {
		_, err := up.ResumeUpload(s.ctx(), id)
		s.wantCode("no session: "+id, err, oci.ErrBlobUploadUnknown)
	}
}

func uploadMount(s *suite, up repo.Uploader, b Blob) {
	from := s.repo("/from")
	PutBlob(s.ctx(), s, from, b)
	_, err := up.Mount(s.ctx(), b.Desc.Digest, s.repo("/none").Name())
	s.wantMissing("mounting from where it is not", err)
	got, err := up.Mount(s.ctx(), b.Desc.Digest, from.Name())
	if err != nil || got.Size != b.Desc.Size {
		s.Fatalf("mounting: %+v, %v", got, err)
	}
	CheckBlob(s.ctx(), s, s.repo(""), b)
	other := s.blob("anywhere", 100)
	PutBlob(s.ctx(), s, from, other)
	if _, err := up.Mount(s.ctx(), other.Desc.Digest, ""); err != nil {
		s.Errorf("mounting from anywhere: %v", err)
	}
}

func uploadSHA512(s *suite, up repo.Uploader, b Blob) {
	long := b.SHA512()
	u := s.start(up, oci.SHA512, b.Bytes)
	s.commit(u, long.Desc.Digest)
	CheckBlob(s.ctx(), s, s.repo(""), long)
	_, err := up.StartUpload(s.ctx(), "md5")
	s.wantCode("an unknown algorithm", err, oci.ErrDigestInvalid, oci.ErrUnsupported)
}
