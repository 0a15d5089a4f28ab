//go:build soak

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// aim is a system call that brings SIGKILL instead of being made: strace
// injects the signal at the entry of the when-th matching call of a thread.
type aim struct {
	call  string
	paths []string // of which one is touched, absolute; none for any
	when  int
}

// traced are the calls that are written to the log of a trace: those that may
// be aimed at, and what tells in which phase they stand.
const traced = "write,fsync,fdatasync,syncfs,renameat,renameat2,linkat,symlinkat"

// args are strace's arguments up to what is traced.
func (a aim) args(log string) []string {
	args := []string{"-f", "-y", "-s", "16384", "-o", log, "-e", "signal=none", "-e", "trace=" + traced}
	for _, p := range a.paths {
		args = append(args, "-P", p)
	}
	return append(args, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", a.call, a.when))
}

// process is a program that was started, with the lines it printed.
type process struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr strings.Builder
	log    string // of strace, "" without
}

// start starts our program, under strace if there is an aim.
func (s *soak) start(a *aim, args ...string) *process {
	p := &process{}
	name := s.program
	if a != nil {
		p.log = s.dir("trace")
		name, args = s.strace, append(append(a.args(p.log), s.program), args...)
	}
	p.cmd = exec.CommandContext(s.t.Context(), name, args...)
	p.cmd.Env = []string{"HOME=" + s.home, "PATH=" + os.Getenv("PATH")}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	s.must(err)
	p.stdout = bufio.NewReader(out)
	s.must(p.cmd.Start())
	return p
}

// kill is kill -9.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// wait reads the lines to the end and returns those that are whole, and
// whether the process was killed.
func (p *process) wait(s *soak) (lines []string, killed bool) {
	for {
		line, err := p.stdout.ReadString('\n')
		if err != nil {
			break
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	err := p.cmd.Wait()
	if err == nil {
		return lines, false
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		s.must(err)
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return lines, ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// acknowledged is a line of standard output: the digest of a manifest that is
// there for good, and the tag that names it, if one does.
func (r *record) acknowledged(lines []string) error {
	for _, line := range lines {
		digest, at, _ := strings.Cut(line, " ")
		d, err := oci.ParseDigest(digest)
		if err != nil {
			return fmt.Errorf("line %q: %w", line, err)
		}
		r.manifests[d] = true
		if i := strings.LastIndexByte(at, ':'); i > strings.LastIndexByte(at, '/') {
			r.tags[at[i+1:]] = d
		}
	}
	return nil
}

// attach traces a running process from now on. The result is strace itself,
// which ends with the process.
func (s *soak) attach(a aim, pid int) *process {
	p := &process{log: s.dir("trace")}
	p.cmd = exec.CommandContext(s.t.Context(), s.strace, append(a.args(p.log), "-p", strconv.Itoa(pid))...)
	out, err := p.cmd.StderrPipe()
	s.must(err)
	p.stdout = bufio.NewReader(out)
	s.must(p.cmd.Start())
	for {
		line, err := p.stdout.ReadString('\n')
		if err != nil {
			s.t.Fatalf("round %d: strace does not attach: %s", s.rounds, line)
		}
		if strings.Contains(line, "attached") {
			return p
		}
	}
}

// detach waits for a strace whose process is dead.
func (p *process) detach() {
	_, _ = io.Copy(io.Discard, p.stdout)
	_ = p.cmd.Wait()
}

// call is a line of a trace.
type call struct{ name, args string }

var callLine = regexp.MustCompile(`^\d+ +(\w+)\((.*)$`)

// calls reads the trace: one line a call, in the order in which they began.
func (p *process) calls() ([]call, error) {
	text, err := os.ReadFile(p.log)
	var out []call
	for line := range strings.Lines(string(text)) {
		if m := callLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			out = append(out, call{m[1], m[2]})
		}
	}
	return out, errors.Join(err, os.Remove(p.log))
}

// hit tells from the trace what a process was doing when the call that was
// aimed at brought the end. serving says that it was a server.
func (p *process) hit(a aim, serving bool) (phase, error) {
	calls, err := p.calls()
	for i, c := range slices.Backward(calls) {
		if c.name == a.call {
			return classify(calls[:i+1], serving), err
		}
	}
	return elsewhere, err
}

// classify names the phase that the last of the calls belongs to.
func classify(calls []call, serving bool) phase {
	last := calls[len(calls)-1]
	inPartial := strings.Contains(last.args, "/airbridge/partial")
	switch {
	case last.name == "write" && inPartial:
		return inBlob
	case strings.Contains(last.args, "/airbridge/facts"):
		return inLog(calls, serving)
	case last.name == "symlinkat" && !strings.Contains(last.args, "/manifests>"):
		return elsewhere // the probe whether there are links
	case last.name == "symlinkat", strings.HasSuffix(directory(last), "/manifests") && seen(calls, "symlinkat"):
		return inTags
	case last.name == "linkat", strings.Contains(last.args, "/v2/"):
		return inFacts
	case serving && (strings.Contains(last.args, `"u-`) || strings.Contains(last.args, "/u-") || uploading(calls)):
		return inCommit
	}
	return inCheckpoint
}

// inLog tells by the last lines that were written to the log, or were about to.
func inLog(calls []call, serving bool) phase {
	for _, c := range slices.Backward(calls) {
		if c.name != "write" || !strings.Contains(c.args, "/airbridge/facts") {
			continue
		}
		switch {
		case strings.Contains(c.args, `\"k\":\"t/`):
			return inTags
		case serving && strings.Contains(c.args, `\"k\":\"b/`) && !strings.Contains(c.args, `\"k\":\"m/`):
			return inCommit
		}
		return inFacts
	}
	return inFacts
}

// uploading reports whether the sync under way is that of an upload: the last
// file that was moved was its partial.
func uploading(calls []call) bool {
	for _, c := range slices.Backward(calls) {
		if strings.HasPrefix(c.name, "rename") {
			return strings.Contains(c.args, `"u-`)
		}
	}
	return false
}

func seen(calls []call, name string) bool {
	return slices.ContainsFunc(calls, func(c call) bool { return c.name == name })
}

// directory is the path that strace shows for the descriptor of an fsync.
func directory(c call) string {
	_, rest, _ := strings.Cut(c.args, "<")
	dir, _, _ := strings.Cut(rest, ">")
	return dir
}

// nextLogs are the files that the next facts may be appended to.
func nextLogs(dir string) []string {
	facts := filepath.Join(dir, "airbridge", "facts")
	last := 0
	entries, _ := os.ReadDir(facts) // none yet: the first log
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), ".")
		if n, err := strconv.Atoi(number); err == nil {
			last = max(last, n)
		}
	}
	name := func(n int) string { return filepath.Join(facts, strconv.Itoa(n)+".log") }
	return []string{name(max(last, 1)), name(last + 1)}
}

// run runs our program to its end; failing is an error.
func (s *soak) run(ctx context.Context, args ...string) ([]string, error) {
	p := s.start(nil, args...)
	lines, _ := p.wait(s)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return lines, fmt.Errorf("airbridge %s: exit %d: %s", strings.Join(args, " "), code, p.stderr.String())
	}
	return lines, ctx.Err()
}
