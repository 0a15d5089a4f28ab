package registry_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/repo/repotest"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

// life is one process on a disk that may crash.
type life struct {
	reg  *registry.Registry
	log  *kv.Log
	disk *crashfs.FS
}

func begin(disk *crashfs.FS, batch bool) (*life, error) {
	log, err := kv.OpenLog(disk, kv.LogOptions{Dir: "airbridge/facts", CompactAt: 4096})
	if err != nil {
		return nil, err
	}
	reg := registry.New("crashing", cas.FS(disk), log, registry.Options{Now: fixed, Batch: batch})
	return &life{reg, log, disk}, nil
}

func (l *life) repo(name string) repo.Repo {
	r, err := l.reg.Repo(name)
	if err != nil {
		panic(err)
	}
	return r
}

// beliefs are what a test knows: for each thing ("tag a:t", "manifest a@…",
// "blob a@…") the values that it may have, "" for absent. What was acknowledged
// has one.
type beliefs map[string][]string

func (b beliefs) may(key, value string) {
	if len(b[key]) == 0 {
		b[key] = []string{""}
	}
	if !slices.Contains(b[key], value) {
		b[key] = append(b[key], value)
	}
}

func (b beliefs) must(key, value string) { b[key] = []string{value} }

// deed is one step of a script: what it does, and to which things.
type deed struct {
	do     func(context.Context, *life) error
	effect map[string]string
	// untag is a digest that all tags of a repository lose.
	repo, untag string
}

// note adds a deed's effect to what is known.
func (b beliefs) note(d deed, done bool) {
	for key, value := range d.effect {
		b.may(key, value)
		if done {
			b.must(key, value)
		}
	}
	for key, values := range b {
		if d.untag == "" || !strings.HasPrefix(key, "tag "+d.repo+":") || !slices.Contains(values, d.untag) {
			continue
		}
		b.may(key, "")
		if done {
			b[key] = slices.DeleteFunc(b[key], func(v string) bool { return v == d.untag })
		}
	}
}

// pool is the content that scripts push: images that share layers, one of them
// of several buffers.
var pool = func() []repotest.Image {
	layers := []repotest.Blob{repotest.NewBlob("l0", 300000), repotest.NewBlob("l1", 900), repotest.NewBlob("l2", 10)}
	var out []repotest.Image
	for i := range 5 {
		out = append(out, repotest.NewImage(fmt.Sprint("image", i), layers[i%3], layers[(i+1)%3]))
	}
	return out
}()

func script(r *rand.Rand, n int) []deed {
	out := make([]deed, 0, n)
	for range n {
		name := []string{"a", "b/c"}[r.IntN(2)]
		img := pool[r.IntN(len(pool))]
		tag := fmt.Sprint("t", r.IntN(3))
		switch r.IntN(8) {
		case 0:
			out = append(out, deleteTag(name, tag))
		case 1:
			out = append(out, deleteManifest(name, img))
		case 2:
			out = append(out, upload(name, repotest.NewBlob(fmt.Sprint("up", r.IntN(9)), 2000)))
		default:
			out = append(out, push(name, img, tag))
		}
	}
	return out
}

func push(name string, img repotest.Image, tag string) deed {
	return deed{
		do: func(ctx context.Context, l *life) error {
			for _, b := range img.Blobs {
				if _, err := l.repo(name).PutBlob(ctx, b.Desc, b.Opener(), ""); err != nil {
					return err
				}
			}
			return l.repo(name).PutManifest(ctx, img.Desc, img.Bytes, tag)
		},
		effect: map[string]string{
			"tag " + name + ":" + tag:                           img.Desc.Digest.String(),
			"manifest " + name + "@" + img.Desc.Digest.String(): "there",
		},
	}
}

func deleteTag(name, tag string) deed {
	return deed{
		do:     func(ctx context.Context, l *life) error { return l.repo(name).DeleteTag(ctx, tag) },
		effect: map[string]string{"tag " + name + ":" + tag: ""},
	}
}

func deleteManifest(name string, img repotest.Image) deed {
	return deed{
		do:     func(ctx context.Context, l *life) error { return l.repo(name).DeleteManifest(ctx, img.Desc.Digest) },
		effect: map[string]string{"manifest " + name + "@" + img.Desc.Digest.String(): ""},
		repo:   name, untag: img.Desc.Digest.String(),
	}
}

func upload(name string, b repotest.Blob) deed {
	return deed{
		do: func(ctx context.Context, l *life) error {
			u, err := l.repo(name).(repo.Uploader).StartUpload(ctx, "")
			if err != nil {
				return err
			}
			if _, err := u.Write(b.Bytes); err != nil {
				return errors.Join(err, u.Abort())
			}
			return u.Commit(ctx, b.Desc.Digest)
		},
		effect: map[string]string{"blob " + name + "@" + b.Desc.Digest.String(): "there"},
	}
}

// play runs a script. In a batch nothing is acknowledged before a checkpoint,
// which comes every few deeds and at the end.
func play(ctx context.Context, l *life, deeds []deed, known beliefs, batch bool) {
	var waiting []deed
	for i, d := range deeds {
		err := d.do(ctx, l)
		known.note(d, err == nil && !batch)
		if !batch {
			continue
		}
		if err == nil {
			waiting = append(waiting, d)
		}
		if (i%5 == 4 || i == len(deeds)-1) && l.reg.Checkpoint(ctx) == nil {
			for _, d := range waiting {
				known.note(d, true)
			}
			waiting = nil
		}
	}
}

// check opens the disk as the next process does and compares it with what is
// known; everything that is there must be sound.
func check(t *testing.T, disk *crashfs.FS, known beliefs) {
	t.Helper()
	l, err := begin(disk, false)
	if err != nil {
		t.Fatalf("opening the disk again: %v", err)
	}
	report, err := l.reg.Verify(t.Context(), nil)
	if err != nil || len(report.Damages) > 0 {
		t.Fatalf("the disk is damaged: %+v, error %v", report.Damages, err)
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		got, err := l.look(t.Context(), key)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		if !slices.Contains(known[key], got) {
			t.Fatalf("%s is %q, want one of %q", key, got, known[key])
		}
	}
}

// look returns the value of a thing.
func (l *life) look(ctx context.Context, key string) (string, error) {
	kind, rest, _ := strings.Cut(key, " ")
	if kind == "tag" {
		name, tag, _ := strings.Cut(rest, ":")
		desc, _, err := l.repo(name).Manifest(ctx, repo.ByTag(tag))
		return desc.Digest.String(), absent(err)
	}
	name, text, _ := strings.Cut(rest, "@")
	d := oci.MustDigest(text)
	var err error
	if kind == "blob" {
		_, err = l.repo(name).StatBlob(ctx, d)
	} else {
		_, _, err = l.repo(name).Manifest(ctx, repo.ByDigest(d))
	}
	if oci.IsNotFound(err) {
		return "", nil
	}
	return "there", err
}

func absent(err error) error {
	if oci.IsNotFound(err) {
		return nil
	}
	return err
}

// ending is a way in which a process comes to its end.
type ending struct {
	name  string
	fault func(*crashfs.FS, int)
	next  func(*crashfs.FS, *rand.Rand) *crashfs.FS
}

func endings() []ending {
	crash := func(f *crashfs.FS, r *rand.Rand) *crashfs.FS { return f.Crash(r) }
	kill := func(f *crashfs.FS, _ *rand.Rand) *crashfs.FS { return f.Kill() }
	fail := func(err error) func(*crashfs.FS, int) {
		return func(f *crashfs.FS, n int) { f.FailAt(n, err) }
	}
	return []ending{
		{"power cut", (*crashfs.FS).StopAt, crash},
		{"kill", (*crashfs.FS).StopAt, kill},
		{"full disk", fail(syscall.ENOSPC), crash},
		{"read or write error", fail(syscall.EIO), crash},
		{"read or write error, then kill", fail(syscall.EIO), kill},
	}
}

// TestCrash ends random scripts at random calls of the file system, reopens the
// disk, and wants all that was acknowledged, nothing damaged, and a next run that
// completes.
func TestCrash(t *testing.T) {
	const rounds = 20
	for _, e := range endings() {
		for mode, batch := range map[string]bool{"durable": false, "batch": true} {
			t.Run(e.name+"/"+mode, func(t *testing.T) {
				for seed := range uint64(rounds) {
					crashOnce(t, e, batch, seed)
				}
			})
		}
	}
}

func crashOnce(t *testing.T, e ending, batch bool, seed uint64) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("this was seed %d", seed)
		}
	}()
	r := rand.New(rand.NewPCG(seed, 1))
	disk, known := crashfs.New(seed), beliefs{}
	for range 3 { // several lives on one disk
		l, err := begin(disk, batch)
		if err != nil {
			t.Fatal(err)
		}
		e.fault(disk, disk.Ops()+1+r.IntN(500))
		play(t.Context(), l, script(r, 12), known, batch)
		disk = e.next(disk, r)
		check(t, disk, known)
		disk = disk.Kill() // the process that checked
	}
	l, err := begin(disk, batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, img := range pool {
		d := push("a", img, fmt.Sprint("final", i))
		if err := d.do(t.Context(), l); err != nil {
			t.Fatalf("the next run does not complete: %v", err)
		}
		known.note(d, true)
	}
	if err := l.reg.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, disk.Crash(r), known)
}
