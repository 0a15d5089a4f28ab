package cas

import (
	"bytes"
	"context"
	"io"
	"iter"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Mem returns an empty Store in memory, for tests and small content made in a
// run. Its times are all zero.
func Mem() Store {
	return &memory{blobs: map[oci.Digest][]byte{}, partials: map[string]*memPartial{}}
}

type memory struct {
	mu       sync.Mutex
	blobs    map[oci.Digest][]byte
	partials map[string]*memPartial
}

type memPartial struct {
	*running
	data []byte
	held bool
}

func (m *memory) blob(d oci.Digest) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[d]
	if !ok {
		return nil, unknownBlob(d)
	}
	return b, nil
}

func (m *memory) Stat(_ context.Context, d oci.Digest) (int64, error) {
	b, err := m.blob(d)
	return int64(len(b)), err
}

func (m *memory) Open(_ context.Context, d oci.Digest, offset int64) (io.ReadCloser, error) {
	b, err := m.blob(d)
	if err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, oci.ErrRangeInvalid.With("a blob has nothing before its start")
	}
	return io.NopCloser(bytes.NewReader(b[min(offset, int64(len(b))):])), nil
}

func (m *memory) Create(_ context.Context, id, algorithm string) (Writer, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	h, err := start(algorithm)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.partials[id]; p != nil && p.held {
		return nil, heldPartial(id)
	}
	p := &memPartial{running: h, held: true}
	m.partials[id] = p
	return &memWriter{m: m, id: id, p: p}, nil
}

func (m *memory) Resume(_ context.Context, id string) (Writer, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.partials[id]
	if p == nil {
		return nil, unknownPartial(id)
	}
	if p.held {
		return nil, heldPartial(id)
	}
	p.held = true
	return &memWriter{m: m, id: id, p: p}, nil
}

func (m *memory) Sync(context.Context) error { return nil }

func (m *memory) Delete(_ context.Context, d oci.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.blobs[d]; !ok {
		return unknownBlob(d)
	}
	delete(m.blobs, d)
	return nil
}

func (m *memory) Walk(context.Context) iter.Seq2[Blob, error] {
	return func(yield func(Blob, error) bool) {
		m.mu.Lock()
		blobs := maps.Clone(m.blobs)
		m.mu.Unlock()
		for d, b := range blobs {
			if !yield(Blob{Digest: d, Size: int64(len(b))}, nil) {
				return
			}
		}
	}
}

func (m *memory) Partials(context.Context) iter.Seq2[Partial, error] {
	return func(yield func(Partial, error) bool) {
		var all []Partial
		m.mu.Lock()
		for id, p := range m.partials {
			all = append(all, Partial{ID: id, Size: p.size, ModTime: time.Time{}})
		}
		m.mu.Unlock()
		for _, p := range all {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (m *memory) DeletePartial(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.partials[id]
	if p == nil {
		return unknownPartial(id)
	}
	if p.held {
		return heldPartial(id)
	}
	delete(m.partials, id)
	return nil
}

func (m *memory) Limits() Limits { return Limits{} }

func (m *memory) Free(context.Context) (int64, error) { return math.MaxInt64, nil }

// memWriter writes one partial; only its holder touches data and hash.
type memWriter struct {
	m    *memory
	id   string
	p    *memPartial
	done bool
}

func (w *memWriter) Write(b []byte) (int, error) {
	if w.done {
		return 0, errEnded
	}
	w.m.mu.Lock() // Partials reads the size
	defer w.m.mu.Unlock()
	w.p.add(b)
	w.p.data = append(w.p.data, b...)
	return len(b), nil
}

func (w *memWriter) Offset() int64 { return w.p.size }

func (w *memWriter) Suspend() error {
	return w.end(func() { w.p.held = false })
}

func (w *memWriter) Abort() error {
	return w.end(func() { delete(w.m.partials, w.id) })
}

func (w *memWriter) Commit(ctx context.Context, d oci.Digest) error {
	wrong := w.p.check(ctx, d, bytes.NewReader(w.p.data))
	ended := w.end(func() {
		delete(w.m.partials, w.id)
		if wrong == nil {
			w.m.blobs[d] = w.p.data
		}
	})
	if ended != nil {
		return ended
	}
	return wrong
}

func (w *memWriter) end(how func()) error {
	if w.done {
		return errEnded
	}
	w.done = true
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	how()
	return nil
}
