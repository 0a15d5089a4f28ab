package remote

import (
	"net/http"
	"strings"
)

// challenge is one way in which a registry wants to be told who calls
// (RFC 9110, 11.6.1). The scheme and the names of the parameters are in lower case.
type challenge struct {
	scheme string
	params map[string]string
}

// parseChallenges reads the WWW-Authenticate headers of an answer.
func parseChallenges(h http.Header) []challenge {
	var out []challenge
	for _, line := range h.Values("WWW-Authenticate") {
		out = append(out, parseChallenge(line)...)
	}
	return out
}

// parseChallenge reads one header, which may hold several challenges: a word
// that is followed by neither "=" nor "," begins the next.
func parseChallenge(s string) []challenge {
	var out []challenge
	for {
		s = strings.TrimLeft(s, " \t,")
		word := s[:wordLen(s)]
		if word == "" {
			return out
		}
		rest := strings.TrimLeft(s[len(word):], " \t")
		if value, isParam := strings.CutPrefix(rest, "="); isParam && len(out) > 0 {
			var v string
			v, s = parseValue(strings.TrimLeft(value, " \t"))
			out[len(out)-1].params[strings.ToLower(word)] = v
			continue
		}
		out = append(out, challenge{strings.ToLower(word), map[string]string{}})
		s = rest
	}
}

// wordLen is the length of the token at the start of s.
func wordLen(s string) int {
	i := strings.IndexAny(s, " \t,=\"")
	if i < 0 {
		return len(s)
	}
	return i
}

// parseValue reads a token or a quoted string and returns what follows.
func parseValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		i := strings.IndexAny(s, " \t,")
		if i < 0 {
			return s, ""
		}
		return s[:i], s[i:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

// choose picks the way we prefer: bearer tokens, else basic.
func choose(challenges []challenge) (challenge, bool) {
	for _, scheme := range []string{"bearer", "basic"} {
		for _, c := range challenges {
			if c.scheme == scheme {
				return c, true
			}
		}
	}
	return challenge{}, false
}
