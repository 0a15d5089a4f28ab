package peer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The account of a docker-registry started with Auth.
const (
	User     = "carrier"
	Password = "open sesame"
)

// htpasswd has the account above. docker-registry takes bcrypt only; cost 4
// keeps a check under 2 ms.
const htpasswd = User + ":$2a$04$wdXdsAbl3nWZnWNBvUtUp.vloYjvnAoOWC7916jC6M5dlyd.22ePW\n"

// RegistryOptions says how to start a docker-registry. The zero value takes
// pushes and deletions from anybody and keeps its content in a directory that
// the test removes.
type RegistryOptions struct {
	Dir      string // storage that outlives the server; "" for a directory of its own
	Auth     bool   // ask for User and Password (Basic)
	ReadOnly bool   // refuse pushes
}

// Server is a running docker-registry on a free loopback port.
type Server struct {
	Addr string // host:port, plain http
	PID  int    // of the server, to ask the kernel what it used
	Dir  string // its storage

	cmd  *exec.Cmd
	logs io.Closer
}

// DockerRegistry starts Debian's docker-registry for a test and kills it at
// the end of it. Without the program the test is skipped, or fails under CI.
func DockerRegistry(t testing.TB, o RegistryOptions) *Server {
	t.Helper()
	Need(t, "docker-registry")
	work := t.TempDir()
	if o.Dir == "" {
		o.Dir = filepath.Join(work, "storage")
	}
	s, err := StartDockerRegistry(work, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// StartDockerRegistry starts a docker-registry outside a test. work takes its
// configuration. The server listens when this returns; Stop ends it.
func StartDockerRegistry(work string, o RegistryOptions) (*Server, error) {
	program, err := Find("docker-registry")
	if err != nil {
		return nil, err
	}
	config, err := writeConfig(work, o)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "serve", config)
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr, cmd.Stdout = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("starting docker-registry: %w", err)
	}
	s := &Server{PID: cmd.Process.Pid, Dir: o.Dir, cmd: cmd, logs: r}
	if s.Addr, err = listening(r); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Stop kills the server and waits for its end.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill() // it may have ended by itself
	_ = s.cmd.Wait()         // always an error: it was killed
	s.logs.Close()
}

// writeConfig writes the server's files into work and returns the path of the
// configuration. Port 0 lets the kernel choose, so that no two servers collide.
func writeConfig(work string, o RegistryOptions) (string, error) {
	text := fmt.Sprintf(`version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: %q, maxthreads: 100}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}, readonly: {enabled: %t}}
http: {addr: "127.0.0.1:0", secret: "not a secret"}
`, o.Dir, o.ReadOnly)
	if o.Auth {
		path := filepath.Join(work, "htpasswd")
		if err := os.WriteFile(path, []byte(htpasswd), 0o600); err != nil {
			return "", err
		}
		text += fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", path)
	}
	path := filepath.Join(work, "registry.yml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

var listeningLine = regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`)

// listening reads the server's log until it says where it listens, and leaves
// a goroutine behind that reads on, lest the server block on a full pipe.
func listening(logs io.Reader) (string, error) {
	lines := bufio.NewScanner(logs)
	last := "no output"
	for lines.Scan() {
		last = lines.Text()
		if m := listeningLine.FindStringSubmatch(last); m != nil {
			go func() { _, _ = io.Copy(io.Discard, logs) }()
			return m[1], nil
		}
	}
	return "", errors.New("docker-registry ended before it listened: " + last)
}
