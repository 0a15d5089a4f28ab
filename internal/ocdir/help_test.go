package ocdir

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// testdata is where the real inputs lie: $AIRBRIDGE_TESTDATA, else beside the
// repository.
func testdata(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("AIRBRIDGE_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no real inputs: %v", err)
	}
	return path
}

// realMedia unpacks the directories that real oc wrote, links and all.
func realMedia(t *testing.T) string {
	t.Helper()
	f, err := os.Open(testdata(t, "oc-media.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := unpack(dir, h, r); err != nil {
			t.Fatal(err)
		}
	}
}

func unpack(dir string, h *tar.Header, r io.Reader) error {
	path := filepath.Join(dir, h.Name)
	switch h.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(path, 0o755)
	case tar.TypeSymlink:
		return os.Symlink(h.Linkname, path)
	case tar.TypeLink:
		return os.Link(filepath.Join(dir, h.Linkname), path)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, h.FileInfo().Mode())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// openDir opens a directory of the operating system.
func openDir(t *testing.T, path string, readOnly bool) *Dir {
	t.Helper()
	files, err := fsys.OS(path)
	if err != nil {
		t.Fatal(err)
	}
	return openFS(t, files, readOnly)
}

func openFS(t *testing.T, files fsys.FS, readOnly bool) *Dir {
	t.Helper()
	dir, err := Open(files, readOnly, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

func opener(r repo.Repo, d oci.Digest) repo.Opener {
	return func(ctx context.Context, offset int64) (io.ReadCloser, error) { return r.OpenBlob(ctx, d, offset) }
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newFS is the file system of an empty directory.
func newFS(t *testing.T) fsys.FS {
	t.Helper()
	files, err := fsys.OS(t.TempDir())
	must(t, err)
	return files
}
