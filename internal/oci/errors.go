package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Code is an error code of the distribution specification (spec.md, Error
// Codes) or of Docker's registry API, as sent in the "errors" array of an
// answer. A Code is itself an error, the sentinel to match with errors.Is:
// it matches every Error that carries it, made here or decoded from a wire.
type Code string

// The codes of the specification, and those that only real registries send.
const (
	ErrBlobUnknown         Code = "BLOB_UNKNOWN"
	ErrBlobUploadInvalid   Code = "BLOB_UPLOAD_INVALID"
	ErrBlobUploadUnknown   Code = "BLOB_UPLOAD_UNKNOWN"
	ErrDigestInvalid       Code = "DIGEST_INVALID"
	ErrManifestBlobUnknown Code = "MANIFEST_BLOB_UNKNOWN"
	ErrManifestInvalid     Code = "MANIFEST_INVALID"
	ErrManifestUnknown     Code = "MANIFEST_UNKNOWN"
	ErrNameInvalid         Code = "NAME_INVALID"
	ErrNameUnknown         Code = "NAME_UNKNOWN"
	ErrSizeInvalid         Code = "SIZE_INVALID"
	ErrTagInvalid          Code = "TAG_INVALID"
	ErrUnauthorized        Code = "UNAUTHORIZED"
	ErrDenied              Code = "DENIED"
	ErrUnsupported         Code = "UNSUPPORTED"
	ErrTooManyRequests     Code = "TOOMANYREQUESTS"
	ErrRangeInvalid        Code = "RANGE_INVALID"
	ErrUnavailable         Code = "UNAVAILABLE"
	ErrUnknown             Code = "UNKNOWN"
)

// status is the HTTP status that the server sends with each code.
var status = map[Code]int{
	ErrBlobUnknown: http.StatusNotFound, ErrBlobUploadInvalid: http.StatusBadRequest,
	ErrBlobUploadUnknown: http.StatusNotFound, ErrDigestInvalid: http.StatusBadRequest,
	ErrManifestBlobUnknown: http.StatusNotFound, ErrManifestInvalid: http.StatusBadRequest,
	ErrManifestUnknown: http.StatusNotFound, ErrNameInvalid: http.StatusBadRequest,
	ErrNameUnknown: http.StatusNotFound, ErrSizeInvalid: http.StatusBadRequest,
	ErrTagInvalid: http.StatusBadRequest, ErrUnauthorized: http.StatusUnauthorized,
	ErrDenied: http.StatusForbidden, ErrUnsupported: http.StatusMethodNotAllowed,
	ErrTooManyRequests: http.StatusTooManyRequests, ErrRangeInvalid: http.StatusRequestedRangeNotSatisfiable,
	ErrUnavailable: http.StatusServiceUnavailable, ErrUnknown: http.StatusInternalServerError,
}

// Error implements error: the code's words, lower case.
func (c Code) Error() string { return strings.ToLower(strings.ReplaceAll(string(c), "_", " ")) }

// With returns an Error of this code that says what happened.
func (c Code) With(message string) *Error { return &Error{Code: c, Message: message} }

// Wrap returns an Error of this code whose cause stays matchable.
func (c Code) Wrap(cause error) *Error { return &Error{Code: c, Message: cause.Error(), Cause: cause} }

// Status is the HTTP status that belongs to the code; 500 for one unknown here.
func (c Code) Status() int {
	if s, ok := status[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Error is one entry of a registry's error answer, and the error that a local
// registry returns so that a server can pass it on unchanged.
type Error struct {
	Code    Code            `json:"code"`
	Message string          `json:"message,omitempty"`
	Detail  json.RawMessage `json:"detail,omitempty"`
	Cause   error           `json:"-"`
}

// Error implements error: the message if there is one, else the code's words.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code.Error()
	}
	return e.Message
}

// Is matches the Code sentinels.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.Code
}

// Unwrap returns the cause, which may be nil.
func (e *Error) Unwrap() error { return e.Cause }

// CodeOf returns the code carried anywhere in err's chain, ErrUnknown if none.
func CodeOf(err error) Code {
	if c, ok := errors.AsType[Code](err); ok {
		return c
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ErrUnknown
}

// IsNotFound reports whether err says that a manifest, tag, blob, repository
// or upload does not exist, in any of the codes used for it.
func IsNotFound(err error) bool {
	for _, c := range []Code{ErrManifestUnknown, ErrBlobUnknown, ErrNameUnknown, ErrBlobUploadUnknown} {
		if errors.Is(err, c) {
			return true
		}
	}
	return false
}

// EncodeErrors is the body of an error answer (spec.md, Error Codes).
func EncodeErrors(errs ...*Error) []byte {
	body, err := json.Marshal(struct {
		Errors []*Error `json:"errors"`
	}{errs})
	if err != nil { // only a malformed Detail can do this
		return fmt.Appendf(nil, `{"errors":[{"code":%q}]}`, ErrUnknown)
	}
	return body
}

// DecodeErrors reads the body of an error answer. It tolerates what registries
// send: an empty body, no JSON, a single object, details of any shape. It
// returns nil where no code can be found.
func DecodeErrors(body []byte) []*Error {
	var many struct {
		Errors []*Error `json:"errors"`
	}
	if json.Unmarshal(body, &many) != nil {
		return nil
	}
	out := many.Errors[:0]
	for _, e := range many.Errors {
		if e != nil && e.Code != "" {
			out = append(out, e)
		}
	}
	return out
}
