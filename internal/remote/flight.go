package remote

import (
	"context"
	"sync"
)

// flight lets several callers wait for one piece of work. Unlike a plain
// single-flight it survives its leader: where the leader's own context ends,
// the next caller does the work.
type flight[V any] struct {
	mu    sync.Mutex
	calls map[string]*flightCall[V]
}

type flightCall[V any] struct {
	done      chan struct{}
	value     V
	err       error
	abandoned bool
}

func (f *flight[V]) do(ctx context.Context, key string, work func(context.Context) (V, error)) (V, error) {
	for {
		call, leader := f.join(key)
		if leader {
			call.value, call.err = work(ctx)
			call.abandoned = ctx.Err() != nil
			f.leave(key, call)
			return call.value, call.err
		}
		select {
		case <-call.done:
		case <-ctx.Done():
			var none V
			return none, context.Cause(ctx)
		}
		if !call.abandoned {
			return call.value, call.err
		}
	}
}

func (f *flight[V]) join(key string) (call *flightCall[V], leader bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if call, ok := f.calls[key]; ok {
		return call, false
	}
	call = &flightCall[V]{done: make(chan struct{})}
	if f.calls == nil {
		f.calls = map[string]*flightCall[V]{}
	}
	f.calls[key] = call
	return call, true
}

func (f *flight[V]) leave(key string, call *flightCall[V]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.calls, key)
	close(call.done)
}
