//go:build soak

package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/airbridge-dev/airbridge/internal/mirror"
)

// serveScene kills airbridge serve while images are pushed to its store.
type serveScene struct {
	*soak
	title  string
	push   func(*serveScene, phase) phase
	ground *ground
	server *exec.Cmd
	dead   chan struct{} // closed when the server has ended
	addr   string
}

func newServeScene(s *soak, title string, push func(*serveScene, phase) phase) *serveScene {
	return &serveScene{soak: s, title: title, push: push}
}

func (v *serveScene) name() string { return v.title }

func (v *serveScene) reaches() []phase {
	return []phase{inBlob, inCheckpoint, inFacts, inTags, inCommit}
}

func (v *serveScene) round(want phase) phase {
	if v.ground == nil || v.ground.done && v.chance(4) {
		v.ground = &ground{s: v.soak, dir: v.dir("served"), record: newRecord(), done: true}
		v.must(mirror.InitStore(v.ground.dir))
	}
	if v.ground.done {
		v.ground.grow()
	}
	v.up()
	got := v.push(v, want)
	v.down()
	v.ground.check()
	if !v.chance(3) {
		v.finish()
	}
	return got
}

// finish pushes everything, and stops the server in good order.
func (v *serveScene) finish() {
	if v.ground == nil || v.ground.done {
		return
	}
	v.up()
	lines, err := v.run(v.t.Context(), v.args()...)
	v.must(err)
	v.must(v.ground.record.acknowledged(lines))
	v.must(v.server.Process.Signal(syscall.SIGTERM))
	<-v.dead
	if code := v.server.ProcessState.ExitCode(); code != 0 {
		v.t.Fatalf("round %d: the server ended with exit %d at SIGTERM", v.rounds, code)
	}
	v.ground.complete()
}

func (v *serveScene) args() []string {
	args := []string{"image", "mirror", "--insecure"}
	for _, c := range v.ground.cargo {
		args = append(args, v.source.addr+"/"+soakRepo+":"+c.tag+"="+v.addr+"/"+soakRepo+":"+c.tag)
	}
	return args
}

// up starts the server and reads its address from the line that tells it.
func (v *serveScene) up() {
	v.server = exec.CommandContext(v.t.Context(), v.program, "serve", v.ground.dir, "--addr", "127.0.0.1:0")
	v.server.Env = []string{"HOME=" + v.home, "PATH=" + os.Getenv("PATH")}
	stderr, err := v.server.StderrPipe()
	v.must(err)
	v.must(v.server.Start())
	r := bufio.NewReader(stderr)
	line, err := r.ReadString('\n')
	_, addr, ok := strings.Cut(strings.TrimSpace(line), "on http://")
	if err != nil || !ok {
		v.t.Fatalf("round %d: airbridge serve %s: %q, %v", v.rounds, v.ground.dir, line, err)
	}
	v.addr = addr
	server, dead := v.server, make(chan struct{})
	v.dead = dead
	go func() {
		_, _ = io.Copy(io.Discard, r)
		_ = server.Wait()
		close(dead)
	}()
}

// down is kill -9, also where the server is dead already.
func (v *serveScene) down() {
	_ = v.server.Process.Kill()
	<-v.dead
}

func (v *serveScene) logs() []string { return nextLogs(v.ground.dir) }

func (v *serveScene) at(parts ...string) []string {
	return []string{filepath.Join(append([]string{v.ground.dir}, parts...)...)}
}

// pushWithAirbridge pushes with our own client, many blobs at once, while the
// server is traced from the first request on.
func (s *soak) pushWithAirbridge(v *serveScene, want phase) phase {
	if want == inBlob {
		return v.killUnderClient()
	}
	n := 1 + v.rng.IntN(3)
	aims := map[phase][]aim{
		inCheckpoint: {{call: "renameat", when: 1 + n}, {"fsync", v.at("blobs", "sha256"), n}},
		inFacts:      {{"write", v.logs(), n}, {"fsync", v.logs(), n}},
		inTags:       {{"write", v.logs(), 2 + n}, {"fsync", v.logs(), 2 + n}},
		inCommit:     {{"write", v.logs(), 1 + n}, {call: "renameat", when: n}, {"fsync", v.at("blobs", "sha256"), n}},
	}[want]
	a := aims[v.rng.IntN(len(aims))]
	tracer := v.attach(a, v.server.Process.Pid)
	client := v.start(nil, v.args()...)
	lines, killed := v.clientAgainst(client)
	v.must(v.ground.record.acknowledged(lines))
	if !killed {
		v.down()
		tracer.detach()
		return elsewhere // after the last answer
	}
	tracer.detach()
	got, err := tracer.hit(a, true)
	v.must(err)
	return got
}

// killUnderClient kills the server when the client has been given a number of
// bytes to push.
func (v *serveScene) killUnderClient() phase {
	shut := v.source.arm(valveBytes, v.rng.Int64N(300_000))
	client := v.start(nil, v.args()...)
	ended := make(chan struct{})
	go func() {
		select {
		case <-shut:
			_ = v.server.Process.Kill()
		case <-ended:
		}
	}()
	lines, killed := v.clientAgainst(client)
	close(ended)
	v.source.disarm()
	v.must(v.ground.record.acknowledged(lines))
	if !killed {
		return elsewhere
	}
	return inBlob
}

// clientAgainst waits for the client, and ends it when the server is dead.
func (v *serveScene) clientAgainst(client *process) (lines []string, killed bool) {
	ended := make(chan struct{})
	go func() {
		select {
		case <-v.dead:
			client.kill()
		case <-ended:
		}
	}()
	lines, _ = client.wait(v.soak)
	close(ended)
	select {
	case <-v.dead:
		return lines, true
	default:
		return lines, false
	}
}
