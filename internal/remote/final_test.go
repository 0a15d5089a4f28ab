package remote

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// A refusal is final only where asking again is asking the same, and the token
// says what the registry says.
func TestFinalRefusals(t *testing.T) {
	const nothing, pulls = `{"access":[]}`, `{"access":[{"type":"repository","name":"a/b","actions":["pull"]}]}`
	const short = `Bearer realm="https://t.example/",error="insufficient_scope",scope=`
	pushes := push("a/b").want
	for _, c := range []struct {
		what, payload, challenge string
		asked                    []string
		scope                    scope
		want                     bool
	}{
		{"grants nothing", nothing, short + `"repository:a/b:pull,push"`, pushes, push("a/b"), true},
		{"grants less", pulls, short + `"repository:a/b:pull,push"`, pushes, push("a/b"), true},
		{"grants another repository", `{"access":[{"type":"repository","name":"a","actions":["pull","push"]}]}`, short + `"repository:a/b:push"`, pushes, push("a/b"), true},
		{"no scope is named", nothing, `Bearer realm="https://t.example/",error="insufficient_scope"`, pushes, push("a/b"), true},
		{"grants what it has to", pulls, short + `"repository:a/b:pull"`, pull("a/b").want, pull("a/b"), false},
		{"grants all", `{"access":[{"type":"repository","name":"a/b","actions":["*"]}]}`, short + `"repository:a/b:pull,push"`, pushes, push("a/b"), false},
		{"more is needed than was asked for", pulls, short + `"repository:a/b:delete"`, pushes, push("a/b"), false},
		{"less is needed than was asked for", nothing, short + `"repository:a/b:pull"`, pushes, pull("a/b"), false},
		{"expired", nothing, `Bearer realm="https://t.example/",error="invalid_token"`, pushes, push("a/b"), false},
		{"no reason", nothing, `Bearer realm="https://t.example/"`, pushes, push("a/b"), false},
	} {
		token := &token{header: "Bearer " + token3(c.payload), asked: c.asked}
		said := parseChallenges(http.Header{"Www-Authenticate": {c.challenge}})
		if got := token.final(said, c.scope); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	said := parseChallenges(http.Header{"Www-Authenticate": {short + `"repository:a/b:pull,push"`}})
	if (&token{header: "Bearer opaque", asked: pushes}).final(said, push("a/b")) {
		t.Error("a token that says nothing is not asked for again")
	}
	if (*token)(nil).final(said, push("a/b")) {
		t.Error("no token at all is asked for")
	}
}

// What a token grants of other things is not granted in a repository, whatever
// they are called.
func TestGrantedInARepository(t *testing.T) {
	const list = `{"access":[{"type":"registry","name":"a/b","actions":["delete"]},{"type":"repository","name":"a","actions":["push"]},` +
		`{"type":"repository","name":"a/b","actions":["pull","pull"]}]}`
	c := New(Options{Now: func() time.Time { return time.Unix(1000, 0) }})
	h := c.host("r.example")
	h.cache[push("a/b").key()] = &token{header: "Bearer " + token3(list), expires: time.Unix(2000, 0)}
	if got, told := h.granted("a/b"); !told || !slices.Equal(got, []string{"pull"}) {
		t.Errorf("%v, %v", got, told)
	}
	if got, told := h.granted("a"); told {
		t.Errorf("of a repository without a token: %v", got)
	}
}
