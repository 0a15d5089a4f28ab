package engine

import (
	"context"
	"fmt"
)

// maybeCheckpoint makes a checkpoint when enough was written since the last.
func (r *run) maybeCheckpoint(ctx context.Context, bytes int64) error {
	r.mu.Lock()
	r.unsynced += bytes
	due := len(r.ckpts) > 0 && r.unsynced >= r.opts.CheckpointEvery
	if due {
		r.unsynced = 0
	}
	r.mu.Unlock()
	if !due {
		return nil
	}
	return r.checkpoint(ctx)
}

// voidError is a checkpoint that failed. It ends the run: nothing written since
// the one before may be relied on, and nothing more may be acknowledged.
type voidError struct{ err error }

func (e *voidError) Error() string { return e.err.Error() }
func (e *voidError) Unwrap() error { return e.err }

// checkpoint makes everything written so far durable, and then acknowledges it.
// It is not cut in the middle: what is complete stays so.
func (r *run) checkpoint(ctx context.Context) error {
	if len(r.ckpts) == 0 {
		return nil
	}
	r.ckptGuard.Lock()
	defer r.ckptGuard.Unlock()
	if r.void != nil {
		return r.void
	}
	r.mu.Lock()
	acks := r.deferred
	r.deferred = nil
	r.mu.Unlock()
	for key, c := range r.ckpts {
		if err := c.Checkpoint(context.WithoutCancel(ctx)); err != nil {
			r.void = &voidError{fmt.Errorf("making %s durable: %w", key, err)}
			return r.void
		}
	}
	for _, e := range acks {
		r.opts.Events(e)
	}
	r.opts.Events(Event{Kind: Checkpoint})
	return nil
}
