package remote

import (
	"net/http"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/auth"
)

// An account that was given a token has the right password: when it is refused
// later, other repositories are asked for all the same.
func TestAccountThatWasServedIsNotDenied(t *testing.T) {
	account := auth.Credential{Username: "u", Password: "p"}
	for _, served := range []bool{true, false} {
		d := newDenials()
		if served {
			d.learn(pull("a"), account, nil)
		}
		d.learn(pull("b"), account, &Error{Status: http.StatusUnauthorized})
		if d.find(pull("b"), account) == nil {
			t.Errorf("served %v: the name is asked for again", served)
		}
		if denied := d.find(pull("c"), account) != nil; denied == served {
			t.Errorf("served %v: another name is denied: %v", served, denied)
		}
	}
}
