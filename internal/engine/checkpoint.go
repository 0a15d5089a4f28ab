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

// checkpoint makes everything written so far durable, and then acknowledges it.
func (r *run) checkpoint(ctx context.Context) error {
	if len(r.ckpts) == 0 {
		return nil
	}
	r.ckptGuard.Lock()
	defer r.ckptGuard.Unlock()
	r.mu.Lock()
	acks := r.deferred
	r.deferred = nil
	r.mu.Unlock()
	for key, c := range r.ckpts {
		if err := c.Checkpoint(ctx); err != nil {
			return fmt.Errorf("making %s durable: %w", key, err)
		}
	}
	for _, e := range acks {
		r.opts.Events(e)
	}
	r.opts.Events(Event{Kind: Checkpoint})
	return nil
}
