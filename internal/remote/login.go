package remote

import (
	"context"
	"net/http"
)

// Login shows the registry the credentials that are known for a repository (""
// for the registry as such): at the base of its API, and at its token service
// where it has one. asked is false where the registry lets anybody in there, so
// that nothing is known about the credentials. The error matches
// oci.ErrUnauthorized or oci.ErrDenied where they are refused.
func (r *Registry) Login(ctx context.Context, repository string) (asked bool, err error) {
	base := call{method: http.MethodGet, scope: scope{repo: repository}, ok: []int{http.StatusOK}}
	if err := r.host.do(ctx, base, nil); err != nil {
		return false, err
	}
	l, err := r.host.open(ctx)
	if err != nil {
		return false, err
	}
	_, asked = choose(l.challenge())
	return asked, nil
}
