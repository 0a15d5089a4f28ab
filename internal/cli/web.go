package cli

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// web is the way to servers that are no registries: through the proxy of the
// environment, with the system's authorities and that of the flag. TLS is
// verified always: --insecure is for registries, whose content has digests.
func (r *registryFlags) web() (http.RoundTripper, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if r.authority != "" {
		pem, err := r.readAuthority()
		if err != nil {
			return nil, err
		}
		roots.AppendCertsFromPEM(pem)
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 20 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: 45 * time.Second,
		ForceAttemptHTTP2:     true,
	}, nil
}

// readAuthority returns the certificates of --certificate-authority, of which
// there is one at least.
func (r *registryFlags) readAuthority() ([]byte, error) {
	pem, err := os.ReadFile(r.authority)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(pem) {
		err = &hinted{fmt.Errorf("%s has no certificate in PEM form", r.authority), "name a file with -----BEGIN CERTIFICATE----- in it; a password or a key goes elsewhere"}
	}
	if err != nil {
		return nil, fmt.Errorf("reading --certificate-authority: %w", err)
	}
	return pem, nil
}
