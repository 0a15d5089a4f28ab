//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	distribution "github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// s10: what an operator catalog costs before its first image is copied.
func s10(ctx context.Context, b *bench) error {
	if err := b.needBinary(); err != nil {
		return err
	}
	community, err := communityCatalog()
	if err != nil {
		return err
	}
	if err := b.catalogMemory(ctx, community); err != nil {
		return err
	}
	if err := b.decodeRatios(community); err != nil {
		return err
	}
	return b.planRequests(ctx)
}

// communityCatalog reads the real community catalog of 4.14.
func communityCatalog() (fstest.MapFS, error) {
	file, err := os.Open(filepath.Join(testdata(), "catalog", "community-v4.14.tar.gz"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	out := fstest.MapFS{}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		out[h.Name] = &fstest.MapFile{Data: content}
	}
}

// decodeRatios compares finding all images, and making a catalog of two
// packages, with plainly decoding the same bytes. One worker, as the decoder is one.
func (b *bench) decodeRatios(files fstest.MapFS) error {
	var images, rebuilt []float64
	for range b.rounds {
		plain, err := timed(func() error { return decodeAll(files) })
		if err != nil {
			return err
		}
		all, err := timed(func() error { return allImages(files) })
		if err != nil {
			return err
		}
		some, err := timed(func() error { return twoPackages(files) })
		if err != nil {
			return err
		}
		images, rebuilt = append(images, all/plain), append(rebuilt, some/plain)
	}
	printGoal("all images of the community catalog / decoding it", spreadOf(images), 1.5)
	printGoal("a catalog of two of its packages / decoding it", spreadOf(rebuilt), 2)
	return nil
}

func decodeAll(files fstest.MapFS) error {
	for _, f := range files {
		for dec := yaml.NewDecoder(bytes.NewReader(f.Data)); ; { // JSON is YAML too
			var v any
			if err := dec.Decode(&v); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

func readCatalog(files fstest.MapFS) (*catalog.Catalog, error) {
	c, problems, err := catalog.Read(files, catalog.ReadOptions{Workers: 1})
	if err == nil && len(problems) > 0 {
		err = problems[0].Err
	}
	return c, err
}

func allImages(files fstest.MapFS) error {
	c, err := readCatalog(files)
	if err == nil && len(c.Images()) == 0 {
		err = errors.New("the catalog has no images")
	}
	return err
}

func twoPackages(files fstest.MapFS) error {
	c, err := readCatalog(files)
	if err != nil {
		return err
	}
	var want []catalog.Wanted
	for _, name := range []string{"koku-metrics-operator", "dell-csm-operator"} {
		w, err := catalog.ParseWanted(name)
		if err != nil {
			return err
		}
		want = append(want, w)
	}
	some, _, err := catalog.Select(c, want, catalog.SelectOptions{AllowUnmet: true})
	if err != nil {
		return err
	}
	_, err = catalog.Layers("/configs", some)
	return err
}

// requestLog counts the requests of a run by what they ask for.
type requestLog struct {
	next   http.Handler
	mu     sync.Mutex
	counts map[string]int
}

// ServeHTTP implements http.Handler.
func (l *requestLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := "other"
	for _, k := range []string{"manifests", "blobs", "tags", "referrers"} {
		if strings.Contains(r.URL.Path, "/"+k+"/") {
			kind = k
		}
	}
	l.mu.Lock()
	l.counts[kind]++
	l.mu.Unlock()
	l.next.ServeHTTP(w, r)
}

// serveCatalog serves a registry in memory and logs its requests.
func serveCatalog(reg repo.Registry) (*requestLog, *httptest.Server) {
	l := &requestLog{next: distribution.New(reg, distribution.Options{Now: time.Now}), counts: map[string]int{}}
	return l, httptest.NewServer(l)
}

func memory() *registry.Registry {
	return registry.New("bench", cas.Mem(), kv.Mem(), registry.Options{Now: time.Now})
}

// catalogMemory writes the manifests of the community catalog and prints the
// memory that takes.
func (b *bench) catalogMemory(ctx context.Context, files fstest.MapFS) error {
	var content []sample.File
	for name, f := range files {
		content = append(content, sample.File{Name: "configs/" + name, Body: f.Data})
	}
	image := sample.NewImage(sample.ImageSpec{Labels: map[string]string{sample.ConfigsLabel: "/configs"}, Layers: []sample.Blob{sample.Files(content...)}})
	reg := memory()
	rp, err := reg.Repo("olm/index")
	if err == nil {
		err = image.Push(ctx, rp, "v4.14")
	}
	if err != nil {
		return err
	}
	_, srv := serveCatalog(reg)
	defer srv.Close()
	var peaks []float64
	for range b.rounds {
		u, err := b.mirrorCatalog(ctx, srv, "--manifests-only")
		if err != nil {
			return err
		}
		peaks = append(peaks, peakMB(u))
	}
	printGoal("peak memory in MB, manifests of the community catalog", spreadOf(peaks), 150)
	return nil
}

// mirrorCatalog runs adm catalog mirror on olm/index:v4.14 of a server.
func (b *bench) mirrorCatalog(ctx context.Context, srv *httptest.Server, flags ...string) (usage, error) {
	dir, err := os.MkdirTemp(b.scratch, "catalog-")
	if err != nil {
		return usage{}, err
	}
	defer os.RemoveAll(dir)
	host := strings.TrimPrefix(srv.URL, "http://")
	args := append([]string{"adm", "catalog", "mirror", "--insecure", "--to-manifests=" + filepath.Join(dir, "manifests")}, flags...)
	return measured(ctx, b.ours(append(args, host+"/olm/index:v4.14", "127.0.0.1:1/mirror")...), dir)
}

// The catalog whose planning is counted: bundles with six related images each,
// of which one is the bundle's own and one is everybody's.
const (
	planPackages = 10
	planBundles  = 100 // of each package
	planRelated  = 4
)

// planRequests counts the requests of a dry run.
func (b *bench) planRequests(ctx context.Context) error {
	reg := memory()
	log, srv := serveCatalog(reg)
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	c := sample.New(11).Catalog(sample.CatalogSpec{Host: host, Packages: planPackages, Bundles: planBundles, Related: planRelated})
	index, err := reg.Repo("olm/index")
	if err == nil {
		err = c.Push(ctx, index, "v4.14", reg.Repo)
	}
	if err != nil {
		return err
	}
	manifests := len(c.Images) + 1
	for _, flags := range [][]string{{"--dry-run", "--no-signatures"}, {"--dry-run"}} {
		log.counts = map[string]int{}
		if _, err := b.mirrorCatalog(ctx, srv, flags...); err != nil {
			return err
		}
		counts, err := json.Marshal(log.counts)
		if err != nil {
			return err
		}
		fmt.Printf("- planning %d bundles, %d images, %s: requests %s\n", planPackages*planBundles, manifests, strings.Join(flags, " "), counts)
		printGoal("requests for manifests / manifests", one(float64(log.counts["manifests"])/float64(manifests)), 1.01)
	}
	return nil
}
