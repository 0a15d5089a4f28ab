package auth

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Explain says what is remarkable about the credentials used for a repository
// that was refused (401), or "" : a secret that ends in a newline, a key for
// the same host with another port or with none, a file that could not be read,
// files that do not have the host.
// It never shows a secret.
func (s *Store) Explain(host, repository string) string {
	if s == nil {
		return ""
	}
	for _, key := range lookupKeys(host, repository) {
		if e, ok := s.entries[key]; ok {
			return explainEntry(e)
		}
	}
	if other := s.otherPort(normalHost(host)); other != "" {
		return other
	}
	for _, w := range s.Warnings() {
		if w.Key == "" {
			return w.Error()
		}
	}
	return s.none(strings.TrimSuffix(normalHost(host)+"/"+repository, "/"))
}

// none says that the files that were read have nothing for a place: a file in
// another format, or the pull secret without the mirror's own entry.
func (s *Store) none(place string) string {
	paths := make([]string, len(s.files))
	for i, f := range s.files {
		if f.store != "" {
			return "" // its helper was asked
		}
		paths[i] = f.path
	}
	if len(paths) == 0 {
		return ""
	}
	return fmt.Sprintf("there are no credentials for %q in %s", place, strings.Join(paths, " and "))
}

func explainEntry(e entry) string {
	secret := e.cred.Password + e.cred.IdentityToken
	if strings.HasSuffix(secret, "\n") || strings.HasSuffix(secret, "\r") {
		if e.file == "" {
			return "the secret ends in a newline"
		}
		return fmt.Sprintf("the secret of %q in %s ends in a newline: was it made with echo instead of echo -n?", e.key, e.file)
	}
	if e.file == "" { // given on the command line
		return ""
	}
	return fmt.Sprintf("the credentials used are those of %q in %s", e.key, e.file)
}

// otherPort names a key that differs from the host in its port only.
func (s *Store) otherPort(host string) string {
	name, port := splitPort(host)
	for _, key := range slices.Sorted(maps.Keys(s.entries)) {
		keyHost, _, _ := strings.Cut(key, "/")
		keyName, keyPort := splitPort(keyHost)
		if keyName != name || keyPort == port {
			continue
		}
		e := s.entries[key]
		return fmt.Sprintf("%s has credentials for %q but none for %q", e.file, e.key, host)
	}
	return ""
}
