package engine

import (
	"context"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
)

// placed is content in a repository; located is content in a registry.
type placed struct {
	plan.Place
	digest oci.Digest
}

type located struct {
	registry string
	digest   oci.Digest
}

// claims lets exactly one goroutine do the work of a key, while the others
// wait for its outcome.
type claims[K comparable] struct {
	mu sync.Mutex
	m  map[K]*claim
}

type claim struct {
	by   plan.Place // where the content is read by whoever does the work
	done chan struct{}
	err  error
}

func newClaims[K comparable]() *claims[K] { return &claims[K]{m: map[K]*claim{}} }

// take returns the claim of a key, and whether the caller is the one to do the
// work and call settle.
func (c *claims[K]) take(key K, by plan.Place) (cl *claim, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cl = c.m[key]; cl != nil {
		return cl, false
	}
	cl = &claim{by: by, done: make(chan struct{})}
	c.m[key] = cl
	return cl, true
}

// forget lets the key be claimed anew unless somebody has done so already:
// what was believed of it proved wrong, or others may succeed where it failed.
func (c *claims[K]) forget(key K, cl *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m[key] == cl {
		delete(c.m, key)
	}
}

// drop lets the key be claimed anew, whoever holds it.
func (c *claims[K]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.m, key)
}

// settle ends a claim, which those who wait are told.
func (c *claim) settle(err error) {
	c.err = err
	close(c.done)
}

func (c *claim) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
