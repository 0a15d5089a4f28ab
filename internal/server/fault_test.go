package server_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/server"
)

// dial opens a connection of its own and sends raw bytes over it.
func (r *rig) dial(raw string) net.Conn {
	r.t.Helper()
	conn, err := new(net.Dialer).DialContext(r.t.Context(), "tcp", r.addr)
	if err == nil {
		_, err = io.WriteString(conn, raw)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

// head is the head of a request with a body.
func head(method, path string, length int, more ...string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n", method, path, length, strings.Join(more, ""))
}

// A client that goes away in the middle finds what it sent, and only that.
func TestAbortedUpload(t *testing.T) {
	blob := noise(700000)
	d := oci.FromBytes(blob)
	for _, method := range []string{"PATCH", "PUT"} {
		t.Run(method, func(t *testing.T) {
			r := newRig(t, nil, server.Options{})
			place := r.start("a")
			conn := r.dial(head(method, place+"?digest="+d.String(), len(blob)))
			if _, err := conn.Write(blob[:400000]); err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if a := r.next(method); a.Err == nil || a.Received != 400000 {
				t.Errorf("access %+v", a)
			}
			a := r.want(204, "", r.do("GET", place, nil))
			if got := a.Header.Get("Range"); got != "0-399999" {
				t.Fatalf("session is at %q", got)
			}
			r.want(404, "", r.do("HEAD", "/v2/a/blobs/"+d.String(), nil))
			r.want(201, "", r.do("PUT", place+"?digest="+d.String(), bytes.NewReader(blob[400000:])))
		})
	}
}

// An aborted POST leaves nothing: nobody learned the session's name.
func TestAbortedWholeUpload(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	conn := r.dial(head("POST", "/v2/a/blobs/uploads/?digest="+oci.FromBytes(nil).String(), 100) + "some")
	conn.Close()
	if a := r.next("POST"); a.Err == nil {
		t.Errorf("access %+v", a)
	}
	if len(r.fake.sessions) != 0 {
		t.Errorf("sessions left: %v", r.fake.sessions)
	}
}

// Of two chunks at once, one is taken whole and the other not at all.
func TestTwoChunksAtOnce(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	writing, proceed := make(chan bool), make(chan bool)
	r.fake.onWrite = func(int) error {
		writing <- true
		<-proceed
		return nil
	}
	place := r.start("a")
	first := make(chan answer)
	go func() { first <- r.do("PATCH", place, strings.NewReader("first")) }()
	<-writing
	r.want(400, oci.ErrBlobUploadInvalid, r.do("PATCH", place, strings.NewReader("second")))
	r.want(400, oci.ErrBlobUploadInvalid, r.do("DELETE", place, nil))
	proceed <- true
	if a := r.want(202, "", <-first); a.Header.Get("Range") != "0-4" {
		t.Errorf("Range %q", a.Header.Get("Range"))
	}
}

// What is declared too large is refused before it is sent.
func TestTooLargeByDeclaration(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	conn := r.dial(head("PUT", "/v2/a/manifests/v1", 100<<20))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %s", resp.Status)
	}
}

// A panic is a 500 for its request, and the connection and server live on.
func TestPanic(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	d := r.fake.addBlob("a", []byte("blob"))
	r.fake.onStat = func(oci.Digest) error { panic("broken for a test") }
	a := r.want(500, oci.ErrUnknown, r.do("GET", "/v2/a/blobs/"+d.String(), nil))
	if strings.Contains(string(a.body), "broken") {
		t.Errorf("the client is told %s", a.body)
	}
	if got := r.next("GET"); got.Status != 500 || !strings.Contains(fmt.Sprint(got.Err), "broken for a test") {
		t.Errorf("access %+v", got)
	}
	r.fake.onStat = nil
	r.want(200, "", r.do("GET", "/v2/a/blobs/"+d.String(), nil))
}

// behind is a clock that makes every deadline lie in the past.
func behind() time.Time { return time.Unix(1000, 0) }

// A body that stands still is given up: what came is kept, the session is free.
func TestStalledBody(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	place := r.start("a")
	slow := newRig(t, r.fake, server.Options{Now: behind})
	slow.dial(head("PATCH", place, 100))
	if a := slow.next("PATCH"); a.Status != http.StatusRequestTimeout || !errors.Is(a.Err, os.ErrDeadlineExceeded) {
		t.Errorf("access %+v", a)
	}
	r.want(202, "", r.do("PATCH", place, strings.NewReader("x")))
}

// A body that nobody reads and that never comes holds no connection.
func TestStalledBodyThatNobodyReads(t *testing.T) {
	r := newRig(t, nil, server.Options{Now: behind})
	conn := r.dial(head("POST", "/v2/a/blobs/uploads/", 100))
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the connection is not closed: %v", err)
	}
}

// A client that does not read loses its connection.
func TestStalledReader(t *testing.T) {
	r := newRig(t, nil, server.Options{Now: behind})
	d := r.fake.addBlob("a", noise(1<<20))
	conn := r.dial("GET /v2/a/blobs/" + d.String() + " HTTP/1.1\r\nHost: x\r\n\r\n")
	if a := r.next("GET"); !errors.Is(a.Err, os.ErrDeadlineExceeded) {
		t.Errorf("access %+v", a)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the connection is not closed: %v", err)
	}
}

// A request without a body is under no read deadline: a stall of its
// connection is a pause between requests.
func TestStallIsOfBodiesOnly(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	d := r.fake.addBlob("a", []byte("blob"))
	conn := r.dial("")
	answers := bufio.NewReader(conn)
	for range 3 {
		fmt.Fprintf(conn, "GET /v2/a/blobs/%s HTTP/1.1\r\nHost: x\r\n\r\n", d)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v %v", resp, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
}

func TestHugeHeader(t *testing.T) {
	r := newRig(t, nil, server.Options{})
	a := r.do("GET", "/v2/", nil, "X-Much", strings.Repeat("x", 100<<10))
	r.want(http.StatusRequestHeaderFieldsTooLarge, "", a)
}

// The limits that net/http keeps for us are there.
func TestHTTPServer(t *testing.T) {
	s := server.HTTPServer(http.NotFoundHandler())
	if s.ReadHeaderTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 {
		t.Errorf("a limit is missing: %+v", s)
	}
	if s.ReadTimeout != 0 || s.WriteTimeout != 0 {
		t.Error("a limit on a whole transfer would cut large blobs on slow lines")
	}
	if !s.Protocols.HTTP1() || s.Protocols.HTTP2() || s.Protocols.UnencryptedHTTP2() {
		t.Errorf("protocols %v", s.Protocols)
	}
}
