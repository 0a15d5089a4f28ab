package remote

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

var errRefused = &Error{Status: http.StatusTooManyRequests}

// world is a host that takes so many transfers at once, each for a second, and
// a client with no end of work. Time is made here.
type world struct {
	l        *limiter
	now      time.Time
	capacity int
	speed    int // transfers at once that still bring throughput
	active   []*slot
	refusals int
	peak     int
}

func newWorld(capacity, speed, maxPerHost int) *world {
	w := &world{capacity: capacity, speed: speed, now: time.Unix(0, 0)}
	w.l = newLimiter(maxPerHost, func() time.Time { return w.now })
	return w
}

// tick starts what may be started, lets the time of a transfer pass, and ends
// all that were taken.
func (w *world) tick() {
	var refused []*slot
	for s := w.admit(); s != nil; s = w.admit() {
		if len(w.active) < w.capacity {
			w.active = append(w.active, s)
			continue
		}
		w.refusals++
		refused = append(refused, s)
		if len(refused) > maxLimit {
			break
		}
	}
	for _, s := range refused {
		s.failed(errRefused)
	}
	w.peak = max(w.peak, len(w.active)+len(refused))
	took := time.Second * time.Duration(max(len(w.active), w.speed)) / time.Duration(w.speed)
	w.now = w.now.Add(took)
	for _, s := range w.active {
		s.done(1 << 20)
	}
	w.active = nil
}

func (w *world) admit() *slot {
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	return w.l.admit(writing)
}

// A host that refuses above N is soon asked for N at most, nearly always for
// N, and rarely for more.
func TestSettlesAtWhatIsTaken(t *testing.T) {
	for n := minLimit; n <= 24; n++ {
		w := newWorld(n, 100, 0)
		for range 100 {
			w.tick()
		}
		before, over, full := w.refusals, 0, 0
		for range 1000 {
			w.peak = 0
			w.tick()
			if w.peak > n {
				over++
			}
			if w.peak >= n-1 {
				full++
			}
		}
		if before > 12 {
			t.Errorf("takes %d: %d refusals before settling, want at most 12", n, before)
		}
		if over > 6 || full < 900 {
			t.Errorf("takes %d: of 1000 rounds %d were refused in part and %d used it fully; limit %d", n, over, full, w.l.limit)
		}
	}
}

// Without refusals the limit grows for as long as that brings something, and
// no further than 32.
func TestGrowsWithThroughput(t *testing.T) {
	for speed, want := range map[int][2]int{1: {6, 8}, 10: {10, 13}, 100: {32, 32}} {
		w := newWorld(1000, speed, 0)
		for range 40 {
			w.tick()
		}
		if w.l.limit < want[0] || w.l.limit > want[1] {
			t.Errorf("a host that gains up to %d at once: limit %d after 40 rounds, want %d to %d", speed, w.l.limit, want[0], want[1])
		}
	}
}

func TestCapHolds(t *testing.T) {
	for _, most := range []int{1, 2, 3, 50} {
		w := newWorld(1000, 100, most)
		for range 100 {
			w.tick()
		}
		if w.peak != most {
			t.Errorf("cap %d: %d at once", most, w.peak)
		}
	}
}

// One burst of refusals halves once; time-outs halve without a ceiling.
func TestHalves(t *testing.T) {
	for name, err := range map[string]error{"429": errRefused, "503": &Error{Status: 503}, "stalled": errStalled, "500": &Error{Status: 500}} {
		l := newLimiter(0, func() time.Time { return time.Time{} })
		var slots []*slot
		for range startLimit {
			s, _ := l.acquire(t.Context(), reading)
			slots = append(slots, s)
		}
		for _, s := range slots {
			s.failed(err)
		}
		limit, ceiling := 3, 5
		switch name {
		case "stalled":
			ceiling = maxLimit
		case "500":
			limit, ceiling = startLimit, maxLimit
		}
		if l.limit != limit || l.ceiling != ceiling || l.total() != 0 {
			t.Errorf("%s: limit %d, ceiling %d, want %d and %d", name, l.limit, l.ceiling, limit, ceiling)
		}
	}
}

// Writes that hold every slot do not keep the reads they wait for, nor small
// calls, from happening.
func TestNobodyWaitsForHimself(t *testing.T) {
	l := newLimiter(1, func() time.Time { return time.Time{} })
	var slots []*slot
	for _, c := range []class{writing, reading, calling} {
		s, err := l.acquire(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		slots = append(slots, s)
	}
	for _, c := range []class{writing, reading, calling} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errStalled)
		if _, err := l.acquire(ctx, c); !errors.Is(err, errStalled) {
			t.Errorf("a second of class %d was let in above the limit: %v", c, err)
		}
	}
	for _, s := range slots {
		s.done(0)
	}
	if len(l.waiters) != 0 || l.total() != 0 {
		t.Errorf("%d waiters and %d slots left", len(l.waiters), l.total())
	}
}

// Waiters come in the order in which they came.
func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, time.Now)
		first, _ := l.acquire(t.Context(), writing)
		var order []int
		for i := range 5 {
			go func() {
				s, err := l.acquire(t.Context(), writing)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, i)
				s.done(0)
			}()
			synctest.Wait()
		}
		first.done(0)
		synctest.Wait()
		for i, got := range order {
			if got != i {
				t.Errorf("order %v", order)
				break
			}
		}
		if len(order) != 5 {
			t.Errorf("%d of 5 were served", len(order))
		}
	})
}
