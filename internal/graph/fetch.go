package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// DefaultURL is the graph of the OpenShift releases (oc.md 12.1).
const DefaultURL = "https://api.openshift.com/api/upgrades_info/v1/graph"

const (
	answerTimeout = time.Minute // for one answer, with its body
	tries         = 3
	maxSaid       = 300 // letters of what a server says went wrong
)

// API is an update service.
type API struct {
	// URL is that of the graph. What it has for a query is kept.
	URL       *url.URL
	Transport http.RoundTripper
	UserAgent string
	// Pause is waited before the second try, and twice as long before the third.
	Pause time.Duration
}

// ParseURL reads the address of an update service.
func ParseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil: // whose text has the address, which may have a password
		return nil, errors.New("it is not a URL")
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return nil, errors.New("it must begin with https:// or http:// and have a host")
	}
	return u, nil
}

// FetchError is a graph that could not be read from an update service.
type FetchError struct {
	URL     string // without what may be secret
	Channel string
	Arch    Arch
	Status  int    // 0 where there was no answer
	Said    string // what the service said
	Err     error  // of the connection, or of the body
}

// Error implements error.
func (e *FetchError) Error() string {
	parts := []string{fmt.Sprintf("reading the channel %s for %s from the update service %s", e.Channel, e.Arch, e.URL)}
	if e.Status != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))))
	}
	if e.Said != "" {
		parts = append(parts, e.Said)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the error of the connection or the body.
func (e *FetchError) Unwrap() error { return e.Err }

// noChannel reports whether the service refuses the channel itself. Most answer
// with a graph without releases where they do not know one.
func (e *FetchError) noChannel() bool { return e.Status == http.StatusBadRequest }

// transient reports whether the next try may succeed.
func (e *FetchError) transient() bool {
	switch e.Status {
	case 0:
		timeout, ok := errors.AsType[net.Error](e.Err)
		return ok && timeout.Timeout() || errors.Is(e.Err, io.EOF) || errors.Is(e.Err, io.ErrUnexpectedEOF) || errors.Is(e.Err, syscall.ECONNRESET)
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= http.StatusInternalServerError
}

// Fetch reads the graph of a channel for an architecture. The error is a
// FetchError, or that of the context.
func (a API) Fetch(ctx context.Context, channel string, arch Arch) (*Graph, error) {
	pause := a.Pause
	for try := 1; ; try++ {
		g, err := a.fetchOnce(ctx, channel, arch)
		if err == nil {
			return g, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		err.Channel, err.Arch = channel, arch
		if try == tries || !err.transient() {
			return nil, err
		}
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
		pause *= 2
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (a API) fetchOnce(ctx context.Context, channel string, arch Arch) (*Graph, *FetchError) {
	bare := url.URL{Scheme: a.URL.Scheme, Host: a.URL.Host, Path: a.URL.Path}
	failed := &FetchError{URL: bare.String()}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	resp, err := a.get(ctx, channel, arch)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the address, which may have a password
		}
		failed.Err = err
		return nil, failed
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		failed.Status, failed.Said = resp.StatusCode, said(resp.Body)
		return nil, failed
	}
	g, err := Parse(resp.Body)
	if err != nil {
		failed.Err = err
		return nil, failed
	}
	return g, nil
}

func (a API) get(ctx context.Context, channel string, arch Arch) (*http.Response, error) {
	target := *a.URL
	query := target.Query()
	query.Set("channel", channel)
	query.Set("arch", string(arch))
	target.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", a.UserAgent)
	client := &http.Client{Transport: a.Transport, CheckRedirect: redirect}
	return client.Do(req)
}

// redirect refuses to go on without TLS where it was asked for: anybody on the
// way could answer then.
func redirect(next *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= 10:
		return errors.New("it leads from one address to the next without end")
	case via[0].URL.Scheme == "https" && next.URL.Scheme != "https":
		return errors.New("it leads to an address without TLS")
	}
	return nil
}

// said returns what a service says of an error: the text that Cincinnati has
// in its JSON. Pages for people are left out.
func said(body io.Reader) string {
	text, _ := io.ReadAll(io.LimitReader(body, 64<<10)) // what came of it is enough
	var answer struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(text, &answer) != nil {
		return ""
	}
	line := strings.Join(strings.Fields(answer.Value), " ")
	return line[:min(len(line), maxSaid)]
}
