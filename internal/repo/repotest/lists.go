package repotest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

func testTags(s *suite) {
	r := s.repo("")
	// A neighbour whose name begins alike must not show.
	Push(s.ctx(), s, s.repo("-x"), s.image("x"), "aaa", "zzz")
	want := []string{"latest", "v1", "v1.0", "v1_0", "V2", "0", "_x", "a-b"}
	Push(s.ctx(), s, r, s.image("a"), want...)
	for i := range 120 {
		want = append(want, fmt.Sprintf("page-%03d", i))
	}
	Push(s.ctx(), s, r, s.image("a"), want...)
	want = sorted(want...)
	if diff := cmp.Diff(want, collect(s, "tags", r.Tags(s.ctx(), ""))); diff != "" {
		s.Errorf("tags (-want +got):\n%s", diff)
	}
	for _, after := range []string{want[0], "page-077", "page-0", "zz"} {
		i, found := slices.BinarySearch(want, after)
		if found {
			i++
		}
		got := collect(s, "tags after "+after, r.Tags(s.ctx(), after))
		if diff := cmp.Diff(slices.Clip(append([]string(nil), want[i:]...)), got); diff != "" {
			s.Errorf("tags after %s (-want +got):\n%s", after, diff)
		}
	}
	for tag := range r.Tags(s.ctx(), "") { // stopping early is fine
		if tag != want[0] {
			s.Errorf("first tag is %s, want %s", tag, want[0])
		}
		break
	}
}

func testTagMoves(s *suite) {
	r := s.repo("")
	a, b := s.image("a"), s.image("b")
	Push(s.ctx(), s, r, a, "tag", "old")
	Push(s.ctx(), s, r, b, "tag")
	CheckManifest(s.ctx(), s, r, repo.ByTag("tag"), b)
	CheckManifest(s.ctx(), s, r, repo.ByTag("old"), a)
	Check(s.ctx(), s, r, a)
}

func testUntagged(s *suite) {
	r := s.repo("")
	img := s.image("a")
	Push(s.ctx(), s, r, img)
	Check(s.ctx(), s, r, img)
	if s.f.NoNames {
		return // some list no tags as no repository
	}
	if got := collect(s, "tags", r.Tags(s.ctx(), "")); len(got) > 0 {
		s.Errorf("an image without tags has the tags %v", got)
	}
}

func testInvalid(s *suite) {
	for _, name := range []string{"", "UPPER", "a//b", "/a", "a/", "a:b", "a@b", "../a", "a b", strings.Repeat("a", 256)} {
		if _, err := s.reg.Repo(name); err == nil {
			s.Errorf("%q is taken for a repository's name", name)
		} else {
			s.wantCode(name, err, oci.ErrNameInvalid)
		}
	}
	r, img := s.repo(""), s.image("a")
	Push(s.ctx(), s, r, img)
	for _, tag := range []string{"a/b", "a:b", "-a", ".", strings.Repeat("a", 129), "a\nb"} {
		if err := r.PutManifest(s.ctx(), img.Desc, img.Bytes, tag); err == nil {
			s.Errorf("%q is taken for a tag", tag)
		}
	}
	if s.f.NoNames {
		return
	}
	if got := collect(s, "tags", r.Tags(s.ctx(), "")); len(got) > 0 {
		s.Errorf("invalid tags left %v", got)
	}
}

func testRepositories(s *suite) {
	// In this order: '-', '.' and '/' sort before a separator of keys, '_' after.
	names := []string{"/a", "/a-b", "/a-b/c", "/a.b", "/a/b", "/a/b/c", "/a0", "/a_b", "/ab", "/b-c/d", "/b-c/e"}
	for _, name := range names {
		Push(s.ctx(), s, s.repo(name), s.image(name), "one", "two")
	}
	var want []string
	for _, name := range names {
		want = append(want, s.name+name)
	}
	own := func(after string) []string {
		var out []string
		for _, name := range collect(s, "repositories", s.reg.Repositories(s.ctx(), after)) {
			if strings.HasPrefix(name, s.name+"/") {
				out = append(out, name)
			}
		}
		return out
	}
	want = sorted(want...)
	if diff := cmp.Diff(want, own("")); diff != "" {
		s.Errorf("repositories (-want +got):\n%s", diff)
	}
	for i, after := range want {
		if diff := cmp.Diff(append([]string(nil), want[i+1:]...), own(after)); diff != "" {
			s.Errorf("repositories after %s (-want +got):\n%s", after, diff)
		}
	}
}

func testReferrers(s *suite) {
	r := s.repo("")
	subject := s.image("subject")
	signature := NewReferrer(s.name+"signature", "application/vnd.example.signature", subject)
	bill := NewReferrer(s.name+"bill", "application/vnd.example.bill", subject)
	Push(s.ctx(), s, r, signature) // before its subject: that is allowed
	Push(s.ctx(), s, r, subject, "tag")
	Push(s.ctx(), s, r, bill)
	s.checkReferrers(r, subject, signature, bill)
	s.checkReferrers(r, signature)
	if s.f.NoDelete {
		return
	}
	if err := r.DeleteManifest(s.ctx(), signature.Desc.Digest); err != nil {
		s.Fatal(err)
	}
	s.checkReferrers(r, subject, bill)
}

func (s *suite) checkReferrers(r repo.Repo, subject Image, want ...Image) {
	s.Helper()
	got := map[string]string{}
	for _, d := range collect(s, "referrers", r.Referrers(s.ctx(), subject.Desc.Digest)) {
		got[d.Digest.String()] = d.MediaType + " " + d.ArtifactType + " " + d.Annotations["name"]
	}
	wanted := map[string]string{}
	for _, img := range want {
		var doc struct {
			ArtifactType string
			Annotations  map[string]string
		}
		mustUnmarshal(s, img.Bytes, &doc)
		wanted[img.Desc.Digest.String()] = img.Desc.MediaType + " " + doc.ArtifactType + " " + doc.Annotations["name"]
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		s.Errorf("referrers of %s (-want +got):\n%s", subject.Desc.Digest, diff)
	}
}
