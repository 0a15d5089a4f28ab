package remote_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Whoever was never there is asked three times at most, and for some seconds
// not again, however many images want to know.
func TestHostThatWasNeverReached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var taken atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			taken.Add(1)
			_ = conn.Close()
		}
	}()
	c := newClock()
	r := mustRepo(t, remote.New(remote.Options{Now: c.Now, Sleep: c.Sleep}).Registry(l.Addr().String()), "a")
	for range 5 {
		if _, err := r.Resolve(t.Context(), repo.ByTag("t")); err == nil {
			t.Fatal("no error")
		}
	}
	if n := taken.Load(); n > 3 {
		t.Errorf("%d connections, want 3 at most", n)
	}
	before := taken.Load()
	_ = c.Sleep(t.Context(), time.Minute)
	if _, err := r.Resolve(t.Context(), repo.ByTag("t")); err == nil || taken.Load() == before {
		t.Errorf("later it was not asked again: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_ = c.Sleep(t.Context(), time.Minute)
	slept := c.total()
	if _, err := r.Resolve(t.Context(), repo.ByTag("t")); err == nil || c.total() != slept {
		t.Errorf("a refused connection: %v after waiting %v", err, c.total()-slept)
	}
}
