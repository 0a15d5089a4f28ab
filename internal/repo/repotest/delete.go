package repotest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

func testDeleteTag(s *suite) {
	r := s.repo("")
	img := s.image("a")
	Push(s.ctx(), s, r, img, "one", "two")
	if err := r.DeleteTag(s.ctx(), "one"); err != nil {
		s.Fatal(err)
	}
	_, err := r.Resolve(s.ctx(), repo.ByTag("one"))
	s.wantMissing("deleted tag", err)
	if diff := cmp.Diff([]string{"two"}, collect(s, "tags", r.Tags(s.ctx(), ""))); diff != "" {
		s.Errorf("tags (-want +got):\n%s", diff)
	}
	Check(s.ctx(), s, r, img)
	s.wantMissing("deleting a tag twice", r.DeleteTag(s.ctx(), "one"))
}

func testDeleteManifest(s *suite) {
	r := s.repo("")
	gone, stays := s.image("gone"), NewImage(s.name+"stays", s.blob("gone1", 1000))
	Push(s.ctx(), s, r, gone, "one", "two")
	Push(s.ctx(), s, r, stays, "three")
	if err := r.DeleteManifest(s.ctx(), gone.Desc.Digest); err != nil {
		s.Fatal(err)
	}
	for _, target := range []repo.Target{repo.ByTag("one"), repo.ByTag("two"), repo.ByDigest(gone.Desc.Digest)} {
		_, err := r.Resolve(s.ctx(), target)
		s.wantMissing("deleted manifest "+target.String(), err)
	}
	if diff := cmp.Diff([]string{"three"}, collect(s, "tags", r.Tags(s.ctx(), ""))); diff != "" {
		s.Errorf("tags (-want +got):\n%s", diff)
	}
	Check(s.ctx(), s, r, stays)
	s.wantMissing("deleting a manifest twice", r.DeleteManifest(s.ctx(), gone.Desc.Digest))
	Push(s.ctx(), s, r, gone, "one") // and it may come back
	Check(s.ctx(), s, r, gone)
}

func testDeleteBlob(s *suite) {
	r := s.repo("")
	b := s.blob("b", 100)
	PutBlob(s.ctx(), s, r, b)
	if err := r.DeleteBlob(s.ctx(), b.Desc.Digest); err != nil {
		s.Fatal(err)
	}
	_, err := r.StatBlob(s.ctx(), b.Desc.Digest)
	s.wantMissing("deleted blob", err)
	s.wantMissing("deleting a blob twice", r.DeleteBlob(s.ctx(), b.Desc.Digest))
	PutBlob(s.ctx(), s, r, b)
	CheckBlob(s.ctx(), s, r, b)
}

func testDeleteHeld(s *suite) {
	r := s.repo("")
	img := s.image("a")
	Push(s.ctx(), s, r, img, "tag")
	for _, b := range img.Blobs {
		err := r.DeleteBlob(s.ctx(), b.Desc.Digest)
		s.wantCode("deleting a blob of an image", err, oci.ErrUnsupported, oci.ErrDenied)
	}
	Check(s.ctx(), s, r, img)
	if err := r.DeleteManifest(s.ctx(), img.Desc.Digest); err != nil {
		s.Fatal(err)
	}
	if err := r.DeleteBlob(s.ctx(), img.Blobs[0].Desc.Digest); err != nil {
		s.Errorf("deleting a blob that no manifest names any more: %v", err)
	}
}

func mustUnmarshal(t testing.TB, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}
