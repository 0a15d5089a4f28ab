package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// HelperCall is one start of a credential helper: docker-credential-NAME ACTION
// with the input on its standard input (docker's credential helper protocol).
// Nothing secret is ever an argument.
type HelperCall struct {
	Name   string
	Action string // "get", "store", "erase" or "list"
	Input  string // the server's name; of "store" a JSON object
}

// RunHelper starts a credential helper and returns its standard output, which
// is its message where it fails.
type RunHelper func(ctx context.Context, call HelperCall) ([]byte, error)

// Exec is the RunHelper that looks for the program on the PATH.
func Exec(ctx context.Context, call HelperCall) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "docker-credential-"+call.Name, call.Action)
	cmd.Stdin = strings.NewReader(call.Input)
	return cmd.Output()
}

// tokenUser is the user name by which a helper says that its secret is an
// identity token.
const tokenUser = "<token>"

// errNoCredentials says that a helper works but does not know the server.
var errNoCredentials = errors.New("no credentials kept")

// checkHelper refuses names that would start anything but a program of the
// form docker-credential-NAME on the PATH.
func checkHelper(name string) error {
	if name == "" || strings.ContainsAny(name, "/\\ \t\n\x00") || strings.HasPrefix(name, "-") {
		return fmt.Errorf("%.60q is not the name of a credential helper", name)
	}
	return nil
}

// askHelper returns what the helper keeps for a server, errNoCredentials where
// it keeps nothing.
func askHelper(ctx context.Context, run RunHelper, name, server string) (Credential, error) {
	if err := checkHelper(name); err != nil {
		return Credential{}, err
	}
	out, err := run(ctx, HelperCall{name, "get", server})
	if err != nil {
		return Credential{}, helperError(name, out, err)
	}
	var answer struct{ Username, Secret string }
	if json.Unmarshal(out, &answer) != nil {
		return Credential{}, fmt.Errorf("credential helper docker-credential-%s: its answer is not JSON", name)
	}
	if answer.Secret == "" && answer.Username == "" {
		return Credential{}, errNoCredentials
	}
	if answer.Username == tokenUser {
		return Credential{IdentityToken: answer.Secret}, nil
	}
	return Credential{Username: answer.Username, Password: answer.Secret}, nil
}

// tellHelper has a helper store a credential.
func tellHelper(ctx context.Context, run RunHelper, name string, in helperEntry) error {
	input, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return orderHelper(ctx, run, HelperCall{name, "store", string(input)})
}

// helperEntry is what a helper is told to store.
type helperEntry struct {
	ServerURL, Username, Secret string
}

func newHelperEntry(server string, c Credential) helperEntry {
	if c.IdentityToken != "" {
		return helperEntry{server, tokenUser, c.IdentityToken}
	}
	return helperEntry{server, c.Username, c.Password}
}

// orderHelper starts a helper of which only success matters.
func orderHelper(ctx context.Context, run RunHelper, call HelperCall) error {
	if err := checkHelper(call.Name); err != nil {
		return err
	}
	out, err := run(ctx, call)
	if err != nil {
		return helperError(call.Name, out, err)
	}
	return nil
}

func helperError(name string, out []byte, err error) error {
	line, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
	message := string(line[:min(len(line), 200)])
	if strings.Contains(message, "credentials not found") {
		return errNoCredentials
	}
	if message != "" {
		message = ": " + message
	}
	return fmt.Errorf("credential helper docker-credential-%s: %w%s", name, err, message)
}
