package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MaxFile is the largest credential file that is read, in bytes.
const MaxFile = 8 << 20

// maxEntries is how many entries a file that is edited may have.
const maxEntries = 10000

// Document is a credential file that is edited: a pull secret, podman's
// auth.json or docker's config.json. Members that it does not know, and entries
// that nobody sets, stay as they are, in their order.
type Document struct{ top, auths *object }

// byteOrderMark is what editors on Windows write at the start of a file.
const byteOrderMark = "\ufeff"

// ParseDocument reads a credential file in any layout: over several lines or
// one, with a byte order mark, with ends of line of any system. An empty text
// is an empty file, as podman leaves them. The error names line and column of
// a fault and shows nothing of the text.
func ParseDocument(data []byte) (*Document, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("larger than the %d MiB that a credential file may have", MaxFile>>20)
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if len(bytes.TrimSpace(data)) == 0 {
		return &Document{&object{}, &object{}}, nil
	}
	top, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	d := &Document{top, &object{}}
	raw := top.get("auths")
	switch {
	case raw == nil && isLegacy(top):
		return nil, errors.New("the old format of docker (.dockercfg), which is read but not written")
	case raw == nil || string(raw) == "null":
	default:
		if d.auths, err = parseObject(raw); err != nil {
			return nil, errors.New("\"auths\" is not a JSON object")
		}
		if n := len(d.auths.members); n > maxEntries {
			return nil, fmt.Errorf("it has %d entries, more than %d", n, maxEntries)
		}
	}
	return d, nil
}

// isLegacy reports whether the entries stand at the top, without "auths".
func isLegacy(top *object) bool {
	for _, m := range top.members {
		if o, err := parseObject(m.value); err == nil && o.get("auth") != nil {
			return true
		}
	}
	return false
}

// HasAuths reports whether the file has a list of entries at all: what has none
// is some other file.
func (d *Document) HasAuths() bool { return d.top.get("auths") != nil }

// Keys lists the entries in the order of the file.
func (d *Document) Keys() []string {
	var keys []string
	for _, m := range d.auths.members {
		keys = append(keys, m.name)
	}
	return keys
}

// Credential returns what an entry holds: the zero Credential where there is no
// such entry or it is empty, an error without secrets where it cannot be read.
func (d *Document) Credential(key string) (Credential, error) {
	raw := d.auths.get(key)
	if raw == nil {
		return Credential{}, nil
	}
	return parseAuth(raw)
}

// Set files a credential under a key. Of an entry that is there already,
// members that say nothing of the account stay, email unless a new one is given.
func (d *Document) Set(key Key, c Credential, email string) {
	name := d.find(key)
	entry, err := parseObject(d.auths.get(name))
	if err != nil {
		entry = &object{}
	}
	for _, old := range []string{"username", "password", "identitytoken"} {
		entry.remove(old)
	}
	user := c.Username
	if c.IdentityToken != "" && user == "" {
		user = tokenUser // others take an entry without user and colon for empty
	}
	entry.set("auth", quote(base64.StdEncoding.EncodeToString([]byte(user+":"+c.Password))))
	if c.IdentityToken != "" {
		entry.set("identitytoken", quote(c.IdentityToken))
	}
	if email != "" {
		entry.set("email", quote(email))
	}
	d.auths.set(name, entry.encode())
}

// setEmpty says that a helper holds the credential, as docker does.
func (d *Document) setEmpty(key string) { d.auths.set(key, json.RawMessage("{}")) }

// find returns the name under which a key's entry stands, the key itself where
// there is none: case and the names of Docker Hub may differ.
func (d *Document) find(key Key) string {
	if d.auths.get(key.String()) != nil {
		return key.String()
	}
	want, _ := normalKey(key.String())
	for _, m := range d.auths.members {
		if normal, exact := normalKey(m.name); exact && normal == want {
			return m.name
		}
	}
	return key.String()
}

// Remove drops the entry of a key, in all its spellings, and reports whether
// there was one.
func (d *Document) Remove(key Key) bool {
	want, _ := normalKey(key.String())
	found := false
	for _, name := range d.Keys() {
		if normal, _ := normalKey(name); normal == want {
			found = d.auths.remove(name) || found
		}
	}
	return found
}

// RemoveHost drops every entry of a registry, also those for single
// repositories of it, and returns their keys.
func (d *Document) RemoveHost(host string) (removed []string) {
	want, _ := normalKey(host)
	for _, name := range d.Keys() {
		normal, _ := normalKey(name)
		if at, _, _ := strings.Cut(normal, "/"); at == want {
			d.auths.remove(name)
			removed = append(removed, name)
		}
	}
	return removed
}

// Conflict is an entry that two files have for different accounts.
type Conflict struct {
	Key      string
	Old, New Credential // print without secrets
}

// Merge takes over all entries and other members of another file, which win
// over what is here. It returns the entries of other accounts that were replaced.
func (d *Document) Merge(other *Document) (replaced []Conflict) {
	for _, m := range other.auths.members {
		old := d.auths.get(m.name)
		if c, differ := compare(m.name, old, m.value); old != nil && differ {
			replaced = append(replaced, c)
		}
		d.auths.put(m)
	}
	for _, m := range other.top.members {
		if m.name != "auths" {
			d.top.put(m)
		}
	}
	return replaced
}

func compare(key string, a, b json.RawMessage) (Conflict, bool) {
	if a == nil {
		return Conflict{}, false
	}
	old, errOld := parseAuth(a)
	fresh, errNew := parseAuth(b)
	differ := old != fresh || (errOld != nil || errNew != nil) && !bytes.Equal(a, b)
	return Conflict{key, old, fresh}, differ
}

// Warnings says which entries cannot be read, without secrets: those that
// were shortened for a document, say, or changed by hand.
func (d *Document) Warnings(file string) (out []Warning) {
	for _, m := range d.auths.members {
		if _, err := parseAuth(m.value); err != nil {
			out = append(out, Warning{file, m.name, err})
		}
	}
	return out
}

// Encode returns the file's text, ended by a newline, with each level indented
// by the given text; "" gives one line.
func (d *Document) Encode(indent string) []byte {
	d.top.set("auths", d.auths.encode())
	var b bytes.Buffer
	// What was parsed or made by this package is valid: these cannot fail.
	if indent == "" {
		_ = json.Compact(&b, d.top.encode())
		return b.Bytes()
	}
	_ = json.Indent(&b, d.top.encode(), "", indent)
	b.WriteByte('\n')
	return b.Bytes()
}

// helper returns the credential helper that the file names for a key, and what
// to ask it for. Helpers know registries only, not repositories. Where two names
// of one registry have helpers it is the one that Load takes: the first by name.
func (d *Document) helper(key Key) (name, server string) {
	var w wireFile
	_ = json.Unmarshal(d.top.encode(), &w) // of another shape: no helper
	want, _ := normalKey(key.String())
	for _, server := range slices.Sorted(maps.Keys(w.CredHelpers)) {
		if normal, _ := normalKey(server); normal == want && w.CredHelpers[server] != "" {
			return w.CredHelpers[server], server
		}
	}
	if w.CredsStore == "" || key.Path != "" {
		return "", ""
	}
	return w.CredsStore, storeServer(want)
}

// storeServer is the name by which docker asks its store for a registry.
func storeServer(host string) string {
	if host == dockerHub {
		return "https://index.docker.io/v1/"
	}
	return host
}

// ownHelper reports whether a registry has a helper for itself.
func (d *Document) ownHelper(key Key) bool {
	name, server := d.helper(key)
	var w wireFile
	_ = json.Unmarshal(d.top.encode(), &w)
	return name != "" && w.CredHelpers[server] == name
}

// helped lists the registries whose credentials a helper may have.
func (d *Document) helped() (servers []string) {
	var w wireFile
	_ = json.Unmarshal(d.top.encode(), &w)
	servers = slices.Sorted(maps.Keys(w.CredHelpers))
	for _, key := range d.Keys() {
		if cred, err := d.Credential(key); w.CredsStore != "" && err == nil && cred.IsZero() {
			servers = append(servers, key)
		}
	}
	return servers
}
