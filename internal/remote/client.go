// Package remote is a registry reached over HTTP (OCI distribution
// specification 1.1 and what real registries make of it): it implements the
// contracts of package repo for the engine. One Client serves a whole process,
// so that connections, tokens, waiting times and limits are shared by
// everything that talks to the same host.
//
// What it promises: content is verified, a fault that may pass is tried again
// where it happened and not from the start, a host that says it is overloaded
// gets less, nothing hangs, and credentials go to nobody but the host they are
// for and, over https, the token service that it names.
package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/airbridge-dev/airbridge/internal/auth"
)

// Options of a Client. Now is required; the zero value of all others is usable.
type Options struct {
	Credentials *auth.Store // nil: anonymous
	// Insecure allows hosts without a valid certificate and, where a host does
	// not speak TLS at all, plain http. Verified TLS is always tried first.
	Insecure bool
	// CAs are PEM files, added to the system's roots.
	CAs [][]byte
	// CertDirs are directories as of certs.d; see auth.CertDirs.
	CertDirs []string
	// MaxPerRegistry caps the transfers at once from and to one host; 0 leaves
	// it to what the host takes, between 2 and 32.
	MaxPerRegistry int
	UserAgent      string
	// Warn is told what a user should know and is no error; never a secret.
	Warn func(Warning)
	// Now is the clock that tokens, waiting times and rates go by.
	Now func() time.Time
	// Sleep waits; nil for a real one that ends early with the context's error.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter returns a number in [0, 1) that spreads waiting times; nil for a random one.
	Jitter func() float64
	// SkipMultipleScopes asks for one scope a token, for token services that
	// refuse more; mounts between repositories then may be refused.
	SkipMultipleScopes bool
	// Proxy chooses the proxy of a request; nil for none.
	Proxy func(*http.Request) (*url.URL, error)
	// Stall is how long a connection may move no byte before it is cut;
	// 0 for 60 s. An answer to a finished upload may take ten times as long.
	Stall time.Duration
}

// Warning is something a user should know about a host.
type Warning struct {
	Host    string
	Message string
}

// Client talks to registries. It is safe for use by several goroutines.
type Client struct {
	o     Options
	roots func() (*x509.CertPool, error)

	mu    sync.Mutex
	hosts map[string]*host
}

// New returns a Client. It does no I/O.
func New(o Options) *Client {
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.Warn == nil {
		o.Warn = func(Warning) {}
	}
	if o.Stall == 0 {
		o.Stall = time.Minute
	}
	if o.UserAgent == "" {
		o.UserAgent = "airbridge"
	}
	c := &Client{o: o, hosts: map[string]*host{}}
	c.roots = sync.OnceValues(c.loadRoots)
	return c
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Registry returns the registry at host[:port], as written in a reference. It
// does no I/O.
func (c *Client) Registry(hostport string) *Registry {
	return &Registry{name: hostport, host: c.host(apiHost(hostport))}
}

// apiHost is the host that serves the API of a registry: Docker Hub's is not
// the one in its references.
func apiHost(hostport string) string {
	switch h := strings.ToLower(hostport); h {
	case "docker.io", "index.docker.io":
		return "registry-1.docker.io"
	default:
		return h
	}
}

// host returns the one state kept for a host[:port].
func (c *Client) host(name string) *host {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.hosts[name]
	if !ok {
		h = newHost(c, name)
		c.hosts[name] = h
	}
	return h
}

// CloseIdle closes connections that serve no request.
func (c *Client) CloseIdle() {
	for _, h := range c.sorted() {
		h.closeIdle()
	}
}

func (c *Client) sorted() []*host {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*host
	for _, name := range slices.Sorted(maps.Keys(c.hosts)) {
		out = append(out, c.hosts[name])
	}
	return out
}

// HostState is what progress displays show of a host.
type HostState struct {
	Host     string
	Limit    int   // transfers allowed at once, now
	Active   int   // transfers going on
	Requests int64 // sent so far
	Retries  int64 // of those, repeated ones
	Received int64 // bytes of blobs
	Sent     int64 // bytes of blobs
	// PausedUntil is when the host said to come back; zero or past if it did not.
	PausedUntil time.Time
}

// Hosts returns the state of every host talked to, by name.
func (c *Client) Hosts() []HostState {
	var out []HostState
	for _, h := range c.sorted() {
		if h.requests.Load() > 0 {
			out = append(out, h.state())
		}
	}
	return out
}

// loadRoots returns the system's roots with the additional ones.
func (c *Client) loadRoots() (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	for _, pem := range c.o.CAs {
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errNoCertificate
		}
	}
	return pool, nil
}

// tlsConfig returns a host's own settings: the common roots, and what certs.d
// has for it.
func (c *Client) tlsConfig(name string) (*tls.Config, error) {
	roots, err := c.roots()
	if err != nil {
		return nil, err
	}
	certs, err := auth.LoadCerts(c.o.CertDirs, name)
	if err != nil {
		return nil, err
	}
	if len(certs.CAs) > 0 {
		roots = roots.Clone()
	}
	for _, pem := range certs.CAs {
		roots.AppendCertsFromPEM(pem)
	}
	return &tls.Config{RootCAs: roots, Certificates: certs.Pairs, MinVersion: tls.VersionTLS12}, nil
}
