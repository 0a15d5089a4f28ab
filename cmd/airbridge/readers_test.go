package main

import (
	"net/http"
	"net/http/httptest"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// cmdReaders starts a registry with two accounts: reader:pw may pull, and
// writer:pw may push as well.
func cmdReaders(ts *testscript.TestScript, _ bool, args []string) {
	f, handler := newRegistry(args[0])
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case authorized(r, "writer:pw"), reads && authorized(r, "reader:pw"):
			handler.ServeHTTP(w, r)
		case authorized(r, "reader:pw"):
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write(oci.EncodeErrors(oci.ErrDenied.With("read only")))
		default:
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(oci.EncodeErrors(oci.ErrUnauthorized.With("authentication required")))
		}
	}))
	ts.Defer(srv.Close)
	serveAs(ts, f, srv)
}
