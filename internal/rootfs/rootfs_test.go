package rootfs_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/rootfs"
)

// blobs is a source of blobs, that remembers which were opened.
type blobs struct {
	repo.Source
	content map[oci.Digest][]byte
	opened  []oci.Digest
}

func (b *blobs) OpenBlob(_ context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	b.opened = append(b.opened, d)
	return io.NopCloser(bytes.NewReader(b.content[d][offset:])), nil
}

func (b *blobs) add(content []byte) oci.Descriptor {
	h := oci.Digest{}.Hash()
	h.Write(content)
	d := oci.NewDigest(oci.Canonical, h.Sum(nil))
	b.content[d] = content
	return oci.Descriptor{Digest: d, Size: int64(len(content))}
}

// layer makes a layer of lines: "name/" is a directory, "name -> target" a
// symbolic link, "name => target" a hard one, "name" a file that holds "text".
func layer(text string, lines ...string) []byte {
	var plain, packed bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, line := range lines {
		h := &tar.Header{Name: line, Typeflag: tar.TypeReg, Size: int64(len(text)), Mode: 0o600}
		if name, target, ok := strings.Cut(line, " -> "); ok {
			h = &tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeSymlink}
		} else if name, target, ok := strings.Cut(line, " => "); ok {
			h = &tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeLink}
		} else if strings.HasSuffix(line, "/") {
			h = &tar.Header{Name: line, Typeflag: tar.TypeDir, Mode: 0o755}
		} else if strings.Contains(line, ".wh.") {
			h.Size = 0
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if h.Size > 0 {
			_, _ = io.WriteString(w, text)
		}
	}
	_ = w.Close()
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(plain.Bytes())
	_ = z.Close()
	return packed.Bytes()
}

func image(layers ...[]byte) (*rootfs.Reader, *blobs) {
	b := &blobs{content: map[oci.Digest][]byte{}}
	r := &rootfs.Reader{Source: b, Name: "image"}
	for _, l := range layers {
		r.Layers = append(r.Layers, b.add(l))
	}
	return r, b
}

func extract(t *testing.T, r *rootfs.Reader, path string) (map[string]string, error) {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := r.Extract(t.Context(), path, root); err != nil {
		return nil, err
	}
	got := map[string]string{}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(root.FS(), name)
		got[name] = string(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, nil
}

func TestExtract(t *testing.T) {
	for _, c := range []struct {
		name   string
		path   string
		layers [][]byte // the base first
		want   map[string]string
		read   int // layers
	}{
		{"directories of layers are one", "/configs/", [][]byte{
			layer("1", "bin/opm", "configs/", "configs/a", "configs/b/x"), layer("2", "configs/b/x", "configs/c", "etc/x"), layer("3", "tmp/x"),
		}, map[string]string{"a": "1", "b/x": "2", "c": "2"}, 3},
		{"whiteout", "configs", [][]byte{
			layer("1", "configs/a", "configs/b/x", "configs/b/y", "configs/c"), layer("2", "configs/.wh.a", "configs/.wh.b", "configs/b/z"),
		}, map[string]string{"b/z": "2", "c": "1"}, 2},
		{"a whiteout counts for lower layers alone", "configs", [][]byte{
			layer("1", "configs/a"), layer("2", "configs/a", "configs/.wh.a"),
		}, map[string]string{"a": "2"}, 2},
		{"opaque directory", "configs", [][]byte{
			layer("1", "configs/a"), layer("2", "configs/", "configs/.wh..wh..opq", "configs/b"),
		}, map[string]string{"b": "2"}, 1},
		{"opaque directory below", "configs", [][]byte{
			layer("1", "configs/a/x", "configs/b"), layer("2", "configs/a/.wh..wh..opq", "configs/a/y"),
		}, map[string]string{"a/y": "2", "b": "1"}, 2},
		{"removed and made again", "configs", [][]byte{
			layer("1", "configs/a"), layer("2", ".wh.configs"), layer("3", "configs/b"),
		}, map[string]string{"b": "3"}, 2},
		{"removed with what is above it", "opt/configs", [][]byte{
			layer("1", "opt/configs/a"), layer("2", ".wh.opt"), layer("3", "opt/configs/b"),
		}, map[string]string{"b": "3"}, 2},
		{"removed without a name", "configs", [][]byte{
			layer("1", "configs/a/x", "configs/b"), layer("2", "configs/a/.wh.", "configs/a/y"),
		}, map[string]string{"a/y": "2", "b": "1"}, 2},
		{"all removed without a name", "configs", [][]byte{layer("1", "configs/a"), layer("2", ".wh.", "configs/b")}, map[string]string{"b": "2"}, 1},
		{"the root is a directory", "configs", [][]byte{layer("1", "configs/a"), layer("2", "/"), layer("3", ". -> etc", "/ => etc/x")}, map[string]string{"a": "1"}, 3},
		{"so is all of it", "/", [][]byte{layer("1", "a"), layer("2", ". -> b", "b/c")}, map[string]string{"a": "1", "b/c": "2"}, 2},
		{"a file, then a directory in its place", "configs", [][]byte{
			layer("1", "configs/a/x"), layer("2", "configs/a"), layer("3", "configs/a/", "configs/a/y"),
		}, map[string]string{"a/y": "3"}, 3},
		{"one file is settled by its layer", "database/index.db", [][]byte{
			layer("1", "database/index.db"), layer("2", "database/index.db", "database/other"), layer("3", "x"),
		}, map[string]string{"index.db": "2"}, 2},
		{"dots and slashes", "/./configs", [][]byte{layer("1", "./configs/a", "/configs/b", "../configs/c", "configs/../../d")}, map[string]string{"a": "1", "b": "1"}, 1},
		{"all", "/", [][]byte{layer("1", "a", "b/c")}, map[string]string{"a": "1", "b/c": "1"}, 1},
		{"the path is a link", "configs", [][]byte{
			layer("1", "data/v4/a"), layer("2", "configs -> /data/v4", "data/v4/b"),
		}, map[string]string{"a": "1", "b": "2"}, 3},
		{"above the path is a link", "a/b/file", [][]byte{layer("1", "real/b/file"), layer("2", "a -> ../real")}, map[string]string{"file": "1"}, 3},
		{"a file under another name", "index.db", [][]byte{layer("1", "data/v1.db", "index.db -> data/v1.db")}, map[string]string{"index.db": "1"}, 2},
		{"links in a directory", "configs", [][]byte{
			layer("1", "shared/s", "configs/a", "configs/to-a -> a", "configs/to-to-a -> to-a", "configs/out -> ../shared/s",
				"configs/hard => configs/a", "configs/dir -> /shared", "configs/none -> nowhere", "configs/loop -> loop"),
		}, map[string]string{"a": "1", "to-a": "1", "to-to-a": "1", "out": "1", "hard": "1"}, 4},
		{"a hard link keeps what an upper layer replaces", "configs", [][]byte{
			layer("1", "configs/a", "configs/hard => configs/a"), layer("2", "configs/a"),
		}, map[string]string{"a": "2", "hard": "1"}, 3},
		{"the last of two entries counts", "configs", [][]byte{layer("1", "configs/x -> a", "configs/x", "configs/x")}, map[string]string{"x": "1"}, 1},
		{"a link to a hard link keeps it too", "configs", [][]byte{
			layer("1", "configs/a", "configs/hard => configs/a", "configs/soft -> hard"), layer("2", "configs/a"),
		}, map[string]string{"a": "2", "hard": "1", "soft": "1"}, 4},
		{"what is removed stays so, whatever a layer between empties", "configs", [][]byte{
			layer("1", "configs/b"), layer("2", "configs/b/.wh..wh..opq", "configs/b/x"), layer("3", "configs/.wh.b", "configs/c"),
		}, map[string]string{"c": "3"}, 3},
		{"a directory that a layer implies is the link below it", "configs", [][]byte{
			layer("1", "opt/c/a", "opt/c/b", "opt/c/c", "configs -> opt/c"),
			layer("2", "configs/b", "configs/.wh.c", "configs/x", "configs/hard => configs/b"), layer("3", "opt/c/z", "configs/b"),
		}, map[string]string{"a": "1", "b": "3", "hard": "2", "x": "2", "z": "3"}, 7},
		{"one that a layer has replaces the link", "configs", [][]byte{
			layer("1", "opt/c/a", "configs -> opt/c"), layer("2", "configs/", "configs/x"), layer("3", "configs/y"),
		}, map[string]string{"x": "2", "y": "3"}, 3},
		{"implied above the path", "opt/configs", [][]byte{
			layer("1", "usr/opt/configs/a", "opt -> usr/opt"), layer("2", "opt/configs/", "opt/configs/x"),
		}, map[string]string{"a": "1", "x": "2"}, 4},
		{"implied, and the link leads over another", "configs", [][]byte{
			layer("1", "usr/c/a", "opt -> usr"), layer("2", "configs -> opt/c"), layer("3", "configs/x"),
		}, map[string]string{"a": "1", "x": "3"}, 8},
		{"a file that is behind such a link", "configs/a", [][]byte{
			layer("1", "opt/c/a", "configs -> opt/c"), layer("2", "configs/x"),
		}, map[string]string{"a": "1"}, 4},
		{"behind a link in its layer", "configs", [][]byte{layer("1", "opt/c/a", "configs -> opt/c", "configs/x")}, map[string]string{"a": "1", "x": "1"}, 2},
		{"a layer has the second link behind what goes by both", "configs", [][]byte{
			layer("1", "usr/a", "configs -> opt"), layer("2", "configs/x", "opt -> usr"),
		}, map[string]string{"a": "1", "x": "2"}, 5},
		{"two layers have the link", "configs", [][]byte{
			layer("1", "usr/a", "usr/b", "configs -> opt"), layer("2", "opt -> usr", "configs/a"), layer("3", "opt -> usr", "configs/x"),
		}, map[string]string{"a": "2", "b": "1", "x": "3"}, 7},
		{"before a link in its layer", "configs", [][]byte{
			layer("1", "opt/c/a"), layer("2", "configs/x", "configs/.wh.a", "configs -> opt/c"),
		}, map[string]string{"a": "1"}, 3},
		{"links to directories stay out, what is written there does not", "configs", [][]byte{
			layer("1", "real/y", "configs/sub -> ../real"), layer("2", "configs/sub/x"),
		}, map[string]string{"sub/x": "2"}, 2},
		{"links do not leave the image", "configs", [][]byte{
			layer("1", "configs/x -> ../../../etc/hostname", "configs/y => ../../etc/hostname", "etc/hostname"),
		}, map[string]string{"x": "1"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, b := image(c.layers...)
			got, err := extract(t, r, c.path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if len(b.opened) != c.read {
				t.Errorf("%d layers were read, want %d", len(b.opened), c.read)
			}
		})
	}
}

func TestNotThere(t *testing.T) {
	for name, layers := range map[string][][]byte{
		"never":       {layer("1", "etc/x")},
		"removed":     {layer("1", "configs/a"), layer("2", ".wh.configs")},
		"below file":  {layer("1", "configs/a"), layer("2", "configs")},
		"loop":        {layer("1", "configs/a -> a")},
		"outside":     {layer("1", "../configs/a")},
		"a character": {layer("1", "configs/a -> /dev/null")},
	} {
		r, _ := image(layers...)
		if _, err := extract(t, r, "configs/a"); !errors.Is(err, rootfs.ErrNotThere) && !strings.Contains(err.Error(), "too many links") {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, _ := image()
	if _, err := extract(t, r, "../x"); err == nil {
		t.Error("a path outside")
	}
}

// Wrong content is an error, also when it stands behind what was wanted.
func TestCorrupt(t *testing.T) {
	good := layer("1", "configs/a")
	r, b := image(good)
	b.content[r.Layers[0].Digest] = append(good[:len(good)-1:len(good)-1], good[len(good)-1]^1)
	_, err := extract(t, r, "configs")
	if _, ok := errors.AsType[*repo.CorruptError](err); !ok {
		t.Error(err)
	}
	r, _ = image([]byte("no archive at all"))
	if _, err := extract(t, r, "configs"); err == nil || !strings.Contains(err.Error(), r.Layers[0].Digest.String()) {
		t.Error(err)
	}
}

// A name that no file system of this program takes is told with its layer.
func TestNameNotUTF8(t *testing.T) {
	r, _ := image(layer("1", "configs/b\xff/a"))
	_, err := extract(t, r, "configs")
	if want := "layer " + r.Layers[0].Digest.String() + `: the name "b\xff/a" is not UTF-8`; err == nil || err.Error() != want {
		t.Error(err)
	}
}

func TestKeepAndSkip(t *testing.T) {
	r, b := image(layer("SQLite format 3\x00...", "a.db"), layer("other", "a", "b"), layer("SQLite format 3\x00...", "skipped"))
	r.Keep = func(head []byte) bool { return string(head) == "SQLite format 3\x00" }
	r.Skip = func(layer int, found bool) bool { return layer == 2 && !found }
	got, err := extract(t, r, ".")
	if err != nil || len(got) != 1 || got["a.db"] == "" || len(b.opened) != 2 {
		t.Error(got, err, b.opened)
	}
}

// A layer is given up where its order shows that it has nothing at the path, and
// read to its end where it has something, or is in no order.
func TestGlance(t *testing.T) {
	random := make([]byte, 200_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	noise := string(random)
	for _, c := range []struct {
		name, path string
		entries    []string
		want       string
		whole      bool
	}{
		{"past", "configs", []string{"bin/opm", "etc/", "etc/x", "configs/a"}, "", false},
		{"beside", "opt/configs", []string{"opt/", "opt/d/x", "opt/configs/a"}, "", false},
		{"before", "configs", []string{"./", "bin/opm", "boot", "configs/a", "etc/x"}, "a", true},
		{"out of order", "configs", []string{"bin/y", "bin/x", "etc/x", "configs/a"}, "a", true},
		{"a name that begins alike", "configs", []string{"config/", "configs-old/x", "configs/a"}, "a", true},
		{"above, one that begins alike", "opt/configs", []string{"opt-x", "opt/configs/a"}, "a", true},
		{"another that begins alike", "configs", []string{"configsX/x", "configs/a"}, "", false},
		{"a directory before what sorts between", "a", []string{"A-b/x", "A/x", "a/b"}, "b", true},
		{"removed", "opt/configs", []string{".wh.opt", "tmp/x", "opt/configs/a"}, "a", true},
		{"removed below", "configs", []string{"configs/.wh.b", "tmp/x", "configs/a"}, "a", true},
		{"another is removed", "configs", []string{".wh.bin", "tmp/x", "configs/a"}, "", false},
	} {
		upper := layer(noise, c.entries...)
		r, _ := image(upper)
		r.Glance = func(int, bool) bool { return true }
		var done int64
		r.Progress = func(d, _ int64) { done = d }
		got, err := extract(t, r, c.path)
		switch {
		case c.want == "" && !errors.Is(err, rootfs.ErrNotThere), c.want != "" && (err != nil || got[c.want] == ""):
			t.Errorf("%s: %v", c.name, err)
		case (done == int64(len(upper))) != c.whole:
			t.Errorf("%s: %d of %d bytes were read", c.name, done, len(upper))
		}
	}
	r, _ := image(layer("1", "configs/a"), layer(noise, "tmp/x", "tmp/y"))
	r.Glance = func(int, bool) bool { return true }
	var done, total int64
	r.Progress = func(d, t int64) { done, total = d, t }
	if got, err := extract(t, r, "configs"); err != nil || got["a"] != "1" || done != total {
		t.Error(got, err, done, total)
	}
	r, _ = image(layer("1", "bin/a", "configs -> bin"), layer("2", "c/x", "configs/x")) // which lies in bin
	r.Glance = func(int, bool) bool { return true }
	if got, err := extract(t, r, "configs"); err != nil || !cmp.Equal(got, map[string]string{"a": "1", "x": "2"}) {
		t.Error(got, err)
	}
}

// Layers that only Windows has, elsewhere, are not asked for.
func TestForeignLayer(t *testing.T) {
	r, b := image(layer("1", "configs/a"), layer("2", "configs/b"))
	r.Layers[1].MediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
	if got, err := extract(t, r, "configs"); err != nil || len(got) != 1 || len(b.opened) != 1 {
		t.Error(got, err, b.opened)
	}
}

// What begins an archive that git made is no file behind the path.
func TestGlobalHeader(t *testing.T) {
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "c"}})
	_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "configs/b", Size: 1})
	_, _ = w.Write([]byte("2"))
	_ = w.Close()
	r, _ := image(layer("1", "configs/a"), plain.Bytes())
	r.Glance = func(int, bool) bool { return true }
	if got, err := extract(t, r, "configs"); err != nil || got["b"] != "2" {
		t.Error(got, err)
	}
}

// Two names of the image that are one on the disk, as a and A may be, are an
// error: the content of one of them would be gone. One name that the image has
// twice is replaced.
func TestOneNameForTwo(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	r, _ := image(layer("1", "configs/x", "configs/x", "configs/A", "configs/b"))
	if f, err := root.Create("A"); err != nil || f.Close() != nil { // as if an "a" before it were the same
		t.Fatal(err)
	}
	err = r.Extract(t.Context(), "configs", root)
	if want := "layer " + r.Layers[0].Digest.String() + `: the file system that is written to does not tell "A" from another file of the image`; err == nil || err.Error() != want {
		t.Error(err)
	}
}

func TestCancelled(t *testing.T) {
	r, _ := image(layer("1", "configs/a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := r.Extract(ctx, "configs", root); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(layer("x", "configs/a", "configs/b -> a", "configs/.wh.c"), layer("y", "configs/.wh..wh..opq", "configs -> a"), "configs")
	f.Add(layer("x", "a/../b", "a => b"), []byte("x"), "a/b")
	f.Fuzz(func(t *testing.T, lower, upper []byte, path string) {
		r, _ := image(lower, upper)
		got, err := extract(t, r, path)
		if err == nil && len(got) > 1000 {
			t.Error(len(got))
		}
	})
}
