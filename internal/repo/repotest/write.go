package repotest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

func testMissing(s *suite) {
	r := s.repo("")
	a, b, c := s.blob("a", 10), s.blob("b", 20), s.blob("c", 30)
	PutBlob(s.ctx(), s, r, b)
	got, err := r.Missing(s.ctx(), []oci.Descriptor{c.Desc, b.Desc, a.Desc})
	if err != nil {
		s.Fatal(err)
	}
	if diff := cmp.Diff(digests(c.Desc, a.Desc), digests(got...)); diff != "" {
		s.Errorf("missing blobs (-want +got):\n%s", diff)
	}
}

func digests(list ...oci.Descriptor) []string {
	var out []string
	for _, d := range list {
		out = append(out, d.Digest.String())
	}
	return out
}

func testEmptyBlob(s *suite) {
	r := s.repo("")
	PutBlob(s.ctx(), s, r, s.blob("", 0))
	if size, err := r.StatBlob(s.ctx(), oci.FromBytes(nil)); err != nil || size.Size != 0 {
		s.Errorf("the empty blob is %+v, error %v", size, err)
	}
}

func testAgain(s *suite) {
	r := s.repo("")
	img := s.image("a")
	if got := PutBlob(s.ctx(), s, r, img.Blobs[1]); got != repo.Sent {
		s.Errorf("a blob that is nowhere was %v, want sent", got)
	}
	Push(s.ctx(), s, r, img, "tag")
	Push(s.ctx(), s, r, img, "tag")
	Check(s.ctx(), s, r, img)
}

// wrongs are ways of content to differ from what was promised.
func wrongs(b Blob) map[string][]byte {
	flipped := bytes.Clone(b.Bytes)
	flipped[len(flipped)/2] ^= 1
	return map[string][]byte{
		"flipped": flipped,
		"short":   b.Bytes[:len(b.Bytes)-1],
		"none":    nil,
		"long":    append(bytes.Clone(b.Bytes), 'x'),
	}
}

func testWrongContent(s *suite) {
	r := s.repo("")
	b := s.blob("b", 300000)
	for name, content := range wrongs(b) {
		_, err := r.PutBlob(s.ctx(), b.Desc, opener2(content), "")
		if _, ok := errors.AsType[*repo.CorruptError](err); !ok {
			s.Errorf("content that is %s: got error %v, want a *repo.CorruptError", name, err)
		}
		_, err = r.StatBlob(s.ctx(), b.Desc.Digest)
		s.wantMissing("blob after content that is "+name, err)
	}
	PutBlob(s.ctx(), s, r, b)
	CheckBlob(s.ctx(), s, r, b)
}

// opener2 opens content at offsets beyond its end, too.
func opener2(content []byte) repo.Opener {
	return func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		return opener(content)(ctx, min(offset, int64(len(content))))
	}
}

var errBroken = errors.New("the line is broken")

// breaking opens content that breaks at an offset, the first so many times it
// is opened, and notes where it was opened.
type breaking struct {
	content []byte
	at      int64
	times   int
	opened  []int64
}

func (b *breaking) open(_ context.Context, offset int64) (io.ReadCloser, error) {
	b.opened = append(b.opened, offset)
	if len(b.opened) > b.times {
		return io.NopCloser(bytes.NewReader(b.content[offset:])), nil
	}
	rest := bytes.NewReader(b.content[min(offset, b.at):b.at])
	return io.NopCloser(io.MultiReader(rest, failing{})), nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

func testBrokenContent(s *suite) {
	r := s.repo("")
	b := s.blob("b", 200000)
	content := &breaking{content: b.Bytes, at: 100000, times: 1 << 30}
	_, err := r.PutBlob(s.ctx(), b.Desc, content.open, "")
	if !errors.Is(err, errBroken) {
		s.Errorf("got error %v, want the source's own", err)
	}
	_, err = r.StatBlob(s.ctx(), b.Desc.Digest)
	s.wantMissing("blob after a broken line", err)
	refuse := func(context.Context, int64) (io.ReadCloser, error) { return nil, errBroken }
	if _, err := r.PutBlob(s.ctx(), b.Desc, refuse, ""); !errors.Is(err, errBroken) {
		s.Errorf("got error %v, want that of opening", err)
	}
	PutBlob(s.ctx(), s, r, b)
	CheckBlob(s.ctx(), s, r, b)
}

func testCancelled(s *suite) {
	r := s.repo("")
	b := s.blob("b", 500000)
	ctx, cancel := context.WithCancel(s.ctx())
	content := func(_ context.Context, offset int64) (io.ReadCloser, error) {
		cancel()
		return io.NopCloser(bytes.NewReader(b.Bytes[offset:])), nil
	}
	if _, err := r.PutBlob(ctx, b.Desc, content, ""); !errors.Is(err, context.Canceled) {
		s.Errorf("got error %v, want %v", err, context.Canceled)
	}
	PutBlob(s.ctx(), s, r, b)
	CheckBlob(s.ctx(), s, r, b)
}

func testResume(s *suite) {
	r := s.repo("")
	b := s.blob("b", 1<<20)
	content := &breaking{content: b.Bytes, at: 600000, times: 1}
	if _, err := r.PutBlob(s.ctx(), b.Desc, content.open, ""); err == nil {
		s.Fatal("a broken line is no error")
	}
	if _, err := r.PutBlob(s.ctx(), b.Desc, content.open, ""); err != nil {
		s.Fatal(err)
	}
	if diff := cmp.Diff([]int64{0, 600000}, content.opened); diff != "" {
		s.Errorf("offsets the content was opened at (-want +got):\n%s", diff)
	}
	CheckBlob(s.ctx(), s, r, b)
	s.resumeWrong(r)
}

// resumeWrong sees that a wrong beginning is not kept for ever.
func (s *suite) resumeWrong(r repo.Repo) {
	s.Helper()
	b := s.blob("other", 1<<20)
	wrong := &breaking{content: wrongs(b)["flipped"], at: 600000, times: 1}
	if _, err := r.PutBlob(s.ctx(), b.Desc, wrong.open, ""); err == nil {
		s.Fatal("a broken line is no error")
	}
	right := &breaking{content: b.Bytes}
	if _, err := r.PutBlob(s.ctx(), b.Desc, right.open, ""); err != nil {
		s.Fatalf("going on after a wrong beginning: %v", err)
	}
	if diff := cmp.Diff([]int64{600000, 0}, right.opened); diff != "" {
		s.Errorf("offsets the content was opened at (-want +got):\n%s", diff)
	}
	CheckBlob(s.ctx(), s, r, b)
}

func testIncomplete(s *suite) {
	r := s.repo("")
	img := s.image("a")
	err := r.PutManifest(s.ctx(), img.Desc, img.Bytes, "tag")
	s.wantCode("a manifest without its blobs", err, oci.ErrManifestBlobUnknown, oci.ErrBlobUnknown)
	PutBlob(s.ctx(), s, r, img.Blobs[0])
	PutBlob(s.ctx(), s, r, img.Blobs[1])
	err = r.PutManifest(s.ctx(), img.Desc, img.Bytes, "tag")
	s.wantCode("a manifest without one layer", err, oci.ErrManifestBlobUnknown, oci.ErrBlobUnknown)
	_, err = r.Resolve(s.ctx(), repo.ByTag("tag"))
	s.wantMissing("tag of a refused manifest", err)
	_, err = r.Resolve(s.ctx(), repo.ByDigest(img.Desc.Digest))
	s.wantMissing("refused manifest", err)
	Push(s.ctx(), s, r, img, "tag")
}

func testWrongManifest(s *suite) {
	r := s.repo("")
	img := s.image("a")
	Push(s.ctx(), s, r, img)
	ctx := s.ctx()
	other := append(bytes.Clone(img.Bytes), '\n')
	if err := r.PutManifest(ctx, img.Desc, other, "tag"); err == nil {
		s.Error("a manifest under another digest is taken")
	}
	noJSON := NewBlob("no JSON", 100).As(oci.MediaTypeImageManifest)
	if err := r.PutManifest(ctx, noJSON.Desc, noJSON.Bytes, "tag"); err == nil {
		s.Error("a manifest that is no JSON is taken")
	}
	_, err := r.Resolve(ctx, repo.ByTag("tag"))
	s.wantMissing("tag of a refused manifest", err)
}

func testForeign(s *suite) {
	r := s.repo("")
	foreign := s.blob("foreign", 10).As("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
	img := NewImage(s.name, s.blob("own", 10), foreign)
	img.Blobs = img.Blobs[:2]
	Push(s.ctx(), s, r, img, "windows")
	Check(s.ctx(), s, r, img)
}

func testSparse(s *suite) {
	r := s.repo("")
	index := NewIndex(s.image("amd64"), s.image("arm64"))
	sparse := Image{Blob: index.Blob, Children: index.Children[:1]}
	Push(s.ctx(), s, r, sparse, "tag")
	Check(s.ctx(), s, r, sparse)
	_, err := r.Resolve(s.ctx(), repo.ByDigest(index.Children[1].Desc.Digest))
	s.wantMissing("child that was not pushed", err)
}

func testAnyType(s *suite) {
	r := s.repo("")
	for _, text := range []string{`{"config": [1], "layers": "none"}`, `{"what": "ever"}`, `["` + s.name + `"]`} {
		body := []byte(text)
		img := Image{Blob: Blob{oci.Descriptor{
			MediaType: "application/vnd.example.thing.v1+json", Digest: oci.FromBytes(body), Size: int64(len(body)),
		}, body}}
		Push(s.ctx(), s, r, img, "thing")
		CheckManifest(s.ctx(), s, r, repo.ByTag("thing"), img)
	}
}

func testMount(s *suite) {
	from, to := s.repo("/from"), s.repo("/to")
	img := s.image("a")
	Push(s.ctx(), s, from, img, "tag")
	for _, b := range img.Blobs {
		content := &breaking{times: 1 << 30}
		got, err := to.PutBlob(s.ctx(), b.Desc, content.open, from.Name())
		if err != nil || got != repo.Mounted || len(content.opened) > 0 {
			s.Errorf("mounting: %v, error %v, content opened at %v; want it mounted without reading", got, err, content.opened)
		}
	}
	Push(s.ctx(), s, to, img, "tag")
	Check(s.ctx(), s, to, img)
	b := s.blob("nowhere", 100)
	if got, err := to.PutBlob(s.ctx(), b.Desc, b.Opener(), from.Name()); err != nil || got != repo.Sent {
		s.Errorf("mounting what the other repository lacks: %v, error %v; want it sent", got, err)
	}
}

// testApart sees that content of one repository is not readable in another.
func testApart(s *suite) {
	one, two := s.repo("/one"), s.repo("/two")
	img := s.image("a")
	Push(s.ctx(), s, one, img, "tag")
	Push(s.ctx(), s, two, s.image("b"), "other")
	for _, b := range img.Blobs {
		_, err := two.StatBlob(s.ctx(), b.Desc.Digest)
		s.wantMissing("blob of another repository", err)
		if src, err := two.OpenBlob(s.ctx(), b.Desc.Digest, 0); err == nil {
			s.Errorf("blob %s of another repository can be read", b.Desc.Digest)
			_ = src.Close()
		}
	}
	_, err := two.Resolve(s.ctx(), repo.ByDigest(img.Desc.Digest))
	s.wantMissing("manifest of another repository", err)
}

func testConcurrent(s *suite) {
	img := s.image("shared")
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			r := s.repo([]string{"/a", "/b", "/c"}[i%3])
			tag := "t" + string(rune('a'+i))
			own := NewImage(s.name+tag, img.Blobs[1], s.blob(tag, 100))
			for _, img := range []Image{img, own} {
				for _, b := range img.Blobs {
					if _, err := r.PutBlob(s.ctx(), b.Desc, b.Opener(), ""); err != nil {
						s.Errorf("putting blob: %v", err)
					}
				}
				if err := r.PutManifest(s.ctx(), img.Desc, img.Bytes, tag); err != nil {
					s.Errorf("putting manifest: %v", err)
				}
			}
		})
	}
	all.Wait()
	for i := range 12 {
		r := s.repo([]string{"/a", "/b", "/c"}[i%3])
		tag := "t" + string(rune('a'+i))
		CheckManifest(s.ctx(), s, r, repo.ByTag(tag), NewImage(s.name+tag, img.Blobs[1], s.blob(tag, 100)))
		Check(s.ctx(), s, r, img)
	}
}
