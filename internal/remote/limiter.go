package remote

import (
	"context"
	"slices"
	"sync"
	"time"
)

// class is a kind of slot.
type class int

const (
	reading class = iota // a blob on its way in
	writing              // a blob on its way out
	calling              // a small request
	classes
)

// Bounds of the adaptive limit.
const (
	minLimit   = 2
	startLimit = 6
	maxLimit   = 32
)

// limiter decides how many requests may go to a host at once. It starts at 6,
// adds one after a round of successes for as long as that brings throughput,
// and halves when the host says that it is too much. The level at which it was
// refused is remembered and tried again only after ever more rounds.
//
// A blob being written holds its slot while it waits for the blob to be read,
// perhaps from the same host: so reads, writes and small calls each get
// through, one at least, however many slots the others hold. Nobody can wait
// for himself.
type limiter struct {
	now func() time.Time
	min int
	max int

	mu      sync.Mutex
	limit   int
	ceiling int // the host refused more
	active  [classes]int
	waiters []*waiter
	epoch   int // counts the halvings
	round   round
	patient int // rounds to stay at the ceiling before more is tried
	probing bool
	best    float64
	held    int // rounds since the limit last changed
	again   int // after so many one more is tried
	trial   bool
}

// round is one limit's worth of successes.
type round struct {
	began     time.Time
	successes int
	work      int64
	saturated bool // somebody had to wait
}

type waiter struct {
	class class
	ready chan struct{}
	slot  *slot
}

// slot is the right to one request at a time.
type slot struct {
	l     *limiter
	class class
	epoch int
}

// callWork is what a request without bytes counts for, in bytes.
const callWork = 16 << 10

// firstPatience is how many rounds pass before a refused level is tried again.
const firstPatience = 32

func newLimiter(maxPerHost int, now func() time.Time) *limiter {
	l := &limiter{now: now, min: minLimit, max: maxLimit, patient: firstPatience, again: firstAgain}
	if maxPerHost > 0 {
		l.max = maxPerHost
		l.min = min(minLimit, maxPerHost)
	}
	l.limit, l.ceiling = min(startLimit, l.max), l.max
	return l
}

// acquire waits for a slot, first come first served within what is allowed.
func (l *limiter) acquire(ctx context.Context, c class) (*slot, error) {
	l.mu.Lock()
	if s := l.admit(c); s != nil {
		l.mu.Unlock()
		return s, nil
	}
	w := &waiter{class: c, ready: make(chan struct{})}
	l.waiters = append(l.waiters, w)
	l.mu.Unlock()
	select {
	case <-w.ready:
		return w.slot, nil
	case <-ctx.Done():
		l.giveUp(w)
		return nil, context.Cause(ctx)
	}
}

// giveUp takes a waiter out, or gives back the slot it got meanwhile.
func (l *limiter) giveUp(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.slot != nil {
		l.leave(w.slot)
		return
	}
	l.waiters = slices.DeleteFunc(l.waiters, func(o *waiter) bool { return o == w })
}

// admit hands out a slot if one of this class is free.
func (l *limiter) admit(c class) *slot {
	total := l.total()
	free := total < l.limit
	switch c {
	case reading:
		free = free || l.active[reading] == 0 ||
			(l.active[writing] > 0 && l.active[reading] < max(1, l.limit/2))
	case writing, calling:
		free = free || l.active[c] == 0
	}
	if !free {
		l.round.saturated = true
		return nil
	}
	if total == 0 && l.round.successes == 0 {
		l.round.began = l.now()
	}
	l.active[c]++
	return &slot{l, c, l.epoch}
}

func (l *limiter) total() int { return l.active[reading] + l.active[writing] + l.active[calling] }

// leave gives a slot back and lets in whoever may now.
func (l *limiter) leave(s *slot) {
	l.active[s.class]--
	l.wake()
}

func (l *limiter) wake() {
	l.waiters = slices.DeleteFunc(l.waiters, func(w *waiter) bool {
		w.slot = l.admit(w.class)
		if w.slot != nil {
			close(w.ready)
		}
		return w.slot != nil
	})
}

// done ends a slot whose request succeeded, having moved so many bytes of blobs.
func (s *slot) done(bytes int64) {
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.epoch == l.epoch {
		l.round.successes++
		l.round.work += bytes + callWork
		if l.round.successes >= l.limit {
			l.endRound()
		}
	}
	l.leave(s)
}

// failed ends a slot whose request did not succeed. Answers that say nothing
// about load change nothing; of many refusals at one level the first counts.
func (s *slot) failed(err error) {
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && overloaded(err) && s.epoch == l.epoch {
		l.refused(refusal(err))
	}
	l.leave(s)
}

// refused halves the limit. A refusal in so many words also sets the ceiling;
// a time-out may have other causes.
func (l *limiter) refused(inWords bool) {
	total := l.total()
	if inWords && total > l.min {
		if l.probing {
			l.patient *= 2
		}
		l.ceiling = max(l.min, min(total, l.limit)-1)
	}
	l.limit = max(l.min, min(l.limit, total)/2)
	l.epoch++
	l.best, l.held, l.probing, l.trial = 0, 0, false, false
	l.round = round{began: l.now()}
}

// endRound judges a round and moves the limit by one at most.
func (l *limiter) endRound() {
	now := l.now()
	r := l.round
	l.round = round{began: now}
	l.held++
	switch {
	case !r.saturated:
	case l.limit < l.ceiling:
		l.climb(rate(r.work, now.Sub(r.began)))
	case l.ceiling < l.max && l.held >= l.patient:
		l.ceiling++
		l.probing = true
		l.held = l.again // so that the next round climbs, whatever the rate
	}
}

// firstAgain is after how many level rounds one more is tried all the same:
// throughput may have been held down by something that has passed. Where that
// was in vain it is taken back, and tried again after twice as many.
const firstAgain = 16

// climb adds one where the last one brought at least half its share.
func (l *limiter) climb(rate float64) {
	better := rate >= l.best*(1+0.5/float64(l.limit))
	switch {
	case better:
		l.best, l.trial = rate, false
	case l.trial:
		l.trial, l.held, l.again = false, 0, 2*l.again
		l.limit = max(l.min, l.limit-1)
		return
	case l.held < l.again:
		return
	default:
		l.trial = true
	}
	l.held = 0
	l.limit++
	l.wake()
}

// rate is work in bytes a second; without time, as under a test's clock, any
// work is progress.
func rate(work int64, elapsed time.Duration) float64 {
	if elapsed <= 0 {
		return 0
	}
	return float64(work) / elapsed.Seconds()
}

// state returns the limit and the number of slots in use.
func (l *limiter) state() (limit, active int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit, l.total()
}
