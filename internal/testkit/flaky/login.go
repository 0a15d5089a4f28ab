package flaky

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Login makes a server ask for credentials.
type Login struct {
	User, Password string
	// Reader has the same password and may only pull; "" for no such account.
	Reader    string
	Identity  string // a refresh token that serves as well, "" for none
	Bearer    bool   // tokens of its own token service; else Basic
	Uses      int    // a token is refused after so many requests; 0 for never
	ExpiresIn int    // seconds, as told to clients; 0 to say nothing
	// NoDelete refuses tokens whose scope names "delete", as Quay does.
	NoDelete bool
	// OneScope refuses requests for more than one scope.
	OneScope bool
	// Anonymous lets everybody pull.
	Anonymous bool
	// Realm overrides the address of the token service.
	Realm string
	// Product has what sets the login of a product apart; its zero value is a
	// plain one, with opaque tokens that grant whatever is asked for.
	Product Product

	realm string
	mu    sync.Mutex
	given []given        // each token, by its number
	uses  map[string]int // by token
}

// Product is how the login of a real registry differs.
type Product struct {
	Path    string // of the token service, "/token" if empty
	Service string // "registry" if empty
	// Challenge is the whole challenge, for a login without a token service.
	Challenge string
	// Header is on every answer.
	Header http.Header
	// JWT makes tokens say what they grant.
	JWT bool
	// Also lets requests in that bring Basic credentials instead of a token.
	Also bool
	// Name refuses a repository's name at the token service: the code and the
	// message of the answer 400, or "".
	Name func(name string) (code, message string)
	// Grant returns the actions that an account gets of those asked for in a
	// repository. nil grants pull to readers and everything to the others.
	Grant func(reader bool, name string, actions []string) []string
	// Denied answers a request that the account may not make; nil for the
	// challenge of a registry with a token service, or 403 of one without.
	Denied func(w http.ResponseWriter, r *http.Request)
	// Wrong answers bad credentials; nil for 401.
	Wrong func(w http.ResponseWriter)
}

// given is a token that was given out.
type given struct {
	scopes string // granted
	reader bool
}

// Tokens returns the scopes of the tokens given out, in order.
func (l *Login) Tokens() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, g := range l.given {
		out = append(out, g.scopes)
	}
	return out
}

func (l *Login) path() string {
	if l.Product.Path != "" {
		return l.Product.Path
	}
	return "/token"
}

func (l *Login) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), l.Product.Header)
		if r.URL.Path == l.path() {
			l.serveToken(w, r)
			return
		}
		switch l.judge(r) {
		case allowed:
			next.ServeHTTP(w, r)
		case forbidden:
			l.deny(w, r)
		default:
			l.challenge(w, r, "")
		}
	})
}

// verdict is what a login makes of a request.
type verdict int

const (
	unknown   verdict = iota // who calls
	forbidden                // is known and may not
	allowed
)

func (l *Login) judge(r *http.Request) verdict {
	if l.Bearer {
		if v := l.token(r); v != unknown || !l.Product.Also {
			return v
		}
	}
	reader, ok := l.basic(r)
	switch {
	case !ok:
		return unknown
	case l.covers(l.grant(reader, need(r)), need(r)):
		return allowed
	}
	return forbidden
}

// basic reports whether the credentials are those of an account, and which.
func (l *Login) basic(r *http.Request) (reader, ok bool) {
	user, password, given := r.BasicAuth()
	if !given || password != l.Password {
		return false, false
	}
	reader = l.Reader != "" && user == l.Reader
	return reader, reader || user == l.User
}

// deny answers an account that may not do what it asked for.
func (l *Login) deny(w http.ResponseWriter, r *http.Request) {
	switch {
	case l.Product.Denied != nil:
		l.Product.Denied(w, r)
	case l.Bearer:
		l.challenge(w, r, `,error="insufficient_scope"`)
	default:
		Refuse(w, http.StatusForbidden, "DENIED", "requested access to the resource is denied")
	}
}

// challenge refuses and says what would be needed.
func (l *Login) challenge(w http.ResponseWriter, r *http.Request, reason string) {
	service := l.Product.Service
	if service == "" {
		service = "registry"
	}
	value := l.Product.Challenge
	if value == "" {
		value = fmt.Sprintf(`Basic realm=%q`, service)
	}
	if l.Bearer {
		realm := l.Realm
		if realm == "" {
			realm = l.realm
		}
		value = fmt.Sprintf(`Bearer realm=%q,service=%q`, realm, service)
		if need := need(r); need != "" {
			value += fmt.Sprintf(`,scope=%q`, need)
		}
		value += reason
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

// token tells whether a request's token is good for it.
func (l *Login) token(r *http.Request) verdict {
	id, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return unknown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := tokenNumber(id)
	if !ok || n >= len(l.given) {
		return unknown
	}
	if l.uses == nil {
		l.uses = map[string]int{}
	}
	if l.uses[id]++; l.Uses > 0 && l.uses[id] > l.Uses {
		return unknown
	}
	if l.covers(l.given[n].scopes, need(r)) {
		return allowed
	}
	return forbidden
}

// covers reports whether scopes grant what a request needs.
func (l *Login) covers(scopes, need string) bool {
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

// grant returns the scopes that an account gets of those it asks for.
func (l *Login) grant(reader bool, scopes string) string {
	var out []string
	for s := range strings.FieldsSeq(scopes) {
		i := strings.LastIndexByte(s, ':')
		name, actions := strings.TrimPrefix(s[:i], "repository:"), strings.Split(s[i+1:], ",")
		if l.Product.Grant != nil {
			actions = l.Product.Grant(reader, name, actions)
		} else if reader {
			actions = onlyPull(actions)
		}
		if len(actions) > 0 {
			out = append(out, s[:i]+":"+strings.Join(actions, ","))
		}
	}
	return strings.Join(out, " ")
}

func onlyPull(actions []string) []string {
	return slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return a != "pull" })
}

// serveToken is the token service.
func (l *Login) serveToken(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	scopes := strings.Fields(strings.Join(r.Form["scope"], " "))
	reader, known := l.basic(r)
	known = known || l.Identity != "" && r.PostForm.Get("refresh_token") == l.Identity
	switch {
	case !known && r.Header.Get("Authorization") != "" && l.Product.Wrong != nil:
		l.Product.Wrong(w)
		return
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
	if code, message := l.badName(scopes); code != "" {
		Refuse(w, http.StatusBadRequest, code, message)
		return
	}
	answer := map[string]any{"token": l.give(given{l.grant(reader, strings.Join(scopes, " ")), reader})}
	if l.ExpiresIn > 0 {
		answer["expires_in"] = l.ExpiresIn
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (l *Login) badName(scopes []string) (code, message string) {
	if l.Product.Name == nil {
		return "", ""
	}
	for _, s := range scopes {
		name := strings.TrimPrefix(s[:strings.LastIndexByte(s, ':')], "repository:")
		if code, message = l.Product.Name(name); code != "" {
			return code, message
		}
	}
	return "", ""
}

// give makes a token.
func (l *Login) give(g given) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := fmt.Sprintf("token-%d", len(l.given))
	l.given = append(l.given, g)
	if l.Product.JWT {
		return jwt(id, g.scopes)
	}
	return id
}

// jwt is a token in three parts that says what it grants. The last part, which
// would be its signature, is its number.
func jwt(id, scopes string) string {
	type access struct {
		Type    string   `json:"type"`
		Name    string   `json:"name"`
		Actions []string `json:"actions"`
	}
	list := []access{}
	for s := range strings.FieldsSeq(scopes) {
		i := strings.LastIndexByte(s, ':')
		list = append(list, access{"repository", strings.TrimPrefix(s[:i], "repository:"), strings.Split(s[i+1:], ",")})
	}
	payload, _ := json.Marshal(map[string]any{"access": list, "jti": id})
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"typ":"JWT"}`)) + "." + encode(payload) + "." + encode([]byte(id))
}

// tokenNumber reads the number in a token of either form.
func tokenNumber(token string) (n int, ok bool) {
	if i := strings.LastIndexByte(token, '.'); i >= 0 {
		id, err := base64.RawURLEncoding.DecodeString(token[i+1:])
		if err != nil {
			return 0, false
		}
		token = string(id)
	}
	_, err := fmt.Sscanf(token, "token-%d", &n)
	return n, err == nil
}

func pullOnly(scopes []string) bool {
	return !slices.ContainsFunc(scopes, func(s string) bool { return !strings.HasSuffix(s, ":pull") })
}
