//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// TestInterrupt presses Ctrl-C in the middle of a blob. The run stops with 130
// and says how to go on; the next one asks only for the bytes that are missing.
func TestInterrupt(t *testing.T) {
	for _, form := range []string{"store", "v2"} {
		t.Run(form, func(t *testing.T) {
			src, dir := newSlowSource(t, 1<<20), newTarget(t, form)
			run := start(t, src.mirrorTo(dir)...)
			<-src.reached
			partial := src.partial(dir)
			until(func() bool { return size(partial) > 0 })
			send(t, run, os.Interrupt)
			run.exits(t, 130, "error: interrupted", "hint: run the same command again")
			src.letGo()
			got := size(partial)
			verify(t, dir)

			start(t, src.mirrorTo(dir)...).exits(t, 0)
			want := []string{"", fmt.Sprintf("bytes=%d-", got)}
			if asked := src.ranges(); fmt.Sprint(asked) != fmt.Sprint(want) || got == 0 {
				t.Errorf("asked for the ranges %q, want %q", asked, want)
			}
			verify(t, dir)
		})
	}
}

// TestTwoWriters starts a second run on a directory that the first one writes.
func TestTwoWriters(t *testing.T) {
	for _, form := range []string{"store", "v2"} {
		t.Run(form, func(t *testing.T) {
			src, dir := newSlowSource(t, 1<<20), newTarget(t, form)
			first := start(t, src.mirrorTo(dir)...)
			<-src.reached
			start(t, src.mirrorTo(dir)...).exits(t, 5, "error: ", "locked by", "hint: ")
			if form == "store" {
				start(t, "store", "gc", dir).exits(t, 5, "locked by", "hint: ")
			}
			verify(t, dir) // a reader needs no lock
			src.letGo()
			first.exits(t, 0)
			verify(t, dir)
		})
	}
}

// TestTerminateServe ends a server in the middle of an upload. It finishes what
// is under way, ends with 0, and the next server goes on with the session.
func TestTerminateServe(t *testing.T) {
	for _, c := range []struct {
		name  string
		rest  bool // the client sends the rest of its chunk, else it is gone
		least int
	}{
		{"the chunk is completed", true, 2 << 20},
		{"the client is gone", false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := newTarget(t, "store")
			body := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
			srv := serve(t, dir)
			location := srv.openUpload(t)
			chunk, feed := io.Pipe()
			sent := srv.send(t, http.MethodPatch, location, chunk)
			write(t, feed, body[:1<<20])
			until(func() bool { return size(filepath.Join(dir, "airbridge/partial", filepath.Base(location))) > 0 })
			send(t, srv.run, syscall.SIGTERM)
			if line := srv.line(t); !strings.Contains(line, "stopping") {
				t.Errorf("it says %q", line)
			}
			if c.rest {
				write(t, feed, body[1<<20:2<<20])
				_ = feed.Close()
				if status := <-sent; status != http.StatusAccepted {
					t.Errorf("the chunk was answered %d", status)
				}
			} else {
				_ = feed.CloseWithError(io.ErrUnexpectedEOF)
				<-sent
			}
			srv.run.exits(t, 0)
			srv = serve(t, dir)
			srv.complete(t, location, body, c.least)
			send(t, srv.run, syscall.SIGTERM)
			srv.run.exits(t, 0)
			verify(t, dir)
		})
	}
}

// running is a started airbridge.
type running struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
}

// start starts the real program with a home of its own.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{cmd: program(t, args...)}
	r.cmd.Stderr = &r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("airbridge")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + filepath.Dir(path), "GORACE=" + raceOptions}
	return cmd
}

// exits waits for the end, and requires the code and what is said.
func (r *running) exits(t *testing.T, code int, says ...string) {
	t.Helper()
	_ = r.cmd.Wait() // the code tells
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("exit code %d, want %d: %s", got, code, &r.stderr)
	}
	for _, s := range says {
		if !strings.Contains(r.stderr.String(), s) {
			t.Errorf("it does not say %q:\n%s", s, &r.stderr)
		}
	}
}

func send(t *testing.T, r *running, s os.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, dir string) {
	t.Helper()
	start(t, "store", "verify", dir).exits(t, 0)
}

// until waits for something that another process does.
func until(done func() bool) {
	for !done() {
		time.Sleep(5 * time.Millisecond)
	}
}

func size(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

func write(t *testing.T, w io.Writer, content []byte) {
	t.Helper()
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
}

// newTarget makes a directory to mirror to; v2/ is made by the run itself.
func newTarget(t *testing.T, form string) string {
	t.Helper()
	return targetBelow(t, t.TempDir(), form)
}

func targetBelow(t *testing.T, parent, form string) string {
	t.Helper()
	dir := filepath.Join(parent, form)
	if form == "store" {
		start(t, "store", "init", dir).exits(t, 0)
	}
	return dir
}

// served is a running server of a directory.
type served struct {
	run    *running
	stderr *bufio.Reader
	addr   string
}

func serve(t *testing.T, dir string) *served {
	t.Helper()
	s := &served{run: &running{cmd: program(t, "serve", dir, "--addr", "127.0.0.1:0")}}
	stderr, err := s.run.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stderr = bufio.NewReader(stderr)
	if err := s.run.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := s.line(t)
	_, addr, ok := strings.Cut(strings.TrimSpace(line), "on http://")
	if !ok {
		t.Fatalf("airbridge serve says %q", line)
	}
	s.addr = addr
	return s
}

func (s *served) line(t *testing.T) string {
	t.Helper()
	line, err := s.stderr.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// request sends a request and returns its answer without a body.
func (s *served) request(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, body)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	return res, res.Body.Close()
}

// send sends a request meanwhile; its status comes, or 0 where none did.
func (s *served) send(t *testing.T, method, path string, body io.Reader) <-chan int {
	t.Helper()
	status := make(chan int, 1)
	go func() {
		res, err := s.request(t.Context(), method, path, body)
		if err != nil {
			status <- 0
			return
		}
		status <- res.StatusCode
	}()
	return status
}

func (s *served) openUpload(t *testing.T) (location string) {
	t.Helper()
	res, err := s.request(t.Context(), http.MethodPost, "/v2/a/b/blobs/uploads/", nil)
	if err != nil || res.StatusCode != http.StatusAccepted {
		t.Fatalf("opening an upload: %v, %v", res, err)
	}
	return res.Header.Get("Location")
}

// complete goes on with an upload, of which at least so many bytes are there.
func (s *served) complete(t *testing.T, location string, body []byte, least int) {
	t.Helper()
	res, err := s.request(t.Context(), http.MethodGet, location, nil)
	if err != nil {
		t.Fatal(err)
	}
	var end int
	if _, err := fmt.Sscanf(res.Header.Get("Range"), "0-%d", &end); err != nil || end+1 < least || end+1 >= len(body) {
		t.Fatalf("the upload is %s, range %q, want at least %d bytes", res.Status, res.Header.Get("Range"), least)
	}
	d := oci.FromBytes(body)
	res, err = s.request(t.Context(), http.MethodPut, location+"?digest="+d.String(), bytes.NewReader(body[end+1:]))
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("completing the upload: %v, %v", res, err)
	}
	res, err = s.request(t.Context(), http.MethodHead, "/v2/a/b/blobs/"+d.String(), nil)
	if err != nil || res.ContentLength != int64(len(body)) {
		t.Fatalf("the blob: %v, %v", res, err)
	}
}
