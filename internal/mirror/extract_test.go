package mirror

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	img "github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// spoiling changes what is read of large blobs, after their first 64 KiB.
type spoiling struct {
	repo.Registry
	spoil func(p []byte) error
}

func (s *spoiling) Repo(name string) (repo.Repo, error) {
	rp, err := s.Registry.Repo(name)
	return &spoilingRepo{rp, s}, err
}

type spoilingRepo struct {
	repo.Repo
	of *spoiling
}

func (r *spoilingRepo) OpenBlob(ctx context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	content, err := r.Repo.OpenBlob(ctx, d, offset)
	return &spoiledBlob{ReadCloser: content, of: r.of}, err
}

type spoiledBlob struct {
	io.ReadCloser
	of   *spoiling
	read int
}

func (b *spoiledBlob) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), 32<<10)])
	if b.read += n; b.read > 64<<10 && b.of.spoil != nil && n > 0 {
		err = errors.Join(err, b.of.spoil(p[:n]))
	}
	return n, err
}

// extractWorld has a release with programs, read from a registry that spoils
// what it gives once the release image was read.
func extractWorld(t *testing.T) (*Extractor, *spoiling, []release.Tool) {
	t.Helper()
	w := newWorld(t)
	r := sample.New(1).ToolRelease(sample.ReleaseSpec{})
	w.push("mirror.test/r:t", r.Image)
	for _, c := range r.Components {
		w.push("mirror.test/r:"+c.Name, c.Image)
	}
	bad := &spoiling{Registry: w.hosts["mirror.test"]}
	w.hosts["mirror.test"] = bad
	finder := NewFinder(w.regs, cluster.MirrorRules{})
	c, err := finder.Release(t.Context(), ref.MustParse("mirror.test/r:t"), img.Prefer(sample.AMD64))
	if err != nil {
		t.Fatal(err)
	}
	tools, err := release.SelectTools(c.Arch, release.ToolSelection{Platform: "*"})
	if err != nil {
		t.Fatal(err)
	}
	return &Extractor{
		Finder: finder, Release: c, Dir: t.TempDir(), Warn: t.Logf,
		Values:  release.Values{PullSpec: "a.test/b@x", Version: "1", Platform: "linux/amd64"},
		Reading: func(string) (func(int64, int64), func()) { return func(int64, int64) {}, func() {} },
	}, bad, tools
}

func left(t *testing.T, dir string) int {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// Whatever goes wrong in the middle of a program leaves no part of it.
func TestExtractLeavesNothingHalfDone(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(cancel context.CancelFunc) func(p []byte) error
		want  func(error) bool
	}{
		"other bytes": {
			func(context.CancelFunc) func([]byte) error { return func(p []byte) error { p[0] ^= 1; return nil } },
			func(err error) bool { _, corrupt := errors.AsType[*repo.CorruptError](err); return corrupt },
		},
		"broken off": {
			func(context.CancelFunc) func([]byte) error {
				return func([]byte) error { return io.ErrUnexpectedEOF }
			},
			func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) },
		},
		"interrupted": {
			func(cancel context.CancelFunc) func([]byte) error { return func([]byte) error { cancel(); return nil } },
			func(err error) bool { return errors.Is(err, context.Canceled) },
		},
	} {
		for _, archives := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				x, bad, tools := extractWorld(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				bad.spoil, x.Archives = tt.spoil(cancel), archives
				files, err := x.Tools(ctx, tools)
				if !tt.want(err) || len(files) > 0 || left(t, x.Dir) > 0 {
					t.Errorf("%d files, %d in the directory, %v", len(files), left(t, x.Dir), err)
				}
			})
		}
	}
}

// A directory that cannot be written to is no fault of the source.
func TestExtractToADirectoryThatIsGone(t *testing.T) {
	x, _, tools := extractWorld(t)
	x.Dir += "/gone"
	_, err := x.Tools(t.Context(), tools)
	if e, source := errors.AsType[*repo.Error](err); source || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, about %v", err, e)
	}
}

func TestExtractNothingIsNoSuccess(t *testing.T) {
	x, _, _ := extractWorld(t)
	none := release.Tool{Component: "cli", Path: "usr/bin/none", MayLack: true}
	if _, err := x.Tools(t.Context(), []release.Tool{none}); err == nil || err.Error() != "image did not contain usr/bin/none: component cli, "+x.Release.Components[1].From.String() {
		t.Errorf("%v", err)
	}
	none.Component = "none"
	if _, err := x.Tools(t.Context(), []release.Tool{none}); err == nil || err.Error() != `the image "none" containing the desired command is not available` {
		t.Errorf("%v", err)
	}
}
