package remote

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

// access is what a token grants in one repository.
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// grants reads what a token says that it grants (Docker Registry v2
// authentication: token implementation). It is not verified and serves to
// understand refusals only; ok is false for a token that is no such thing.
func grants(token string) (list []access, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil, false
	}
	var claims struct {
		Access *[]access `json:"access"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Access == nil {
		return nil, false
	}
	return *claims.Access, true
}

// final reports whether there is no use in asking for another token after a
// refusal: the registry says that this one grants too little, it says so itself,
// and the service would be asked the same again.
func (t *token) final(said []challenge, s scope) bool {
	c, ok := choose(said)
	if !ok || t == nil || c.params["error"] != "insufficient_scope" {
		return false
	}
	return slices.Equal(tokenRequest{c: c, s: s}.scopes(), t.asked) && t.lacks()
}

// lacks reports whether a token says itself that it does not grant all that was
// asked for.
func (t *token) lacks() bool {
	list, told := grants(strings.TrimPrefix(t.header, "Bearer "))
	if !told {
		return false
	}
	for _, asked := range t.asked {
		name, actions := cutActions(asked)
		have := []string{}
		for _, a := range list {
			if a.Type+":"+a.Name == name {
				have = append(have, a.Actions...)
			}
		}
		for action := range strings.SplitSeq(actions, ",") {
			if !slices.Contains(have, action) && !slices.Contains(have, "*") {
				return true
			}
		}
	}
	return false
}

// granted returns what the token to push to a repository grants there; told is
// false where there is no such token, or it does not say.
func (h *host) granted(path string) (actions []string, told bool) {
	t := h.cached(push(path))
	if t == nil {
		return nil, false
	}
	list, told := grants(strings.TrimPrefix(t.header, "Bearer "))
	for _, a := range list {
		if a.Type == "repository" && a.Name == path {
			actions = append(actions, a.Actions...)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(actions))), told
}
