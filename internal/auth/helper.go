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

// RunHelper starts the credential helper "docker-credential-NAME get", gives
// it the server's name on its standard input and returns its standard output.
// Where the helper fails, the output is its message (docker's credential
// helper protocol). Nothing secret is ever an argument.
type RunHelper func(ctx context.Context, name, server string) ([]byte, error)

// Exec is the RunHelper that looks for the program on the PATH.
func Exec(ctx context.Context, name, server string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "docker-credential-"+name, "get")
	cmd.Stdin = strings.NewReader(server)
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
	out, err := run(ctx, name, server)
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
