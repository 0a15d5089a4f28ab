package ui

import (
	"errors"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/engine"
)

func TestMessagesDoNotSteerTheTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain, übung\n\tindented": "plain, übung\n\tindented",
		"a\x1b[31mb\x00\r\x7f":     `a\x1b[31mb\x00\r\x7f`,
		"c1 \u009b2J, \u202eright": `c1 \u009b2J, \u202eright`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	u, _, errs := screen(Text, false)
	u.Warn("%s", "a\x1b[2Jb\nerror: z")
	u.Info("%s", "c\x1b[2Jd")
	u.Failed("e\x1b[2Jf")
	u.Event(engine.Event{Kind: engine.ImageFailed, Err: errors.New("g\x1b[2Jh")})
	u.Plain("i\x1b[2Jj\n\tk\n")
	if got := errs.String(); got != "warning: a\\x1b[2Jb\n  error: z\ninfo: c\\x1b[2Jd\nerror: e\\x1b[2Jf\nerror: g\\x1b[2Jh\ni\\x1b[2Jj\n\tk\n" {
		t.Errorf("%q", got)
	}
}
