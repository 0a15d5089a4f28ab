package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// host is everything known about one host[:port].
type host struct {
	c    *Client
	name string
	gate *limiter

	flight  flight[*link] // the ping under way
	sides   flight[*link]
	tokens  flight[*token] // token requests under way
	denials *denials
	bytes   bytesMoved
	lists   chan struct{} // held while a list of referrers is changed

	mu         sync.Mutex
	link       *link            // nil until a ping got through
	product    kind             // as the ping's answer shows it
	silent     *unreachedError  // why the last ping did not
	sideLinks  map[string]*link // by scheme, where this is no registry
	cache      map[string]*token
	pauseUntil time.Time
	goneSince  time.Time // no connection came about since; zero while they do

	requests, retries atomic.Int64
	chunk             atomic.Int64 // the largest PATCH that it takes, in bytes; 0 while it takes uploads in one PUT
	internal          atomic.Bool  // answered like OpenShift's internal registry
	mountless         atomic.Bool  // refused a mount, and is of a kind that refuses all
	listless          atomic.Bool  // has no referrers API, as ListsReferrers found
}

type bytesMoved struct{ received, sent atomic.Int64 }

func newHost(c *Client, name string) *host {
	h := &host{
		c: c, name: name, cache: map[string]*token{}, sideLinks: map[string]*link{}, denials: newDenials(),
		lists: make(chan struct{}, 1), gate: newLimiter(c.o.MaxPerRegistry, c.o.Now),
	}
	h.internal.Store(internalName(name))
	return h
}

// link is how a host is talked to, found out by the first request to it.
type link struct {
	scheme     string
	calls      *http.Transport // HTTP/2 where the host has it
	blobs      *http.Transport // HTTP/1.1: a connection for each blob is faster
	mu         sync.Mutex
	challenges []challenge // how the host wants to be told who calls
}

func (l *link) challenge() []challenge {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.challenges
}

func (l *link) learn(challenges []challenge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.challenges = challenges
}

func (h *host) state() HostState {
	h.mu.Lock()
	paused := h.pauseUntil
	h.mu.Unlock()
	limit, active := h.gate.state()
	return HostState{
		Host: h.name, Limit: limit, Active: active, PausedUntil: paused,
		Requests: h.requests.Load(), Retries: h.retries.Load(),
		Received: h.bytes.received.Load(), Sent: h.bytes.sent.Load(),
	}
}

func (h *host) closeIdle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.link != nil {
		h.link.calls.CloseIdleConnections()
		h.link.blobs.CloseIdleConnections()
	}
}

// silence is how long a failure to reach a host is believed: the images of a
// run ask one after the other, and shall not each wait for a host that is away.
const silence = 10 * time.Second

// unreachedError says that a host was never reached. It is not tried again
// beyond what the ping has tried: who is not there at the start most often
// stays away, and its name or port is wrong.
type unreachedError struct {
	err   error
	until time.Time
}

func (e *unreachedError) Error() string { return e.err.Error() }
func (e *unreachedError) Unwrap() error { return e.err }

// open returns the link, finding it out first where there is none. Failures
// are kept for a few seconds only: a later caller tries again.
func (h *host) open(ctx context.Context) (*link, error) {
	h.mu.Lock()
	l, silent := h.link, h.silent
	h.mu.Unlock()
	if l != nil {
		return l, nil
	}
	if silent != nil && h.c.o.Now().Before(silent.until) {
		return nil, silent
	}
	l, err := h.flight.do(ctx, "", h.connect)
	if e, answered := asError(err); err == nil || ctx.Err() != nil || answered && e.Status != 0 {
		return l, err
	}
	silent = &unreachedError{err, h.c.o.Now().Add(silence)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.silent = silent
	return nil, silent
}

// connect finds out how the host is talked to: verified TLS, or with Insecure
// what there is.
func (h *host) connect(ctx context.Context) (*link, error) {
	config, err := h.c.tlsConfig(h.name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.name, err)
	}
	l, err := h.secured(ctx, config)
	if err != nil && h.c.o.Insecure && notTLS(err) {
		h.c.o.Warn(Warning{h.name, "plain http: the registry does not speak TLS"})
		l = h.newLink("http", nil)
		err = h.ping(ctx, l)
	}
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.link = l
	return l, nil
}

// secured tries TLS, and where the user allowed that, without a look at the
// certificate of a host whose certificate was refused.
func (h *host) secured(ctx context.Context, config *tls.Config) (*link, error) {
	l := h.newLink("https", config)
	err := h.ping(ctx, l)
	if err == nil || !h.c.o.Insecure || !unverified(err) {
		return l, err
	}
	h.c.o.Warn(Warning{h.name, "certificate not verified: " + tlsReason(err)})
	config = config.Clone()
	config.InsecureSkipVerify = true // asked for by the user, and for this host alone
	l = h.newLink("https", config)
	return l, h.ping(ctx, l)
}

// pingTries is lower than that of requests: whoever is not there at the start
// of a run most often stays away.
const pingTries = 3

// pingTimeout is oc's.
const pingTimeout = 15 * time.Second

// ping asks for the base of the API (spec, Determining Support). Hosts that
// only take part in transfers, such as the one a blob is redirected to, are
// opened by a ping too, and answer whatever they like: only TLS matters then.
func (h *host) ping(ctx context.Context, l *link) error {
	target := &url.URL{Scheme: l.scheme, Host: h.name, Path: "/v2/"}
	for try := 1; ; try++ {
		err := h.pingOnce(ctx, l, target)
		if err == nil || try == pingTries || ctx.Err() != nil || refusedDial(err) || !transient(err) {
			return err
		}
		if err := h.backoff(ctx, try, err); err != nil {
			return err
		}
	}
}

func (h *host) pingOnce(ctx context.Context, l *link, target *url.URL) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", h.c.o.UserAgent)
	h.requests.Add(1)
	resp, err := l.calls.RoundTrip(req) //nolint:bodyclose // drain or failure closes it
	if err != nil {
		return requestError(req, asNotTLS(err))
	}
	defer drain(resp.Body)
	if retryStatus(resp.StatusCode) {
		return h.failure(resp, "")
	}
	h.recognise(resp.Header)
	if resp.StatusCode == http.StatusUnauthorized {
		l.learn(parseChallenges(resp.Header))
	}
	return nil
}

// wait holds a request back while the host has asked for a pause.
func (h *host) wait(ctx context.Context) error {
	for {
		h.mu.Lock()
		left := h.pauseUntil.Sub(h.c.o.Now())
		h.mu.Unlock()
		if left <= 0 {
			return ctx.Err()
		}
		if err := h.c.o.Sleep(ctx, left); err != nil {
			return err
		}
	}
}

// pause makes all requests to the host wait.
func (h *host) pause(d time.Duration) {
	until := h.c.o.Now().Add(min(d, maxPause))
	h.mu.Lock()
	defer h.mu.Unlock()
	if until.After(h.pauseUntil) {
		h.pauseUntil = until
	}
}

// newLink makes the two transports of a host. config is nil for plain http.
func (h *host) newLink(scheme string, config *tls.Config) *link {
	return &link{
		scheme: scheme,
		calls:  h.c.transport(config, true),
		blobs:  h.c.transport(config, false),
	}
}

// internalName recognises the service and route names of OpenShift's internal
// registry.
func internalName(name string) bool {
	host := hostOnly(name)
	return host == "image-registry.openshift-image-registry.svc" ||
		host == "image-registry.openshift-image-registry.svc.cluster.local" ||
		strings.HasPrefix(host, "default-route-openshift-image-registry.")
}

// errNoCertificate says that an additional authority file is none.
var errNoCertificate = errors.New("the certificate authority file holds no PEM certificate")

// drain empties and closes a body so that its connection serves again, unless
// it is long.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 64<<10)
	_ = body.Close()
}

// maxErrorBody is how much of an error answer is read, in bytes.
const maxErrorBody = 64 << 10
