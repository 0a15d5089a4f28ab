// Package flaky is a registry for tests that misbehaves as told: it breaks,
// stalls and corrupts transfers by script, refuses too many requests at once,
// asks for credentials that run out, and has the quirks of real registries. It
// is deterministic: what happens to a request depends on the requests before
// it and on nothing else.
package flaky

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// Quirk is a way in which a registry differs from a plain one.
type Quirk func(next http.Handler) http.Handler

// Options of a Server. The zero value is a well-behaved registry over http.
type Options struct {
	TLS     bool
	Login   *Login  // nil: everybody may do everything
	AtOnce  int     // more requests than this at once are refused with 429; 0 for any number
	Quirks  []Quirk // the first one sees a request first
	Faults  []Fault
	Backend repo.Registry // nil for one in memory
	// Seen, if set, is told each request as it arrives.
	Seen func(*http.Request)
}

// Request is one request and how it was answered.
type Request struct {
	Method string
	Path   string
	Query  string
	Range  string // of the request
	Status int    // 0 where there was no answer
	Agent  string
	Auth   string // scheme of the credentials sent, "" for none
	Length int64  // of the request's body, -1 if it was not told
}

// Server is a running registry.
type Server struct {
	*httptest.Server
	Addr     string        // host:port
	Registry repo.Registry // what it serves, as it is
	Script   *Script       // the faults, to be added to

	login   *Login
	seen    func(*http.Request)
	release chan struct{} // closed at the end: lets stalled handlers go

	mu       sync.Mutex
	requests []Request
	room     *sync.Cond // signalled when a request ends
	atOnce   int
	active   int
	peak     int
	refused  int
}

// Start runs a server until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := Run(o)
	t.Cleanup(s.Stop)
	return s
}

// Run runs a server until it is stopped.
func Run(o Options) *Server {
	s := &Server{Registry: o.Backend, login: o.Login, seen: o.Seen, release: make(chan struct{})}
	s.room, s.atOnce = sync.NewCond(&s.mu), o.AtOnce
	if s.Registry == nil {
		s.Registry = registry.New("memory", cas.Mem(), kv.Mem(), registry.Options{Now: time.Now})
	}
	s.Script = &Script{faults: o.Faults, release: s.release}
	handler := server.New(s.Registry, server.Options{Now: time.Now})
	for _, quirk := range slices.Backward(o.Quirks) {
		handler = quirk(handler)
	}
	handler = s.Script.wrap(handler)
	handler = s.limit(handler)
	if o.Login != nil {
		handler = o.Login.wrap(handler)
	}
	s.start(o.TLS, s.record(handler))
	return s
}

func (s *Server) start(tls bool, handler http.Handler) {
	s.Server = httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = quiet()
	if tls {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Server.Start()
	}
	_, s.Addr, _ = strings.Cut(s.URL, "://")
	if s.login != nil {
		s.login.realm = s.URL + s.login.path()
	}
}

// Stop ends the server and its connections.
func (s *Server) Stop() {
	close(s.release)
	s.CloseClientConnections()
	s.Close()
}

// Requests returns the requests so far, in the order of their arrival. The
// status of one that is still being answered is 0.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Count returns how many requests had a method and a part of a path.
func (s *Server) Count(method, part string) int {
	n := 0
	for _, r := range s.Requests() {
		if (method == "" || r.Method == method) && strings.Contains(r.Path, part) {
			n++
		}
	}
	return n
}

// Peak returns the most requests that were let in at once, and how many were
// refused because of AtOnce.
func (s *Server) Peak() (peak, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak, s.refused
}

// record keeps what was asked and answered.
func (s *Server) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		q := Request{
			Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Range: r.Header.Get("Range"),
			Agent: r.UserAgent(), Auth: kind, Length: r.ContentLength,
		}
		answer := &statusWriter{ResponseWriter: w}
		if s.seen != nil {
			s.seen(r)
		}
		s.mu.Lock()
		n := len(s.requests)
		s.requests = append(s.requests, q)
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.requests[n].Status = answer.status
		}()
		next.ServeHTTP(answer, r)
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// limit refuses what goes beyond a number of requests at once.
func (s *Server) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			Refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "too many requests at once")
			return
		}
		defer s.leave()
		next.ServeHTTP(w, r)
	})
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.atOnce > 0 && s.active >= s.atOnce {
		s.refused++
		return false
	}
	s.active++
	s.peak = max(s.peak, s.active)
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
	s.room.Broadcast()
}

// AwaitRoom returns when a request would not be refused because of AtOnce.
func (s *Server) AwaitRoom() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.atOnce > 0 && s.active >= s.atOnce {
		s.room.Wait()
	}
}

// Certificate returns the certificate, in DER, of every Server with TLS. It is
// valid for 127.0.0.1 and signs itself.
func Certificate() []byte {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	return s.Certificate().Raw
}
