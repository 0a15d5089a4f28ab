package remote_test

import (
	"errors"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/testkit/flaky"
)

// An account is shown to the registry, or to the token service that it names,
// whatever else is filed.
func TestLoginAsks(t *testing.T) {
	for name, c := range map[string]struct {
		login *flaky.Login
		cred  auth.Credential
		asked bool
		want  error
	}{
		"nobody asks":           {nil, auth.Credential{Username: "u", Password: "p"}, false, nil},
		"basic":                 {&flaky.Login{User: "u", Password: "p"}, auth.Credential{Username: "u", Password: "p"}, true, nil},
		"basic, wrong":          {&flaky.Login{User: "u", Password: "p"}, auth.Credential{Username: "u", Password: "x"}, false, oci.ErrUnauthorized},
		"bearer":                {&flaky.Login{User: "u", Password: "p", Bearer: true}, auth.Credential{Username: "u", Password: "p"}, true, nil},
		"bearer, wrong":         {&flaky.Login{User: "u", Password: "p", Bearer: true}, auth.Credential{Username: "u", Password: "x"}, false, oci.ErrUnauthorized},
		"identity token":        {&flaky.Login{Identity: "i", Bearer: true}, auth.Credential{IdentityToken: "i"}, true, nil},
		"identity token, wrong": {&flaky.Login{Identity: "i", Bearer: true}, auth.Credential{IdentityToken: "x"}, false, oci.ErrUnauthorized},
	} {
		for _, path := range []string{"", "a/b"} {
			t.Run(name+" "+path, func(t *testing.T) {
				r := newRig(t, flaky.Options{Login: c.login})
				client := remote.New(remote.Options{Insecure: true, Now: r.Now, Credentials: auth.Only(auth.Key{Host: r.Addr, Path: path}, c.cred)})
				asked, err := client.Registry(r.Addr).Login(t.Context(), path)
				if asked != c.asked || !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
					t.Errorf("asked %v, %v, want %v, %v", asked, err, c.asked, c.want)
				}
			})
		}
	}
}
