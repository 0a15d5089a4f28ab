// Package server is the HTTP face of a repo.Registry: the OCI distribution
// specification 1.1 with the parts that its development version adds (tags as
// parameters, cancelling an upload), and nothing of its own. It knows nothing
// of stores: it serves whatever answers the Registry contract, reads and
// writes where that can be written, and says 405 where it cannot.
//
// Every answer that is not a success carries the error body of the
// specification. A fault of one request, even a panic, ends that request only.
package server
