package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// entry is one key of one file: a credential, the helper that has it, or why
// it cannot be read.
type entry struct {
	file, key string
	cred      Credential
	helper    string // name of a credential helper, "" for none
	server    string // what the helper is asked for
	err       error
}

// file is a credential file in any of its formats, by normalised key.
type file struct {
	path    string
	entries map[string]entry
	listed  map[string]bool // hosts logged in through the store: empty entries
	store   string          // credsStore: the helper asked for every host not listed
}

// wireAuth is one entry of "auths". Docker's documentation calls username and
// password alternatives to auth.
type wireAuth struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
}

type wireFile struct {
	Auths       map[string]json.RawMessage `json:"auths"`
	CredHelpers map[string]string          `json:"credHelpers"`
	CredsStore  string                     `json:"credsStore"`
}

// parse reads a credential file: containers-auth.json(5), docker's config.json,
// or with legacy the flat ~/.dockercfg. A bad entry is kept as an entry with
// its error; an error is returned only where the whole is no JSON.
func parse(path string, data []byte, legacy bool) (*file, error) {
	var w wireFile
	target := any(&w)
	if legacy {
		target = &w.Auths
	}
	if err := json.Unmarshal(data, target); err != nil {
		return nil, errors.New("not a credential file: " + jsonProblem(data, err))
	}
	f := &file{path: path, entries: map[string]entry{}, listed: map[string]bool{}, store: w.CredsStore}
	for _, key := range slices.Sorted(maps.Keys(w.CredHelpers)) {
		f.add(key, entry{helper: w.CredHelpers[key], server: key, err: checkHelper(w.CredHelpers[key])})
	}
	f.addAll(w.Auths)
	return f, nil
}

// addAll adds plain keys first and keys in URL form after them, because the
// first one wins.
func (f *file) addAll(auths map[string]json.RawMessage) {
	keys := slices.Sorted(maps.Keys(auths))
	for _, wantExact := range []bool{true, false} {
		for _, key := range keys {
			normal, exact := normalKey(key)
			if exact != wantExact {
				continue
			}
			cred, err := parseAuth(auths[key])
			if err == nil && cred.IsZero() {
				f.listed[normal] = true
				continue
			}
			f.add(key, entry{cred: cred, err: err})
		}
	}
}

func (f *file) add(key string, e entry) {
	normal, _ := normalKey(key)
	if _, taken := f.entries[normal]; taken {
		return
	}
	e.file, e.key = f.path, key
	f.entries[normal] = e
}

// parseAuth reads one entry. No message here may repeat the value.
func parseAuth(raw json.RawMessage) (Credential, error) {
	var w wireAuth
	if err := json.Unmarshal(raw, &w); err != nil {
		return Credential{}, errors.New("not a credential entry, which is an object with \"auth\"")
	}
	if w.IdentityToken != "" {
		return Credential{Username: w.Username, IdentityToken: w.IdentityToken}, nil
	}
	if w.Auth == "" {
		return Credential{Username: w.Username, Password: w.Password}, nil
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(w.Auth))
	if err != nil {
		return Credential{}, errors.New("\"auth\" is not base64")
	}
	user, password, ok := strings.Cut(string(text), ":")
	if !ok || user == "" {
		return Credential{}, errors.New("\"auth\" is not user:password in base64")
	}
	return Credential{Username: user, Password: strings.TrimRight(password, "\x00")}, nil
}
