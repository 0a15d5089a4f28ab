package ui

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/engine"
)

// erase takes the progress off the screen. The terminal may have put ^C behind it,
// so that it begins at the left.
func (u *UI) erase() {
	if u.drawn > 0 {
		fmt.Fprintf(u.o.Err, "\r\x1b[%dA\x1b[J", u.drawn)
		u.drawn = 0
	}
}

// Clear takes the progress of a step that broke off the screen.
func (u *UI) Clear() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.erase()
}

// draw puts the progress on the screen.
func (u *UI) draw() {
	if !u.o.Terminal || u.o.Format != Text {
		return
	}
	columns, rows := u.o.Size()
	lines := u.p.screen(u.o.Now(), columns, rows)
	fmt.Fprint(u.o.Err, strings.Join(lines, "\n")+"\n")
	u.drawn = len(lines)
}

// json prints one event. The caller holds the lock, or nothing else prints.
func (u *UI) json(fields map[string]any) {
	fields["time"] = u.o.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00")
	line, err := json.Marshal(fields)
	if err != nil {
		line = fmt.Appendf(nil, `{"event":"error","message":%q}`, err.Error())
	}
	fmt.Fprintf(u.o.Err, "%s\n", line)
}

// Error prints the error that ended a run as the last event of JSON.
func (u *UI) Error(message, hint string) {
	fields := map[string]any{"event": "error", "message": message}
	if hint != "" {
		fields["hint"] = hint
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.json(fields)
}

// Report prints a result as an event of JSON, under the event's name; the other
// formats have it as text.
func (u *UI) Report(event string, value any) {
	if u.o.Format != JSON {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.json(map[string]any{"event": event, "report": value})
}

// list keeps an empty list from being null in JSON, which programs cannot walk.
func list(some []string) []string { return append([]string{}, some...) }

func (u *UI) jsonEvent(e engine.Event) {
	fields := map[string]any{"destination": e.Target.Place.String(), "digest": e.Desc.Digest.String(), "size": e.Desc.Size}
	switch e.Kind {
	case engine.BlobDone:
		fields["event"], fields["outcome"] = "blob", e.Outcome.String()
	case engine.ManifestDone:
		fields["event"], fields["tags"] = "manifest", list(e.Target.Tags)
	case engine.ImagePresent:
		fields = map[string]any{"event": "present", "source": e.Item.Source.String(), "destination": e.Target.Place.String(), "digest": e.Item.Root.String(), "tags": list(e.Target.Tags)}
	case engine.ImageFailed:
		fields = map[string]any{"event": "failed", "message": e.Err.Error()}
		if e.Item != nil { // nil where it could not be planned
			fields["source"], fields["digest"] = e.Item.Source.String(), e.Item.Root.String()
		}
	case engine.Checkpoint:
		fields = map[string]any{"event": "checkpoint"}
	default:
		return
	}
	u.json(fields)
}
