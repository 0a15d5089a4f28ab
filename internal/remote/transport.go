package remote

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Time-outs of a connection's steps. What moves bytes has the stall time-out.
const (
	dialTimeout      = 20 * time.Second
	handshakeTimeout = 15 * time.Second
	idleTimeout      = 50 * time.Second // below the 60 s after which common proxies close
)

// Buffers of a connection in bytes: 32 connections hold 4 MiB.
const connBuffer = 64 << 10

// transport makes a pool of connections; with h2 it may use HTTP/2, which Go
// runs over one connection and at less than half the speed for bulk.
func (c *Client) transport(config *tls.Config, h2 bool) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(h2)
	return &http.Transport{
		Proxy:               c.o.Proxy,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     config.Clone(), // net/http writes its protocols into it
		TLSHandshakeTimeout: handshakeTimeout,
		IdleConnTimeout:     idleTimeout,
		MaxIdleConnsPerHost: maxLimit,
		DisableCompression:  true, // blobs are sacred: nothing may be unpacked on the way
		ReadBufferSize:      connBuffer,
		WriteBufferSize:     connBuffer,
		Protocols:           protocols,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// ErrNotTLS says that a host answered a TLS handshake with something else,
// most often plain http.
var ErrNotTLS = errors.New("the registry does not speak TLS")

// asNotTLS gives ErrNotTLS to the errors that mean it.
func asNotTLS(err error) error {
	if notTLS(err) {
		return ErrNotTLS
	}
	return err
}

func notTLS(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	return record || errors.Is(err, ErrNotTLS) ||
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// unverified reports whether a handshake failed on the host's certificate.
func unverified(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// tlsReason is the shortest text that says why a certificate was refused.
func tlsReason(err error) string {
	if v, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return v.Err.Error()
	}
	return err.Error()
}

// refusedDial reports errors of hosts that are not there at all.
func refusedDial(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) ||
		errors.Is(err, syscall.ENETUNREACH)
}

// transient reports whether the same request may succeed later.
func transient(err error) bool {
	if _, held := errors.AsType[heldError](err); held {
		return true
	}
	if e, ok := asError(err); ok {
		return retryStatus(e.Status) && !errors.Is(err, ErrNoDigestPush)
	}
	if unverified(err) || notTLS(err) || certificate(err) {
		return false
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsTimeout || dns.IsTemporary
	}
	return brokenConnection(err)
}

// certificate reports a refusal by or of a certificate that has no type of its own.
func certificate(err error) bool {
	_, alert := errors.AsType[tls.AlertError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	return alert || host
}

// retryStatus reports the statuses that may pass.
func retryStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// asError returns the answer that err stands for, if there was one.
func asError(err error) (*Error, bool) {
	e, ok := errors.AsType[*Error](err)
	return e, ok && e.Status != 0
}

// overloaded reports the faults that mean "less, please".
func overloaded(err error) bool {
	if e, ok := asError(err); ok {
		return e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable ||
			e.Status == http.StatusGatewayTimeout
	}
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// http2Faults are texts of HTTP/2 errors, whose types are not exported.
var http2Faults = [...]string{
	"GOAWAY", "REFUSED_STREAM", "INTERNAL_ERROR", "ENHANCE_YOUR_CALM", "client connection lost",
	"server closed idle connection", "transport connection broken", "unexpected EOF", "use of closed network connection",
}

// refusal reports an answer that is about too many requests, as opposed to a
// time-out.
func refusal(err error) bool {
	e, ok := asError(err)
	return ok && (e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable)
}
