//go:build soak

package main

import (
	"path/filepath"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// mirrorScene kills image mirror from a registry to a directory: a store, or
// oc's v2/.
type mirrorScene struct {
	*soak
	title  string
	ground *ground
}

func newMirrorScene(s *soak, title string) *mirrorScene { return &mirrorScene{soak: s, title: title} }

func (m *mirrorScene) name() string     { return m.title }
func (m *mirrorScene) v2() bool         { return strings.HasSuffix(m.title, "v2/") }
func (m *mirrorScene) reaches() []phase { return []phase{inBlob, inCheckpoint, inFacts, inTags} }

// prepare makes a new directory, or more work in the one there is.
func (m *mirrorScene) prepare() {
	switch {
	case m.ground == nil || m.ground.done && m.chance(4):
		m.ground = &ground{s: m.soak, dir: m.dir("mirror"), record: newRecord()}
		if !m.v2() {
			m.must(mirror.InitStore(m.ground.dir))
		}
		m.ground.grow()
	case m.ground.done:
		m.ground.grow()
	}
}

func (m *mirrorScene) round(want phase) phase {
	m.prepare()
	var got phase
	if want == inBlob && m.chance(2) {
		got = m.killByBytes()
	} else {
		got = m.killByTrace(m.aim(want))
	}
	if got == survived {
		m.ground.complete()
		return got
	}
	m.ground.check()
	if !m.chance(3) { // else the next round finds what this one left
		m.finish()
	}
	return got
}

func (m *mirrorScene) finish() {
	if m.ground == nil || m.ground.done {
		return
	}
	m.source.disarm()
	lines, err := m.run(m.t.Context(), m.args()...)
	m.must(err)
	m.must(m.ground.record.acknowledged(lines))
	m.ground.complete()
}

func (m *mirrorScene) args() []string {
	args := []string{"image", "mirror", "--insecure", "--dir=" + m.ground.dir}
	for _, c := range m.ground.cargo {
		args = append(args, m.source.addr+"/"+soakRepo+":"+c.tag+"=file://"+soakRepo+":"+c.tag)
	}
	return args
}

// killByBytes kills when a number of bytes has come from the source.
func (m *mirrorScene) killByBytes() phase {
	shut := m.source.arm(valveBytes, m.rng.Int64N(300_000))
	defer m.source.disarm()
	p := m.start(nil, m.args()...)
	ended := make(chan struct{})
	go func() {
		select {
		case <-shut:
			p.kill()
		case <-ended:
		}
	}()
	lines, killed := p.wait(m.soak)
	close(ended)
	return m.judge(p, lines, killed, inBlob)
}

func (m *mirrorScene) killByTrace(a aim) phase {
	p := m.start(&a, m.args()...)
	lines, killed := p.wait(m.soak)
	got, err := p.hit(a, false)
	m.must(err)
	return m.judge(p, lines, killed, got)
}

// judge takes what was acknowledged, and requires that the process was either
// killed or did all its work.
func (m *mirrorScene) judge(p *process, lines []string, killed bool, got phase) phase {
	m.must(m.ground.record.acknowledged(lines))
	if killed {
		return got
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		m.t.Fatalf("round %d: exit %d: %s", m.rounds, code, p.stderr.String())
	}
	return survived
}

// aim chooses a system call of a phase.
func (m *mirrorScene) aim(want phase) aim {
	aims := m.storeAims(want)
	if m.v2() {
		aims = m.v2Aims(want)
	}
	return aims[m.rng.IntN(len(aims))]
}

func (m *mirrorScene) storeAims(want phase) []aim {
	dir, n := m.ground.dir, 1+m.rng.IntN(5)
	logs := nextLogs(dir)
	switch want {
	case inBlob:
		return []aim{m.blobAim()}
	case inCheckpoint:
		return []aim{{call: "syncfs", when: 1}, {call: "renameat", when: n}, {"fsync", []string{filepath.Join(dir, "blobs", "sha256")}, 1}}
	case inFacts:
		return []aim{{"write", logs, 1}, {"fsync", logs, 1}, {"fsync", []string{filepath.Join(dir, "airbridge", "facts")}, 1}}
	}
	return []aim{{"write", logs, 2}, {"fsync", logs, 2}}
}

func (m *mirrorScene) v2Aims(want phase) []aim {
	n, at := 1+m.rng.IntN(5), filepath.Join(m.ground.dir, "v2", soakRepo)
	switch want {
	case inBlob:
		return []aim{m.blobAim()}
	case inCheckpoint:
		staged := filepath.Join(m.ground.dir, "airbridge", "blobs", "sha256")
		return []aim{{call: "syncfs", when: 1}, {call: "renameat", when: n}, {"fsync", []string{staged}, 1}}
	case inFacts:
		return []aim{{"renameat", []string{filepath.Join(at, "blobs")}, n}, {call: "linkat", when: 1 + n/2}, {"fsync", []string{filepath.Join(at, "blobs")}, 1}}
	}
	manifests := []string{filepath.Join(at, "manifests")}
	return []aim{{"symlinkat", manifests, 1 + n/3}, {"fsync", manifests, 2}}
}

// blobAim is a write to the partial of some blob of the newest image.
func (m *mirrorScene) blobAim() aim {
	all := m.ground.cargo[len(m.ground.cargo)-1].image.All()[0].Blobs
	d := all[m.rng.IntN(len(all))].Desc.Digest
	partial := filepath.Join(m.ground.dir, "airbridge", "partial", "d-"+d.Algorithm()+"-"+d.Hex())
	return aim{"write", []string{partial}, 1 + m.rng.IntN(3)}
}

// exportScene kills image mirror from a store to a registry.
type exportScene struct {
	*soak
	ground *ground // of the store that is read
	target *valve
	addr   string
	to     repo.Registry
	at     string // repository of the target
	record *record
	done   bool
}

func newExportScene(s *soak) *exportScene {
	e := &exportScene{soak: s, target: &valve{}, to: memory(), done: true}
	e.addr = e.target.serve(s.t, e.to)
	e.ground = &ground{s: s, dir: s.dir("export"), record: newRecord()}
	s.must(mirror.InitStore(e.ground.dir))
	e.ground.cargo = s.source.cargo[:6]
	m := &mirrorScene{soak: s, ground: e.ground}
	m.finish()
	return e
}

func (e *exportScene) name() string     { return "store to registry" }
func (e *exportScene) reaches() []phase { return []phase{elsewhere} }

func (e *exportScene) args() []string {
	return []string{"image", "mirror", "--insecure", "--from-dir=" + e.ground.dir, "file://" + soakRepo + ":v*", e.addr + "/" + e.at}
}

func (e *exportScene) round(phase) phase {
	if e.done {
		e.at, e.record, e.done = filepath.Base(e.dir("copy")), newRecord(), false
	}
	kinds := []valveKind{valveBytes, valveAnswers, valveRequests}
	most := []int64{1_000_000, 20, 40}
	k := e.rng.IntN(len(kinds))
	shut := e.target.arm(kinds[k], e.rng.Int64N(most[k]))
	p := e.start(nil, e.args()...)
	ended := make(chan struct{})
	go func() {
		select {
		case <-shut:
			p.kill()
		case <-ended:
		}
	}()
	lines, killed := p.wait(e.soak)
	close(ended)
	e.target.disarm()
	e.must(e.record.acknowledged(lines))
	e.check()
	if !killed || !e.chance(3) {
		e.finish()
	}
	if !killed {
		return survived
	}
	return elsewhere
}

// check looks at both ends: a reader that is killed harms neither.
func (e *exportScene) check() {
	e.ground.check()
	rp, err := e.to.Repo(e.at)
	e.must(err)
	e.must(e.record.check(e.t.Context(), rp, e.ground.cargo))
}

func (e *exportScene) finish() {
	if e.done {
		return
	}
	lines, err := e.run(e.t.Context(), e.args()...)
	e.must(err)
	e.must(e.record.acknowledged(lines))
	e.check()
	rp, err := e.to.Repo(e.at)
	e.must(err)
	e.must(equal(e.t.Context(), rp, e.ground.cargo))
	e.done = true
}
