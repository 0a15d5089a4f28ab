package auth_test

import (
	"testing"

	"github.com/airbridge-dev/airbridge/internal/auth"
)

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		key, other string
		want       bool
	}{
		{"r.example/a", "r.example", true},
		{"R.example/a/b", "r.example/a", true},
		{"registry-1.docker.io/a", "docker.io", true},
		{"r.example", "r.example", false},
		{"r.example/a", "r.example/a", false},
		{"r.example", "r.example/a", false},
		{"r.example/ab", "r.example/a", false},
		{"r.example:5000/a", "r.example", false},
		{"https://r.example/v1/", "r.example", false}, // loses against a plain key
	} {
		key, err := auth.ParseKey(c.key)
		other, oerr := auth.ParseKey(c.other)
		if err != nil || oerr != nil || key.Below(other) != c.want {
			t.Errorf("%s below %s: %v, want %v (%v, %v)", c.key, c.other, !c.want, c.want, err, oerr)
		}
	}
}
