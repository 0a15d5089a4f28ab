package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

var (
	blob  = oci.Descriptor{Digest: oci.FromBytes([]byte("blob")), Size: 10 << 20}
	other = oci.Descriptor{Digest: oci.FromBytes([]byte("other")), Size: 1 << 20}
	to    = plan.Target{Place: plan.Place{Registry: "reg.test", Repo: "a/b"}, Tags: []string{"v1", "v2"}}
)

func onePlan() *plan.Plan {
	item := plan.Item{
		Source: plan.Place{Registry: "quay.io", Repo: "x/y"}, Root: oci.FromBytes([]byte("m")), Targets: []plan.Target{to},
		Manifests: []plan.Manifest{{Descriptor: oci.Descriptor{Digest: oci.FromBytes([]byte("m")), Size: 500}, Blobs: []oci.Descriptor{blob, other}}},
	}
	return &plan.Plan{Items: []plan.Item{item}}
}

// screen returns a UI on a terminal of the given width and what it wrote.
func screen(format Format, terminal bool) (u *UI, out, errs *bytes.Buffer) {
	out, errs = &bytes.Buffer{}, &bytes.Buffer{}
	return New(Options{
		Out: out, Err: errs, Format: format, Terminal: terminal, Now: time.Now, Program: "airbridge",
		Size: func() (int, int) { return 100, 20 },
	}), out, errs
}

// last is what is on a terminal after all that was written: each erasure takes
// back the lines that it says.
func last(written string) string {
	parts := strings.Split(written, "\x1b[J")
	return parts[len(parts)-1]
}

func TestProgressOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, out, errs := screen(Text, true)
		stop := u.Start(onePlan(), func() []Host {
			return []Host{{Name: "quay.io", Active: 4, Limit: 6, Retries: 2, Wait: 3 * time.Second}}
		})
		u.Event(engine.Event{Kind: engine.BlobStarted, Desc: blob, Target: to})
		u.Event(engine.Event{Kind: engine.BlobBytes, Desc: blob, Target: to, Bytes: 5 << 20})
		time.Sleep(time.Second)
		synctest.Wait()
		now := last(errs.String())
		for _, want := range []string{
			"0 of 1 images, 5.000MiB of 11.00MiB (45%)", "s left", "4 of at most  6 transfers, 2 retried",
			blob.Digest.Short() + "  5.000MiB of  10.00MiB",
		} {
			if !strings.Contains(now, want) && !strings.Contains(errs.String(), want) {
				t.Errorf("the screen lacks %q:\n%s", want, now)
			}
		}
		for line := range strings.SplitSeq(now, "\n") {
			if len([]rune(line)) >= 100 {
				t.Errorf("a line is wider than the terminal: %q", line)
			}
		}
		u.Warn("look %s", "out")
		u.Event(engine.Event{Kind: engine.ManifestDone, Target: to, Desc: oci.Descriptor{Digest: oci.FromBytes([]byte("m"))}})
		stop()
		if rest := last(errs.String()); rest != "" {
			t.Errorf("left on the screen: %q", rest)
		}
		if !strings.Contains(errs.String(), "\x1b[Jwarning: look out\n") {
			t.Errorf("the warning is not above the progress: %q", errs)
		}
		d := oci.FromBytes([]byte("m")).String()
		if want := d + " reg.test/a/b:v1\n" + d + " reg.test/a/b:v2\n"; out.String() != want {
			t.Errorf("standard output %q, want %q", out, want)
		}
	})
}

func TestProgressOffATerminalIsALineNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _, errs := screen(Text, false)
		stop := u.Start(onePlan(), nil)
		u.Event(engine.Event{Kind: engine.BlobBytes, Desc: blob, Target: to, Bytes: 5 << 20})
		time.Sleep(25 * time.Second)
		synctest.Wait()
		stop()
		if n := strings.Count(errs.String(), "info: 0 of 1 images"); n != 2 || strings.Contains(errs.String(), "\x1b") {
			t.Errorf("%d lines in 25 s: %q", n, errs)
		}
	})
}

func TestScreenFitsANarrowTerminal(t *testing.T) {
	now := time.Now()
	p := newProgress(onePlan().Totals(), now, func() []Host { return []Host{{Name: strings.Repeat("h", 50)}, {Name: "b"}} })
	p.add(engine.Event{Kind: engine.BlobStarted, Desc: blob, Target: to})
	for _, size := range [][2]int{{40, 10}, {20, 3}, {1, 1}} {
		lines := p.screen(now, size[0], size[1])
		if len(lines) > max(size[1]-1, 1) {
			t.Errorf("%d lines for %d rows", len(lines), size[1])
		}
		for _, line := range lines {
			if size[0] > 1 && len([]rune(line)) >= size[0] {
				t.Errorf("%q is too wide for %d columns", line, size[0])
			}
		}
	}
}

func TestQuietPrintsResultsAndFailures(t *testing.T) {
	u, out, errs := screen(Quiet, true)
	stop := u.Start(onePlan(), nil)
	u.Info("never mind")
	u.Warn("mind")
	u.Event(engine.Event{Kind: engine.ManifestDone, Target: plan.Target{Place: to.Place}, Desc: blob})
	stop()
	if errs.String() != "warning: mind\n" || out.String() != blob.Digest.String()+" reg.test/a/b\n" {
		t.Errorf("out %q, err %q", out, errs)
	}
}

func TestJSONEvents(t *testing.T) {
	u, out, errs := screen(JSON, false)
	item := &onePlan().Items[0]
	u.Info("hello")
	u.Event(engine.Event{Kind: engine.BlobDone, Item: item, Target: to, Desc: blob, Outcome: repo.Mounted})
	u.Event(engine.Event{Kind: engine.ManifestDone, Item: item, Target: to, Desc: blob})
	u.Event(engine.Event{Kind: engine.ManifestDone, Item: item, Target: plan.Target{Place: to.Place}, Desc: blob})
	u.Event(engine.Event{Kind: engine.ImagePresent, Item: item, Target: to})
	u.Event(engine.Event{Kind: engine.ImagePresent, Item: item, Target: plan.Target{Place: to.Place}})
	u.Event(engine.Event{Kind: engine.ImageFailed, Item: item, Err: errors.New("bad")})
	u.Event(engine.Event{Kind: engine.ImageFailed, Err: errors.New("not planned")})
	u.Event(engine.Event{Kind: engine.BlobBytes, Item: item, Bytes: 5})
	u.Event(engine.Event{Kind: engine.Checkpoint})
	var kinds []string
	for line := range strings.Lines(errs.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if e["time"] == nil {
			t.Errorf("no time in %s", line)
		}
		if tags, some := e["tags"]; some && tags == nil {
			t.Errorf("tags are no list in %s", line)
		}
		kinds = append(kinds, e["event"].(string))
	}
	if got := strings.Join(kinds, " "); got != "info blob manifest manifest present present failed failed checkpoint" {
		t.Errorf("events %s", got)
	}
	if strings.Count(out.String(), "sha256:") != 6 {
		t.Errorf("standard output keeps oc's lines, got %q", out)
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1023: "1023B", 1234: "1.205KiB", 5 << 20: "5.000MiB", 123 << 30: "123.0GiB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %s, want %s", n, got, want)
		}
	}
	for r, want := range map[float64]string{0: "0B/s", 1500: "1.500kB/s", 5.915e6: "5.915MB/s", 2e9: "2.000GB/s"} {
		if got := Rate(r); got != want {
			t.Errorf("Rate(%g) = %s, want %s", r, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", 853 * time.Millisecond: "850ms", 80 * time.Second: "1m20s", 125 * time.Minute: "2h5m"} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestPlanText(t *testing.T) {
	p := onePlan()
	p.Items = append(p.Items, plan.Item{Targets: []plan.Target{{Place: to.Place, Present: true}}})
	m := p.Items[0].Root.String()
	want := `reg.test/
  a/b
    blobs:
      quay.io/x/y ` + other.Digest.String() + ` 1.000MiB
      quay.io/x/y ` + blob.Digest.String() + ` 10.00MiB
    manifests:
      ` + m + ` -> v1
      ` + m + ` -> v2
    present: 1 image there already
  stats: unique=2 size=11.00MiB

total: 1 image to copy: 1 manifest, 2 layers, at most 11.00MiB; there already: 1
`
	if got := PlanText(p); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _, errs := screen(Text, true)
		m := u.Meter("verifying")
		m.Set(1, 100)
		time.Sleep(time.Second)
		m.Set(50<<20, 100<<20)
		m.Set(51<<20, 100<<20)
		if got := errs.String(); got != "verifying: 50.00MiB of 100.0MiB (50%), 52.43MB/s, 1s left\n" {
			t.Errorf("got %q", got)
		}
		m.Stop()
		if last(errs.String()) != "" {
			t.Errorf("left on the screen: %q", errs)
		}
	})
}

// A line of progress goes away wholly: also the part that a narrow terminal has in
// further rows, and also where the terminal has put the cursor behind a ^C.
func TestMeterGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var errs bytes.Buffer
		u := New(Options{Out: &errs, Err: &errs, Terminal: true, Now: time.Now, Size: func() (int, int) { return 40, 20 }})
		m := u.Meter("reading the catalog")
		time.Sleep(time.Second)
		m.Set(50<<20, 100<<20)
		for line := range strings.Lines(errs.String()) {
			if len(line) > 40 {
				t.Errorf("%q is too long for 40 columns", line)
			}
		}
		rows := strings.Count(errs.String(), "\n")
		errs.Reset()
		u.Clear()
		if got, want := errs.String(), fmt.Sprintf("\r\x1b[%dA\x1b[J", rows); got != want {
			t.Errorf("erased with %q, want %q", got, want)
		}
	})
}
