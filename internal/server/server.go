package server

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// Options says how a registry is served. Now must be set, all else has a
// default.
type Options struct {
	// ReadOnly refuses every push and deletion with 405, whatever the registry
	// would allow.
	ReadOnly bool
	// MaxManifest is the largest manifest taken, in bytes; 0 is
	// oci.MaxManifestSize. What is larger is answered 413.
	MaxManifest int64
	// CacheBytes bounds the memory for manifests and small blobs; 0 is 64 MiB.
	CacheBytes int64
	// PageSize is the most entries in one answer of a list; 0 is 10,000. The
	// rest is behind the answer's Link.
	PageSize int
	// Stall is how long a client may keep a transfer still, in either
	// direction, before it is cut; 0 is one minute. A slow client that moves is
	// never cut.
	Stall time.Duration
	// Now is the clock for Stall and for Access.
	Now func() time.Time
	// Access, if set, is told of every request once it is over. It is called
	// from the goroutine of the request.
	Access func(Access)
}

// Access is one request, as it went.
type Access struct {
	Method, Path, Remote string
	Status               int
	Received, Sent       int64 // bytes of the bodies
	Took                 time.Duration
	Err                  error // why Status is not a success; more than the client is told
}

// server is the handler. All but the cache is constant once made.
type server struct {
	reg     repo.Registry
	opts    Options
	routes  [kinds]methods
	cache   *cache
	buffers *buffers
}

// methods are the handlers of one kind of route.
type methods map[string]func(*call) error

// New returns a handler for /v2/ over reg. It panics where Options.Now is
// missing, which is a mistake in the program.
func New(reg repo.Registry, o Options) http.Handler {
	if o.Now == nil {
		panic("server: Options.Now is not set")
	}
	o.MaxManifest = cmp.Or(o.MaxManifest, oci.MaxManifestSize)
	o.CacheBytes = cmp.Or(o.CacheBytes, 64<<20)
	o.PageSize = cmp.Or(o.PageSize, 10000)
	o.Stall = cmp.Or(o.Stall, time.Minute)
	s := &server{reg: reg, opts: o, cache: newCache(o.CacheBytes), buffers: newBuffers()}
	s.routes = s.table()
	return s
}

// table says which methods each kind of route has (spec.md, Endpoints).
func (s *server) table() [kinds]methods {
	get := func(f func(*call) error) methods { return methods{http.MethodGet: f, http.MethodHead: f} }
	t := [kinds]methods{
		routePing:      get(s.ping),
		routeCatalog:   get(s.catalog),
		routeTags:      get(s.tags),
		routeReferrers: get(s.referrers),
		routeManifest:  get(s.getManifest),
		routeBlob:      get(s.getBlob),
		routeUploads:   {http.MethodPost: s.startUpload},
		routeUpload: {
			http.MethodGet: s.statusUpload, http.MethodHead: s.statusUpload, http.MethodPatch: s.patchUpload,
			http.MethodPut: s.putUpload, http.MethodDelete: s.cancelUpload,
		},
	}
	t[routeManifest][http.MethodPut] = s.putManifest
	t[routeManifest][http.MethodDelete] = s.deleteManifest
	t[routeBlob][http.MethodDelete] = s.deleteBlob
	return t
}

// call is one request on its way through a handler.
type call struct {
	reply
	req      *http.Request
	repo     repo.Repo // nil on routes that have none
	ref      string    // the tag, digest or upload id of the route
	received int64     // bytes taken from the body
}

func (c *call) ctx() context.Context { return c.req.Context() }

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var started time.Time
	if s.opts.Access != nil {
		started = s.opts.Now()
	}
	c := &call{req: r, reply: reply{ResponseWriter: w, stall: s.opts.Stall, now: s.opts.Now}}
	defer func() {
		if v := recover(); v != nil {
			c.fail(fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}
		s.account(c, started)
	}()
	c.guard(r)
	if err := s.dispatch(c); err != nil {
		c.fail(err)
	}
}

func (s *server) account(c *call, started time.Time) {
	if s.opts.Access == nil {
		return
	}
	s.opts.Access(Access{
		Method: c.req.Method, Path: c.req.URL.Path, Remote: c.req.RemoteAddr,
		Status: c.status, Received: c.received, Sent: c.sent,
		Took: s.opts.Now().Sub(started), Err: c.err,
	})
}

// dispatch finds the handler and the repository of a request.
func (s *server) dispatch(c *call) error {
	rt, err := parseRoute(c.req.URL)
	if err != nil {
		return err
	}
	h, ok := s.routes[rt.kind][c.req.Method]
	if !ok || s.opts.ReadOnly && !reads(c.req.Method) {
		return s.notAllowed(c, rt, ok)
	}
	if rt.name != "" {
		if c.repo, err = s.reg.Repo(rt.name); err != nil {
			return err
		}
	}
	c.ref = rt.ref
	return h(c)
}

// notAllowed says which methods there are (RFC 9110, 15.5.6), and why.
func (s *server) notAllowed(c *call, rt route, known bool) error {
	if known {
		c.Header().Set("Allow", "GET, HEAD")
		return oci.ErrUnsupported.With("this registry is read-only: it takes no pushes and deletes nothing")
	}
	for _, m := range []string{"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"} {
		if s.routes[rt.kind][m] != nil && (reads(m) || !s.opts.ReadOnly) {
			c.Header().Add("Allow", m)
		}
	}
	return oci.ErrUnsupported.With(fmt.Sprintf("%.20s is not a method of this address", c.req.Method))
}

func reads(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// ping answers that this is a registry, and, for Docker's clients, of which
// generation (spec.md, Determining Support).
func (s *server) ping(c *call) error {
	c.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	return c.json([]byte("{}"))
}
