// Package ui turns what happens in a run into what people and programs read:
// lines, one screen of progress on a terminal, or JSON events. Results go to
// standard output in oc's shapes, everything else to standard error.
package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
)

// Format says how events are shown.
type Format int

// The formats.
const (
	Text  Format = iota
	JSON         // one JSON object a line on standard error
	Quiet        // warnings and errors only
)

// Options says where and how to print.
type Options struct {
	Out, Err io.Writer
	Format   Format
	// Terminal says that Err is a terminal, Columns and Rows give its size.
	Terminal bool
	Size     func() (columns, rows int)
	Now      func() time.Time
	// Verbose is oc's log level: from 2 on, each blob has a line.
	Verbose int
	// Program is the name the user started, as texts quote it.
	Program string
}

// Host is the state of one registry as progress shows it.
type Host struct {
	Name    string
	Active  int           // transfers under way
	Limit   int           // how many may be
	Retries int64         // so far
	Wait    time.Duration // asked for by the host; 0 for none
}

// UI prints. Its methods may be called from many goroutines.
type UI struct {
	o  Options
	mu sync.Mutex
	p  progress
	// drawn is the number of lines of progress on the screen.
	drawn int
	stop  chan struct{}
	ended chan struct{}
}

// New returns a UI that shows no progress yet.
func New(o Options) *UI { return &UI{o: o, p: newProgress(plan.Totals{}, time.Time{}, nil)} }

// Warn prints a warning.
func (u *UI) Warn(format string, args ...any) { u.note("warning", fmt.Sprintf(format, args...)) }

// Info prints what the user should know; Quiet leaves it out.
func (u *UI) Info(format string, args ...any) {
	if u.o.Format != Quiet {
		u.note("info", fmt.Sprintf(format, args...))
	}
}

// Failed prints the failure of one of several things; the run goes on.
func (u *UI) Failed(message string) { u.note("error", message) }

// Result prints to standard output exactly as given.
func (u *UI) Result(text string) {
	u.above(func() { fmt.Fprint(u.o.Out, text) })
}

// Plain prints a text to standard error, in the text format only: as it is, but
// for what would steer the terminal.
func (u *UI) Plain(text string) {
	if u.o.Format == Text {
		u.above(func() { fmt.Fprint(u.o.Err, Printable(text)) })
	}
}

func (u *UI) note(kind, text string) {
	if u.o.Format == JSON {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.json(map[string]any{"event": kind, "message": text})
		return
	}
	// No part of a message begins a line that looks like a message of its own.
	text = strings.ReplaceAll(Printable(text), "\n", "\n  ")
	u.above(func() { fmt.Fprintf(u.o.Err, "%s: %s\n", kind, text) })
}

// above prints something above the progress on the screen.
func (u *UI) above(printIt func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.erase()
	printIt()
	if u.stop != nil {
		u.draw()
	}
}

// Event shows one event of the engine.
func (u *UI) Event(e engine.Event) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.p.add(e)
	switch u.o.Format {
	case JSON:
		u.jsonEvent(e)
	case Text, Quiet:
		u.textEvent(e)
	}
	switch e.Kind {
	case engine.ManifestDone:
		u.acknowledge(e.Desc.Digest, e)
	case engine.ImagePresent:
		u.acknowledge(e.Item.Root, e)
	}
}

// acknowledge prints oc's line for a manifest that is where it was to go
// (oc.md 10.3). oc writes manifests again that are there, and prints them;
// scripts that read digests from the lines find the same ones here.
func (u *UI) acknowledge(d oci.Digest, e engine.Event) {
	u.erase()
	if len(e.Target.Tags) == 0 {
		fmt.Fprintf(u.o.Out, "%s %s\n", d, e.Target.Place)
	}
	for _, tag := range e.Target.Tags {
		fmt.Fprintf(u.o.Out, "%s %s:%s\n", d, e.Target.Place, tag)
	}
}

func (u *UI) textEvent(e engine.Event) {
	switch {
	case e.Kind == engine.ImageFailed:
		u.erase()
		fmt.Fprintf(u.o.Err, "error: %s\n", Printable(e.Err.Error()))
	case e.Kind == engine.BlobDone && u.o.Verbose >= 2 && u.o.Format == Text:
		u.erase()
		verb := [...]string{"uploaded", "present", "mounted"}[e.Outcome]
		fmt.Fprintf(u.o.Err, "%s: %s %s %s\n", verb, e.Target.Place, e.Desc.Digest, Size(e.Desc.Size))
	}
}

// Start shows progress towards the plan until the returned function is
// called. hosts may be nil.
func (u *UI) Start(p *plan.Plan, hosts func() []Host) (stop func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.p = newProgress(p.Totals(), u.o.Now(), hosts)
	u.stop, u.ended = make(chan struct{}), make(chan struct{})
	if u.o.Format == Quiet {
		close(u.ended)
	} else {
		go u.loop(u.stop, u.ended)
	}
	return u.finish
}

func (u *UI) finish() {
	u.mu.Lock()
	stop, ended := u.stop, u.ended
	u.stop = nil
	u.mu.Unlock()
	if stop == nil {
		return
	}
	close(stop)
	<-ended
	u.mu.Lock()
	defer u.mu.Unlock()
	u.erase()
}

// How often progress is shown: a screen is redrawn, a log gets a line.
const (
	redraw  = 200 * time.Millisecond
	logLine = 10 * time.Second
)

func (u *UI) loop(stop, ended chan struct{}) {
	defer close(ended)
	every := logLine
	if u.o.Terminal && u.o.Format == Text {
		every = redraw
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			u.show()
		}
	}
}

func (u *UI) show() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stop == nil {
		return
	}
	switch {
	case u.o.Format == JSON:
		u.json(u.p.fields(u.o.Now()))
	case u.o.Terminal:
		u.erase()
		u.draw()
	default:
		fmt.Fprintf(u.o.Err, "info: %s\n", u.p.line(u.o.Now()))
	}
}
