package remote_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
)

// lists tries to list the tags of a repository.
func lists(t *testing.T, r *rig, name string) error {
	t.Helper()
	for _, err := range mustRepo(t, r.registry, name).Tags(t.Context(), "") {
		return err
	}
	return nil
}

// A name that the token service refuses is asked for once, for pulls and pushes;
// each name is.
func TestRefusedNamesAreAskedForOnce(t *testing.T) {
	r := newProfile(t, "quay", "org")
	for range 3 {
		for _, name := range []string{"org/a/b", "org/c/d"} {
			if err := lists(t, r, name); !errors.Is(err, oci.ErrNameInvalid) {
				t.Fatalf("%s: %v", name, err)
			}
			if err := r.registry.CanPush(t.Context(), name); reasonOf(err) != remote.NestedName {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	if n := r.Count(http.MethodGet, "/v2/auth"); n != 2 {
		t.Errorf("%d tokens were asked for, want one a name", n)
	}
	if err := r.registry.CanPush(t.Context(), "org/a"); err != nil {
		t.Errorf("a name that is allowed: %v", err)
	}
}

// refusing is a login whose token service takes no name while told so.
func refusing(no *atomic.Bool) *flaky.Login {
	return &flaky.Login{User: "u", Password: "p", Bearer: true, Uses: 1, Product: flaky.Product{Name: func(string) (string, string) {
		if no.Load() {
			return "DENIED", "not for you"
		}
		return "", ""
	}}}
}

// A right that is missing for pulls says nothing of pushes.
func TestRefusedRightsAreApart(t *testing.T) {
	var no atomic.Bool
	no.Store(true)
	r := newRig(t, flaky.Options{Login: refusing(&no)})
	for range 2 {
		_ = lists(t, r, "a")
		_ = r.registry.CanPush(t.Context(), "a")
	}
	if n := r.Count(http.MethodGet, "/token"); n != 2 {
		t.Errorf("%d tokens were asked for, want one to pull and one to push", n)
	}
}

// A password that is wrong is tried once, whatever it is wanted for: accounts
// are locked for less.
func TestWrongPasswordIsTriedOnce(t *testing.T) {
	r := newProfile(t, "quay", "org")
	r.login(t, "pusher:no")
	for _, name := range []string{"org/a", "org/b", "org/c"} {
		if err := lists(t, r, name); !errors.Is(err, oci.ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := r.Count(http.MethodGet, "/v2/auth"); n != 1 {
		t.Errorf("the password was tried %d times", n)
	}
}

// A service that has given a token before, and refuses one, is asked again.
func TestAccidentsOfTheTokenServicePass(t *testing.T) {
	var no atomic.Bool
	r := newRig(t, flaky.Options{Login: refusing(&no)})
	r.preload(t, "a", []byte("x"), "v1")
	for _, refuses := range []bool{false, true, false} {
		no.Store(refuses)
		_, err := mustRepo(t, r.registry, "a").Resolve(t.Context(), repo.ByTag("v1"))
		if refuses != (err != nil) {
			t.Errorf("where the service refuses is %v: %v", refuses, err)
		}
	}
}

// Whoever has no account may still read what everybody may, once a push was
// refused him.
func TestNobodyMayStillRead(t *testing.T) {
	r := newRig(t, flaky.Options{Login: &flaky.Login{Bearer: true, Anonymous: true}})
	r.preload(t, "a", []byte("x"), "v1")
	if err := r.registry.CanPush(t.Context(), "a"); !errors.Is(err, oci.ErrUnauthorized) {
		t.Fatalf("a push without an account: %v", err)
	}
	if err := lists(t, r, "a"); err != nil {
		t.Errorf("reading: %v", err)
	}
}

// A token service that is overloaded has refused nothing.
func TestOverloadIsNoDenial(t *testing.T) {
	var busy atomic.Bool
	busy.Store(true)
	r := newRig(t, flaky.Options{Login: &flaky.Login{User: "u", Password: "p", Bearer: true, Product: flaky.Product{Wrong: func(w http.ResponseWriter) {
		if busy.Load() {
			flaky.Refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "later")
			return
		}
		flaky.Refuse(w, http.StatusForbidden, "DENIED", "wrong")
	}}}})
	r.login(t, "u:wrong")
	if err := lists(t, r, "a"); !errors.Is(err, oci.ErrTooManyRequests) {
		t.Fatalf("while it is busy: %v", err)
	}
	busy.Store(false)
	if err := lists(t, r, "a"); !errors.Is(err, oci.ErrDenied) {
		t.Errorf("then: %v", err)
	}
}
