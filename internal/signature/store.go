package signature

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// Limits of a look at one store.
const (
	indices      = 9 // signature-1 to signature-9 (oc.md 11)
	maxRedirects = 5
	maxAddress   = 2048 // bytes
)

// errNone says that a store has no signature of that number.
var errNone = errors.New("there is none")

// reader reads signatures from stores. It sends nothing that tells who asks.
type reader struct {
	client  *http.Client
	agent   string
	timeout time.Duration
}

func newReader(o Options) *reader {
	return &reader{
		client: &http.Client{Transport: o.Transport, CheckRedirect: checkRedirect},
		agent:  o.UserAgent, timeout: o.Request,
	}
}

// checkRedirect bounds redirects, and drops credentials that an address brings.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return fmt.Errorf("redirected to a %.20q address", req.URL.Scheme)
	}
	req.URL.User = nil
	return nil
}

// parseStore reads the address of a store, which a payload gives.
func parseStore(address string) (*url.URL, error) {
	if len(address) > maxAddress {
		return nil, fmt.Errorf("its address has over %d bytes", maxAddress)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("its address cannot be read")
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	switch {
	case u.Scheme == "file" && u.Host != "" && u.Host != "localhost":
		return nil, errors.New("its files are on another machine") // Windows would log in there
	case u.Scheme == "file", (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return u, nil
	}
	return nil, errors.New("it is no http, https or file address")
}

// get returns the signature of a number, errNone if the store has none.
func (r *reader) get(ctx context.Context, store *url.URL, d oci.Digest, n int) ([]byte, error) {
	at := store.JoinPath(fmt.Sprintf("%s=%s", d.Algorithm(), d.Hex()), fmt.Sprintf("signature-%d", n))
	if store.Scheme == "file" {
		return readFile(filepath.FromSlash(at.Path))
	}
	body, err := r.getOnce(ctx, at)
	if err != nil && again(err) && ctx.Err() == nil {
		body, err = r.getOnce(ctx, at)
	}
	return body, err
}

// statusError is an answer that is neither a signature nor "there is none".
type statusError struct{ status int }

// Error implements error.
func (e *statusError) Error() string {
	return fmt.Sprintf("%d %s", e.status, http.StatusText(e.status))
}

// again reports whether a second request at once may have more luck: after a
// cut connection, but not after a time-out, which has cost enough.
func again(err error) bool {
	if s, ok := errors.AsType[*statusError](err); ok {
		return s.status >= 500
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "connection reset")
}

func (r *reader) getOnce(ctx context.Context, at *url.URL) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("no answer within %s", r.timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", r.agent)
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, plain(ctx, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return nil, errNone
	default:
		return nil, &statusError{resp.StatusCode}
	}
	body, err := readSome(resp.Body)
	if err != nil {
		return nil, plain(ctx, err)
	}
	return body, nil
}

// plain takes the address out of an error, which whoever prints it knows, and
// says why the time was over.
func plain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// readSome reads one byte more than a signature may have, for Verify to refuse.
func readSome(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, MaxSize+1)) }

// readFile reads a regular file: a pipe would never end.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errNone
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readSome(f)
}
