package release

import (
	"archive/tar"
	"bytes"
	"errors"
	"strconv"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/rootfs"
)

// many is a tar of n files of size bytes each in a directory.
func many(t *testing.T, dir string, n, size int) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i := range n {
		if err := w.WriteHeader(&tar.Header{Name: dir + strconv.Itoa(i), Size: int64(size), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestLimits(t *testing.T) {
	small := limits{file: 100, layer: 20000, entries: 10, files: 5}
	for _, tt := range []struct {
		name  string
		layer []byte
		ok    bool
	}{
		{"files of the limit", many(t, directory, 5, 100), true},
		{"a file too large", many(t, directory, 1, 101), false},
		{"a large file elsewhere", many(t, "usr/", 1, 1000), true},
		{"too many payload files", many(t, directory, 6, 1), false},
		{"entries of the limit", many(t, "usr/", 10, 1), true},
		{"too many entries", many(t, "usr/", 11, 0), false},
		{"too many bytes", many(t, "usr/", 2, 10000), false},
	} {
		err := small.readLayer(bytes.NewReader(tt.layer), func(string, []byte) error { return nil })
		if tt.ok != (err == nil) || (err != nil && !errors.Is(err, rootfs.ErrLimit)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A header may promise what the archive does not have; nothing is allocated for it.
func TestPromisedSize(t *testing.T) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: directory + imageReferences, Size: 1 << 40, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	err := ReadLayer(&buf, func(string, []byte) error { return nil })
	if !errors.Is(err, rootfs.ErrLimit) {
		t.Errorf("a file of 1 TiB: %v", err)
	}
}
