//go:build soak

package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/airbridge-dev/airbridge/internal/testkit/peer"
)

var (
	soakRounds = flag.Int("soak.rounds", 200, "how many kills")
	soakSeed   = flag.Uint64("soak.seed", 0, "what all choices follow from; 0 takes it from the clock")
)

// phase is what a process was doing when it was killed.
type phase string

// The phases. All but the last two are required to be hit often enough.
const (
	inBlob       phase = "blob"          // writing a partial
	inCheckpoint phase = "checkpoint"    // syncfs and fsync of content, renames to its final name
	inFacts      phase = "facts"         // the log, or manifests and blobs of v2/
	inTags       phase = "tags"          // lines of the log that hold tags, links of v2/
	inCommit     phase = "upload commit" // server: from the end of a PUT to its answer
	elsewhere    phase = "other"         // anything else, such as just after an answer
	survived     phase = "survived"      // it ended before the kill
)

var phases = []phase{inBlob, inCheckpoint, inFacts, inTags, inCommit, elsewhere, survived}

// required is how many of 200 kills must fall into each of the phases before elsewhere.
const required = 20

// scene is one kind of work that is killed, again and again.
type scene interface {
	name() string
	// reaches are the phases that can be aimed at.
	reaches() []phase
	// round does some work, kills it in the phase if it can, and checks what
	// is left. It returns the phase that was really hit.
	round(want phase) phase
	// finish completes the work and checks that the result is the whole.
	finish()
}

// soak is what all scenes share.
type soak struct {
	t       *testing.T
	rng     *rand.Rand
	program string
	strace  string
	home    string
	source  *source
	rounds  int // so far; each has directories and traces of its own
}

// TestSoak kills mirror runs and servers with kill -9 in every phase of their
// work. After each kill everything that was acknowledged must be there, nothing
// may be half visible and store verify must find nothing wrong; the next run
// must complete and end with the content of the source, digest by digest.
func TestSoak(t *testing.T) {
	s := newSoak(t)
	scenes := []scene{
		newMirrorScene(s, "registry to v2/"), newMirrorScene(s, "registry to store"), newExportScene(s),
		newServeScene(s, "airbridge to serve", s.pushWithAirbridge), newServeScene(s, "plain client to serve", s.pushPlainly),
	}
	hits := tally{}
	started := time.Now()
	for i := 0; hits.kills() < *soakRounds || len(hits.lacking(*soakRounds)) > 0; i++ {
		if i > 3**soakRounds+20 {
			t.Fatalf("after %d rounds these phases were hit too rarely: %v\n%s", i, hits.lacking(*soakRounds), hits)
		}
		s.rounds++
		sc := scenes[i%len(scenes)]
		got := sc.round(hits.rarest(sc))
		hits.add(sc.name(), got)
	}
	for _, sc := range scenes {
		sc.finish()
	}
	t.Logf("%d kills in %s, seed %d; what was killed, and where:\n%s", hits.kills(), time.Since(started).Round(time.Second), *soakSeed, hits)
}

func newSoak(t *testing.T) *soak {
	if *soakSeed == 0 {
		*soakSeed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (repeat with -soak.seed=%d)", *soakSeed, *soakSeed)
	strace, err := peer.Find("strace")
	if err != nil {
		t.Fatalf("the soak kills at chosen system calls: %v", err)
	}
	s := &soak{t: t, rng: rand.New(rand.NewPCG(*soakSeed, 1)), strace: strace, home: t.TempDir()}
	s.program = filepath.Join(s.home, "airbridge")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	s.source = newSource(s)
	return s
}

// chance is true once in n times.
func (s *soak) chance(n int) bool { return s.rng.IntN(n) == 0 }

// dir makes the name of a directory that is not there yet.
func (s *soak) dir(name string) string {
	return filepath.Join(s.home, fmt.Sprintf("%04d-%s", s.rounds, name))
}

// must ends the soak; the seed is in the log already.
func (s *soak) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("round %d: %v", s.rounds, err)
	}
}

// tally counts kills by scene and phase.
type tally map[string]map[phase]int

func (h tally) add(scene string, p phase) {
	if h[scene] == nil {
		h[scene] = map[phase]int{}
	}
	h[scene][p]++
}

func (h tally) of(p phase) int {
	n := 0
	for _, row := range h {
		n += row[p]
	}
	return n
}

func (h tally) kills() int {
	n := 0
	for _, p := range phases {
		if p != survived {
			n += h.of(p)
		}
	}
	return n
}

// rarest chooses the phase to aim at: one that was hit rarely in this scene, and
// also in all of them, because not every scene can reach every phase.
func (h tally) rarest(sc scene) phase {
	count := func(p phase) int { return h.of(p) + 2*h[sc.name()][p] }
	return slices.MinFunc(sc.reaches(), func(a, b phase) int { return count(a) - count(b) })
}

// lacking are the phases that were not hit often enough yet.
func (h tally) lacking(rounds int) []phase {
	var out []phase
	for _, p := range phases[:slices.Index(phases, elsewhere)] {
		if h.of(p) < required*rounds/200 {
			out = append(out, p)
		}
	}
	return out
}

func (h tally) String() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, count func(phase) int) {
		fmt.Fprintf(w, "%s\t", name)
		for _, p := range phases {
			fmt.Fprintf(w, "%d\t", count(p))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\t")
	for _, p := range phases {
		fmt.Fprintf(w, "%s\t", p)
	}
	fmt.Fprintln(w)
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		line(name, func(p phase) int { return h[name][p] })
	}
	line("all", h.of)
	_ = w.Flush()
	return out.String()
}
