package graph_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/graph"
)

// stable413 opens the graph of stable-4.13 for amd64 as the service gave it.
func stable413(t *testing.T) *graph.Graph {
	t.Helper()
	base := os.Getenv("AIRBRIDGE_TESTDATA")
	if base == "" {
		base = "../../../shared/data"
	}
	f, err := os.Open(filepath.Join(base, "graph", "amd64-stable-4.13.json"))
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	g, err := graph.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestRealGraph(t *testing.T) {
	g := stable413(t)
	if len(g.Nodes) != 98 || len(g.Edges) != 1171 || len(g.Conditional) == 0 {
		t.Errorf("%d nodes, %d edges, %d conditional edges", len(g.Nodes), len(g.Edges), len(g.Conditional))
	}
	if first, last := g.Nodes[0].Version, g.Nodes[97].Version; first != "4.12.0" || last != "4.13.43" {
		t.Errorf("from %s to %s", first, last)
	}
	n, ok := g.Highest("stable-4.13", "amd64")
	if !ok || n.Version != "4.13.43" || n.Payload.Repository().String() != "quay.io/openshift-release-dev/ocp-release" {
		t.Errorf("highest: %v %s %s", ok, n.Version, n.Payload)
	}
	n, ok = g.Find("4.12.20", "amd64")
	if !ok || n.Payload.Digest.String() != "sha256:5c504578e34e8cf6eb70fad7a9bee92896b6d38d09b6d81891f730ee4f9d268b" {
		t.Errorf("4.12.20: %v %s", ok, n.Payload)
	}
	if n.Metadata["url"] != "https://access.redhat.com/errata/RHSA-2023:3410" || !slices.Contains(n.Channels, "eus-4.14") || n.Arch != "" {
		t.Errorf("4.12.20: %+v", n)
	}
	for _, e := range g.Edges { // an update never leads back, whatever the order in the file
		if from, to := g.Nodes[e[0]].Version, g.Nodes[e[1]].Version; e[0] >= e[1] {
			t.Fatalf("update from %s to %s", from, to)
		}
	}
	if got := len(g.Releases("stable-4.12", "amd64")); got == 0 || got == 98 {
		t.Errorf("%d releases of stable-4.12", got)
	}
}

// A file for stable-4.13 must not answer for channels of which it has a part.
func TestRealGraphOfAnotherChannel(t *testing.T) {
	g := stable413(t)
	for channel, want := range map[string]string{
		"stable-4.14": "made for stable-4.13 and has only a part of stable-4.14",
		"eus-4.14":    "only a part of eus-4.14",
		"stable-4.15": "no releases in the channel stable-4.15 for x86_64; the nearest channels are .*stable-4.14",
		"stabel-4.13": "no releases in the channel stabel-4.13 for x86_64; the nearest channels are .*stable-4.13",
	} {
		_, err := g.Lookup(graph.Query{Channel: channel, Arch: "amd64"})
		matches(t, channel, err, want)
	}
	if g.Doubt("stable-4.13") != "" {
		t.Error(g.Doubt("stable-4.13"))
	}
	if !strings.Contains(g.Doubt("candidate-4.13"), "in stable-4.13 too") {
		t.Error(g.Doubt("candidate-4.13"))
	}
}

func TestNearest(t *testing.T) {
	g := stable413(t)
	for version, want := range map[string]string{
		"4.13.99": "nearest are 4.13.40, 4.13.41, 4.13.42, 4.13.43$",
		"4.13.7":  "nearest are 4.13.5, 4.13.6, 4.13.8, 4.13.9$",
		"4.1.0":   "nearest are 4.12.0, 4.12.1$",
	} {
		_, err := g.Lookup(graph.Query{Version: version, Arch: "amd64"})
		matches(t, version, err, "^the update graph has no "+version+" for x86_64; the "+want)
	}
}

const digest = "@sha256:5c504578e34e8cf6eb70fad7a9bee92896b6d38d09b6d81891f730ee4f9d268b"

// node is one of a graph in a test.
func node(version, metadata string) string {
	return `{"version":"` + version + `","payload":"quay.io/r/r` + digest + `","metadata":{` + metadata + `}}`
}

func nodes(list ...string) string { return `{"nodes":[` + strings.Join(list, ",") + `],"edges":[]}` }

func parse(t *testing.T, text string) *graph.Graph {
	t.Helper()
	g, err := graph.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A graph of several architectures, as a graph builder has it.
func TestArchitectures(t *testing.T) {
	g := parse(t, nodes(
		node("4.14.3+s390x", ""), node("4.14.3+amd64", `"io.openshift.upgrades.graph.release.arch":"amd64"`),
		node("4.14.4+amd64", ""), node("4.14.5", `"release.openshift.io/architecture":"multi"`)))
	if diff := cmp.Diff([]graph.Arch{"amd64", "multi", "s390x"}, g.Archs()); diff != "" {
		t.Error(diff)
	}
	if n, ok := g.Find("4.14.3", "s390x"); !ok || n.Version != "4.14.3" || n.Arch != "s390x" {
		t.Errorf("%v %+v", ok, n)
	}
	_, err := g.Lookup(graph.Query{Version: "4.14.4", Arch: "s390x"})
	matches(t, "other architecture", err, "has no 4.14.4 for s390x; it has it for x86_64$")
	_, err = g.Lookup(graph.Query{Version: "4.14.5", Arch: "amd64"})
	matches(t, "multi", err, "has no 4.14.5 for x86_64; it has it for multi$")
	if n, _ := g.Highest("stable-4.14", "s390x"); n.Version != "4.14.3" {
		t.Error(n.Version)
	}
}

// Some services give the same graph whatever the channel.
func TestHighestIsNotAboveTheChannel(t *testing.T) {
	g := parse(t, nodes(node("4.14.0-rc.9", ""), node("4.14.0-rc.10", ""), node("4.15.1", ""), node("4.9.30", "")))
	for channel, want := range map[string]string{
		"candidate-4.14": "4.14.0-rc.10", "stable-4.15": "4.15.1", "stable-4.10": "4.9.30", "stable-4": "4.15.1", "stable-4.8": "",
	} {
		if n, _ := g.Highest(channel, "amd64"); n.Version != want {
			t.Errorf("%s: %q, want %q", channel, n.Version, want)
		}
	}
}

// A file that an editor on Windows saved begins with a byte order mark.
func TestParseByteOrderMark(t *testing.T) {
	if _, err := graph.Parse(strings.NewReader("\ufeff" + `{"nodes":[]}`)); err != nil {
		t.Error(err)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "unexpected end",
		"<html>Please log in</html>": "web page",
		" \n<!DOCTYPE html>":         "web page",
		"[]":                         "cannot unmarshal array",
		"{}":                         "no list of nodes",
		`{"nodes":null}`:             "no list of nodes",
		`{"nodes":{}}`:               "list",
		`{"nodes":[]} x`:             "after top-level value",
		`{"nodes":[],"version":2}`:   "version 2",
		nodes(node("4.14", "")):      "4.14",
		nodes(node("../x", "")):      "x",
		nodes(node("4.14.3", ""), node("4.14.3", "")):                                     "4.14.3 twice",
		nodes(node("4.14.3+amd64", `"io.openshift.upgrades.graph.release.arch":"s390x"`)): `says that it is for "s390x"`,
		nodes(node("4.14.3", `"a":1`)):                                                    "cannot unmarshal number",
		`{"nodes":[{"version":"4.14.3","payload":"quay.io/r/r:4.14.3"}]}`:                 "by its digest",
		`{"nodes":[{"version":"4.14.3","payload":"file://r/r` + digest + `"}]}`:           "in a registry",
		`{"nodes":[{"version":"4.14.3"}]}`:                                                "payload",
		`{"nodes":[],"edges":[[0,1]]}`:                                                    "edge 0 leads to node 0 of 0",
		`{"nodes":[` + node("1.0.0", "") + `],"edges":[[0,-1]]}`:                          "node -1",
		`{"nodes":[],"edges":[[0]]}`:                                                      "an edge has 1 ends",
		`{"nodes":[],"edges":[[0,1,2]]}`:                                                  "an edge has 3 ends",
		strings.Repeat(" ", graph.MaxSize) + "{}":                                         "larger than",
		`{"nodes":[],"conditionalEdges":[` + strings.Repeat("{},", 1<<20) + `{}]}`:        "more than 1048576 entries",
	} {
		_, err := graph.Parse(strings.NewReader(text))
		if !errors.Is(err, graph.ErrNotGraph) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %s", text, err, want)
		}
	}
}

func TestParseQuery(t *testing.T) {
	type query = graph.Query
	for text, want := range map[string]query{
		"4.14.3":                         {Version: "4.14.3"},
		"4.14.0-rc.2":                    {Version: "4.14.0-rc.2"},
		"4.14.3-x86_64":                  {Version: "4.14.3", Arch: "amd64"},
		"4.14.0-rc.2-arm64":              {Version: "4.14.0-rc.2", Arch: "arm64"},
		"4.14.3-multi":                   {Version: "4.14.3", Arch: "multi"},
		"v4.14.3":                        {Version: "4.14.3"},
		"4.14.3+s390x":                   {Version: "4.14.3", Arch: "s390x"},
		"4.15.0-0.okd-2024-01-27-070424": {Version: "4.15.0-0.okd-2024-01-27-070424"},
		"stable-4.14":                    {Channel: "stable-4.14"},
		"stable-scos-4":                  {Channel: "stable-scos-4"},
	} {
		got, ok, err := graph.ParseQuery(text)
		if got != want || !ok || err != nil {
			t.Errorf("%s: %+v, %v, %v", text, got, ok, err)
		}
	}
	for _, text := range []string{"4", "4.14"} {
		if _, ok, err := graph.ParseQuery(text); !ok || err == nil {
			t.Errorf("%s: %v, %v", text, ok, err)
		}
	}
	for _, text := range []string{"", "quay.io/r/r:4.14.3", "release", "r:4.14.3", "file://openshift/release:4.14.3", "localhost:5000", "4.14.3.1", "v", "a-b"} {
		if got, ok, err := graph.ParseQuery(text); ok || err != nil {
			t.Errorf("%q is taken for %+v, %v", text, got, err)
		}
	}
}

func TestParseArch(t *testing.T) {
	for text, want := range map[string]graph.Arch{
		"x86_64": "amd64", "amd64": "amd64", "AARCH64": "arm64", "arm64": "arm64", "s390x": "s390x", "ppc64le": "ppc64le", "Multi": "multi", "X86_64": "amd64",
	} {
		if got, err := graph.ParseArch(text); got != want || err != nil {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x86-64", "riscv64", "386", "arm"} {
		if got, err := graph.ParseArch(text); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
	if got := graph.Arch("arm64").String(); got != "aarch64" {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(nodes(node("4.14.3+amd64", `"io.openshift.upgrades.graph.release.channels":"stable-4.14,eus-4.14"`))))
	f.Add([]byte(`{"version":1,"nodes":[` + node("4.14.4", "") + "," + node("4.14.3", "") + `],"edges":[[1,0]],"conditionalEdges":[{"edges":[{"from":"4.14.3","to":"4.14.4"}],"risks":[{"name":"A"}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		g, err := graph.Parse(strings.NewReader(string(body)))
		if err != nil {
			return
		}
		for _, e := range g.Edges {
			_, _ = g.Nodes[e[0]], g.Nodes[e[1]]
		}
		for i, n := range g.Nodes {
			if n.Payload.Digest.IsZero() {
				t.Errorf("node %d has no digest", i)
			}
			if found, ok := g.Find(n.Version, n.Arch); !ok || found.Version != n.Version {
				t.Errorf("%s is not found", n.Version)
			}
			for _, c := range n.Channels {
				_, err := g.Lookup(graph.Query{Channel: c, Arch: n.Arch})
				_, wrong := errors.AsType[*graph.NotFoundError](err)
				if err != nil && !wrong {
					t.Error(err)
				}
				_ = g.Doubt(c)
			}
		}
	})
}

func FuzzParseQuery(f *testing.F) {
	f.Add("4.14.3-x86_64")
	f.Add("stable-4.14")
	f.Fuzz(func(t *testing.T, s string) {
		q, ok, err := graph.ParseQuery(s)
		if ok && err == nil && (q.Version == "") == (q.Channel == "") {
			t.Errorf("%q: %+v", s, q)
		}
	})
}
