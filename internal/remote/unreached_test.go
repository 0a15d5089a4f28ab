package remote_test

import (
	"net"
	"net/http"
	"net/http/httptest"
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

// A host that went away in the middle is waited for, but not for a minute by
// each image of a run; and when it is back, it is again.
func TestHostThatWentAway(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	addr := l.Addr().String()
	c := newClock()
	client := remote.New(remote.Options{Now: c.Now, Sleep: c.Sleep, Insecure: true})
	r := mustRepo(t, client.Registry(addr), "a")
	ask := func() (waited time.Duration) {
		before := c.total()
		_, _ = r.Resolve(t.Context(), repo.ByTag("t"))
		client.CloseIdle()
		return c.total() - before
	}
	for range 2 {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Listener.Close()
		s.Listener = l
		s.Start()
		if waited := ask(); waited != 0 {
			t.Fatalf("waited %v for a host that is there", waited)
		}
		s.Close()
		waited := ask()
		if waited == 0 {
			t.Fatal("a host that went away is not waited for")
		}
		for total := waited; total < time.Minute; total += ask() {
		}
		if waited := ask(); waited != 0 {
			t.Errorf("after more than a minute still waited %v", waited)
		}
		l = listen(t, addr)
	}
	l.Close()
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
