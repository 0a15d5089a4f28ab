package flaky

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
)

// Fault is one line of the script: which requests, and what happens to them.
type Fault struct {
	Method string // "" for any
	Path   string // a part of the path, "" for any
	Skip   int    // so many matching requests pass unharmed
	Times  int    // then so many are hit; 0 is one, -1 is all
	Do     Action
}

// Action is what happens to a request that is hit. next would answer it well;
// release is closed when the server ends.
type Action func(w http.ResponseWriter, r *http.Request, next http.Handler, release <-chan struct{})

// Script decides which request is hit by which fault.
type Script struct {
	release chan struct{}

	mu     sync.Mutex
	faults []Fault
	seen   map[int]int // matching requests so far, by fault
	hits   int
}

// Add appends a fault while the server runs.
func (s *Script) Add(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// Hits returns how many requests were hit: a test of a fault that never
// happened proves nothing.
func (s *Script) Hits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

func (s *Script) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if act := s.pick(r); act != nil {
			act(w, r, next, s.release)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// pick counts a request against the script; the first fault that hits counts.
func (s *Script) pick(r *http.Request) Action {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[int]int{}
	}
	for i, f := range s.faults {
		if f.Method != "" && f.Method != r.Method || !strings.Contains(r.URL.Path, f.Path) {
			continue
		}
		n := s.seen[i] - f.Skip
		s.seen[i]++
		if n >= 0 && (f.Times < 0 || n < max(f.Times, 1)) {
			s.hits++
			return f.Do
		}
	}
	return nil
}

// Refuse answers with one error in the specification's form.
func Refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}

// Status answers with a status and headers, given as name, value, name, value.
func Status(status int, header ...string) Action {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler, _ <-chan struct{}) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	}
}

// Answer answers with a body of any type, such as a proxy's page.
func Answer(status int, contentType, body string) Action {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler, _ <-chan struct{}) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Then does a request well and loses the answer: the connection is reset.
func Then() Action {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler, _ <-chan struct{}) {
		next.ServeHTTP(discard{http.Header{}}, r)
		reset(w)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// Reset resets the connection after n bytes of the answer's body, at its end at
// the latest.
func Reset(n int64) Action { return cut(n, reset) }

// Truncate ends the connection in good order after n bytes of the answer's
// body, which is short of its length.
func Truncate(n int64) Action { return cut(n, closeConn) }

// Stall sends n bytes of the answer's body and then nothing more.
func Stall(n int64) Action {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler, release <-chan struct{}) {
		next.ServeHTTP(&cutWriter{ResponseWriter: w, left: n, end: func() {
			_ = http.NewResponseController(w).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
			panic(http.ErrAbortHandler)
		}}, r)
	}
}

func cut(n int64, how func(http.ResponseWriter)) Action {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler, _ <-chan struct{}) {
		next.ServeHTTP(&cutWriter{ResponseWriter: w, left: n, end: func() {
			_ = http.NewResponseController(w).Flush()
			how(w)
		}}, r)
		how(w) // a shorter answer is cut all the same
	}
}

// cutWriter passes on so many bytes and then comes to its end, from which
// nothing returns.
type cutWriter struct {
	http.ResponseWriter
	left int64
	end  func()
}

func (w *cutWriter) Write(p []byte) (int, error) {
	n := min(int64(len(p)), w.left)
	if _, err := w.ResponseWriter.Write(p[:n]); err != nil {
		return 0, err
	}
	if w.left -= n; w.left == 0 {
		w.end()
	}
	return int(n), nil
}

// Corrupt flips a bit of the answer's body at an offset.
func Corrupt(offset int64) Action {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler, _ <-chan struct{}) {
		next.ServeHTTP(&corruptWriter{w, offset}, r)
	}
}

type corruptWriter struct {
	http.ResponseWriter
	left int64
}

func (w *corruptWriter) Write(p []byte) (int, error) {
	p = append([]byte(nil), p...)
	if w.left >= 0 && w.left < int64(len(p)) {
		p[w.left] ^= 1
	}
	w.left -= int64(len(p))
	return w.ResponseWriter.Write(p)
}

// BreakUpload takes n bytes of the request's body, which the registry keeps,
// and resets the connection.
func BreakUpload(n int64) Action {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler, _ <-chan struct{}) {
		r.Body = &brokenBody{r.Body, n}
		next.ServeHTTP(discard{http.Header{}}, r)
		reset(w)
	}
}

// StallUpload takes n bytes of the request's body and then nothing more.
func StallUpload(n int64) Action {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler, release <-chan struct{}) {
		_, _ = io.CopyN(io.Discard, r.Body, n)
		<-release
		panic(http.ErrAbortHandler)
	}
}

type brokenBody struct {
	io.ReadCloser
	left int64
}

func (b *brokenBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errors.New("connection lost")
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// NoRange answers a request for a part with the whole.
func NoRange() Action {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler, _ <-chan struct{}) {
		r.Header.Del("Range")
		next.ServeHTTP(w, r)
	}
}

// Header does a request well but for one header of the answer.
func Header(name, value string) Action {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler, _ <-chan struct{}) {
		next.ServeHTTP(&headerWriter{ResponseWriter: w, name: name, value: value}, r)
	}
}

type headerWriter struct {
	http.ResponseWriter
	name, value string
	done        bool
}

func (w *headerWriter) WriteHeader(status int) {
	if !w.done {
		w.done = true
		w.Header().Del(w.name)
		if w.value != "" {
			w.Header().Set(w.name, w.value)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *headerWriter) Write(p []byte) (int, error) {
	if !w.done {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// reset drops the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 has streams to reset instead
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
	panic(http.ErrAbortHandler)
}

// closeConn ends the connection in good order.
func closeConn(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// quiet is the log of a server whose connections are meant to break.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
