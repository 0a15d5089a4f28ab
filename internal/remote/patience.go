package remote

import (
	"context"
	"errors"
	"net"
	"time"
)

// patience is how long a host that takes no more connections is waited for: by
// then it is not being restarted. The requests after that are tried once each,
// so that a run with thousands of images does not wait for each of them.
const patience = time.Minute

// heard notes whether a connection to the host came about. Other faults than of
// dialing are of a host that is there.
func (h *host) heard(err error) {
	dial, failed := errors.AsType[*net.OpError](err)
	failed = failed && dial.Op == "dial"
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !failed:
		h.goneSince = time.Time{}
	case h.goneSince.IsZero():
		h.goneSince = h.c.o.Now()
	}
}

// gone reports whether no connection came about for longer than patience.
func (h *host) gone() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.goneSince.IsZero() && h.c.o.Now().Sub(h.goneSince) >= patience
}

// giveUp reports whether a fault is final after so many tries.
func (h *host) giveUp(ctx context.Context, try int, err error) bool {
	most := maxTries
	switch {
	case h.gone():
		most = 1
	case refusal(err):
		most = patientTries
	}
	_, unreached := errors.AsType[*unreachedError](err)
	return ctx.Err() != nil || try >= most || unreached || !transient(err)
}
