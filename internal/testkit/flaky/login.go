package flaky

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Login makes a server ask for credentials.
type Login struct {
	User, Password string
	Identity       string // a refresh token that serves as well, "" for none
	Bearer         bool   // tokens of its own token service; else Basic
	Uses           int    // a token is refused after so many requests; 0 for never
	ExpiresIn      int    // seconds, as told to clients; 0 to say nothing
	// NoDelete refuses tokens whose scope names "delete", as Quay does.
	NoDelete bool
	// OneScope refuses requests for more than one scope.
	OneScope bool
	// Anonymous lets everybody pull.
	Anonymous bool
	// Realm overrides the address of the token service.
	Realm string

	realm string
	mu    sync.Mutex
	given []string       // scopes of each token, by its number
	uses  map[string]int // by token
}

// Tokens returns the scopes of the tokens given out, in order.
func (l *Login) Tokens() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.given)
}

func (l *Login) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			l.serveToken(w, r)
		case !l.Bearer && l.basic(r), l.Bearer && l.token(r):
			next.ServeHTTP(w, r)
		default:
			l.challenge(w, r)
		}
	})
}

func (l *Login) basic(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && user == l.User && password == l.Password
}

// challenge refuses and says what would be needed.
func (l *Login) challenge(w http.ResponseWriter, r *http.Request) {
	value := `Basic realm="registry"`
	if l.Bearer {
		realm := l.Realm
		if realm == "" {
			realm = l.realm
		}
		value = fmt.Sprintf(`Bearer realm=%q,service="registry"`, realm)
		if need := need(r); need != "" {
			value += fmt.Sprintf(`,scope=%q`, need)
		}
	}
	w.Header().Set("WWW-Authenticate", value)
	Refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
}

// need is the scope that a request takes.
func need(r *http.Request) string {
	name, action := repository(r.URL.Path), "pull"
	if name == "" {
		return ""
	}
	switch r.Method {
	case http.MethodDelete:
		action = "delete"
		if strings.Contains(r.URL.Path, "/blobs/uploads/") {
			action = "push"
		}
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		action = "pull,push"
	}
	return "repository:" + name + ":" + action
}

// repository is the name in a path of the API.
func repository(path string) string {
	path = strings.TrimPrefix(path, "/v2/")
	for _, part := range []string{"/blobs/", "/manifests/", "/tags/", "/referrers/"} {
		if i := strings.LastIndex(path, part); i > 0 {
			return path[:i]
		}
	}
	return ""
}

// token reports whether a request's token is good for it.
func (l *Login) token(r *http.Request) bool {
	id, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var n int
	if _, err := fmt.Sscanf(id, "token-%d", &n); err != nil || n >= len(l.given) {
		return false
	}
	if l.uses == nil {
		l.uses = map[string]int{}
	}
	if l.uses[id]++; l.Uses > 0 && l.uses[id] > l.Uses {
		return false
	}
	return covers(l.given[n], need(r))
}

// covers reports whether scopes grant what a request needs.
func covers(scopes, need string) bool {
	if need == "" {
		return true
	}
	i := strings.LastIndexByte(need, ':')
	for s := range strings.FieldsSeq(scopes) {
		j := strings.LastIndexByte(s, ':')
		if s[:j] == need[:i] && subset(need[i+1:], s[j+1:]) {
			return true
		}
	}
	return false
}

func subset(need, have string) bool {
	all := strings.Split(have, ",")
	for action := range strings.SplitSeq(need, ",") {
		if !slices.Contains(all, action) {
			return false
		}
	}
	return true
}

// serveToken is the token service.
func (l *Login) serveToken(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	scopes := strings.Fields(strings.Join(r.Form["scope"], " "))
	known := l.basic(r) || l.Identity != "" && r.PostForm.Get("refresh_token") == l.Identity
	switch {
	case !known && (!l.Anonymous || !pullOnly(scopes)):
		Refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "wrong user or password")
		return
	case l.OneScope && len(scopes) > 1:
		Refuse(w, http.StatusBadRequest, "UNSUPPORTED", "one scope only")
		return
	case l.NoDelete && strings.Contains(strings.Join(scopes, " "), "delete"):
		Refuse(w, http.StatusBadRequest, "UNSUPPORTED", "invalid scope")
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	answer := map[string]any{"token": fmt.Sprintf("token-%d", len(l.given))}
	if l.ExpiresIn > 0 {
		answer["expires_in"] = l.ExpiresIn
	}
	l.given = append(l.given, strings.Join(scopes, " "))
	_ = json.NewEncoder(w).Encode(answer)
}

func pullOnly(scopes []string) bool {
	return !slices.ContainsFunc(scopes, func(s string) bool { return !strings.HasSuffix(s, ":pull") })
}
