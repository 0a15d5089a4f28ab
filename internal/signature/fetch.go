package signature

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Options say how signatures are fetched. All fields must be set.
type Options struct {
	Transport http.RoundTripper // knows the proxy and authorities, and no credentials
	UserAgent string
	// Request and All are the longest that one request and everything may take.
	Request, All time.Duration
	Now          func() time.Time
}

// maxStores is how many stores are looked at; payloads have two.
const maxStores = 16

// Found are the valid signatures of one image, all from one store.
type Found struct {
	Store      string // its address; or a file that they were in
	Signatures []*Signature
}

// Trusted reports whether a key made one of them that does not rest on the
// payload's own word.
func (f Found) Trusted() bool {
	return slices.ContainsFunc(f.Signatures, func(s *Signature) bool { return s.Trusted })
}

// Best is the signature to tell people of: a trusted one if there is one.
func (f Found) Best() *Signature {
	for _, s := range f.Signatures {
		if s.Trusted {
			return s
		}
	}
	return f.Signatures[0]
}

// ErrUnsigned says that every store answered, and none has a signature.
var ErrUnsigned = errors.New("it is not signed")

// ErrNoStore says that there is nowhere to look.
var ErrNoStore = errors.New("no signature store is known")

// UnreachableError says that no signature was seen, and that some stores could
// not be asked.
type UnreachableError struct{ Stores []StoreError }

// StoreError is why a store could not be asked, or what is wrong with a
// signature that it has.
type StoreError struct {
	Store string
	Err   error
}

// Error implements error: each store with its cause.
func (e *UnreachableError) Error() string {
	return "no signature could be fetched: " + list(e.Stores)
}

// RefusedError says that there are signatures, and that not one is valid.
type RefusedError struct{ Signatures []StoreError }

// Error implements error.
func (e *RefusedError) Error() string { return "its signature is refused: " + list(e.Signatures) }

// Unwrap returns what is wrong with each.
func (e *RefusedError) Unwrap() []error { return causes(e.Signatures) }

// Unwrap returns the causes.
func (e *UnreachableError) Unwrap() []error { return causes(e.Stores) }

func list(errs []StoreError) string {
	var parts []string
	for _, e := range errs {
		parts = append(parts, e.Store+": "+e.Err.Error())
	}
	return strings.Join(parts, "; ")
}

func causes(errs []StoreError) []error {
	var out []error
	for _, e := range errs {
		out = append(out, e.Err)
	}
	return out
}

// Fetch looks for the signatures of an image in all stores at once. The first
// store with a trusted one wins and ends the search in the others; where there
// are no trusted keys, the first with a valid one. Otherwise the error is
// ErrNoStore, ErrUnsigned, *RefusedError or *UnreachableError, in this order of what was
// seen: bad signatures are told before stores that could not be asked.
func Fetch(ctx context.Context, stores []string, want oci.Digest, keys Keys, o Options) (Found, error) {
	all, cancel := context.WithTimeoutCause(ctx, o.All, fmt.Errorf("no answer within %s", o.All))
	defer cancel()
	stores = distinct(stores)
	if len(stores) == 0 {
		return Found{}, ErrNoStore
	}
	s := &search{reader: newReader(o), want: want, keys: keys, now: o.Now, winner: -1, looks: make([]look, len(stores))}
	s.start(all, stores)
	if err := ctx.Err(); err != nil && s.winner < 0 {
		return Found{}, context.Cause(ctx)
	}
	return s.result()
}

// start looks at all stores, and returns when that is done.
func (s *search) start(ctx context.Context, stores []string) {
	var wait sync.WaitGroup
	defer wait.Wait()
	each := make([]context.Context, len(stores))
	for i := range stores { // before any may win
		each[i], s.looks[i].giveUp = context.WithCancel(ctx)
	}
	for i, store := range stores {
		wait.Go(func() { s.store(each[i], i, store) }) //nolint:contextcheck // each[i] ends with ctx
	}
}

func distinct(stores []string) []string {
	var out []string
	for _, s := range stores {
		if s = strings.TrimRight(s, "/"); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out[:min(len(out), maxStores)]
}

// search is one look at several stores.
type search struct {
	reader *reader
	want   oci.Digest
	keys   Keys
	now    clock

	mu     sync.Mutex
	winner int // the store that has what was looked for, -1 for none yet
	looks  []look
}

// look is what one store has.
type look struct {
	found   Found
	bad     []StoreError
	silence *StoreError
	giveUp  context.CancelFunc
}

// store looks at one store, signature by signature, until one is not there. One
// that cannot be read is passed over as in oc, unless the store is silent.
func (s *search) store(ctx context.Context, i int, address string) {
	l := &s.looks[i]
	l.found.Store = clean(address)
	at, err := parseStore(address)
	if err != nil {
		l.silence = &StoreError{clean(address), err}
		return
	}
	for n := 1; n <= indices; n++ {
		body, err := s.reader.get(ctx, at, s.want, n)
		if errors.Is(err, errNone) {
			return
		}
		if err != nil {
			l.silence = &StoreError{clean(address), err}
			if _, answered := errors.AsType[*statusError](err); !answered {
				return
			}
			continue
		}
		signature, err := Verify(body, s.want, s.keys, s.now)
		if err != nil {
			l.bad = append(l.bad, StoreError{fmt.Sprintf("%s, signature-%d", clean(address), n), err})
			continue
		}
		l.found.Signatures = append(l.found.Signatures, signature)
		if !s.wins(i, signature) {
			return
		}
	}
}

// wins decides after a valid signature whether the look at its store goes on.
// The other stores are then given up.
func (s *search) wins(i int, found *Signature) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.winner >= 0 || !found.Trusted && s.keys.Trusted() {
		return s.winner == i || s.winner < 0
	}
	s.winner = i
	for other := range s.looks {
		if other != i {
			s.looks[other].giveUp()
		}
	}
	return true
}

// result sums up what was seen.
func (s *search) result() (Found, error) {
	if s.winner >= 0 {
		return s.looks[s.winner].found, nil
	}
	var bad, silent []StoreError
	for _, l := range s.looks {
		if len(l.found.Signatures) > 0 {
			return l.found, nil
		}
		bad = append(bad, l.bad...)
		if l.silence != nil {
			silent = append(silent, *l.silence)
		}
	}
	switch {
	case len(bad) > 0:
		return Found{}, &RefusedError{append(bad, silent...)}
	case len(silent) > 0:
		return Found{}, &UnreachableError{silent}
	}
	return Found{}, ErrUnsigned
}

// clean is an address fit to be printed: without credentials, in one line.
func clean(address string) string {
	if u, err := url.Parse(address); err == nil {
		u.User = nil
		return printable(u.String())
	}
	return "a store whose address cannot be read"
}
