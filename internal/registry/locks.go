package registry

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// locks serialize reading facts of a repository and queueing changes that
// follow from them. A fixed number of locks is shared by all repositories.
type locks struct {
	seed  maphash.Seed
	mutex [64]sync.Mutex
}

func newLocks() *locks { return &locks{seed: maphash.MakeSeed()} }

// lock takes the lock of a repository and returns how to let go of it. It is
// held for look-ups alone, never while content or a flush is waited for.
func (l *locks) lock(name string) func() {
	m := &l.mutex[maphash.String(l.seed, name)%uint64(len(l.mutex))]
	m.Lock()
	return m.Unlock
}

// claims let one call at a time bring a digest into the blob store; others
// that want the same content wait and then find it there.
type claims struct {
	mu   sync.Mutex
	held map[oci.Digest]chan struct{} // closed when let go
}

func newClaims() *claims { return &claims{held: map[oci.Digest]chan struct{}{}} }

// claim waits for a digest to be free and takes it.
func (c *claims) claim(ctx context.Context, d oci.Digest) (release func(), err error) {
	for {
		other := c.try(d)
		if other == nil {
			return func() { c.release(d) }, nil
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try takes a digest, or returns what its holder closes.
func (c *claims) try(d oci.Digest) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.held[d]; other != nil {
		return other
	}
	c.held[d] = make(chan struct{})
	return nil
}

func (c *claims) release(d oci.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.held[d])
	delete(c.held, d)
}
