package remote

import (
	"context"
	"errors"
	"net/url"
	"strings"
)

// linkFor returns the way to a place that the registry pointed to: its token
// service, where its blobs are kept, or itself.
func (h *host) linkFor(ctx context.Context, own *link, target *url.URL) (*link, error) {
	if target.Host == h.name && target.Scheme == own.scheme {
		return own, nil
	}
	return h.c.host(strings.ToLower(target.Host)).side(ctx, target.Scheme)
}

// side returns the way to a host that need not be a registry. With Insecure
// its certificate is tried first, like a registry's; what asks for https never
// gets plain http.
func (h *host) side(ctx context.Context, scheme string) (*link, error) {
	return h.sides.do(ctx, scheme, func(ctx context.Context) (*link, error) {
		h.mu.Lock()
		l, ok := h.sideLinks[scheme]
		h.mu.Unlock()
		if ok {
			return l, nil
		}
		l, err := h.newSide(ctx, scheme)
		if err != nil {
			return nil, err
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.sideLinks[scheme] = l
		return l, nil
	})
}

func (h *host) newSide(ctx context.Context, scheme string) (*link, error) {
	switch scheme {
	case "http":
		return h.newLink(scheme, nil), nil
	case "https":
		config, err := h.c.tlsConfig(h.name)
		if err != nil || !h.c.o.Insecure {
			return h.newLink(scheme, config), err
		}
		l, err := h.secured(ctx, config)
		if _, answered := asError(err); answered { // whatever it said, it said it over TLS
			err = nil
		}
		return l, err
	}
	return nil, errors.New("the registry pointed to a place that is not http: " + limitText(scheme, 20))
}

// hostOnly is "host:port" without the port; an IPv6 literal stays in its brackets.
func hostOnly(hostport string) string {
	i := strings.LastIndexByte(hostport, ':')
	if i < 0 || strings.HasSuffix(hostport, "]") {
		return hostport
	}
	return hostport[:i]
}
