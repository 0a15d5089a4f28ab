package rootfs

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// blob is a source of one blob.
type blob struct {
	repo.Source
	content []byte
}

func (b blob) OpenBlob(_ context.Context, _ oci.Digest, offset int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(b.content[offset:])), nil
}

func TestLimits(t *testing.T) {
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for i := range 5 {
		_ = w.WriteHeader(&tar.Header{Name: fmt.Sprintf("c/%d", i), Typeflag: tar.TypeReg, Size: 10})
		_, _ = w.Write(make([]byte, 10))
		_ = w.WriteHeader(&tar.Header{Name: fmt.Sprintf("c/l%d", i), Typeflag: tar.TypeSymlink, Linkname: "../out"})
	}
	_ = w.Close()
	h := oci.Digest{}.Hash()
	h.Write(plain.Bytes())
	desc := oci.Descriptor{Digest: oci.NewDigest(oci.Canonical, h.Sum(nil)), Size: int64(plain.Len())}
	enough := limits{layer: 1 << 20, entries: 10, files: 5, bytes: 50, links: 5}
	for name, c := range map[string]struct {
		l  limits
		ok bool
	}{
		"enough":  {enough, true},
		"layer":   {limits{layer: 1000, entries: 10, files: 5, bytes: 50, links: 5}, false},
		"entries": {limits{layer: 1 << 20, entries: 9, files: 5, bytes: 50, links: 5}, false},
		"files":   {limits{layer: 1 << 20, entries: 10, files: 4, bytes: 50, links: 5}, false},
		"bytes":   {limits{layer: 1 << 20, entries: 10, files: 5, bytes: 49, links: 5}, false},
		"links":   {limits{layer: 1 << 20, entries: 10, files: 5, bytes: 50, links: 4}, false},
	} {
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		r := &Reader{Source: blob{content: plain.Bytes()}, Layers: []oci.Descriptor{desc}, limits: c.l}
		err = r.Extract(t.Context(), "c", root)
		if c.ok && err != nil || !c.ok && !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
		root.Close()
	}
}

// A name with many directories in it is refused before anybody follows it.
func TestLongNames(t *testing.T) {
	for name, ok := range map[string]bool{
		strings.Repeat("a/", maxDeep) + "x":      true,
		strings.Repeat("a/", maxDeep+1) + "x":    false,
		strings.Repeat("x", maxName):             true,
		strings.Repeat("x", maxName+1):           false,
		strings.Repeat("/", maxDeep+1) + "etc/x": false,
	} {
		var plain bytes.Buffer
		w := tar.NewWriter(&plain)
		_ = w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg})
		_ = w.Close()
		for _, err := range Entries(&plain, ArchiveLimits{1 << 20, 10}) {
			if ok && err != nil || !ok && !errors.Is(err, ErrLimit) {
				t.Errorf("%d bytes: %v", len(name), err)
			}
		}
	}
}

func TestManyLinks(t *testing.T) {
	r := &Reader{limits: limits{files: 2}}
	tr := &tree{r: r, links: map[string]link{}}
	for i, ok := range []bool{true, true, false} {
		err := tr.addLink(header{name: fmt.Sprint(i), link: symbolic, target: "x"})
		if ok && err != nil || !ok && !errors.Is(err, ErrLimit) {
			t.Error(i, err)
		}
	}
}

// A layer may not make us look back further than the memory for it goes.
func TestZstdWindow(t *testing.T) {
	for window, ok := range map[int]bool{maxWindow: true, 2 * maxWindow: false} {
		var packed bytes.Buffer
		z, err := zstd.NewWriter(&packed, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		w := tar.NewWriter(z)
		_ = w.WriteHeader(&tar.Header{Name: "x", Typeflag: tar.TypeReg, Size: 3 << 20})
		_, _ = w.Write(make([]byte, 3<<20))
		if err := errors.Join(w.Close(), z.Close()); err != nil {
			t.Fatal(err)
		}
		err = nil
		for _, failed := range Entries(&packed, ArchiveLimits{1 << 30, 10}) {
			err = errors.Join(err, failed)
		}
		if ok != (err == nil) {
			t.Errorf("%d: %v", window, err)
		}
	}
}

func TestBudgetIsExact(t *testing.T) {
	got, err := io.ReadAll(&budget{bytes.NewReader(make([]byte, 100)), 99})
	if len(got) != 99 || !errors.Is(err, ErrLimit) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
