package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// call is one request as it is meant, whatever it takes to get it through.
type call struct {
	method  string
	path    string     // below /v2/
	query   url.Values // of path
	at      *url.URL   // instead of path: where the registry pointed us
	header  http.Header
	body    []byte   // small content, sent again as often as needed
	stream  *upBody  // instead of body: content that is sent once
	size    int64    // of stream
	scope   scope    // what it takes
	ok      []int    // statuses that mean success
	missing oci.Code // what a 404 means here
	bulk    bool     // moves a blob
	checked bool     // the answer is verified by digest, so it may come by any way
}

// Bounds of trying again: tries without progress, and waiting times. Whoever
// says that he is overloaded is given about two minutes.
const (
	maxTries     = 6
	patientTries = 10
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 30 * time.Second
	maxPause     = 5 * time.Minute
	maxRedirects = 10
)

// do makes a small call until it gets through, in a slot of its own, and gives
// the answer to use, whose faults are tried again like the request's.
func (h *host) do(ctx context.Context, c call, use func(*http.Response) error) error {
	return h.again(ctx, c, use, h.once(ctx, c, use))
}

// again goes on after a first try that came to err, nil for well.
func (h *host) again(ctx context.Context, c call, use func(*http.Response) error, err error) error {
	for try := 1; err != nil && !h.giveUp(ctx, try, err); try++ {
		if err := h.backoff(ctx, try, err); err != nil {
			return err
		}
		err = h.once(ctx, c, use)
	}
	return err
}

func (h *host) once(ctx context.Context, c call, use func(*http.Response) error) error {
	s, err := h.gate.acquire(ctx, calling)
	if err != nil {
		return err
	}
	if err = h.exchange(ctx, c, use); err != nil {
		s.failed(err)
		return err
	}
	s.done(0)
	return nil
}

// exchange makes a call once, in whatever slot the caller holds.
func (h *host) exchange(ctx context.Context, c call, use func(*http.Response) error) error {
	resp, err := h.send(ctx, c) //nolint:bodyclose // drain closes it
	if err != nil {
		return err
	}
	defer drain(resp.Body)
	if use == nil {
		return nil
	}
	return use(resp)
}

// backoff waits before the next try: what the registry asked for, which then
// holds for all requests to the host, else twice as long as the last time.
func (h *host) backoff(ctx context.Context, try int, cause error) error {
	h.retries.Add(1)
	if e, ok := asError(cause); ok && e.RetryAfter > 0 {
		h.pause(e.RetryAfter)
		return h.wait(ctx)
	}
	d := min(firstBackoff<<(try-1), maxBackoff)
	d = d/2 + time.Duration(h.c.o.Jitter()*float64(d/2))
	return h.c.o.Sleep(ctx, d)
}

// send makes one request, following redirects and, once, a challenge. The
// answer has one of the statuses wanted, and its body is watched.
func (h *host) send(ctx context.Context, c call) (*http.Response, error) {
	if err := h.wait(ctx); err != nil {
		return nil, err
	}
	own, err := h.open(ctx)
	if err != nil {
		return nil, err
	}
	target := c.at
	if target == nil {
		target = &url.URL{Scheme: own.scheme, Host: h.name, Path: "/v2/" + c.path, RawQuery: c.query.Encode()}
	}
	for range maxRedirects {
		resp, err := h.sendTo(ctx, own, c, target)
		if err != nil {
			return nil, err
		}
		next, err := redirect(resp, c)
		if err != nil || next == nil {
			return h.judge(resp, c, err)
		}
		drain(resp.Body)
		if err := h.allowed(target, next, c); err != nil {
			return nil, err
		}
		target = next
	}
	return nil, fmt.Errorf("%s %s: more than %d redirects", c.method, redact(target), maxRedirects)
}

// allowed refuses to leave https for anything that no digest protects.
func (h *host) allowed(from, to *url.URL, c call) error {
	if to.Scheme == "https" || to.Scheme == "http" && (from.Scheme == "http" || c.checked) {
		return nil
	}
	return fmt.Errorf("%s %s: redirected to %s: refused, it is not https", c.method, redact(from), redact(to))
}

// redirect returns where an answer points, nil if nowhere. Content that is
// sent once is not sent elsewhere.
func redirect(resp *http.Response, c call) (*url.URL, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		if c.method != http.MethodGet && c.method != http.MethodHead {
			return nil, nil
		}
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if c.stream != nil {
			return nil, nil
		}
	default:
		return nil, nil
	}
	return resp.Location()
}

// judge turns answers with other statuses than those wanted into errors.
func (h *host) judge(resp *http.Response, c call, err error) (*http.Response, error) {
	if err == nil && slices.Contains(c.ok, resp.StatusCode) {
		return resp, nil
	}
	e := h.failure(resp, c.missing)
	if err != nil {
		e.text = "redirected to what is no URL" // which may hold secrets
	}
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		e.Hint = h.c.o.Credentials.Explain(h.name, c.scope.repo)
	}
	return nil, e
}

// failure is the error that an answer stands for, with the waiting time that it
// asks for.
func (h *host) failure(resp *http.Response, missing oci.Code) *Error {
	e := responseError(resp, missing)
	e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), h.c.o.Now())
	return e
}

// sendTo sends to one place: with credentials and one answer to a challenge if
// it is the registry itself, with none anywhere else.
func (h *host) sendTo(ctx context.Context, own *link, c call, target *url.URL) (*http.Response, error) {
	if target.Host != h.name || target.Scheme != own.scheme {
		l, err := h.linkFor(ctx, own, target)
		if err != nil {
			return nil, err
		}
		return h.roundTrip(ctx, l, c, request{target: target})
	}
	t, err := h.authorization(ctx, own, c.scope)
	if err != nil {
		return nil, err
	}
	resp, err := h.roundTrip(ctx, own, c, request{target, t})
	if err != nil || !challenged(resp) {
		return resp, err
	}
	said := parseChallenges(resp.Header)
	own.learn(said)
	if t.final(said, c.scope) {
		return resp, nil
	}
	h.forget(t)
	if c.stream != nil {
		return resp, nil
	}
	fresh, err := h.authorization(ctx, own, c.scope)
	if err == nil && (fresh == nil || t != nil && fresh.header == t.header) {
		return resp, nil // nothing new to say: the refusal stands
	}
	drain(resp.Body)
	if err != nil {
		return nil, err
	}
	return h.roundTrip(ctx, own, c, request{target, fresh})
}

// challenged reports an answer that asks for (other) credentials.
func challenged(resp *http.Response) bool {
	header := resp.Header.Get("WWW-Authenticate")
	return header != "" && (resp.StatusCode == http.StatusUnauthorized ||
		resp.StatusCode == http.StatusForbidden && strings.Contains(header, "insufficient_scope"))
}

// request is one attempt at a call: where to, and on whose behalf.
type request struct {
	target *url.URL
	token  *token
}

// roundTrip sends one request and watches that it moves.
func (h *host) roundTrip(ctx context.Context, l *link, c call, r request) (*http.Response, error) {
	ctx, w := newWatch(ctx, h.c.o.Stall)
	req, err := h.build(ctx, c, r)
	if err != nil {
		w.end()
		return nil, err
	}
	if c.stream != nil {
		c.stream.w = w
	}
	h.requests.Add(1)
	transport := l.calls
	if c.bulk {
		transport = l.blobs
	}
	resp, err := transport.RoundTrip(req)
	w.pause()
	if r.target.Host == h.name {
		h.heard(err)
	}
	if err != nil {
		err = requestError(req, explain(ctx, err))
		w.end()
		return nil, err
	}
	resp.Body = &downBody{resp.Body, ctx, w}
	return resp, nil
}

func (h *host) build(ctx context.Context, c call, r request) (*http.Request, error) {
	var body io.Reader
	if c.stream != nil {
		body = c.stream
	} else if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, r.target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", c.method, redact(r.target), err)
	}
	if c.stream != nil {
		req.ContentLength = c.size
	}
	maps.Copy(req.Header, c.header)
	req.Header.Set("User-Agent", h.c.o.UserAgent)
	if r.token != nil {
		req.Header.Set("Authorization", r.token.header)
	}
	return req, nil
}

// retryAfter reads a Retry-After header (RFC 9110, 10.2.3), seconds or a date;
// 0 for none or one that has passed.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
		return time.Duration(max(min(seconds, 86400), 0)) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}
