package server

import (
	"net/url"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// kind says what an address under /v2/ is.
type kind int

const (
	routeNone      kind = iota
	routePing           // /v2/
	routeCatalog        // /v2/_catalog
	routeTags           // /v2/NAME/tags/list
	routeReferrers      // /v2/NAME/referrers/REF
	routeManifest       // /v2/NAME/manifests/REF
	routeBlob           // /v2/NAME/blobs/REF
	routeUploads        // /v2/NAME/blobs/uploads/
	routeUpload         // /v2/NAME/blobs/uploads/REF
	kinds
)

// route is a parsed address. name and ref are as they stand in it: whoever
// uses them checks them.
type route struct {
	kind      kind
	name, ref string
}

// errNoRoute is the answer to an address that the specification has not.
var errNoRoute = oci.ErrNameUnknown.With("no such address")

// parseRoute reads an address from its end, because a repository's name has
// any number of parts and these may be words of the API. It uses no patterns
// and allocates nothing: it runs for every request. An encoded slash is
// refused: a name is what its slashes say it is.
func parseRoute(u *url.URL) (route, error) {
	if u.RawPath != "" && strings.Contains(strings.ToLower(u.RawPath), "%2f") {
		return route{}, oci.ErrNameInvalid.With("a name has no encoded slashes")
	}
	path, ok := strings.CutPrefix(u.Path, "/v2")
	if !ok || path != "" && path[0] != '/' {
		return route{}, errNoRoute
	}
	switch path {
	case "", "/":
		return route{kind: routePing}, nil
	case "/_catalog":
		return route{kind: routeCatalog}, nil
	}
	if rt, ok := parseNamed(path[1:]); ok && rt.name != "" {
		return rt, nil
	}
	return route{}, errNoRoute
}

// parseNamed reads NAME/WORD/REF and NAME/blobs/uploads/REF.
func parseNamed(path string) (route, bool) {
	rest, ref, ok := cutLast(path)
	if !ok {
		return route{}, false
	}
	name, word, _ := cutLast(rest)
	switch {
	case word == "manifests" && ref != "":
		return route{routeManifest, name, ref}, true
	case word == "referrers" && ref != "":
		return route{routeReferrers, name, ref}, true
	case word == "tags" && ref == "list":
		return route{routeTags, name, ""}, true
	case word == "blobs" && ref == "uploads":
		return route{routeUploads, name, ""}, true
	case word == "blobs" && ref != "":
		return route{routeBlob, name, ref}, true
	case word == "uploads":
		return parseUpload(name, ref)
	}
	return route{}, false
}

func parseUpload(path, id string) (route, bool) {
	name, word, _ := cutLast(path)
	if word != "blobs" {
		return route{}, false
	}
	if id == "" {
		return route{routeUploads, name, ""}, true
	}
	return route{routeUpload, name, id}, true
}

// cutLast splits at the last slash.
func cutLast(path string) (before, after string, found bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}
