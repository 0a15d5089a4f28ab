//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/airbridge-dev/airbridge/internal/registry"
	distribution "github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// blobBytes counts the bytes of blobs that a registry hands out.
type blobBytes struct {
	next  http.Handler
	bytes atomic.Int64
}

// ServeHTTP implements http.Handler.
func (b *blobBytes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "/blobs/") {
		w = &countedAnswer{w, &b.bytes}
	}
	b.next.ServeHTTP(w, r)
}

type countedAnswer struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

func (c *countedAnswer) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}

// extractBytes extracts the installer of a generated release and compares the
// bytes that were fetched with those of the layers that are needed: of the
// release image the top one, of the installer those down to the one that has it.
func (b *bench) extractBytes(ctx context.Context) error {
	if err := b.needBinary(); err != nil {
		return err
	}
	reg := registry.New("bench", cas.Mem(), kv.Mem(), registry.Options{Now: time.Now})
	r := sample.New(9).ToolRelease(sample.ReleaseSpec{LayerSize: 1 << 20})
	rp, err := reg.Repo("ocp/release")
	if err == nil {
		err = r.Push(ctx, rp, rp)
	}
	if err != nil {
		return err
	}
	counted := &blobBytes{next: distribution.New(reg, distribution.Options{Now: time.Now})}
	srv := httptest.NewServer(counted)
	defer srv.Close()
	dir := filepath.Join(b.scratch, "extract")
	defer os.RemoveAll(dir)
	at := strings.TrimPrefix(srv.URL, "http://") + "/ocp/release:" + r.Tag()
	out, err := b.ours("adm", "release", "extract", "--insecure", "--command=openshift-install", "--command-os=linux/amd64", "--to="+dir, at).CombinedOutput()
	if err != nil {
		return fmt.Errorf("extract: %w: %s", err, tail(out))
	}
	needed, all := layersNeeded(r)
	fmt.Printf("- extract --command=openshift-install: %d bytes of blobs fetched; the layers that have it: %d, the two images: %d\n", counted.bytes.Load(), needed, all)
	printGoal("bytes fetched / bytes of the layers needed", one(float64(counted.bytes.Load())/float64(needed)), 1.01)
	return nil
}

// layersNeeded returns the bytes of the blobs that have to be read for the
// installer, and those of all blobs of the two images.
func layersNeeded(r *sample.Release) (needed, all int64) {
	for _, c := range r.Components {
		if c.Name == "installer" {
			needed, all = sizeOf(c.Image, 2)
		}
	}
	n, a := sizeOf(r.Image, 1)
	return needed + n, all + a
}

// sizeOf returns the bytes of an image's config and its top layers, and of all.
func sizeOf(im *sample.Image, top int) (some, all int64) {
	for i, blob := range im.Blobs {
		all += blob.Desc.Size
		if i == 0 || i >= len(im.Blobs)-top { // the config is first
			some += blob.Desc.Size
		}
	}
	return some, all
}
