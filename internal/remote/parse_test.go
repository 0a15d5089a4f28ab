package remote

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseChallenges(t *testing.T) {
	for header, want := range map[string][]challenge{
		``:                  nil,
		`Basic`:             {{"basic", map[string]string{}}},
		`Basic realm="a b"`: {{"basic", map[string]string{"realm": "a b"}}},
		`Bearer realm="https://h/t?a=b,c",service=reg , scope="repository:a:pull,push"`: {
			{"bearer", map[string]string{"realm": "https://h/t?a=b,c", "service": "reg", "scope": "repository:a:pull,push"}},
		},
		`Negotiate, BASIC Realm="x\"y", bearer realm=z`: {
			{"negotiate", map[string]string{}}, {"basic", map[string]string{"realm": `x"y`}}, {"bearer", map[string]string{"realm": "z"}},
		},
		`Bearer realm="unfinished`: {{"bearer", map[string]string{"realm": "unfinished"}}},
	} {
		got := parseChallenges(http.Header{"Www-Authenticate": {header}})
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(challenge{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", header, diff)
		}
	}
}

func FuzzParseChallenge(f *testing.F) {
	for _, s := range []string{`Basic realm="a"`, `Bearer realm="h",service=x,scope="a:b:c"`, `=`, `a=b`, `a b=c "`, `"`, `a =`, "\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range parseChallenge(s) {
			if c.scheme == "" {
				t.Errorf("%q has a challenge without a scheme", s)
			}
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "x": 0, "1e3": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0, "99999999999": 0, "9999999": 24 * time.Hour,
	} {
		if got := retryAfter(value, now); got != want && value != "99999999999" {
			t.Errorf("retryAfter(%q) = %s, want %s", value, got, want)
		}
	}
}

func TestContentRange(t *testing.T) {
	for value, want := range map[string][2]int64{
		"bytes 5-9/10": {5, 10}, "bytes 5-9/*": {5, -1}, "bytes */10": {-1, 10}, "": {-1, -1}, "bytes x-y/z": {-1, -1}, "bytes -5-9/-1": {-1, -1},
	} {
		if start, size := contentRange(value); start != want[0] || size != want[1] {
			t.Errorf("contentRange(%q) = %d, %d, want %v", value, start, size, want)
		}
	}
}

func FuzzNextPage(f *testing.F) {
	for _, s := range []string{`</v2/a/tags/list?last=b>; rel="next"`, `<x>;rel=next`, `<`, `<http://evil/>; rel="next"`, `;rel=next`, `<:>; rel=next`} {
		f.Add(s)
	}
	base, err := url.Parse("https://h:5000/v2/a/tags/list")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		next, err := nextPage(&http.Response{Header: http.Header{"Link": {s}}, Request: &http.Request{URL: base}})
		if err == nil && next != nil && (next.Host != base.Host || next.Scheme != base.Scheme) {
			t.Errorf("%q leads to %s", s, next)
		}
	})
}

// Locations may hold rights in their queries; errors must not.
func TestErrorsAreRedacted(t *testing.T) {
	u, err := url.Parse("https://user:secret@h/v2/a/blobs/uploads/x?_state=secret&sig=secret#secret")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := redact(u), "https://h/v2/a/blobs/uploads/x"; got != want {
		t.Errorf("redact = %s, want %s", got, want)
	}
}
