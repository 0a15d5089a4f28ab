package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/mirror"
)

// terminal is a person's: what is typed into it, and what is seen on it.
type terminal struct {
	t     *testing.T
	user  *os.File // the person's side
	tty   *os.File // the program's
	shown bytes.Buffer
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	number, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { _ = tty.Close(); _ = user.Close() })
	return &terminal{t: t, user: user, tty: tty}
}

// see reads until a text is on the screen.
func (s *terminal) see(text string) {
	s.t.Helper()
	buf := make([]byte, 100)
	for !strings.Contains(s.shown.String(), text) {
		n, err := s.user.Read(buf)
		if err != nil {
			s.t.Fatalf("%q is not seen, but %q: %v", text, s.shown.String(), err)
		}
		s.shown.Write(buf[:n])
	}
}

// hidden reports whether the terminal shows nothing of what is typed.
func (s *terminal) hidden() bool {
	s.t.Helper()
	state, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO == 0
}

// hides waits until the terminal hides what is typed: a prompt is seen a
// moment before.
func (s *terminal) hides() {
	s.t.Helper()
	for !s.hidden() {
		runtime.Gosched()
	}
}

func (s *terminal) typeLine(text string) {
	s.t.Helper()
	if _, err := s.user.WriteString(text + "\n"); err != nil {
		s.t.Fatal(err)
	}
}

type asked struct {
	c   auth.Credential
	err error
}

func (s *terminal) ask(ctx context.Context, user, known string) chan asked {
	a := &App{Stdin: s.tty, Stderr: s.tty}
	done := make(chan asked, 1)
	go func() {
		c, err := a.ask(ctx, user, known)
		done <- asked{c, err}
	}()
	return done
}

func TestPasswordIsNotShown(t *testing.T) {
	s := newTerminal(t)
	done := s.ask(t.Context(), "", "")
	s.see("Username: ")
	s.typeLine("me")
	s.see("Password: ")
	s.hides()
	s.typeLine("geheim")
	got := <-done
	if got.err != nil || got.c != (auth.Credential{Username: "me", Password: "geheim"}) {
		t.Errorf("read %v, %v", got.c, got.err)
	}
	if s.hidden() {
		t.Error("the terminal still hides what is typed")
	}
	if strings.Contains(s.shown.String(), "geheim") {
		t.Errorf("the screen shows the password: %q", s.shown.String())
	}
}

func TestKnownUserIsOffered(t *testing.T) {
	s := newTerminal(t)
	done := s.ask(t.Context(), "", "known")
	s.see("Username (known): ")
	s.typeLine("")
	s.see("Password: ")
	s.hides()
	s.typeLine("")
	if got := <-done; !isUsage(got.err) {
		t.Errorf("an empty password is %v", got.err)
	}
	done = s.ask(t.Context(), "given", "known")
	s.hides()
	s.typeLine("p")
	if got := <-done; got.err != nil || got.c.Username != "given" {
		t.Errorf("read %v, %v", got.c, got.err)
	}
}

// An interrupt does not wait for the line, and the terminal is as it was.
func TestInterruptWhileAsking(t *testing.T) {
	s := newTerminal(t)
	ctx, stop := context.WithCancel(t.Context())
	done := s.ask(ctx, "me", "")
	s.see("Password: ")
	s.hides()
	stop()
	if got := <-done; !errors.Is(got.err, context.Canceled) {
		t.Errorf("interrupted: %v", got.err)
	}
	if s.hidden() {
		t.Error("the terminal still hides what is typed")
	}
}

func TestNobodyToAsk(t *testing.T) {
	a := &App{Stdin: strings.NewReader("me\ngeheim\n")}
	if _, err := a.ask(t.Context(), "", ""); !errors.Is(err, errNoTerminal) {
		t.Errorf("asked where there is no terminal: %v", err)
	}
}

// The ^C that a terminal shows does not stand before the error, nor does the
// progress of a step that was cut.
func TestInterruptedOnATerminal(t *testing.T) {
	s := newTerminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	now := time.Unix(1_700_000_000, 0)
	a := &App{Args: []string{"airbridge"}, Stderr: s.tty, Getenv: func(string) string { return "" }, Now: func() time.Time {
		now = now.Add(time.Second)
		return now
	}}
	run := &session{ui: a.ui(&globalFlags{}), regs: mirror.NewRegistries(mirror.RegistriesOptions{Now: a.Now})}
	run.ui.Meter("reading the catalog").Set(1, 2)
	err := ctx.Err()
	run.close(ctx, &err)
	if code := a.explain(ctx, &cobra.Command{}, err); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	fmt.Fprintln(s.tty, "$")
	s.see("$")
	if got, want := s.shown.String(), "left\r\n\r\x1b[1A\x1b[J\r\x1b[Kerror: interrupted\r\n"; !strings.Contains(got, want) {
		t.Errorf("%q is shown, want %q in it", got, want)
	}
}
