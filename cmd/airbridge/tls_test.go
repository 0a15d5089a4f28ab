package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/store/cas"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
)

// tlsCommands start registries that speak TLS.
var tlsCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// tls VAR [nosan|client]: a registry as the command registry starts it, with
	// a certificate that VAR.crt signs; client also writes VAR.cert and VAR.key,
	// which it asks for.
	"tls": cmdTLS,
}

// authority signs certificates for one registry.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(ts *testscript.TestScript) *authority {
	a := &authority{}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, IsCA: true,
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true,
	}
	a.cert, a.key = sign(ts, template, nil)
	return a
}

func sign(ts *testscript.TestScript, template *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	if by == nil {
		by = &authority{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	ts.Check(err)
	cert, err := x509.ParseCertificate(der)
	ts.Check(err)
	return cert, key
}

func writePEM(ts *testscript.TestScript, name, kind string, der []byte) {
	ts.Check(os.WriteFile(ts.MkAbs(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func cmdTLS(ts *testscript.TestScript, _ bool, args []string) {
	name := args[0]
	ca := newAuthority(ts)
	writePEM(ts, name+".crt", "CERTIFICATE", ca.cert.Raw)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if slices.Contains(args, "nosan") {
		template.IPAddresses = nil
	}
	cert, key := sign(ts, template, ca)
	f := &fakeRegistry{reg: registry.New(name, cas.Mem(), kv.Mem(), registry.Options{Now: time.Now}), log: make(chan string, 1000)}
	srv := httptest.NewUnstartedServer(server.New(f.reg, server.Options{Now: time.Now}))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	if slices.Contains(args, "client") {
		clientCertificate(ts, name, ca, srv.TLS)
	}
	srv.StartTLS()
	ts.Defer(srv.Close)
	f.addr = srv.Listener.Addr().String()
	registries(ts)[name] = f
	ts.Setenv(name, f.addr)
}

func clientCertificate(ts *testscript.TestScript, name string, ca *authority, config *tls.Config) {
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	config.ClientCAs.AddCert(ca.cert)
	template := &x509.Certificate{SerialNumber: big.NewInt(3), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	cert, key := sign(ts, template, ca)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	writePEM(ts, name+".cert", "CERTIFICATE", cert.Raw)
	writePEM(ts, name+".key", "PRIVATE KEY", der)
}
