//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// The system calls that make content durable, and those that write it.
var (
	flushCalls = []string{"fsync", "fdatasync", "syncfs", "sync_file_range"}
	writeCalls = []string{"write", "pwrite64", "writev", "pwritev", "pwritev2", "copy_file_range", "splice", "sendfile"}
)

// traced wraps a command so that these calls are noted in a file, with the
// paths of the descriptors.
func traced(strace, log string, cmd *exec.Cmd) *exec.Cmd {
	calls := strings.Join(append(append([]string{}, flushCalls...), writeCalls...), ",")
	args := []string{"-f", "-qq", "-y", "-s", "0", "--seccomp-bpf", "-e", "trace=" + calls, "-e", "signal=none", "-o", log}
	return exec.Command(strace, append(args, cmd.Args...)...)
}

// trace is what a program asked of the kernel.
type trace struct {
	calls   map[string]int
	written int64 // bytes, to files below a directory
}

func (t *trace) flushes() string {
	var out []string
	for _, call := range flushCalls {
		out = append(out, fmt.Sprintf("%d %s", t.calls[call], call))
	}
	return strings.Join(out, ", ")
}

var (
	callLine    = regexp.MustCompile(`^([0-9]+) +([a-z0-9_]+)\((.*)$`)
	resumedLine = regexp.MustCompile(`^([0-9]+) +<\.\.\. ([a-z0-9_]+) resumed>(.*)$`)
	result      = regexp.MustCompile(`= ([0-9]+)$`)
)

// readTrace adds up a log of strace. under is the beginning of the paths whose
// bytes count. A call during which another thread made one takes two lines.
func readTrace(log, under string) (*trace, error) {
	f, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := &trace{calls: map[string]int{}}
	pending := map[string]bool{} // by thread: does its unfinished call write below under
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if m := callLine.FindStringSubmatch(line); m != nil {
			t.calls[m[2]]++
			mine := strings.Contains(m[3], "<"+under)
			if strings.HasSuffix(line, "<unfinished ...>") {
				pending[m[1]] = mine
			} else if mine {
				t.add(m[3])
			}
		} else if m := resumedLine.FindStringSubmatch(line); m != nil && pending[m[1]] {
			t.add(m[3])
		}
	}
	return t, lines.Err()
}

// add counts the bytes that a call returned; flushes return 0.
func (t *trace) add(rest string) {
	if m := result.FindStringSubmatch(rest); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err == nil { // else beyond 64 bits, which no call writes
			t.written += n
		}
	}
}
