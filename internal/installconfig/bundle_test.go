package installconfig_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/installconfig"
)

// authority makes a certificate, in PEM.
func authority(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestParseAuthorities(t *testing.T) {
	a, b := authority(t, "a"), authority(t, "b")
	got, err := installconfig.ParseAuthorities([]byte("# ours\r\n" + strings.ReplaceAll(a, "\n", "\r\n") + "subject=b\n" + b + a + "end\n"))
	if err != nil || len(got) != 2 || got[0].Subject.CommonName != "a" || got[1].Subject.CommonName != "b" {
		t.Errorf("%d certificates, %v", len(got), err)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("s3cret")}))
	wrong := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate")}))
	for content, want := range map[string]string{
		"":                    "it has no PEM certificate",
		"just text":           "it has no PEM certificate",
		a + key:               "part 2 is a PRIVATE KEY, and not a certificate",
		a + b[:len(b)-30]:     "certificate 2 is damaged",
		a[:len(a)-30] + b:     "is damaged",
		wrong:                 "certificate 1 cannot be read",
		a + wrong:             "certificate 2 cannot be read",
		a[:60] + "!" + a[60:]: "is damaged",
	} {
		if _, err := installconfig.ParseAuthorities([]byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.300q: %v, want %q", content, err, want)
		}
	}
}

func FuzzParseAuthorities(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if got, err := installconfig.ParseAuthorities(content); err == nil && (len(got) == 0 || !bytes.Contains(content, []byte("BEGIN"))) {
			t.Errorf("%q: %d certificates", content, len(got))
		}
	})
}

func TestMergeBundle(t *testing.T) {
	a, b := authority(t, "a"), authority(t, "b")
	block := func(s string) string {
		return "  " + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n  ") + "\n"
	}
	add, err := installconfig.ParseAuthorities([]byte(b))
	if err != nil {
		t.Fatal(err)
	}
	change := installconfig.Change{Authorities: add}
	for name, tt := range map[string]struct{ in, want string }{
		"none":           {head, head + "additionalTrustBundle: |\n" + block(b)},
		"empty":          {"additionalTrustBundle: \"\" # here\n" + head, "additionalTrustBundle: | # here\n" + block(b) + head},
		"null":           {"additionalTrustBundle:\n" + head, "additionalTrustBundle: |\n" + block(b) + head},
		"one":            {"additionalTrustBundle: |\n" + block("# ours\n"+a) + head, "additionalTrustBundle: |\n" + block("# ours\n"+a+b) + head},
		"one, indented":  {"additionalTrustBundle: |-\n" + strings.ReplaceAll(block(a), "  ", "    ") + head, "additionalTrustBundle: |\n" + block(a+b) + head},
		"there":          {"additionalTrustBundle: |2+\n" + block(a+b) + "\n" + head, "additionalTrustBundle: |2+\n" + block(a+b) + "\n" + head},
		"in quotes":      {"additionalTrustBundle: \"" + strings.ReplaceAll(a, "\n", `\n`) + "\"\n" + head, "additionalTrustBundle: |\n" + block(a+b) + head},
		"without an end": {head + strings.TrimSuffix("additionalTrustBundle: |\n"+block(a), "\n"), head + "additionalTrustBundle: |\n" + block(a+b)},
	} {
		r, err := installconfig.Merge([]byte(tt.in), change)
		if err != nil || string(r.Content) != tt.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, r.Content, tt.want)
			continue
		}
		again, err := installconfig.Merge(r.Content, change)
		if err != nil || again.Changed || !strings.HasPrefix(string(again.Sections), "additionalTrustBundle: |\n  ") {
			t.Errorf("%s again: %v, %v, %q", name, err, again.Changed, again.Sections)
		}
	}
	for _, in := range []string{"additionalTrustBundle: s3cret\n", "additionalTrustBundle: [s3cret]\n", "additionalTrustBundle: |\n" + block(a[:200]+"s3cret")} {
		_, err := installconfig.Merge([]byte(head+in), change)
		if err == nil || !strings.Contains(err.Error(), "line 3: additionalTrustBundle holds something that is not certificates") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", in, err)
		}
	}
}
