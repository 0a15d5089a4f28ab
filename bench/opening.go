//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// What the store of s8 holds besides one real image.
const (
	openRepositories = 100
	openManifests    = 1000 // a repository, each with a tag
	openBlobs        = 4    // a manifest, none shared
	factsDir         = "airbridge/facts"
)

// s8: how long a server needs from its start to the first answer when its
// store is large, and the memory it takes for that.
func s8(ctx context.Context, b *bench) error {
	if err := b.needBinary(); err != nil {
		return err
	}
	root, err := b.largeStore(ctx)
	if err != nil {
		return err
	}
	n := openRepositories * openManifests
	fmt.Printf("store: %d tags, %d manifests, %d blobs as facts; the files of one image\n\n", n, n, n*openBlobs)
	var seconds, memory []float64
	for range b.rounds {
		s, hwm, err := b.firstGet(ctx, root)
		if err != nil {
			return err
		}
		seconds, memory = append(seconds, s), append(memory, hwm)
	}
	printGoal("seconds from start to the first GET", spreadOf(seconds), 1)
	printGoal("peak memory in MB", spreadOf(memory), 200)
	return nil
}

// firstGet starts a server, fetches one manifest by tag and stops it.
func (b *bench) firstGet(ctx context.Context, root string) (seconds, mb float64, err error) {
	begin := time.Now()
	s, err := b.serve(root)
	if err != nil {
		return 0, 0, err
	}
	defer s.stop()
	if err := newWire(s.addr).has(ctx, "manifests", "v1", oci.MediaTypeDockerManifest); err != nil {
		return 0, 0, err
	}
	seconds = time.Since(begin).Seconds()
	kib, err := procField(s.pid, "status", "VmHWM:")
	return seconds, float64(kib) * 1024 / 1e6, err
}

// largeStore returns a store from the cache, making it there at first.
func (b *bench) largeStore(ctx context.Context) (string, error) {
	root := filepath.Join(b.cache, "store-100k-"+loadVersion)
	done := root + ".done"
	if _, err := os.Stat(done); err == nil {
		return root, nil
	}
	if err := errors.Join(os.RemoveAll(root), os.MkdirAll(root, 0o755)); err != nil {
		return "", err
	}
	if err := b.initStore(ctx, root); err != nil {
		return "", err
	}
	if err := b.pushOne(ctx, root); err != nil {
		return "", err
	}
	if err := writeFacts(ctx, root); err != nil {
		return "", err
	}
	return root, os.WriteFile(done, nil, 0o600)
}

// pushOne gives the store one image whose content is there.
func (b *bench) pushOne(ctx context.Context, root string) error {
	s, err := b.serve(root)
	if err != nil {
		return err
	}
	defer s.stop()
	m := sample.New(8)
	v := serving{ours: s.addr, image: sample.NewImage(sample.ImageSpec{Format: sample.Docker, Layers: []sample.Blob{m.Layer(smallBlob)}})}
	return v.upload(ctx)
}

// writeFacts adds the facts of the large store, a repository at a time.
func writeFacts(ctx context.Context, root string) error {
	fs, err := fsys.OS(root)
	if err != nil {
		return err
	}
	log, err := kv.OpenLog(fs, kv.LogOptions{Dir: factsDir})
	if err != nil {
		return err
	}
	for r := range openRepositories {
		if err := log.Apply(ctx, factsOf(fmt.Sprintf("team-%03d/service", r))); err != nil {
			return errors.Join(err, log.Close())
		}
	}
	return log.Close()
}

func factsOf(name string) []kv.Change {
	var out []kv.Change
	for i := range openManifests {
		d := oci.FromBytes(fmt.Appendf(nil, "%s %d", name, i))
		out = append(out, kv.Change{
			Key:   repo.ManifestKey(name, d),
			Value: repo.EncodeFact(repo.ManifestFact{MediaType: oci.MediaTypeDockerManifest, Size: 1500}),
		}, kv.Change{
			Key:   repo.TagKey(name, fmt.Sprintf("v1.%d", i)),
			Value: repo.EncodeFact(repo.TagFact{Digest: d, Time: 1_700_000_000}),
		})
		for j := range openBlobs {
			blob := oci.FromBytes(fmt.Appendf(nil, "%s %d %d", name, i, j))
			out = append(out, kv.Change{
				Key:   repo.BlobKey(name, blob),
				Value: repo.EncodeFact(repo.BlobFact{Size: 1 << 20, Time: 1_700_000_000, Held: true}),
			})
		}
	}
	return out
}
