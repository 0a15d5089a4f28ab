package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/auth"
)

// pair makes a certificate that signs itself, and its key, in PEM.
func pair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

func TestCerts(t *testing.T) {
	h := newHome(t)
	cert, key := pair(t)
	h.write("one/r.example:5000/ca.crt", cert)
	h.write("two/r.example:5000/other.crt", cert)
	h.write("two/r.example:5000/client.cert", cert)
	h.write("two/r.example:5000/client.key", key)
	h.write("two/r.example/ca.crt", cert)
	h.write("two/bad.example/ca.crt", "x")
	h.write("two/half.example/client.cert", cert)
	dirs := []string{filepath.Join(h.dir, "one"), filepath.Join(h.dir, "absent"), filepath.Join(h.dir, "two")}
	for host, want := range map[string][2]int{"r.example:5000": {2, 1}, "r.example": {1, 0}, "r.example:5001": {0, 0}, "..": {0, 0}, "": {0, 0}} {
		got, err := auth.LoadCerts(dirs, host)
		if err != nil || len(got.CAs) != want[0] || len(got.Pairs) != want[1] {
			t.Errorf("%s: %d authorities and %d pairs, %v, want %v", host, len(got.CAs), len(got.Pairs), err, want)
		}
	}
	for host, want := range map[string]string{"bad.example": "ca.crt", "half.example": "client.key"} {
		if _, err := auth.LoadCerts(dirs, host); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to name %s", host, err, want)
		}
	}
}

func TestCertDirs(t *testing.T) {
	if got := auth.CertDirs("/h"); len(got) != 3 || got[1] != "/h/.config/containers/certs.d" {
		t.Errorf("directories %v", got)
	}
}
