//go:build linux

package main

import (
	"bufio"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestServeReadOnlyStore serves a store from a disk that is mounted read-only,
// as a medium mostly is: it takes no pushes, and says why.
func TestServeReadOnlyStore(t *testing.T) {
	disk := mountSmall(t)
	src, dir := newSlowSource(t, 100_000), targetBelow(t, disk, "store")
	src.letGo()
	start(t, src.mirrorTo(dir)...).exits(t, 0)
	command(t, "mount", "-o", "remount,ro", disk)

	// Where the user insists on pushes it is an error.
	start(t, "serve", dir, "--writable", "--addr", "127.0.0.1:0").exits(t, 1, "read-only file system", "hint: ")

	s := &served{run: &running{cmd: program(t, "serve", dir, "--addr", "127.0.0.1:0")}}
	stderr, err := s.run.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stderr = bufio.NewReader(stderr)
	if err := s.run.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line := s.line(t); !strings.HasPrefix(line, "warning: ") || !strings.Contains(line, "serving it read-only") {
		t.Errorf("first line %q", line)
	}
	_, s.addr, _ = strings.Cut(strings.TrimSpace(s.line(t)), "on http://")
	if res, err := s.request(t.Context(), http.MethodGet, "/v2/my/app/tags/list", nil); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("tags: %v, %v", res, err)
	}
	if res, err := s.request(t.Context(), http.MethodPost, "/v2/my/app/blobs/uploads/", nil); err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("upload: %v, %v", res, err)
	}
	send(t, s.run, os.Interrupt)
	s.run.exits(t, 0)
}

// TestInterruptedRunClaimsNothing looks at the summary of a run that was cut.
func TestInterruptedRunClaimsNothing(t *testing.T) {
	src, dir := newSlowSource(t, 1<<20), newTarget(t, "v2")
	run := start(t, src.mirrorTo(dir)...)
	<-src.reached
	send(t, run, os.Interrupt)
	run.exits(t, 130, "Mirroring stopped after", "1 image: 0 copied, 0 there before, 0 skipped, 1 left")
	src.letGo()
}
