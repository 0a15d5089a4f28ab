package catalog

import (
	"archive/tar"
	"bytes"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Layer is a layer of a rebuilt index image: a gzipped tar.
type Layer struct {
	Body      []byte
	Digest    oci.Digest // of Body
	DiffID    oci.Digest // of the tar
	CreatedBy string     // for the image's history
}

// Layers returns the two layers that put a catalog into an image, below an
// absolute directory: the first takes away what lower layers have there, the
// second has the catalog. It is two because not everything that unpacks images
// knows a layer that empties a directory and fills it again.
//
// The same catalog gives the same bytes. Everybody may read what is in them:
// clusters run index images as any user.
func Layers(dir string, c *Catalog) ([]Layer, error) {
	dir = strings.Trim(path.Clean("/"+dir), "/")
	if dir == "" {
		return nil, fmt.Errorf("the catalog is in the root directory of its image, where it cannot be replaced: everything else is there too")
	}
	hidden, err := newLayer(hide(dir), "airbridge: what was in /"+dir+" is taken away")
	if err != nil {
		return nil, err
	}
	filled, err := newLayer(fill(dir, c.Files()), "airbridge: the packages that were selected, in /"+dir)
	if err != nil {
		return nil, err
	}
	return []Layer{hidden, filled}, nil
}

// whiteout begins the name of a file that takes away what it is named after
// (OCI image-spec, layer.md).
const whiteout = ".wh."

// hide yields the entries of a layer that takes a directory away.
func hide(dir string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		parent, name := path.Split(dir)
		for _, p := range parents(parent) {
			if !yield(p, nil) {
				return
			}
		}
		yield(parent+whiteout+name, nil)
	}
}

// fill yields the entries of a layer with files in a directory.
func fill(dir string, files iter.Seq2[string, []byte]) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		seen := map[string]bool{}
		for _, p := range parents(dir + "/") {
			seen[p] = true
			if !yield(p, nil) {
				return
			}
		}
		for name, body := range files {
			name = dir + "/" + name
			for _, p := range parents(path.Dir(name) + "/") {
				if !seen[p] && !yield(p, nil) {
					return
				}
				seen[p] = true
			}
			if !yield(name, body) {
				return
			}
		}
	}
}

// parents returns a directory and those that it is in, with slashes at their
// ends, the uppermost first.
func parents(dir string) []string {
	var out []string
	for ; dir != "" && dir != "./"; dir, _ = path.Split(strings.TrimSuffix(dir, "/")) {
		out = append(out, dir)
	}
	slices.Reverse(out)
	return out
}

// newLayer packs directories, whose names end in slashes, and files.
func newLayer(entries iter.Seq2[string, []byte], createdBy string) (Layer, error) {
	var packed, plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for name, body := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(body)), Mode: 0o644, ModTime: time.Unix(0, 0)}
		if strings.HasSuffix(name, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			return Layer{}, err
		}
		if _, err := w.Write(body); err != nil {
			return Layer{}, err
		}
	}
	if err := w.Close(); err != nil {
		return Layer{}, err
	}
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain.Bytes()); err != nil {
		return Layer{}, err
	}
	if err := z.Close(); err != nil {
		return Layer{}, err
	}
	return Layer{packed.Bytes(), oci.FromBytes(packed.Bytes()), oci.FromBytes(plain.Bytes()), createdBy}, nil
}
