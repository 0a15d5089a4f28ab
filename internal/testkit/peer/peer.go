// Package peer finds, builds and starts the real programs that tests talk to
// or compare with: Debian's skopeo, podman, docker-registry and others, and
// the Go tools pinned in tools/go.mod.
//
// On a developer's machine a test whose peer is not installed says so and
// skips. Under CI=true the same is a failure, so that a check cannot vanish
// unnoticed.
package peer

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// packages names the Debian package of each program that is called otherwise.
var packages = map[string]string{
	"nginx":            "nginx-light",
	"mount.exfat-fuse": "exfat-fuse",
	"mkfs.exfat":       "exfatprogs",
	"fusermount":       "fuse3",
	"losetup":          "mount",
}

// systemDirs are looked through as well: a plain user's PATH often lacks them.
var systemDirs = []string{"/usr/sbin", "/sbin", "/usr/local/sbin"}

// Find returns the path of an installed program. The error names the Debian
// package that has it.
func Find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, dir := range systemDirs {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	pkg := packages[program]
	if pkg == "" {
		pkg = program
	}
	return "", fmt.Errorf("%s is not installed (Debian package %s)", program, pkg)
}

// Need returns the path of an installed program; without it the test is
// skipped, or fails under CI=true.
func Need(t testing.TB, program string) string {
	t.Helper()
	path, err := Find(program)
	if err != nil {
		Missing(t, err.Error())
	}
	return path
}

// Missing ends a test that lacks something of the machine: a skip, or a
// failure under CI=true.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s; under CI=true this test must run", why)
	} else {
		t.Skip(why)
	}
}

// Near makes a directory with a short path, which the caller removes: sockets
// (gpg-agent's) may have about 100 characters, podman's runroot 50, and what a
// test is given depends on TMPDIR, its name and a random number.
func Near() (string, error) {
	dir := "/tmp"
	if _, err := os.Stat(dir); err != nil {
		dir = "" // an operating system that has another
	}
	return os.MkdirTemp(dir, "near")
}

// Tool returns the path of a tool pinned in tools/go.mod (crane, regsync,
// conformance), built at need; the go command keeps the result in its cache.
// A tool that cannot be built, say without a network, counts as Missing.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := BuildTool(name)
	if err != nil {
		Missing(t, err.Error())
	}
	return path
}

// BuildTool is Tool for programs that are no tests. It must be called in a
// directory of the module.
func BuildTool(name string) (string, error) {
	mod, err := goCommand("env", "GOMOD")
	if err != nil {
		return "", err
	}
	return goCommand("tool", "-modfile="+filepath.Join(filepath.Dir(mod), "tools", "go.mod"), "-n", name)
}

// goCommand runs the go command and returns its last line of output, without
// the end of line.
func goCommand(args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("go", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	out = bytes.TrimSpace(out)
	return string(out[bytes.LastIndexByte(out, '\n')+1:]), nil
}
