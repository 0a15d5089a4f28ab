package registry

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// facts is the reading half of a kv.Store.
type facts interface {
	Get(ctx context.Context, key string) ([]byte, error)
	List(ctx context.Context, prefix, after string) iter.Seq2[kv.Entry, error]
}

// ledger queues changes of facts until the content they speak of is durable.
// Read through, it shows the facts as they will be. A flush takes the whole
// queue, so callers at once share it; after one that failed nothing queued
// may be relied on, and the ledger takes no more.
type ledger struct {
	store kv.Store
	blobs cas.Store

	mu     sync.Mutex
	queued map[string]queued
	taken  map[string]queued // part of the flush that is under way
	busy   chan struct{}     // closed at the end of that flush; nil without one
	added  uint64            // changes ever queued
	done   uint64            // of these, how many are durable
	err    error             // why no more is taken
}

// queued is the last change of a key, and which of all changes it was.
type queued struct {
	value []byte // nil: to be deleted
	at    uint64
}

func newLedger(store kv.Store, blobs cas.Store) *ledger {
	return &ledger{store: store, blobs: blobs, queued: map[string]queued{}}
}

// put queues a value, and drop a deletion.
func put(key string, value any) kv.Change { return kv.Change{Key: key, Value: repo.EncodeFact(value)} }
func drop(key string) kv.Change           { return kv.Change{Key: key} }

// enqueue takes changes whose content was committed to the cas before.
func (l *ledger) enqueue(changes ...kv.Change) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	for _, c := range changes {
		l.added++
		l.queued[c.Key] = queued{c.Value, l.added}
	}
	return nil
}

// flush returns when all that was queued before the call is durable.
func (l *ledger) flush(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	want := l.added
	for l.done < want {
		switch {
		case l.err != nil:
			return l.err
		case l.busy == nil:
			l.lead(ctx)
		default:
			if err := l.follow(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow waits for the end of the flush under way. It lets go of the lock.
func (l *ledger) follow(ctx context.Context) error {
	busy := l.busy
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-busy:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lead flushes the queue. It lets go of the lock meanwhile. Others wait for this
// flush, so it outlives the call that happens to lead it.
func (l *ledger) lead(ctx context.Context) {
	upTo := l.added
	l.taken, l.queued = l.queued, map[string]queued{}
	l.busy = make(chan struct{})
	changes := inOrder(l.taken)
	l.mu.Unlock()
	err := l.write(context.WithoutCancel(ctx), changes)
	l.mu.Lock()
	if err != nil {
		l.err = err
		l.queued = map[string]queued{}
	} else {
		l.done = upTo
	}
	l.taken = nil
	close(l.busy)
	l.busy = nil
}

// write is the one place where facts become durable, and always after content.
func (l *ledger) write(ctx context.Context, changes []kv.Change) error {
	if err := l.blobs.Sync(ctx); err != nil {
		return err
	}
	return l.store.Apply(ctx, changes)
}

// inOrder sorts changes so that no prefix of them names what is not there: what
// is named comes before what names it, and goes after it. Within a kind they
// keep the order of the calls, so that an index comes after its children: a
// store whose Apply is not atomic, as a directory's is not, shows no half of it.
func inOrder(set map[string]queued) []kv.Change {
	type placed struct {
		kv.Change
		at uint64
	}
	all := make([]placed, 0, len(set))
	for key, c := range set {
		all = append(all, placed{kv.Change{Key: key, Value: c.value}, c.at})
	}
	slices.SortFunc(all, func(a, b placed) int {
		return cmp.Or(cmp.Compare(rank(a.Change), rank(b.Change)), cmp.Compare(a.at, b.at))
	})
	changes := make([]kv.Change, len(all))
	for i, p := range all {
		changes[i] = p.Change
	}
	return changes
}

// rank orders kinds of changes: b, m, r, t set, then t, r, m, b deleted.
func rank(c kv.Change) int {
	up := strings.IndexByte("bmrt", c.Key[0])
	if c.Value == nil {
		return 7 - up
	}
	return up
}

// Get is kv.Store.Get with what is queued laid over it.
func (l *ledger) Get(ctx context.Context, key string) ([]byte, error) {
	value, ok := l.pending(key)
	if !ok {
		return l.store.Get(ctx, key)
	}
	if value == nil {
		return nil, kv.ErrNotFound
	}
	return value, nil
}

func (l *ledger) pending(key string) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.queued[key]; ok {
		return c.value, true
	}
	c, ok := l.taken[key]
	return c.value, ok
}

// List is kv.Store.List with what is queued laid over it.
func (l *ledger) List(ctx context.Context, prefix, after string) iter.Seq2[kv.Entry, error] {
	over := l.overlay(prefix, after)
	if len(over) == 0 {
		return l.store.List(ctx, prefix, after)
	}
	return func(yield func(kv.Entry, error) bool) {
		rest := over
		for e, err := range l.store.List(ctx, prefix, after) {
			if err != nil {
				yield(e, err)
				return
			}
			for len(rest) > 0 && rest[0].Key < e.Key {
				if !yieldSet(yield, rest[0]) {
					return
				}
				rest = rest[1:]
			}
			if len(rest) > 0 && rest[0].Key == e.Key {
				continue // the queued value is yielded in its turn
			}
			if !yield(e, nil) {
				return
			}
		}
		for _, e := range rest {
			if !yieldSet(yield, e) {
				return
			}
		}
	}
}

// yieldSet yields an entry unless it is a deletion.
func yieldSet(yield func(kv.Entry, error) bool, e kv.Entry) bool {
	return e.Value == nil || yield(e, nil)
}

// overlay returns the queued changes of a listing, in order.
func (l *ledger) overlay(prefix, after string) []kv.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []kv.Entry
	collect := func(set, above map[string]queued) {
		for key, c := range set {
			if _, hidden := above[key]; !hidden && key > after && strings.HasPrefix(key, prefix) {
				out = append(out, kv.Entry{Key: key, Value: c.value})
			}
		}
	}
	collect(l.queued, nil)
	collect(l.taken, l.queued)
	slices.SortFunc(out, func(a, b kv.Entry) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// lookup reads one fact; false without an error where there is none.
func lookup[T any](ctx context.Context, f facts, key string) (T, bool, error) {
	text, err := f.Get(ctx, key)
	if isNoKey(err) {
		var none T
		return none, false, nil
	}
	if err != nil {
		var none T
		return none, false, err
	}
	value, err := repo.DecodeFact[T](key, text)
	return value, err == nil, err
}

func isNoKey(err error) bool { return errors.Is(err, kv.ErrNotFound) }
