//go:build soak

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/server"
)

// valve lets a number of bytes of blobs, or of answers, through and then holds
// everything, so that whoever is on the other end can be killed right there.
type valve struct {
	mu    sync.Mutex
	kind  valveKind
	left  int64
	shut  chan struct{} // closed when the valve has shut; nil while it is open
	isHit bool
}

type valveKind int

const (
	valveOpen     valveKind = iota
	valveBytes              // counts bytes of blobs, in either direction
	valveAnswers            // counts answers to PUT, held before they are sent
	valveRequests           // counts requests, held before they are handled
)

// arm sets how much goes through; the channel is closed when that is used up.
func (v *valve) arm(kind valveKind, n int64) <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.kind, v.left, v.shut, v.isHit = kind, n, make(chan struct{}), false
	return v.shut
}

// disarm opens the valve, for requests to come.
func (v *valve) disarm() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.kind = valveOpen
}

// take returns how much of n may go through.
func (v *valve) take(kind valveKind, n int64) int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kind != kind {
		return n
	}
	if v.left >= n {
		v.left -= n
		return n
	}
	n, v.left = v.left, 0
	if !v.isHit {
		v.isHit = true
		close(v.shut)
	}
	return n
}

// serve starts a server of a registry behind the valve.
func (v *valve) serve(t *testing.T, reg repo.Registry) (addr string) {
	next := server.New(reg, server.Options{Now: time.Now})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v.take(valveRequests, 1) == 0 {
			hold(r)
			return
		}
		if strings.Contains(r.URL.Path, "/blobs/") {
			r.Body = &valveBody{r.Body, v, r}
		}
		next.ServeHTTP(&valveWriter{w, v, r}, r)
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

type valveBody struct {
	io.ReadCloser
	v *valve
	r *http.Request
}

// Read hands out what came before the valve shut, and then waits for the end.
func (b *valveBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n == 0 || b.v.take(valveBytes, int64(n)) == int64(n) {
		return n, err
	}
	hold(b.r)
	return 0, io.ErrUnexpectedEOF
}

// hold waits until the client is gone. The server notices that only once it
// has the whole body, so the rest of it is thrown away.
func hold(r *http.Request) {
	body := r.Body
	if b, ok := body.(*valveBody); ok {
		body = b.ReadCloser
	}
	if _, err := io.Copy(io.Discard, body); err == nil {
		<-r.Context().Done()
	}
}

type valveWriter struct {
	http.ResponseWriter
	v *valve
	r *http.Request
}

// Unwrap lets the handler set deadlines.
func (w *valveWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *valveWriter) WriteHeader(status int) {
	if status == http.StatusCreated && w.v.take(valveAnswers, 1) == 0 {
		<-w.r.Context().Done()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *valveWriter) Write(p []byte) (int, error) {
	if w.r.Method != http.MethodGet || !strings.Contains(w.r.URL.Path, "/blobs/") {
		return w.ResponseWriter.Write(p)
	}
	n := w.v.take(valveBytes, int64(len(p)))
	if n == int64(len(p)) {
		return w.ResponseWriter.Write(p)
	}
	_, _ = w.ResponseWriter.Write(p[:n])
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	<-w.r.Context().Done()
	return int(n), io.ErrShortWrite
}
