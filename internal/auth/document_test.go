package auth_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/auth"
)

func document(t *testing.T, text string) *auth.Document {
	t.Helper()
	d, err := auth.ParseDocument([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func key(t *testing.T, s string) auth.Key {
	t.Helper()
	k, err := auth.ParseKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Only the entry that is set changes: order, unknown members and the way
// numbers and strings are written stay.
func TestSetKeepsTheRest(t *testing.T) {
	d := document(t, `{"x":1.50e3,"auths":{"b":{"auth":"dTpw","extra":"\u00e9"},"a":{"auth":"dTpw","email":"e@x","username":"old","password":"old","identitytoken":"old","note":[1, 2]}},"credHelpers":{"h":"n"}}`)
	d.Set(key(t, "a"), auth.Credential{Username: "u", Password: "p:w"}, "")
	d.Set(key(t, "c.example:5000/ns"), auth.Credential{IdentityToken: "refresh"}, "m@x")
	want := `{"x":1.50e3,"auths":{"b":{"auth":"dTpw","extra":"\u00e9"},"a":{"auth":"dTpwOnc=","email":"e@x","note":[1,2]},` +
		`"c.example:5000/ns":{"auth":"PHRva2VuPjo=","identitytoken":"refresh","email":"m@x"}},"credHelpers":{"h":"n"}}`
	if got := string(d.Encode("")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(document(t, `{"auths":{}}`).Encode("  ")); got != "{\n  \"auths\": {}\n}\n" {
		t.Errorf("indented: %q", got)
	}
}

func TestLayoutsAreRead(t *testing.T) {
	for name, text := range map[string]string{
		"one line": `{"auths":{"a":{"auth":"dTpw"}}}`,
		"pretty":   "{\n  \"auths\" : {\n \"a\": { \"auth\": \"dTpw\" }\n}\n}\n",
		"windows":  "\ufeff{\r\n\"auths\": {\r\n\"a\": {\"auth\": \"dTpw\"}}}\r\n",
		"twice":    `{"auths":{"a":{"auth":"eDp4"}},"auths":{"a":{"auth":"eDp4"},"a":{"auth":"dTpw"}}}`,
	} {
		d := document(t, text)
		if got := string(d.Encode("")); got != `{"auths":{"a":{"auth":"dTpw"}}}` {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, text := range []string{"", " \n", "{}", `{"auths":null}`} {
		d := document(t, text)
		d.Set(key(t, "a"), auth.Credential{Username: "u", Password: "p"}, "")
		if got := string(d.Encode("")); got != `{"auths":{"a":{"auth":"dTpw"}}}` {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// entries is a file of many entries.
func entries(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"r%d.example":{}`, i)
	}
	return `{"auths":{` + b.String()[1:] + `}}`
}

func TestFaultsAreShownByTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"{\"auths\":{\n\"a\":{\"auth\":\"geheim\"}\n  \"b\":1}}": "line 3, column 3: unexpected character after object key:value pair",
		"{\"auths\":{\r\n  geheim}}":                             "line 2, column 3: unexpected character looking for beginning of object key string",
		`{"auths":{"a":{"auth":"geheim`:                          "it ends too early",
		`{"auths":{}}geheim`:                                     "line 1, column 13: unexpected character after top-level value",
		`["geheim"]`:                                             "not a JSON object",
		`{"auths":["geheim"]}`:                                   `"auths" is not a JSON object`,
		`{"https://r.example":{"auth":"geheim"}}`:                ".dockercfg",
		`{"a":'geheim'}`:                                         "line 1, column 6: unexpected character looking for beginning of value",
		strings.Repeat(" ", auth.MaxFile+1):                      "larger than",
		entries(10001):                                           "it has 10001 entries, more than 10000",
	} {
		_, err := auth.ParseDocument([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%.40q: %v, want %q and no secret", text, err, want)
		}
	}
}

func TestRemove(t *testing.T) {
	const text = `{"auths":{"docker.io":{"auth":"dTpw"},"https://index.docker.io/v1/":{"auth":"dTpw"},"docker.io/team":{"auth":"dTpw"},"r.example:5000":{},"r.example":{},"R.example/x":{}}}`
	d := document(t, text)
	if !d.Remove(key(t, "index.docker.io")) || d.Remove(key(t, "docker.io")) {
		t.Error("Docker Hub was not removed once")
	}
	if got := strings.Join(d.Keys(), " "); got != "docker.io/team r.example:5000 r.example R.example/x" {
		t.Errorf("left: %s", got)
	}
	if got := strings.Join(d.RemoveHost("r.example"), " "); got != "r.example R.example/x" {
		t.Errorf("removed with the host: %s", got)
	}
}

func TestMerge(t *testing.T) {
	d := document(t, `{"auths":{"same":{"auth":"dTpw","email":"a@x"},"other":{"auth":"dTpw"},"mine":{"auth":"dTpw"}},"k":1}`)
	replaced := d.Merge(document(t, `{"k":2,"auths":{"same":{"auth":"dTpw","email":"b@x"},"other":{"auth":"eDp5"},"new":{"auth":"###"}},"l":3}`))
	if len(replaced) != 1 || replaced[0].Key != "other" || replaced[0].Old.Username != "u" || replaced[0].New.Username != "x" {
		t.Errorf("replaced: %v", replaced)
	}
	want := `{"auths":{"same":{"auth":"dTpw","email":"b@x"},"other":{"auth":"eDp5"},"mine":{"auth":"dTpw"},"new":{"auth":"###"}},"k":2,"l":3}`
	if got := string(d.Encode("")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if w := d.Warnings("f"); len(w) != 1 || w[0].Key != "new" || w[0].File != "f" {
		t.Errorf("warnings: %v", w)
	}
}

func TestParseKey(t *testing.T) {
	for in, want := range map[string]string{
		"r.example": "r.example", "r.example:8443/": "r.example:8443", "R.example/a/b": "R.example/a/b", "https://r.example:1/x/y": "r.example:1",
		"localhost": "localhost", "10.0.0.1:5000": "10.0.0.1:5000", "[::1]:5000/a": "[::1]:5000/a", "[::1]": "[::1]",
		"index.docker.io": "docker.io", "https://index.docker.io/v1/": "docker.io", "registry-1.docker.io/a": "docker.io/a",
	} {
		if got, err := auth.ParseKey(in); err != nil || got.String() != want {
			t.Errorf("ParseKey(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "/", "a:", "a:b", "a:0", "a:65536", "a b", "a/b:tag", "a/B", "a//b", "u:geheim@a", "[::1", "[a]", "ftp://a", "a/../b", "..", "a\n"} {
		if got, err := auth.ParseKey(in); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("ParseKey(%q) = %q, %v, want an error", in, got, err)
		}
	}
}

func TestOnly(t *testing.T) {
	want := auth.Credential{Username: "u", Password: "p"}
	s := auth.Only(key(t, "R.example/a"), want)
	for repository, known := range map[string]bool{"a": true, "a/b": true, "": false, "ab": false} {
		if got, err := s.For(t.Context(), "r.example", repository); err != nil || (got == want) != known {
			t.Errorf("%q: %v, %v", repository, got, err)
		}
	}
	if got := s.Explain("r.example", "a"); got != "" {
		t.Errorf("explained by %q, but there is no file", got)
	}
}

// FuzzDocument: what is read is written back with the same meaning as the
// standard decoder gives it, and setting or removing an entry touches no other.
func FuzzDocument(f *testing.F) {
	for _, s := range []string{
		"", "{}", `{"auths":{"a":{"auth":"dTpw"}}}`, "\ufeff{\"a\":1 ,\r\n\"auths\" :{ } }", `{"auths":{"a":null,"a":{}},"":0,"\u0061":[{}]}`,
		`{"auths":{"h":{}},"credHelpers":{"h":"x"},"credsStore":"y"}`, `{"auths":null,"x":1e400}`, "{\"\xff\":\"\xff\"}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := auth.ParseDocument([]byte(text))
		if err != nil {
			return
		}
		had := d.HasAuths()
		before := decode(t, []byte(text))
		after := decode(t, d.Encode("\t"))
		if !had || before["auths"] == nil {
			delete(before, "auths")
			delete(after, "auths")
		}
		if !strings.Contains(text, "\xff") && unique(d) && !reflect.DeepEqual(before, after) {
			t.Errorf("%q became %v, was %v", text, after, before)
		}
		k := auth.Key{Host: "new.example", Path: "x"}
		keys := d.Keys()
		d.Set(k, auth.Credential{Username: "u", Password: "p"}, "")
		if c, err := d.Credential(d.Keys()[len(d.Keys())-1]); err != nil || c.Username != "u" && len(d.Keys()) != len(keys) {
			t.Errorf("what was set is %v, %v", c, err)
		}
		if again, err := auth.ParseDocument(d.Encode("  ")); err != nil || len(again.Keys()) != len(d.Keys()) {
			t.Errorf("what was written is not read: %v", err)
		}
		if !d.Remove(k) {
			t.Error("what was set is not there to be removed")
		}
	})
}

// unique reports whether no two keys are the same to the standard decoder,
// which repairs text that is not UTF-8.
func unique(d *auth.Document) bool {
	seen := map[string]bool{}
	for _, k := range d.Keys() {
		if seen[k] {
			return false
		}
		seen[k] = true
	}
	return true
}

func decode(t *testing.T, text []byte) map[string]any {
	text = []byte(strings.TrimPrefix(string(text), "\ufeff"))
	out := map[string]any{}
	if strings.TrimSpace(string(text)) == "" {
		return out
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return out
}
