package ui

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Meter shows how far one long step is: a line that is rewritten on a
// terminal, a line now and then elsewhere.
type Meter struct {
	u       *UI
	what    string
	mu      sync.Mutex
	started time.Time
	shown   time.Time
}

// Meter begins a step.
func (u *UI) Meter(what string) *Meter {
	now := u.o.Now()
	return &Meter{u: u, what: what, started: now, shown: now}
}

// Set tells how many bytes of how many are done.
func (m *Meter) Set(done, total int64) {
	m.show(func(now time.Time) string { return m.line(done, total, now) }, map[string]any{"bytes": done, "bytesTotal": total})
}

// SetImages tells how many images of how many are done; the last one takes the
// line off the screen.
func (m *Meter) SetImages(done, total int) {
	m.show(func(time.Time) string { return fmt.Sprintf("%s: %d of %d images", m.what, done, total) },
		map[string]any{"images": done, "imagesTotal": total})
	if done == total {
		m.Stop()
	}
}

// show prints a line unless the last one is fresh.
func (m *Meter) show(line func(now time.Time) string, fields map[string]any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.u.o.Now()
	every := logLine
	if m.u.o.Terminal {
		every = redraw
	}
	if now.Sub(m.shown) < every || m.u.o.Format == Quiet {
		return
	}
	m.shown = now
	fields["event"], fields["step"] = "progress", m.what
	m.u.meter(line(now), fields)
}

func (m *Meter) line(done, total int64, now time.Time) string {
	s := fmt.Sprintf("%s: %s of %s", m.what, Size(done), Size(total))
	took := now.Sub(m.started)
	if done <= 0 || took <= 0 {
		return s
	}
	rate := float64(done) / took.Seconds()
	left := time.Duration(float64(total-done) / rate * float64(time.Second))
	return s + fmt.Sprintf(" (%d%%), %s, %s left", 100*done/max(total, 1), Rate(rate), Duration(left))
}

// Stop takes the line off the screen.
func (m *Meter) Stop() { m.u.Clear() }

func (u *UI) meter(line string, fields map[string]any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.o.Format == JSON:
		u.json(fields)
	case u.o.Terminal:
		u.erase()
		columns, _ := u.o.Size()
		lines := wrap(line, columns-1)
		clip(lines, columns)
		fmt.Fprintln(u.o.Err, strings.Join(lines, "\n"))
		u.drawn = len(lines)
	default:
		fmt.Fprintf(u.o.Err, "info: %s\n", line)
	}
}
