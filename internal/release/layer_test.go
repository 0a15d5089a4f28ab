package release_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/release"
)

// readAll returns the payload files of a layer as "name=content".
func readAll(r io.Reader) ([]string, error) {
	var got []string
	err := release.ReadLayer(r, func(name string, content []byte) error {
		got = append(got, name+"="+string(content))
		return nil
	})
	return got, err
}

func TestReadLayer(t *testing.T) {
	plain := archive(t,
		entry{name: "usr/bin/tool", content: "no"},
		entry{name: "release-manifests/image-references", content: "refs"},
		entry{name: "./release-manifests/0000_a.yaml", content: "a"},
		entry{name: "/release-manifests/absolute", content: "no"},
		entry{name: "release-manifests/deep/file", content: "no"},
		entry{name: "release-manifests/../escape", content: "no"},
		entry{name: "release-manifests/.wh.old", content: ""},
		entry{name: "release-manifests/link", link: "/etc/passwd"},
		entry{name: "manifests/image-references", content: "no"},
		entry{name: "xrelease-manifests/x", content: "no"},
		entry{name: "release-manifests/release-metadata", content: "meta"},
	)
	want := []string{"image-references=refs", "0000_a.yaml=a", "release-metadata=meta"}
	for name, layer := range map[string][]byte{"plain": plain, "gzip": gzipped(t, plain), "zstd": zstandard(t, plain)} {
		got, err := readAll(bytes.NewReader(layer))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	for name, layer := range map[string][]byte{"gzip": gzipped(t, plain), "zstd": zstandard(t, plain)} {
		for cut := 1; cut < len(layer)-30; cut++ { // what is cut off behind the archive's end, its digest tells
			if got, err := readAll(bytes.NewReader(layer[:cut])); err == nil {
				t.Errorf("%s cut at %d of %d: %v and no error", name, cut, len(layer), got)
			}
		}
	}
	if got, err := readAll(strings.NewReader("")); len(got) > 0 || err != nil {
		t.Errorf("empty layer: %v, %v", got, err)
	}
}

func TestReadLayerErrors(t *testing.T) {
	for name, layer := range map[string][]byte{
		"not an archive":   []byte(strings.Repeat("no tar ", 1000)),
		"broken gzip":      []byte("\x1f\x8bnot gzip at all"),
		"broken zstd":      []byte("\x28\xb5\x2f\xfdnot zstd at all"),
		"twice":            archive(t, entry{name: "release-manifests/a"}, entry{name: "./release-manifests/a"}),
		"name of 300 byte": archive(t, entry{name: "release-manifests/" + strings.Repeat("a", 300)}),
	} {
		if _, err := readAll(bytes.NewReader(layer)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	stop := errors.New("stop")
	n := 0
	err := release.ReadLayer(bytes.NewReader(archive(t, entry{name: "release-manifests/a"}, entry{name: "release-manifests/b"})),
		func(string, []byte) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("an error of visit: %v after %d files", err, n)
	}
}

// A frame may ask for a window that takes all the memory there is. The frame
// is put together from RFC 8878: magic, descriptor, window, one raw block.
func TestZstandardWindow(t *testing.T) {
	content := archive(t, entry{name: "release-manifests/a", content: "a"})
	for window, ok := range map[byte]bool{16 << 3: true, 17 << 3: false, 0xff: false} { // 64 MiB, 128 MiB, 3.75 TiB
		size := len(content)<<3 | 1
		frame := append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, window, byte(size), byte(size >> 8), byte(size >> 16)}, content...)
		got, err := readAll(bytes.NewReader(frame))
		if ok != (err == nil) || ok != (len(got) == 1) {
			t.Errorf("window %#x: %v, %v", window, got, err)
		}
	}
}

func TestReadLayerOf412(t *testing.T) {
	f, err := os.Open(filepath.Join(testdata(t), "release-4.12.0", "payload-layer.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := readAll(f)
	if err != nil {
		t.Fatal(err)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, name+"=") })
	}
	if len(got) != 646 || !has("image-references") || !has("release-metadata") || !has("0000_90_cluster-update-keys_configmap.yaml") {
		t.Errorf("%d files", len(got))
	}
}

func FuzzReadLayer(f *testing.F) {
	t := &testing.T{}
	plain := archive(t, entry{name: "release-manifests/image-references", content: "refs"}, entry{name: "a/b", link: "c"})
	f.Add(plain)
	f.Add(gzipped(t, plain))
	f.Add(zstandard(t, plain))
	f.Fuzz(func(t *testing.T, layer []byte) {
		seen := map[string]bool{}
		_ = release.ReadLayer(bytes.NewReader(layer), func(name string, _ []byte) error {
			if name == "" || name != filepath.Base(name) || seen[name] {
				t.Errorf("payload file %q", name)
			}
			seen[name] = true
			return nil
		})
	})
}
