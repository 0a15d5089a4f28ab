package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// piece is how much is sent between two looks at the clock, in bytes: a client
// must take that much within the stall time, so it is small.
const piece = 256 << 10

// reply is the answering side of a call. It notes what was answered, and keeps
// a deadline ahead of the bytes, so that a client that stands still loses its
// connection and one that is only slow does not.
type reply struct {
	http.ResponseWriter
	now    func() time.Time
	stall  time.Duration
	status int
	sent   int64
	err    error
}

// Unwrap serves http.ResponseController.
func (w *reply) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// guard sets the first deadlines of a request that has a body. Without one
// there is nothing to wait for until WriteHeader.
func (w *reply) guard(r *http.Request) {
	if r.ContentLength != 0 {
		w.extendRead()
		w.extendWrite()
	}
}

// extendRead and extendWrite move the deadlines forward. A writer that has
// none, as in a test without a connection, cannot stall either.
func (w *reply) extendRead() {
	_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(w.now().Add(w.stall))
}

func (w *reply) extendWrite() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(w.now().Add(w.stall))
}

// freeRead takes the read deadline away: once a body is in, the server watches
// the connection for the client's leaving, and that wait has no limit.
func (w *reply) freeRead() {
	_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(time.Time{})
}

// WriteHeader implements http.ResponseWriter.
func (w *reply) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.extendWrite()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *reply) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

// send copies n bytes. The writer below gets the reader itself, piece by
// piece, so that the kernel sends a plain file (sendfile).
func (w *reply) send(src io.Reader, n int64) error {
	for n > 0 {
		k, err := io.CopyN(w.ResponseWriter, src, min(n, piece))
		w.sent += k
		n -= k
		if err != nil {
			return err
		}
		w.extendWrite()
	}
	return nil
}

// json answers 200 with a JSON body.
func (w *reply) json(body []byte) error { return w.body("application/json", body) }

// body answers 200 with a body.
func (w *reply) body(contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(body)
	return err
}

// statusError is an error whose status is not the one of its code.
type statusError struct {
	status int
	cause  *oci.Error
}

// Error implements error.
func (e *statusError) Error() string { return e.cause.Error() }

// Unwrap keeps the code matchable.
func (e *statusError) Unwrap() error { return e.cause }

// fail answers with an error. Where an answer has begun already there is
// nothing to add: it declared its length, so net/http drops the connection and
// the client cannot take the part for the whole.
func (w *reply) fail(err error) {
	w.err = err
	if w.status != 0 {
		return
	}
	e, status := describe(err)
	body := oci.EncodeErrors(e)
	if e.Code == oci.ErrTooManyRequests || e.Code == oci.ErrUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// describe says what a client is told of an error. What carries no code is a
// fault of ours and stays in Access: it may name paths.
func describe(err error) (*oci.Error, int) {
	var special *statusError
	var space *repo.SpaceError
	var corrupt *repo.CorruptError
	switch {
	case errors.As(err, &special):
		return special.cause, special.status
	case errors.As(err, &space):
		return oci.ErrDenied.With("the registry's disk is full"), http.StatusInsufficientStorage
	case errors.As(err, &corrupt):
		return oci.ErrUnknown.With("content " + corrupt.Digest.String() + " is corrupt here"), http.StatusInternalServerError
	case errors.Is(err, os.ErrDeadlineExceeded):
		return oci.ErrUnknown.With("the transfer stood still for too long"), http.StatusRequestTimeout
	}
	code := oci.CodeOf(err)
	if code == oci.ErrUnknown {
		return code.With("internal error"), code.Status()
	}
	e, ok := errors.AsType[*oci.Error](err)
	if !ok || e.Code != code {
		e = code.With(err.Error())
	}
	return e, code.Status()
}
