package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
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
		pem, err := os.ReadFile(r.authority)
		if err == nil && !roots.AppendCertsFromPEM(pem) {
			err = errors.New("it has no certificate")
		}
		if err != nil {
			return nil, fmt.Errorf("reading --certificate-authority: %w", err)
		}
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
