//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what one run of a program took.
type usage struct {
	wall     float64 // seconds, with the flush of the target
	cpu      float64 // seconds of its own
	rss      int64   // peak, bytes; not less than that of the bench itself, about 15 MB
	written  int64   // bytes of file content the kernel was given to write
	receiver float64 // CPU seconds of the server it wrote to
}

// measured runs a program to its end and reads what the kernel knows of it.
// Its output is kept for the error alone.
func measured(ctx context.Context, cmd *exec.Cmd, target string) (usage, error) {
	if err := syncFS(target); err != nil { // what was written before is not its burden
		return usage{}, err
	}
	forgetPeak()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return usage{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	written := waitAndCount(cmd.Process.Pid)
	err := cmd.Wait()
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, tail(out.Bytes()))
	}
	if err := syncFS(target); err != nil {
		return usage{}, err
	}
	u := usage{wall: time.Since(begin).Seconds(), written: written}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.rss = r.Maxrss << 10 // Linux counts KiB
	}
	u.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return u, nil
}

// waitAndCount waits for the end of a process without reaping it, and returns
// its write_bytes of /proc/PID/io, which vanishes with it.
func waitAndCount(pid int) int64 {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			break
		}
	}
	n, _ := procField(pid, "io", "write_bytes:")
	return n
}

// procField reads a number from a file of /proc/PID with "name value" lines.
func procField(pid int, file, name string) (int64, error) {
	body, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			return strconv.ParseInt(f[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("/proc/%d/%s has no %s", pid, file, name)
}

// cpuSeconds is the time a running process has used, in steps of 10 ms.
func cpuSeconds(pid int) (float64, error) {
	body, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(body[bytes.LastIndexByte(body, ')')+1:]))
	user, err := strconv.ParseFloat(f[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100, err
}

// syncFS flushes the file system that has a directory.
func syncFS(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

func tail(out []byte) string {
	if len(out) > 1500 {
		out = out[len(out)-1500:]
	}
	return string(bytes.TrimSpace(out))
}

// forgetPeak makes this process small and lets the kernel forget how large it
// was: a program that it starts reports at least that as its own peak.
func forgetPeak() {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // where it cannot be, the figure is too high
}
