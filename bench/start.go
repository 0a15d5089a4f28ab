//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"syscall"
)

// startAndFind starts a server and returns the address that it prints.
func startAndFind(cmd *exec.Cmd, what string) (string, error) {
	m, err := startUntil(cmd, address)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return string(m[1]), nil
}

// startAndWait starts a server and waits for a line of its output.
func startAndWait(cmd *exec.Cmd, line *regexp.Regexp) error {
	_, err := startUntil(cmd, line)
	return err
}

// startUntil starts a program in a process group of its own, waits for
// something in its output and reads the rest of it away.
func startUntil(cmd *exec.Cmd, until *regexp.Regexp) ([][]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	var said []byte
	for buf := make([]byte, 4096); ; {
		n, err := r.Read(buf)
		said = append(said, buf[:n]...)
		if m := until.FindSubmatch(said); m != nil {
			go func() {
				_, _ = io.Copy(io.Discard, r) // until the program ends
				r.Close()
			}()
			return m, nil
		}
		if err != nil {
			kill(cmd)
			r.Close()
			return nil, fmt.Errorf("%s: %w: %s", cmd.Path, errNotListening, tail(said))
		}
	}
}

// kill ends what startUntil started, with the processes it started itself.
func kill(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	_ = cmd.Wait()                                      // always an error: it was killed
}
