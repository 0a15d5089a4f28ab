package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/airbridge-dev/airbridge/internal/auth"
)

// errNoTerminal says that there is nobody to ask.
var errNoTerminal = errors.New("no user name or password, and no terminal to ask at: -u and --password-stdin give them")

// keyboard returns standard input where a person types there.
func (a *App) keyboard() (*os.File, bool) {
	f, ok := a.Stdin.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// ask asks for an account at the terminal: for the user name unless it is
// given, where an empty answer means the known one, and for the password,
// which is not shown.
func (a *App) ask(ctx context.Context, user, known string) (auth.Credential, error) {
	f, ok := a.keyboard()
	if !ok {
		return auth.Credential{}, &usageError{errNoTerminal}
	}
	if user == "" {
		line, err := a.askLine(ctx, f, known)
		if err != nil {
			return auth.Credential{}, err
		}
		user = line
	}
	password, err := a.askSecret(ctx, f)
	if err != nil {
		return auth.Credential{}, err
	}
	switch {
	case user == "" || password == "":
		return auth.Credential{}, usagef("a user name and a password are needed")
	case strings.Contains(user, ":"):
		return auth.Credential{}, usagef("a user name cannot have a colon in it")
	}
	return auth.Credential{Username: user, Password: password}, nil
}

func (a *App) askLine(ctx context.Context, f *os.File, known string) (string, error) {
	prompt := "Username: "
	if known != "" {
		prompt = "Username (" + known + "): "
	}
	fmt.Fprint(a.Stderr, prompt)
	line, err := typed(ctx, f, func() (string, error) {
		line, err := bufio.NewReader(f).ReadString('\n')
		return strings.TrimRight(line, "\r\n"), err
	})
	if err != nil {
		fmt.Fprintln(a.Stderr) // no answer has ended the line
		return "", fmt.Errorf("reading the user name: %w", err)
	}
	if line == "" {
		line = known
	}
	return line, nil
}

func (a *App) askSecret(ctx context.Context, f *os.File) (string, error) {
	fmt.Fprint(a.Stderr, "Password: ")
	fd := int(f.Fd()) // here: after an interrupt the file may be closed while the reader still waits
	secret, err := typed(ctx, f, func() (string, error) {
		secret, err := term.ReadPassword(fd)
		return string(secret), err
	})
	fmt.Fprintln(a.Stderr)
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	return secret, nil
}

// typed waits for what a person types, but not longer than the context lives:
// an interrupt ends the program, and leaves the terminal as it was.
func typed(ctx context.Context, f *os.File, read func() (string, error)) (string, error) {
	state, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", err
	}
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()
	select {
	case got := <-answers:
		return got.text, got.err
	case <-ctx.Done():
		_ = term.Restore(int(f.Fd()), state)
		return "", ctx.Err()
	}
}
