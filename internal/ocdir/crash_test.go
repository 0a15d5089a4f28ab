package ocdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

// push is one image that the work below writes.
type push struct {
	name, tag string
	image     repotest.Image
}

// pushes are images over two repositories that share a base, one of them a
// list, and a tag that moves.
func pushes() [][]push {
	base := repotest.NewBlob("base", 3000)
	one := repotest.NewImage("one", base, repotest.NewBlob("own one", 500))
	two := repotest.NewDockerImage("two", base, repotest.NewBlob("own two", 40))
	list := repotest.NewIndex(one, repotest.NewImage("three", base))
	return [][]push{
		{{"a/b", "one", one}, {"a/b", "two", two}, {"c", "one", one}},
		{{"a/b", "list", list}, {"c", "one", two}},
	}
}

// work writes all pushes, a checkpoint for each round, and returns how many
// rounds were acknowledged.
func work(ctx context.Context, files fsys.FS) (rounds int, err error) {
	dir, err := Open(files, false, time.Now)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	reg := registryOf(dir, registry.Options{Batch: true})
	for _, round := range pushes() {
		for _, p := range round {
			r, err := reg.Repo(p.name)
			if err == nil {
				err = pushImage(ctx, r, p.image, p.tag)
			}
			if err != nil {
				return rounds, err
			}
		}
		if err := reg.Checkpoint(ctx); err != nil {
			return rounds, err
		}
		rounds++
	}
	return rounds, nil
}

func pushImage(ctx context.Context, r repo.Repo, img repotest.Image, tags ...string) error {
	for _, child := range img.Children {
		if err := pushImage(ctx, r, child); err != nil {
			return err
		}
	}
	for _, b := range img.Blobs {
		if _, err := r.PutBlob(ctx, b.Desc, b.Opener(), ""); err != nil {
			return err
		}
	}
	return r.PutManifest(ctx, img.Desc, img.Bytes, tags...)
}

// checkAfter checks what a crash or fault left: every tag leads to a whole
// image, of the rounds acknowledged or later, and the next run completes.
func checkAfter(t *testing.T, what string, files fsys.FS, rounds int) {
	t.Helper()
	if err := soundTags(t.Context(), files, rounds); err != nil {
		t.Fatalf("%s, %d rounds acknowledged: %v", what, rounds, err)
	}
	if _, err := work(t.Context(), files); err != nil {
		t.Fatalf("%s: the next run: %v", what, err)
	}
	if err := soundTags(t.Context(), files, len(pushes())); err != nil {
		t.Fatalf("%s: after the next run: %v", what, err)
	}
	if _, err := files.Lstat(ownDir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s: the next run leaves airbridge/ behind: %v", what, err)
	}
}

func soundTags(ctx context.Context, files fsys.FS, rounds int) error {
	dir, err := Open(files, true, time.Now)
	if err != nil {
		return err
	}
	reg := registryOf(dir, registry.Options{ReadOnly: true})
	for i, round := range pushes() {
		for _, p := range round {
			r, err := reg.Repo(p.name)
			if err != nil {
				return err
			}
			desc, body, err := r.Manifest(ctx, repo.ByTag(p.tag))
			if oci.IsNotFound(err) && i >= rounds {
				continue
			}
			if err == nil {
				err = whole(ctx, r, desc, body)
			}
			if err != nil {
				return fmt.Errorf("%s:%s of round %d: %w", p.name, p.tag, i+1, err)
			}
			if i == len(pushes())-1 && rounds > i && desc.Digest != p.image.Desc.Digest {
				return fmt.Errorf("%s:%s is not what was acknowledged", p.name, p.tag)
			}
		}
	}
	return nil
}

// whole reads all that a manifest needs.
func whole(ctx context.Context, r repo.Repo, desc oci.Descriptor, body []byte) error {
	m, err := oci.ParseManifest(desc.MediaType, body)
	if err != nil {
		return err
	}
	for _, child := range m.Manifests {
		d, b, err := r.Manifest(ctx, repo.ByDigest(child.Digest))
		if err == nil {
			err = whole(ctx, r, d, b)
		}
		if err != nil {
			return fmt.Errorf("child %s: %w", child.Digest, err)
		}
	}
	for _, blob := range m.Blobs() {
		src, err := r.OpenBlob(ctx, blob.Digest, 0)
		if err != nil {
			return fmt.Errorf("blob %s: %w", blob.Digest, err)
		}
		h := blob.Digest.Hash()
		err = errors.Join(pour(ctx, h, src), src.Close())
		if err != nil || !blob.Digest.Matches(h) {
			return fmt.Errorf("blob %s has other content (%w)", blob.Digest, err)
		}
	}
	return nil
}

// every calls run for every other call number of a run of the work, in short
// tests for fewer. Which call has which number differs with the seed.
func every(t *testing.T, run func(n int)) {
	t.Helper()
	files := crashfs.New(1)
	if _, err := work(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	step := 2
	if testing.Short() {
		step = 15
	}
	for n := 1; n <= files.Ops(); n += step {
		run(n)
	}
}

var syncModes = []crashfs.SyncFSMode{crashfs.SyncContent, crashfs.SyncNothing}

// The power is cut at every call, and what was not synced is lost or not.
func TestPowerCut(t *testing.T) {
	every(t, func(n int) {
		mode := syncModes[n/2%len(syncModes)]
		files := crashfs.New(uint64(n))
		files.SetSyncFS(mode)
		files.StopAt(n)
		rounds, err := work(t.Context(), files)
		if err == nil {
			return // the order of directories is another with each seed
		}
		r := rand.New(rand.NewPCG(uint64(n), 5))
		checkAfter(t, fmt.Sprintf("power cut at call %d, mode %d", n, mode), files.Crash(r), rounds)
	})
}

// The process is killed at every call; the kernel keeps what was written.
func TestKilled(t *testing.T) {
	every(t, func(n int) {
		files := crashfs.New(uint64(n))
		files.StopAt(n)
		rounds, err := work(t.Context(), files)
		if err != nil {
			checkAfter(t, fmt.Sprintf("killed at call %d", n), files.Kill(), rounds)
		}
	})
}

// Each call fails once with a full disk or a faulty one.
func TestFaults(t *testing.T) {
	every(t, func(n int) {
		fault := []error{syscall.ENOSPC, syscall.EIO}[n/2%2]
		files := crashfs.New(uint64(n))
		files.FailAt(n, fault)
		rounds, err := work(t.Context(), files)
		if rounds == len(pushes()) && err == nil {
			err = soundTags(t.Context(), files, rounds)
		}
		if err != nil && strings.Contains(err.Error(), "other content") {
			t.Fatalf("%v at call %d: %v", fault, n, err)
		}
		r := rand.New(rand.NewPCG(uint64(n), 6))
		checkAfter(t, fmt.Sprintf("%v at call %d", fault, n), files.Crash(r), rounds)
	})
}
