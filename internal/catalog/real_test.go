package catalog_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// testdata returns a file of the real inputs, and skips where there are none.
func testdata(t testing.TB, elem ...string) string {
	t.Helper()
	dir := os.Getenv("AIRBRIDGE_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	file := filepath.Join(append([]string{dir}, elem...)...)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("no real inputs: %v", err)
	}
	return file
}

// community returns the real community catalog, all of YAML.
func community(t testing.TB) fstest.MapFS {
	f, err := os.Open(testdata(t, "catalog", "community-v4.14.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	out := fstest.MapFS{}
	for entries := tar.NewReader(plain); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			content, err := io.ReadAll(entries)
			if err != nil {
				t.Fatal(err)
			}
			out[h.Name] = &fstest.MapFile{Data: content}
		}
	}
}

func TestCommunityCatalog(t *testing.T) {
	c := clean(t, community(t))
	if len(c.Packages) != 12 || len(c.Channels) != 19 || len(c.Bundles) != 183 || len(c.Others) != 0 {
		t.Errorf("%d packages, %d channels, %d bundles, %d others", len(c.Packages), len(c.Channels), len(c.Bundles), len(c.Others))
	}
	bundles := map[string]bool{}
	for _, b := range c.Bundles {
		bundles[b.Name] = true
		if b.Version == "" || b.Image == "" {
			t.Errorf("%s: version %q, image %q", b.Name, b.Version, b.Image)
		}
	}
	for _, channel := range c.Channels {
		for _, e := range channel.Entries {
			if !bundles[e.Name] {
				t.Errorf("%s has no bundle", e.Name)
			}
		}
	}
}

// What is read of JSON is what encoding/json reads.
func TestJaegerCatalog(t *testing.T) {
	fsys := jaeger(t)
	c, body := clean(t, fsys), fsys["jaeger-product/catalog.json"].Data
	var want []string
	seen := map[string]bool{"": true}
	n := 0
	for dec := json.NewDecoder(bytes.NewReader(body)); ; n++ {
		var d struct {
			Image         string
			RelatedImages []struct{ Image string }
		}
		if err := dec.Decode(&d); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, image := range append([]struct{ Image string }{{d.Image}}, d.RelatedImages...) {
			if !seen[image.Image] {
				seen[image.Image] = true
				want = append(want, image.Image)
			}
		}
	}
	var got []string
	for _, image := range c.Images() {
		got = append(got, image.Ref)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || len(got) == 0 || n != len(c.Documents()) {
		t.Errorf("%d documents, %d images, want %d and %d", len(c.Documents()), len(got), n, len(want))
	}
}

// decode does nothing but decode, with the decoders that Read uses.
func decode(content []byte) error {
	if content[0] == '{' {
		for dec := json.NewDecoder(bytes.NewReader(content)); ; {
			var v any
			if err := dec.Decode(&v); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	for dec := yaml.NewDecoder(bytes.NewReader(content)); ; {
		var v any
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// jaeger returns a real package of the Red Hat catalog, of JSON.
func jaeger(t testing.TB) fstest.MapFS {
	body, err := os.ReadFile(testdata(t, "catalog", "jaeger-product", "catalog.json"))
	if err != nil {
		t.Fatal(err)
	}
	return files("jaeger-product/catalog.json", string(body))
}

// BenchmarkImages finds all related images of real catalogs, and tells how long
// that takes compared with decoding the same bytes, and how much memory is in
// use at most. The bounds of the issue are 1.5 and 150 MB.
func BenchmarkImages(b *testing.B) {
	for _, c := range []struct {
		name    string
		workers int
		files   func(testing.TB) fstest.MapFS
	}{{"yaml", 1, community}, {"yaml-parallel", 0, community}, {"json", 1, jaeger}} {
		b.Run(c.name, func(b *testing.B) {
			fsys, workers := c.files(b), c.workers
			var peak uint64
			found := 0
			for b.Loop() {
				c, problems, err := catalog.Read(fsys, catalog.ReadOptions{Workers: workers})
				if err != nil || len(problems) > 0 {
					b.Fatal(err, problems)
				}
				found = len(c.Images())
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.Sys-m.HeapReleased)
			}
			b.StopTimer()
			ours := b.Elapsed() / time.Duration(b.N)
			start := time.Now()
			for _, f := range fsys {
				if err := decode(f.Data); err != nil {
					b.Fatal(err)
				}
			}
			plain := time.Since(start)
			b.ReportMetric(float64(found), "images")
			b.ReportMetric(float64(plain.Milliseconds()), "decode-ms")
			b.ReportMetric(float64(ours)/float64(plain), "x-decode")
			b.ReportMetric(float64(peak)/1e6, "MB-sys")
		})
	}
}
