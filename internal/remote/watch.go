package remote

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// watch ends a request on which nothing moves: its context is cancelled with
// errStalled when the time since the last start runs out.
type watch struct {
	limit  time.Duration
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// newWatch starts watching at once.
func newWatch(ctx context.Context, limit time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &watch{limit, cancel, time.AfterFunc(limit, func() { cancel(errStalled) })}
}

func (w *watch) start() { w.timer.Reset(w.limit) }
func (w *watch) pause() { w.timer.Stop() }

// end releases the watch and, with it, the request.
func (w *watch) end() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}

// explain turns the error of a request that was cut into errStalled.
func explain(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

// downBody is an answer's body: only the time spent waiting for the network
// counts as a stall, not that of a slow consumer.
type downBody struct {
	io.ReadCloser
	ctx context.Context //nolint:containedctx // to ask why the request ended
	w   *watch
}

func (b *downBody) Read(p []byte) (int, error) {
	b.w.start()
	n, err := b.ReadCloser.Read(p)
	b.w.pause()
	if err != nil && !errors.Is(err, io.EOF) {
		err = explain(b.ctx, err)
	}
	return n, err
}

func (b *downBody) Close() error {
	err := b.ReadCloser.Close()
	b.w.end()
	return err
}

// answerFactor is how many times the stall limit a registry may take to answer
// a finished upload: it may have to move gigabytes before it can.
const answerFactor = 10

// upBody is a request's body. Time counts as a stall while the transport keeps
// what it was given and asks for no more. After Close, which waits for a Read
// under way, the source is the caller's again: a transport may hold on to a
// body for a while after the request has ended.
type upBody struct {
	src  io.Reader
	w    *watch
	sent func(n int) // told the number of bytes handed out

	mu     sync.Mutex
	closed bool
	err    atomic.Value // of error: what the source failed with
}

// failure returns what the source failed with so far, or nil. It does not wait
// for a Read under way.
func (b *upBody) failure() error {
	err, _ := b.err.Load().(sourceError)
	return err.error
}

var errBodyClosed = errors.New("request body is closed")

func (b *upBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, errBodyClosed
	}
	b.w.pause()
	n, err := b.src.Read(p)
	b.sent(n)
	switch {
	case err == nil:
		b.w.start()
	case errors.Is(err, io.EOF):
		b.w.timer.Reset(answerFactor * b.w.limit)
	default:
		b.err.Store(sourceError{err})
	}
	return n, err
}

func (b *upBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}
