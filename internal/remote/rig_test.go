package remote_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
)

// clock stands still but for those who sleep by it.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

func (c *clock) total() (sum time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.slept {
		sum += d
	}
	return sum
}

// rig is a flaky registry and a client of it with a clock of its own.
type rig struct {
	*flaky.Server
	*clock
	client   *remote.Client
	registry *remote.Registry
	warnings []remote.Warning
}

func newRig(t *testing.T, o flaky.Options, change ...func(*remote.Options)) *rig {
	t.Helper()
	r := &rig{Server: flaky.Start(t, o), clock: newClock()}
	var mu sync.Mutex
	options := remote.Options{
		Now: r.Now, Sleep: r.Sleep, Jitter: func() float64 { return 0.5 }, Insecure: true, Stall: 30 * time.Second,
		Warn: func(w remote.Warning) {
			mu.Lock()
			defer mu.Unlock()
			r.warnings = append(r.warnings, w)
		},
	}
	if o.Login != nil && o.Login.User != "" {
		options.Credentials = credentials(t, r.Addr, o.Login.User+":"+o.Login.Password)
	}
	for _, f := range change {
		f(&options)
	}
	r.client = remote.New(options)
	r.registry = r.client.Registry(r.Addr)
	return r
}

func credentials(t *testing.T, host, userPassword string) *auth.Store {
	t.Helper()
	file := filepath.Join(t.TempDir(), "auth.json")
	writeAuth(t, file, host, userPassword)
	store, err := auth.Load(auth.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// preload puts a blob into the registry behind the faults.
func (r *rig) preload(t *testing.T, name string, content []byte, tags ...string) {
	t.Helper()
	p := mustRepo(t, r.Registry, name)
	pushImage(t, p, [][]byte{content}, tags...)
}

// storeOf loads credentials from the text of a file.
func storeOf(t *testing.T, text string) *auth.Store {
	t.Helper()
	file := filepath.Join(t.TempDir(), "auth.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := auth.Load(auth.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// helperStore has one credential helper, which knows every server.
func helperStore(t *testing.T, user, secret string) *auth.Store {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(`{"credsStore":"test"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(context.Context, auth.HelperCall) ([]byte, error) {
		return fmt.Appendf(nil, `{"Username":%q,"Secret":%q}`, user, secret), nil
	}
	store, err := auth.Load(auth.Options{File: file, Run: run})
	if err != nil {
		t.Fatal(err)
	}
	return store
}
