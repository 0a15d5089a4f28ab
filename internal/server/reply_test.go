package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// watched is a connection that notes its deadlines and what it is asked to
// send, and on which every piece takes its time.
type watched struct {
	*httptest.ResponseRecorder
	clock       time.Time
	pace        time.Duration // that each piece takes
	read, write time.Time
	sources     []io.Reader
	late        int // pieces that came after the deadline
}

func (w *watched) now() time.Time                     { return w.clock }
func (w *watched) SetReadDeadline(t time.Time) error  { w.read = t; return nil }
func (w *watched) SetWriteDeadline(t time.Time) error { w.write = t; return nil }

// ReadFrom implements io.ReaderFrom, as a connection does to use sendfile.
func (w *watched) ReadFrom(src io.Reader) (int64, error) {
	w.sources = append(w.sources, src)
	w.clock = w.clock.Add(w.pace)
	if w.clock.After(w.write) {
		w.late++
	}
	return io.Copy(w.ResponseRecorder.Body, src)
}

// A slow client that moves is never cut, and a plain file reaches the
// connection as one, so that the kernel can send it.
func TestSendSlowly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blob")
	if err := os.WriteFile(path, make([]byte, 3*piece+1), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := &watched{ResponseRecorder: httptest.NewRecorder(), clock: time.Unix(1000, 0), pace: 59 * time.Second}
	r := &reply{ResponseWriter: w, now: w.now, stall: time.Minute}
	r.WriteHeader(http.StatusOK)
	if err := r.send(f, 3*piece+1); err != nil {
		t.Fatal(err)
	}
	if w.late > 0 || len(w.sources) != 4 || r.sent != 3*piece+1 {
		t.Errorf("%d of %d pieces late, %d bytes", w.late, len(w.sources), r.sent)
	}
	for _, src := range w.sources {
		if lr, ok := src.(*io.LimitedReader); !ok || lr.R != f {
			t.Errorf("the connection got a %T", src)
		}
	}
}

// slowBody gives a byte a minute or so.
type slowBody struct {
	w    *watched
	left int
}

func (b *slowBody) Read(p []byte) (int, error) {
	b.w.clock = b.w.clock.Add(b.w.pace)
	if b.w.clock.After(b.w.read) {
		return 0, os.ErrDeadlineExceeded
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	b.left--
	return copy(p, "x"), nil
}

func (b *slowBody) Close() error { return nil }

// The same on the way in. At the body's end the deadline is gone, because what
// follows may take its time, and the answer has a new one.
func TestReceiveSlowly(t *testing.T) {
	w := &watched{ResponseRecorder: httptest.NewRecorder(), clock: time.Unix(1000, 0), pace: 59 * time.Second}
	req := httptest.NewRequest(http.MethodPut, "/", &slowBody{w, 100})
	c := &call{req: req, reply: reply{ResponseWriter: w, now: w.now, stall: time.Minute}}
	body, err := io.ReadAll(c.source())
	if err != nil || len(body) != 100 || c.received != 100 {
		t.Errorf("%d bytes, %d counted, %v", len(body), c.received, err)
	}
	if !w.read.IsZero() {
		t.Errorf("deadline %v after the end", w.read)
	}
	w.clock = w.clock.Add(time.Hour)
	c.WriteHeader(http.StatusCreated)
	if !w.write.After(w.clock) {
		t.Errorf("answer's deadline %v at %v", w.write, w.clock)
	}
}

func TestCacheIsBounded(t *testing.T) {
	const limit = 1 << 20
	c := newCache(limit)
	put := func(i byte, size int) key {
		body := make([]byte, size)
		body[0] = i
		k := key{oci.FromBytes(body), "t"}
		c.put(k, newContent(oci.Descriptor{Digest: k.digest}, body))
		return k
	}
	used := put(0, 1000)
	for i := range 200 {
		put(byte(i), 60000)
		if c.get(used) == nil {
			t.Fatalf("what is in use was forgotten after %d others", i)
		}
		total := int64(0)
		for _, m := range []map[key]*content{c.young, c.old} {
			for _, v := range m {
				total += int64(len(v.body))
			}
		}
		if total > limit {
			t.Fatalf("%d bytes held", total)
		}
	}
	if k := put(1, limit/2); c.get(k) != nil {
		t.Error("one large body takes the room of all others")
	}
}
