//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// counter is a reverse proxy before a registry that counts what passes.
type counter struct {
	addr string
	stop func()

	mu       sync.Mutex
	requests map[string]int // by kind of address: manifests, blobs, uploads, other
	bodies   int64          // bytes of request bodies
}

// count starts a proxy before a registry. It keeps the Host header, so that
// the registry's Location headers lead through the proxy as well.
func count(addr string) (*counter, error) {
	c := &counter{requests: map[string]int{}}
	target := &url.URL{Scheme: "http", Host: addr}
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			if r.Out.Body != nil {
				r.Out.Body = &countedBody{r.Out.Body, c}
			}
			c.add(r.In.URL.Path)
		},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: proxy}
	go func() { _ = s.Serve(l) }() // ends with Close
	c.addr, c.stop = l.Addr().String(), func() { _ = s.Close() }
	return c, nil
}

func (c *counter) add(path string) {
	kind := "other"
	switch {
	case strings.Contains(path, "/manifests/"):
		kind = "manifests"
	case strings.Contains(path, "/blobs/uploads/"):
		kind = "uploads"
	case strings.Contains(path, "/blobs/"):
		kind = "blobs"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[kind]++
}

func (c *counter) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%d manifests, %d blobs, %d uploads, %d other", c.requests["manifests"], c.requests["blobs"], c.requests["uploads"], c.requests["other"])
}

// total is the number of requests, but for the question whether this is a
// registry at all (/v2/), token and tag lists.
func (c *counter) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests["manifests"] + c.requests["blobs"] + c.requests["uploads"]
}

type countedBody struct {
	io.ReadCloser
	c *counter
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.c.mu.Lock()
	b.c.bodies += int64(n)
	b.c.mu.Unlock()
	return n, err
}
