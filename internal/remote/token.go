package remote

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/oci"
)

// scope is what a request needs to be allowed: the repository whose
// credentials apply, and the scopes in the token service's words.
type scope struct {
	repo string
	want []string
}

// pull, push are the scopes of one repository. Deleting asks for push, too:
// Quay refuses the whole token when "delete" is in it (peers.md 3); a service
// that needs it says so in its challenge.
func pull(repo string) scope { return scope{repo, []string{"repository:" + repo + ":pull"}} }
func push(repo string) scope { return scope{repo, []string{"repository:" + repo + ":pull,push"}} }

// reading adds the right to read another repository, for mounts.
func (s scope) reading(repo string) scope {
	return scope{s.repo, append(slices.Clip(s.want), "repository:"+repo+":pull")}
}

func (s scope) key() string { return strings.Join(s.want, " ") }

// token is a bearer token; it lives in memory only.
type token struct {
	header  string
	expires time.Time
	asked   []string // the scopes that the service was asked for; none without one
}

// authorization returns what a request says of the caller, nil for nothing.
func (h *host) authorization(ctx context.Context, l *link, s scope) (*token, error) {
	c, ok := choose(l.challenge())
	if !ok {
		return nil, nil
	}
	if c.scheme == "basic" {
		return h.basic(ctx, s)
	}
	if t := h.cached(s); t != nil {
		return t, nil
	}
	return h.tokens.do(ctx, s.key(), func(ctx context.Context) (*token, error) {
		if t := h.cached(s); t != nil {
			return t, nil
		}
		cred, err := h.c.o.Credentials.For(ctx, h.name, s.repo)
		if err != nil {
			return nil, err
		}
		if err := h.denials.find(s, cred); err != nil {
			return nil, err
		}
		request := tokenRequest{c: c, s: s, cred: cred}
		t, err := h.fetchToken(ctx, l, request)
		if err == nil {
			t.asked = request.scopes()
			h.keep(s, t)
		}
		h.denials.learn(s, cred, err)
		return t, err
	})
}

func (h *host) basic(ctx context.Context, s scope) (*token, error) {
	cred, err := h.c.o.Credentials.For(ctx, h.name, s.repo)
	if err != nil || cred.Username == "" {
		return nil, err
	}
	return &token{header: basicHeader(cred)}, nil
}

func basicHeader(c auth.Credential) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password))
}

// cached returns a token that is still good for a scope; one that may push may
// pull.
func (h *host) cached(s scope) *token {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := []string{s.key()}
	if len(s.want) == 1 && s.key() == pull(s.repo).key() {
		keys = append(keys, push(s.repo).key())
	}
	for _, key := range keys {
		t := h.cache[key]
		if t != nil && h.c.o.Now().Before(t.expires) {
			return t
		}
	}
	return nil
}

func (h *host) keep(s scope, t *token) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cache[s.key()] = t
}

// forget drops a token that was refused, so that the next request asks for
// another.
func (h *host) forget(t *token) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, kept := range h.cache {
		if kept == t {
			delete(h.cache, key)
		}
	}
}

// fetchToken asks the token service that the registry named (Docker Registry
// v2 authentication: token specification, and its OAuth2 form for identity
// tokens).
func (h *host) fetchToken(ctx context.Context, l *link, r tokenRequest) (*token, error) {
	realm, err := url.Parse(r.c.params["realm"])
	if err != nil || realm.Host == "" {
		return nil, fmt.Errorf("%s names no usable token service", h.name)
	}
	if realm.Scheme != "https" && (realm.Scheme != "http" || l.scheme != "http") {
		return nil, fmt.Errorf("%s wants credentials sent to %s: refused, it is not https", h.name, redact(realm))
	}
	r.realm = realm
	service, err := h.linkFor(ctx, l, realm)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		t, err := h.askService(ctx, service, r)
		if err == nil || h.giveUp(ctx, try, err) {
			return t, err
		}
		if err := h.backoff(ctx, try, err); err != nil {
			return nil, err
		}
	}
}

type tokenRequest struct {
	realm *url.URL
	c     challenge
	s     scope
	cred  auth.Credential
}

// scopes are those needed, with the further actions that the challenge named
// for the same repositories; what it named for others is another request's.
func (t tokenRequest) scopes() []string {
	out := slices.Clone(t.s.want)
	for asked := range strings.FieldsSeq(t.c.params["scope"]) {
		name, actions := cutActions(asked)
		for i, have := range out {
			if n, a := cutActions(have); n == name {
				out[i] = name + ":" + union(a, actions)
			}
		}
	}
	return out
}

// cutActions splits "repository:a/b:pull,push" at its last colon.
func cutActions(scope string) (name, actions string) {
	i := max(strings.LastIndexByte(scope, ':'), 0)
	return scope[:i], strings.TrimPrefix(scope[i:], ":")
}

// union adds to a list of actions those that it lacks.
func union(have, more string) string {
	list := strings.Split(have, ",")
	for action := range strings.SplitSeq(more, ",") {
		if !slices.Contains(list, action) {
			list = append(list, action)
		}
	}
	return strings.Join(list, ",")
}

func (t tokenRequest) build(ctx context.Context) (*http.Request, error) {
	if t.cred.IdentityToken == "" {
		return t.buildGet(ctx)
	}
	form := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {t.cred.IdentityToken},
		"service": {t.c.params["service"]}, "client_id": {"airbridge"}, "scope": {strings.Join(t.scopes(), " ")},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.realm.String(), strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, err
}

func (t tokenRequest) buildGet(ctx context.Context) (*http.Request, error) {
	target := *t.realm
	query := target.Query()
	if service := t.c.params["service"]; service != "" {
		query.Set("service", service)
	}
	for _, s := range t.scopes() {
		query.Add("scope", s)
	}
	if t.cred.Username != "" {
		query.Set("account", t.cred.Username)
	}
	target.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err == nil && t.cred.Username != "" {
		req.Header.Set("Authorization", basicHeader(t.cred))
	}
	return req, err
}

// tokenTimeout is oc's.
const tokenTimeout = 15 * time.Second

// askService makes one request for a token.
func (h *host) askService(ctx context.Context, l *link, t tokenRequest) (*token, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	req, err := t.build(ctx)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", h.c.o.UserAgent)
	resp, err := l.calls.RoundTrip(req) //nolint:bodyclose // drain or tokenError closes it
	if err != nil {
		return nil, requestError(req, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, h.tokenError(resp, t.s)
	}
	defer drain(resp.Body)
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, requestError(req, err)
	}
	return h.readToken(req, body)
}

func (h *host) tokenError(resp *http.Response, s scope) error {
	e := h.failure(resp, "")
	if e.Status == http.StatusBadRequest { // what OAuth2 services answer to a bad grant
		e.as = append(e.as, oci.ErrUnauthorized)
	}
	if errors.Is(e, oci.ErrUnauthorized) || errors.Is(e, oci.ErrDenied) {
		e.Hint = h.c.o.Credentials.Explain(h.name, s.repo)
	}
	return e
}

// readToken reads a token answer. A token counts for four fifths of its time
// and at most until ten seconds before its end, by our own clock from now on:
// the service's may be off.
func (h *host) readToken(req *http.Request, body []byte) (*token, error) {
	var answer struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, requestError(req, errors.New("the token service's answer is not JSON"))
	}
	value := answer.Token
	if value == "" {
		value = answer.AccessToken
	}
	if value == "" || strings.ContainsAny(value, "\r\n") {
		return nil, requestError(req, errors.New("the token service gave no token"))
	}
	life := 60 * time.Second // the specification's default
	if answer.ExpiresIn > 0 {
		life = time.Duration(answer.ExpiresIn) * time.Second
	}
	life = max(life*4/5, life-10*time.Second)
	return &token{header: "Bearer " + value, expires: h.c.o.Now().Add(life)}, nil
}
