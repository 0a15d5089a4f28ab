package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Error is a request that failed. It matches (errors.Is) the codes of package
// oci that belong to it, whatever shape the registry gave its answer.
type Error struct {
	Method string
	URL    string // without query and user, which may hold secrets
	Status int    // 0 where there was no answer
	// Codes are what the registry said, in its words.
	Codes []*oci.Error
	// Hint is what is known here about the cause, "" for nothing.
	Hint string
	// RetryAfter is how long the registry said to wait; 0 if it did not.
	RetryAfter time.Duration

	text  string  // of an answer without codes
	as    []error // what the error matches
	cause error   // the transport's error where there was no answer
	hdr   http.Header
}

// Error implements error: "GET https://h/v2/a/manifests/t: 404 Not Found: manifest unknown: …".
func (e *Error) Error() string {
	parts := []string{e.Method + " " + e.URL}
	if e.Status == 0 {
		parts = append(parts, e.cause.Error())
	} else {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))))
	}
	for _, c := range e.Codes {
		parts = append(parts, codeText(c))
	}
	if e.text != "" {
		parts = append(parts, e.text)
	}
	s := strings.Join(parts, ": ")
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// codeText is "code in words: message", once where both say the same.
func codeText(e *oci.Error) string {
	words := e.Code.Error()
	if e.Message == "" || strings.EqualFold(e.Message, words) {
		return words
	}
	return words + ": " + limitText(e.Message, 300)
}

// Unwrap returns the codes and the cause.
func (e *Error) Unwrap() []error {
	if e.cause != nil {
		return append(slices.Clip(e.as), e.cause)
	}
	return e.as
}

// has reports whether the registry sent a code.
func (e *Error) has(codes ...oci.Code) bool {
	return slices.ContainsFunc(e.Codes, func(c *oci.Error) bool { return slices.Contains(codes, c.Code) })
}

// mean makes the error match the given code alone.
func (e *Error) mean(err error) { e.as = []error{err} }

// requestError is the error of a request that got no answer.
func requestError(req *http.Request, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &Error{Method: req.Method, URL: redact(req.URL), cause: err}
}

// responseError is the error that an answer stands for; it closes the body.
// missing is the code that a 404 has at this place, "" for none.
func responseError(resp *http.Response, missing oci.Code) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	_ = resp.Body.Close()
	e := &Error{
		Method: resp.Request.Method, URL: redact(resp.Request.URL), Status: resp.StatusCode,
		Codes: oci.DecodeErrors(body), hdr: resp.Header,
	}
	if len(e.Codes) == 0 {
		e.text = plainText(resp.Header.Get("Content-Type"), body)
	}
	for _, c := range e.Codes {
		e.as = append(e.as, c)
	}
	if code := statusCode(resp.StatusCode, missing); code != "" && !e.has(code) {
		e.as = append(e.as, code)
	}
	if bytes.Contains(bytes.ToLower(body), []byte("imagestreammapping")) {
		e.as = append(e.as, ErrNoDigestPush)
	}
	return e
}

// statusCode is the code that a status means even where the registry says
// UNKNOWN, something of its own, or nothing (peers.md 3).
func statusCode(status int, missing oci.Code) oci.Code {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return missing
	case http.StatusUnauthorized:
		return oci.ErrUnauthorized
	case http.StatusForbidden:
		return oci.ErrDenied
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return oci.ErrUnsupported
	case http.StatusTooManyRequests:
		return oci.ErrTooManyRequests
	case http.StatusServiceUnavailable:
		return oci.ErrUnavailable
	}
	return ""
}

// plainText is a short line of an answer that is not the specification's JSON;
// pages of proxies are left out.
func plainText(contentType string, body []byte) string {
	text := strings.TrimSpace(string(body))
	if strings.Contains(contentType, "html") || strings.HasPrefix(text, "<") {
		return ""
	}
	line, _, _ := strings.Cut(text, "\n")
	return limitText(line, 200)
}

func limitText(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// redact is a URL without what may be secret: user, query (signed locations
// carry their right in it) and fragment.
func redact(u *url.URL) string {
	clean := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return clean.String()
}

// errStalled cuts a connection that moves nothing.
var errStalled error = stalled{}

type stalled struct{}

func (stalled) Error() string { return "connection stalled" }
func (stalled) Timeout() bool { return true }

// brokenConnection reports faults of a connection, as opposed to those of what
// was asked.
func brokenConnection(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) {
		return true
	}
	var t interface{ Timeout() bool }
	if errors.As(err, &t) && t.Timeout() {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op != "remote error" // a TLS alert: the other side refuses, and will again
	}
	text := err.Error()
	return slices.ContainsFunc(http2Faults[:], func(s string) bool { return strings.Contains(text, s) })
}

// ErrNoDigestPush says that a registry takes no manifest without a tag:
// OpenShift's internal registry, whose image streams are made of tags.
var ErrNoDigestPush = errors.New("the OpenShift image registry cannot be used as the target: it does not support pushing without a tag")
