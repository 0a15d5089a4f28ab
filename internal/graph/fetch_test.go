package graph_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/graph"
)

func matches(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !regexp.MustCompile(want).MatchString(err.Error()) {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// service answers with the graphs of its channels and records what it was
// asked. An entry that is a number is a status.
type service struct {
	*httptest.Server
	graphs map[string]string
	asked  []string
}

func newService(t *testing.T, graphs map[string]string) *service {
	s := &service{graphs: graphs}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	channel := r.URL.Query().Get("channel")
	s.asked = append(s.asked, channel+" "+r.URL.Query().Get("arch"))
	answer, ok := s.graphs[channel]
	status, err := strconv.Atoi(answer)
	switch {
	case err == nil:
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"kind":"k","value":"the   channel is\nnot good"}`))
	case !ok:
		_, _ = w.Write([]byte(nodes()))
	default:
		_, _ = w.Write([]byte(answer))
	}
}

func (s *service) api(t *testing.T) graph.API {
	u, err := graph.ParseURL(s.URL + "/graph?keep=1")
	if err != nil {
		t.Fatal(err)
	}
	return graph.API{URL: u, Transport: http.DefaultTransport, UserAgent: "test"}
}

func TestFetchAsks(t *testing.T) {
	var got *http.Request
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = w.Write([]byte(nodes(node("4.14.3", ""))))
	}))
	defer srv.Close()
	u, _ := graph.ParseURL(srv.URL + "/api/graph?keep=1")
	g, err := graph.API{URL: u, Transport: http.DefaultTransport, UserAgent: "test"}.Fetch(t.Context(), "stable-4.14", "arm64")
	if err != nil || len(g.Nodes) != 1 {
		t.Fatal(g, err)
	}
	if got.URL.RequestURI() != "/api/graph?arch=arm64&channel=stable-4.14&keep=1" || got.Header.Get("Accept") != "application/json" || got.UserAgent() != "test" {
		t.Errorf("%s %v", got.URL, got.Header)
	}
}

func channels(list string) string {
	return `"io.openshift.upgrades.graph.release.channels":"` + list + `"`
}

func TestLookup(t *testing.T) {
	s := newService(t, map[string]string{
		"fast-4.14":      nodes(node("4.14.3", "")),
		"stable-4.14":    nodes(node("4.14.2", "")),
		"candidate-4.14": nodes(node("4.14.9", ""), node("4.14.10", ""), node("4.13.40", "")),
	})
	for _, c := range []struct {
		query graph.Query
		want  string
		asked []string
	}{
		{graph.Query{Version: "4.14.3", Arch: "amd64"}, "4.14.3", []string{"fast-4.14 amd64"}},
		{graph.Query{Version: "4.14.2", Arch: "multi"}, "4.14.2", []string{"fast-4.14 multi", "stable-4.14 multi"}},
		{graph.Query{Version: "4.14.9", Arch: "s390x"}, "4.14.9", []string{"fast-4.14 s390x", "stable-4.14 s390x", "candidate-4.14 s390x"}},
		{graph.Query{Channel: "candidate-4.14", Arch: "amd64"}, "4.14.10", []string{"candidate-4.14 amd64"}},
	} {
		s.asked = nil
		n, err := s.api(t).Lookup(t.Context(), c.query)
		if err != nil || n.Version != c.want {
			t.Errorf("%s: %s, %v", c.query, n.Version, err)
		}
		if diff := cmp.Diff(c.asked, s.asked); diff != "" {
			t.Errorf("%s: %s", c.query, diff)
		}
	}
	_, err := s.api(t).Lookup(t.Context(), graph.Query{Version: "4.14.99", Arch: "amd64"})
	matches(t, "version", err, "^the update graph has no 4.14.99 for x86_64 in fast-4.14, stable-4.14, candidate-4.14; the nearest are 4.14.2, 4.14.3, 4.14.9, 4.14.10$")
}

func TestLookupOfChannelsThatAreNotThere(t *testing.T) {
	s := newService(t, map[string]string{
		"stable-4.14": nodes(node("4.14.2", channels("stable-4.14,fast-4.14,eus-4.14,candidate-4.14,stable-4.15"))),
	})
	for channel, want := range map[string]string{
		"stabel-4.14": "no releases in the channel stabel-4.14 for x86_64; the nearest channels are eus-4.14, fast-4.14, stable-4.14, stable-4.15$",
		"stable-4.16": "the nearest channels are .*stable-4.15$",
		"stable-4.30": "no releases in the channel stable-4.30 for x86_64$",
	} {
		_, err := s.api(t).Lookup(t.Context(), graph.Query{Channel: channel, Arch: "amd64"})
		matches(t, channel, err, want)
	}
	_, err := s.api(t).Lookup(t.Context(), graph.Query{Version: "4.16.1", Arch: "amd64"})
	matches(t, "4.16.1", err, "has no 4.16.1 for x86_64; the nearest channels are .*stable-4.15")
}

func TestFetchErrors(t *testing.T) {
	s := newService(t, map[string]string{
		"stable-4.1": "404", "stable-4.2": "503", "stable-4.3": "<html>log in</html>", "stable-4.4": `{"nodes":`,
		"stable-4.5": "429", "stable-4.6": "401", "stable-4.7": strings.Repeat(" ", graph.MaxSize+1),
	})
	for channel, c := range map[string]struct {
		want  string
		asked int
	}{
		"stable-4.1": {"404 Not Found: the channel is not good$", 1},
		"stable-4.2": {"503 Service Unavailable", 3},
		"stable-4.3": {"is not an update graph but a web page", 1},
		"stable-4.4": {"unexpected end of JSON", 1},
		"stable-4.5": {"429 Too Many Requests", 3},
		"stable-4.6": {"401 Unauthorized", 1},
		"stable-4.7": {"larger than 32 MiB", 1},
	} {
		s.asked = nil
		_, err := s.api(t).Lookup(t.Context(), graph.Query{Channel: channel, Arch: "amd64"})
		matches(t, channel, err, "^reading the channel "+channel+" for x86_64 from the update service http://127.0.0.1:[0-9]+/graph: .*"+c.want)
		if len(s.asked) != c.asked {
			t.Errorf("%s: asked %d times", channel, len(s.asked))
		}
		if _, ok := errors.AsType[*graph.FetchError](err); !ok {
			t.Errorf("%s: %T", channel, err)
		}
	}
}

// A service that refuses channels by name, as OKD's does, is asked for others.
func TestRefusedChannelsArePassedOver(t *testing.T) {
	s := newService(t, map[string]string{"fast-4.15": "400", "stable-4.15": nodes(node("4.15.0-0.okd-1", "")), "fast-4.16": "400", "stable-4.16": "400", "candidate-4.16": "400"})
	n, err := s.api(t).Lookup(t.Context(), graph.Query{Version: "4.15.0-0.okd-1", Arch: "amd64"})
	if err != nil || n.Version != "4.15.0-0.okd-1" {
		t.Error(n, err)
	}
	_, err = s.api(t).Lookup(t.Context(), graph.Query{Version: "4.16.0", Arch: "amd64"})
	matches(t, "all refused", err, "400 Bad Request: the channel is not good")
}

func TestNoSecretsInErrors(t *testing.T) {
	s := newService(t, map[string]string{"stable-4.1": "500"})
	addresses := []string{strings.Replace(s.URL, "http://", "http://me:secret@", 1) + "/graph?token=secret", "http://me:secret@127.0.0.1:1/graph?token=secret"}
	for _, address := range addresses {
		u, err := graph.ParseURL(address)
		if err != nil {
			t.Fatal(err)
		}
		_, err = graph.API{URL: u, Transport: http.DefaultTransport}.Fetch(t.Context(), "stable-4.1", "amd64")
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
	}
	for _, bad := range []string{"http://me:secret@host:port/x", "secret", "ftp://secret/x", "https:///secret", ""} {
		if _, err := graph.ParseURL(bad); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestFetchDoesNotLeaveTLS(t *testing.T) {
	s := newService(t, nil)
	front := httptest.NewTLSServer(http.RedirectHandler(s.URL, http.StatusFound))
	defer front.Close()
	u, _ := graph.ParseURL(front.URL)
	_, err := graph.API{URL: u, Transport: front.Client().Transport}.Fetch(t.Context(), "stable-4.1", "amd64")
	matches(t, "redirect", err, "leads to an address without TLS")
	if len(s.asked) > 0 {
		t.Error("asked without TLS")
	}
}

func TestFetchEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel() }))
	defer srv.Close()
	u, _ := graph.ParseURL(srv.URL)
	if _, err := (graph.API{URL: u, Transport: http.DefaultTransport}).Fetch(ctx, "stable-4.1", "amd64"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
