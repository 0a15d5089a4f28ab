package installconfig

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxSecret is the largest pull secret in bytes. A cluster takes no Secret
// above a megabyte.
const maxSecret = 1 << 20

// PullSecret is a pull secret that the installer would take.
type PullSecret struct {
	JSON  string   // on one line, otherwise as it was
	Hosts []string // the registries it has an entry for, some with a repository; in order
}

// ParsePullSecret reads a pull secret and checks what the installer checks: an
// entry with a user and a password for each registry. Errors name registries
// and positions, and quote nothing else.
func ParsePullSecret(content []byte) (PullSecret, error) {
	var p PullSecret
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	if len(content) > maxSecret {
		return p, fmt.Errorf("it has %d bytes, more than %d", len(content), maxSecret)
	}
	var secret struct {
		Kind  string                     `json:"kind"`
		Auths map[string]json.RawMessage `json:"auths"`
	}
	if err := json.Unmarshal(content, &secret); err != nil {
		return p, wrongJSON(content, err)
	}
	if len(secret.Auths) == 0 {
		if secret.Kind != "" {
			return p, fmt.Errorf("it is an object of kind %.50q: the pull secret itself is wanted", secret.Kind)
		}
		return p, errors.New(`it has no "auths", and is no pull secret`)
	}
	for host, entry := range secret.Auths {
		if err := checkEntry(entry); err != nil {
			return p, fmt.Errorf("the entry of %.200q %w", host, err)
		}
		p.Hosts = append(p.Hosts, host)
	}
	slices.Sort(p.Hosts)
	var b bytes.Buffer
	if err := json.Compact(&b, content); err != nil {
		return p, wrongJSON(content, err)
	}
	p.JSON = b.String()
	return p, nil
}

// checkEntry checks one registry's credentials.
func checkEntry(entry json.RawMessage) error {
	var e struct {
		Auth string `json:"auth"`
	}
	if json.Unmarshal(entry, &e) != nil || e.Auth == "" {
		return errors.New(`has no "auth"`)
	}
	login, err := base64.StdEncoding.DecodeString(e.Auth)
	if err != nil {
		return errors.New(`has an "auth" that is not base64`)
	}
	if user, password, ok := strings.Cut(string(login), ":"); !ok || user == "" || password == "" {
		return errors.New(`has an "auth" without a user or without a password`)
	}
	return nil
}

// wrongJSON says where JSON is wrong, without what is there.
func wrongJSON(content []byte, err error) error {
	at := int64(len(content))
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = min(max(e.Offset-1, 0), at)
	} else if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		at = min(max(e.Offset-1, 0), at)
	}
	before := content[:at]
	return fmt.Errorf("it is not the JSON of a pull secret: line %d, column %d",
		bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n'))
}

// secret puts the pull secret in the place of the one there is.
func (m *merger) secret(f *file) error {
	if m.change.PullSecret == "" {
		return nil
	}
	value := "'" + strings.ReplaceAll(m.change.PullSecret, "'", "''") + "'"
	e := f.find(pullSecret)
	if e == nil {
		m.text = f.add(pullSecret + ": " + value)
		m.note("%s: added", pullSecret)
	} else if have, ok := e.text(); ok && sameJSON(have, m.change.PullSecret) {
		m.note("%s: it was there", pullSecret)
		return nil
	} else {
		m.text = f.set(e, value)
		m.note("%s: replaced", pullSecret)
	}
	m.want[pullSecret] = m.change.PullSecret
	return nil
}

func sameJSON(a, b string) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, []byte(a)) == nil && json.Compact(&y, []byte(b)) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
