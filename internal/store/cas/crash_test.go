package cas_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/cas/castest"
	"github.com/airbridge-dev/airbridge/internal/testkit/crashfs"
)

var modes = []crashfs.SyncFSMode{crashfs.SyncContent, crashfs.SyncAll, crashfs.SyncNothing}

func TestFilesOnCrashFS(t *testing.T) {
	for _, m := range modes {
		castest.Run(t, func(*testing.T) cas.Store {
			f := crashfs.New(1)
			f.SetSyncFS(m)
			return cas.FS(f)
		})
	}
}

// history is what a run of the work below was told.
type history struct {
	content map[oci.Digest]string
	meant   map[string]oci.Digest // what was last written under an id
	synced  map[oci.Digest]bool   // Sync returned nil after their Commit
	waiting []oci.Digest          // committed since the last Sync
}

func newHistory() *history {
	return &history{content: map[oci.Digest]string{}, meant: map[string]oci.Digest{}, synced: map[oci.Digest]bool{}}
}

// work writes, suspends, resumes, syncs and deletes at random, as the seed
// says, until it is done or something fails. It returns what failed.
func work(ctx context.Context, s *cas.Files, h *history, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 7))
	choices := 7 + 5*int(seed%2) // half of the seeds gather many blobs for a sync
	for i := range 14 {
		switch r.IntN(choices) {
		case 0, 1:
			if err := h.sync(ctx, s); err != nil {
				return err
			}
		case 2:
			if err := h.drop(ctx, s); err != nil {
				return err
			}
		default:
			if err := h.put(ctx, s, r, i); err != nil {
				return err
			}
		}
	}
	return h.sync(ctx, s)
}

func (h *history) sync(ctx context.Context, s *cas.Files) error {
	if err := s.Sync(ctx); err != nil {
		return err
	}
	for _, d := range h.waiting {
		h.synced[d] = true
	}
	h.waiting = nil
	return nil
}

// drop deletes one of the synced blobs.
func (h *history) drop(ctx context.Context, s *cas.Files) error {
	for i := range 14 {
		d := oci.FromBytes([]byte(text(i)))
		if h.synced[d] {
			delete(h.synced, d)
			h.waiting = slices.DeleteFunc(h.waiting, func(w oci.Digest) bool { return w == d })
			return s.Delete(ctx, d)
		}
	}
	return nil
}

func text(i int) string { return strings.Repeat(fmt.Sprintf("blob %d.", i), 20*(i%5)+1) }

func (h *history) put(ctx context.Context, s *cas.Files, r *rand.Rand, i int) error {
	content := text(i % 10)
	d := oci.FromBytes([]byte(content))
	h.content[d] = content
	id := fmt.Sprint("id", r.IntN(6)) // ids are used again, also by what is pending
	w, err := s.Create(ctx, id, "")
	if err != nil {
		return err
	}
	h.meant[id] = d
	cut := r.IntN(len(content))
	if _, err := io.WriteString(w, content[:cut]); err != nil {
		return errors.Join(err, w.Suspend())
	}
	if r.IntN(2) == 0 {
		if err := w.Suspend(); err != nil {
			return err
		}
		if w, err = s.Resume(ctx, id); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(w, content[cut:]); err != nil {
		return errors.Join(err, w.Suspend())
	}
	if r.IntN(6) == 0 {
		return w.Suspend()
	}
	if err := w.Commit(ctx, d); err != nil {
		return err
	}
	h.waiting = append(h.waiting, d)
	return nil
}

// check holds a store against what its users were told: what was synced is
// there, and nothing is there that is not what its name says.
func (h *history) check(ctx context.Context, s *cas.Files) error {
	for b, err := range s.Walk(ctx) {
		if err != nil {
			return err
		}
		got, err := content(ctx, s, b.Digest)
		if err != nil {
			return fmt.Errorf("blob %s: %w", b.Digest, err)
		}
		if oci.FromBytes([]byte(got)) != b.Digest {
			return fmt.Errorf("blob %s has the content %.30q", b.Digest, got)
		}
	}
	for d := range h.synced {
		if _, err := s.Stat(ctx, d); err != nil {
			return fmt.Errorf("synced blob %.30q: %w", h.content[d], err)
		}
	}
	return nil
}

func content(ctx context.Context, s cas.Store, d oci.Digest) (string, error) {
	r, err := s.Open(ctx, d, 0)
	if err != nil {
		return "", err
	}
	got, err := io.ReadAll(r)
	return string(got), errors.Join(err, r.Close())
}

// finish is the next process: it takes up every partial as the content that
// was meant, and syncs; what it commits has to survive as well.
func (h *history) finish(ctx context.Context, s *cas.Files) error {
	var ids []string
	for p, err := range s.Partials(ctx) {
		if err != nil {
			return err
		}
		ids = append(ids, p.ID)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if err := h.complete(ctx, s, id); err != nil {
			return err
		}
	}
	// Whoever sees a blob may rely on it after the next Sync.
	for b, err := range s.Walk(ctx) {
		if err != nil {
			return err
		}
		h.waiting = append(h.waiting, b.Digest)
	}
	return h.sync(ctx, s)
}

func (h *history) complete(ctx context.Context, s *cas.Files, id string) error {
	w, err := s.Resume(ctx, id)
	if err != nil {
		return err
	}
	d := h.meant[id]
	if rest := h.content[d]; w.Offset() <= int64(len(rest)) {
		if _, err := io.WriteString(w, rest[w.Offset():]); err != nil {
			return err
		}
	}
	err = w.Commit(ctx, d)
	if err == nil {
		h.waiting = append(h.waiting, d)
	} else if errors.Is(err, oci.ErrDigestInvalid) { // it was torn
		return nil
	}
	return err
}

// begin makes a disk on which a store has done some work already.
func begin(t *testing.T, seed uint64) (*crashfs.FS, *history) {
	t.Helper()
	f := crashfs.New(seed)
	f.SetSyncFS(modes[seed%3])
	return f, newHistory()
}

// count returns how many calls the work of a seed makes.
func count(t *testing.T, seed uint64) int {
	t.Helper()
	f, h := begin(t, seed)
	if err := work(t.Context(), cas.FS(f), h, seed); err != nil {
		t.Fatalf("seed %d without any fault: %v", seed, err)
	}
	return f.Ops()
}

const seeds = 6 // each mode of syncfs, with few and with many blobs a sync

// Where there is no syncfs every file is synced, however many they are.
func TestManyWithoutSyncFS(t *testing.T) {
	f, h := crashfs.New(1), newHistory()
	f.SetSyncFS(crashfs.SyncNothing)
	s := cas.FS(f)
	for i := range 9 {
		h.synced[put(t, s, text(i))] = true
	}
	must(t, s.Sync(t.Context()))
	survive(t, h, f.Crash(rand.New(rand.NewPCG(1, 1))), "all synced")
}

// The process is killed, or the power cut, at every call; then the next one
// takes up what is left, and the power is cut again.
func TestCrashAtEveryCall(t *testing.T) {
	for seed := range uint64(seeds) {
		for at := range count(t, seed) {
			for _, crash := range []func(*crashfs.FS) *crashfs.FS{
				(*crashfs.FS).Kill,
				func(f *crashfs.FS) *crashfs.FS { return f.Crash(rand.New(rand.NewPCG(seed, uint64(at)))) },
			} {
				f, h := begin(t, seed)
				f.StopAt(at + 1)
				if err := work(t.Context(), cas.FS(f), h, seed); !errors.Is(err, crashfs.ErrKilled) {
					t.Fatalf("seed %d, stopped at %d: %v", seed, at, err)
				}
				survive(t, h, crash(f), fmt.Sprintf("seed %d, stopped at %d", seed, at))
			}
		}
	}
}

// survive checks what a next process finds, and that what this one does on
// top of it survives a power cut.
func survive(t *testing.T, h *history, f *crashfs.FS, when string) {
	t.Helper()
	h.waiting = nil
	s := cas.FS(f)
	if err := h.check(t.Context(), s); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if err := h.finish(t.Context(), s); err != nil {
		t.Fatalf("%s, next process: %v", when, err)
	}
	for i := range uint64(2) {
		cut := f.Crash(rand.New(rand.NewPCG(i, 3)))
		if err := h.check(t.Context(), cas.FS(cut)); err != nil {
			t.Fatalf("%s, after the next process: %v", when, err)
		}
	}
}

// Every call fails once, the run ends as a user would end it, the next process
// takes up what is left.
func TestErrorAtEveryCall(t *testing.T) {
	for seed := range uint64(seeds) {
		for at := range count(t, seed) {
			for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
				when := fmt.Sprintf("seed %d, call %d: %v", seed, at+1, fault)
				f, h := begin(t, seed)
				f.FailAt(at+1, fault)
				s := cas.FS(f)
				err := work(t.Context(), s, h, seed)
				if err != nil && !errors.Is(err, fault) {
					t.Fatalf("%s: became %v", when, err)
				}
				if err := h.check(t.Context(), s); err != nil {
					t.Fatalf("%s: %v", when, err)
				}
				survive(t, h, f.Kill(), when)
			}
		}
	}
}
