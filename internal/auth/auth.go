// Package auth finds credentials and certificates for registries where podman,
// docker and oc keep them. It sends nothing anywhere: package remote decides
// what is sent to whom.
package auth

import (
	"encoding/json"
	"fmt"
	"io"
)

// Credential is what one registry, or one repository of it, is to be told. The
// zero Credential is anonymous. It prints as its user name alone, under every
// verb and in JSON, so that no message or log can show a secret.
type Credential struct {
	Username string
	Password string
	// IdentityToken is a refresh token for the token service (docker's
	// "identitytoken"); where it is set there is no password.
	IdentityToken string
}

// IsZero reports whether the credential is anonymous.
func (c Credential) IsZero() bool { return c == Credential{} }

// String implements fmt.Stringer without secrets.
func (c Credential) String() string {
	switch {
	case c.IsZero():
		return "anonymous"
	case c.IdentityToken != "":
		return "identity token"
	}
	return "user " + c.Username
}

// Format implements fmt.Formatter, because verbs like %d and %#v would
// otherwise go round String and print the fields.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// MarshalJSON implements json.Marshaler without secrets.
func (c Credential) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// Warning is something wrong in a place where credentials are kept. It becomes
// an error only when the registry concerned is asked for.
type Warning struct {
	File string // the file, as it was opened
	Key  string // the entry in it, "" for the file as a whole
	Err  error
}

// Error implements error: "FILE: entry KEY: cause".
func (w Warning) Error() string {
	if w.Key == "" {
		return fmt.Sprintf("credentials in %s: %v", w.File, w.Err)
	}
	return fmt.Sprintf("credentials in %s: entry %q: %v", w.File, w.Key, w.Err)
}

// Unwrap returns the cause.
func (w Warning) Unwrap() error { return w.Err }
