package server

import (
	"log/slog"
	"net/http"
	"time"
)

// HTTPServer returns a server for h that has no address and no certificate
// yet. It speaks HTTP/1.1 only: Go's HTTP/2 carries blobs at less than half
// the speed, over one connection. A client gets 15 seconds for a request's
// header of at most 64 KiB, and an idle connection two minutes; bodies have no
// total time, they are watched as they move (Options.Stall). Faults of
// connections are not reported; set ErrorLog to see them.
func HTTPServer(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           h,
		Protocols:         protocols,
		ReadHeaderTimeout: 15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
}
