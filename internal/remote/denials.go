package remote

import (
	"cmp"
	"errors"
	"net/http"
	"sync"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/oci"
)

// denials are refusals of a token service that will not change while a run
// lasts: of a repository's name, and of an account. Asked again it says the
// same, and an account that asks too often may get locked.
//
// Whoever has been given a token before is asked for again: what is refused
// then is an accident of the service.
type denials struct {
	mu       sync.Mutex
	scopes   map[string]*Error
	accounts map[auth.Credential]*Error
	given    map[string]bool
	served   map[auth.Credential]bool
}

func newDenials() *denials {
	return &denials{scopes: map[string]*Error{}, accounts: map[auth.Credential]*Error{}, given: map[string]bool{}, served: map[auth.Credential]bool{}}
}

// find returns an earlier refusal that answers a request, nil for none. A name
// that is refused for pulls is so for pushes.
func (d *denials) find(s scope, account auth.Credential) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := cmp.Or(d.scopes[s.key()], d.accounts[account])
	if pulls := d.scopes[pull(s.repo).key()]; e == nil && pulls != nil && pulls.has(oci.ErrNameInvalid) {
		e = pulls
	}
	if e == nil {
		return nil
	}
	same := *e // whoever explains it further explains his own
	return &same
}

// learn takes in what came of asking for a token.
func (d *denials) learn(s scope, account auth.Credential, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.given[s.key()], d.served[account] = true, true
		return
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status/100 != 4 || transient(err) {
		return
	}
	if !d.given[s.key()] {
		d.scopes[s.key()] = e
	}
	if e.Status == http.StatusUnauthorized && !account.IsZero() && !d.served[account] {
		d.accounts[account] = e
	}
}
