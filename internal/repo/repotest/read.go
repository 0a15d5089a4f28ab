package repotest

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Names of what Fill writes.
const (
	filledRepo = "filled/release-images"
	filledTag  = "4.14.1-x86_64"
)

// filled is the content of Fill, by tag.
func filled() map[string]Image {
	base := NewBlob("filled base", 50000)
	amd := NewImage("filled amd64", base, NewBlob("filled amd64", 3000))
	arm := NewImage("filled arm64", base, NewBlob("filled arm64", 3000))
	docker := NewDockerImage("filled docker", base, NewBlob("filled docker", 40))
	return map[string]Image{
		filledTag:            amd,
		filledTag + "-multi": NewIndex(amd, arm),
		filledTag + "-list":  NewDockerList(docker),
		"docker":             docker,
	}
}

// Fill writes what RunRead expects of a view that can only be read.
func Fill(t *testing.T, reg repo.Registry) {
	t.Helper()
	r, err := reg.Repo(filledRepo)
	if err != nil {
		t.Fatal(err)
	}
	for tag, img := range filled() {
		Push(t.Context(), t, r, img, tag)
	}
	if c, ok := reg.(repo.Checkpointer); ok {
		if err := c.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// RunRead tests an implementation that cannot be written and holds what Fill
// wrote, whichever way that came to be there.
func RunRead(t *testing.T, open Opener, f Features) {
	t.Helper()
	for name, run := range map[string]func(*suite, repo.Repo){
		"Content": readContent, "Lists": readLists, "Unknown": readUnknown, "Refused": readRefused,
	} {
		t.Run(name, func(t *testing.T) {
			s := &suite{T: t, reg: open(t), f: f, name: filledRepo}
			run(s, s.repo(""))
		})
	}
}

func readContent(s *suite, r repo.Repo) {
	for tag, img := range filled() {
		CheckManifest(s.ctx(), s, r, repo.ByTag(tag), img)
		Check(s.ctx(), s, r, img)
	}
}

func readLists(s *suite, r repo.Repo) {
	want := []string{filledTag, filledTag + "-list", filledTag + "-multi", "docker"}
	got := collect(s, "tags", r.Tags(s.ctx(), ""))
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("tags (-want +got):\n%s", diff)
	}
	got = collect(s, "tags", r.Tags(s.ctx(), filledTag+"-list"))
	if diff := cmp.Diff(want[2:], got); diff != "" {
		s.Errorf("tags after the second (-want +got):\n%s", diff)
	}
	if s.f.NoCatalog {
		return
	}
	if names := collect(s, "repositories", s.reg.Repositories(s.ctx(), "")); !slices.Contains(names, filledRepo) {
		s.Errorf("repositories are %v, want %s among them", names, filledRepo)
	}
}

func readUnknown(s *suite, r repo.Repo) {
	s.checkUnknown(r)
}

// readRefused sees that every way of writing is refused and changes nothing.
func readRefused(s *suite, r repo.Repo) {
	img := filled()[filledTag]
	other := s.image("refused")
	ctx := s.ctx()
	_, putErr := r.PutBlob(ctx, other.Blobs[0].Desc, other.Blobs[0].Opener(), "")
	for what, err := range map[string]error{
		"PutBlob":        putErr,
		"PutManifest":    r.PutManifest(ctx, img.Desc, img.Bytes, "new"),
		"DeleteTag":      r.DeleteTag(ctx, filledTag),
		"DeleteManifest": r.DeleteManifest(ctx, img.Desc.Digest),
		"DeleteBlob":     r.DeleteBlob(ctx, img.Blobs[0].Desc.Digest),
	} {
		s.wantCode(what, err, oci.ErrDenied, oci.ErrUnsupported)
	}
	readContent(s, r)
}

func testImages(s *suite) {
	r := s.repo("")
	img := s.image("a")
	index := NewIndex(img, s.image("b"))
	Push(s.ctx(), s, r, img, "one")
	Push(s.ctx(), s, r, index, "two", "three")
	CheckManifest(s.ctx(), s, r, repo.ByTag("one"), img)
	CheckManifest(s.ctx(), s, r, repo.ByTag("two"), index)
	CheckManifest(s.ctx(), s, r, repo.ByTag("three"), index)
	Check(s.ctx(), s, r, index)
}

func testDockerImages(s *suite) {
	r := s.repo("")
	img := NewDockerImage(s.name, s.blob("layer", 5000))
	list := NewDockerList(img)
	Push(s.ctx(), s, r, img, "v2s2")
	Push(s.ctx(), s, r, list, "list")
	CheckManifest(s.ctx(), s, r, repo.ByTag("v2s2"), img)
	CheckManifest(s.ctx(), s, r, repo.ByTag("list"), list)
	Check(s.ctx(), s, r, list)
}

func testUnknown(s *suite) {
	r := s.repo("")
	Push(s.ctx(), s, r, s.image("there"), "there")
	s.checkUnknown(r)
	if s.f.NoNames {
		return
	}
	for _, err := range s.repo("/none").Tags(s.ctx(), "") {
		s.wantCode("tags of a repository that is not there", err, oci.ErrNameUnknown)
		return
	}
	s.Error("a repository that is not there has an empty tag list, want an error")
}

// checkUnknown asks a repository for what it has not.
func (s *suite) checkUnknown(r repo.Repo) {
	s.Helper()
	ctx, none := s.ctx(), oci.FromBytes([]byte("nothing has this content"))
	for _, target := range []repo.Target{repo.ByTag("none"), repo.ByDigest(none)} {
		_, err := r.Resolve(ctx, target)
		s.wantMissing("resolving "+target.String(), err)
		_, _, err = r.Manifest(ctx, target)
		s.wantMissing("reading manifest "+target.String(), err)
	}
	_, err := r.StatBlob(ctx, none)
	s.wantMissing("asking for a blob", err)
	if src, err := r.OpenBlob(ctx, none, 0); err == nil {
		s.Error("opening a blob that is not there succeeds")
		_ = src.Close()
	} else {
		s.wantMissing("opening a blob", err)
	}
	for _, err := range r.Referrers(ctx, none) {
		if !errorsAllowed(s.f, err) {
			s.Errorf("referrers of what is not there: %v, want none", err)
		}
	}
}

func errorsAllowed(f Features, err error) bool { return err == nil || f.NoReferrers }

func testSHA512(s *suite) {
	r := s.repo("")
	layer := s.blob("layer", 9000).SHA512()
	img := NewImage(s.name, layer)
	Push(s.ctx(), s, r, img, "mixed")
	Check(s.ctx(), s, r, img)
	long := Image{Blob: img.SHA512(), Blobs: img.Blobs}
	Push(s.ctx(), s, r, long)
	Check(s.ctx(), s, r, long)
	if bytes.Equal(nil, long.Bytes) || long.Desc.Digest == img.Desc.Digest {
		s.Error("the two digests of one manifest are the same")
	}
}
