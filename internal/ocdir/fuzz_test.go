package ocdir

import (
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Names and link texts come from foreign media: what is read from them is a
// digest that was there, whatever else is around it.
func FuzzParseLink(f *testing.F) {
	d := oci.FromBytes(nil)
	for _, text := range []string{
		d.String(), fileName(d, "-"), "../" + d.String() + "\r\n", `.\` + fileName(d, "-"), "\ufeff" + d.String(),
		"sha256:", "sha256:../../etc/passwd", "sha512-" + d.Hex(), "", d.String()[:40] + "/" + d.String()[40:],
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseLink(text)
		if !ok {
			return
		}
		if !strings.Contains(strings.ReplaceAll(text, "/", ""), got.Hex()) {
			t.Errorf("%q reads as %s", text, got)
		}
		for _, sep := range separators {
			if again, s, ok := parseName(fileName(got, sep)); !ok || again != got || s != sep {
				t.Errorf("%s does not survive as a name with %q", got, sep)
			}
		}
	})
}

// Whatever a file in manifests/ holds, it is a manifest by its own name, or a
// tag, or nothing.
func FuzzJudge(f *testing.F) {
	d := oci.FromBytes([]byte("x"))
	for _, name := range []string{"v1", d.String(), fileName(d, "-"), fileName(d, "_")} {
		for _, body := range []string{"", "x", d.String(), "{}", `{"manifests":[]}`, `{"schemaVersion":1}`, "[" + strings.Repeat("[", 99)} {
			f.Add(name, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		m := judge(name, body)
		if m == nil || !m.tag.IsZero() {
			return
		}
		if d, _, ok := parseName(name); !ok || m.desc.Digest != d || m.desc.Size != int64(len(body)) {
			t.Errorf("%q with %q is %+v", name, body, m.desc)
		}
	})
}
