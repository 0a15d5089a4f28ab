package remote_test

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
)

// together lets the requests of all slots in use happen at once, however slow
// the machine is: it holds each until all are there. Else a registry under load
// may never see more than four, and nothing keeps a limit from growing.
type together struct {
	slots func() int // in use

	mu    sync.Mutex
	freed *sync.Cond
	held  int
	round int
}

func newTogether() *together {
	g := &together{}
	g.freed = sync.NewCond(&g.mu)
	return g
}

// quirk holds all requests but the ping, which has no slot.
func (g *together) quirk(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			g.hold()
		}
		next.ServeHTTP(w, r)
	})
}

func (g *together) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held++
	round := g.round
	g.look()
	for g.round == round {
		g.freed.Wait()
	}
}

// look frees all requests once there are as many as slots in use.
func (g *together) look() {
	if g.held >= g.slots() {
		g.held = 0
		g.round++
		g.freed.Broadcast()
	}
}

// left is called when a slot may have been given back.
func (g *together) left() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.look()
}

// A registry that refuses more than four requests at once gets everything and
// gives everything, and is left alone with more.
func TestRefusalsAboveFour(t *testing.T) {
	g := newTogether()
	r := newRig(t, flaky.Options{AtOnce: 4, Quirks: []flaky.Quirk{g.quirk}})
	client := remote.New(remote.Options{Now: r.Now, Insecure: true, Sleep: func(ctx context.Context, d time.Duration) error {
		g.left()
		r.AwaitRoom() // what a refused client waits for, whatever the clock says
		return r.Sleep(ctx, d)
	}})
	g.slots = func() int { return client.Hosts()[0].Active }
	r.client, r.registry = client, client.Registry(r.Addr)
	p := mustRepo(t, r.registry, "a")
	var group sync.WaitGroup
	for i := range 60 {
		group.Go(func() {
			content, desc := randomBlob(uint64(100+i), 200_000)
			_, err := p.PutBlob(t.Context(), desc, opener(content), "")
			g.left()
			if err != nil {
				t.Error(err)
				return
			}
			got, err := readBlob(t, p, desc.Digest, 0)
			g.left()
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
		})
	}
	group.Wait()
	peak, refused := r.Peak()
	t.Logf("%d at once, %d refused of %d", peak, refused, len(r.Requests()))
	if peak != 4 || refused == 0 || refused > 25 {
		t.Errorf("%d at once, %d refused, want 4 and 1 to 25", peak, refused)
	}
	if limit := r.client.Hosts()[0].Limit; limit > 5 {
		t.Errorf("limit %d, want about 4", limit)
	}
}

// Copies within one registry come through with one transfer at a time.
func TestOneAtATimeWithinOneRegistry(t *testing.T) {
	r := newRig(t, flaky.Options{}, func(o *remote.Options) { o.MaxPerRegistry = 1 })
	from, to := mustRepo(t, r.registry, "from"), mustRepo(t, r.registry, "to")
	var group sync.WaitGroup
	for i := range 8 {
		content, desc := randomBlob(uint64(200+i), 100_000)
		r.preload(t, "from", content)
		group.Go(func() {
			if _, err := to.PutBlob(t.Context(), desc, blobOpener(from, desc.Digest), ""); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if s := r.client.Hosts()[0]; s.Active != 0 || s.Limit != 1 {
		t.Errorf("%d slots in use of %d after all is done", s.Active, s.Limit)
	}
}

// One tag is one request; what is there already costs one request a blob.
func TestRequestCounts(t *testing.T) {
	r := newRig(t, flaky.Options{})
	p := mustRepo(t, r.registry, "a")
	content, desc := randomBlob(12, 1000)
	pushImage(t, p, [][]byte{content}, "v1")
	for what, n := range map[string]int{
		http.MethodPut + " /manifests/": 1, http.MethodPost + " /blobs/": 2, http.MethodPut + " /blobs/": 2,
		http.MethodHead + " /blobs/": 0, http.MethodHead + " /manifests/": 0, http.MethodGet + " /v2/": 1,
	} {
		method, path, _ := bytes.Cut([]byte(what), []byte(" "))
		if got := r.Count(string(method), string(path)); got != n {
			t.Errorf("%s: %d requests, want %d", what, got, n)
		}
	}
	if _, err := p.Missing(t.Context(), []oci.Descriptor{desc, desc, desc}); err != nil {
		t.Fatal(err)
	}
	if got := r.Count(http.MethodHead, "/blobs/"); got != 1 {
		t.Errorf("%d requests for one blob, want 1", got)
	}
}
