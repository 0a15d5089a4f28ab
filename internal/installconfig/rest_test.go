package installconfig_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/airbridge-dev/airbridge/internal/installconfig"
)

// rest are fields that nobody asked to change, in every way of writing them.
var rest = []string{
	"baseDomain:   \"example.com\"   # ours\n",
	"# a comment\n\nmetadata: {name: 'x'}\n",
	"compute:\n- hyperthreading: Enabled   # on\n\n  name: worker\n  # between\n  replicas: 0\n",
	"controlPlane:\n    name: master\n    platform: {}\n",
	"networking:\n  clusterNetwork:\n  - cidr: 10.128.0.0/14\n    hostPrefix: 23\n\n\n",
	"sshKey: |\n  ssh-ed25519 AAAA\n  # no comment\n\n  ssh-rsa BBBB\n",
	"proxy: {httpProxy: 'http://u:p@x',\n  noProxy: \"a,\n  b\"}\n",
	"\"fips\": false\n",
	"? publish\n: External\n",
	"x-anchor: &z [1, 2]\nx-alias: *z\n",
	"# trailing, and text: of no field\n",
}

// touched are the fields that are changed, in ways that they are found in.
var touched = [][]string{
	{
		"", "imageContentSources: []\n", "imageDigestSources:\n", "imageContentSources:\n" + both, "imageDigestSources:\n  - source: b.io/x # c\n    mirrors: [a.io/x]\n",
		"'imageContentSources':\n  # c\n  - source: " + release + "\n    mirrors:\n    - a.io/x # c\n    # d\n",
	},
	{"", "pullSecret: ''\n", "pullSecret: >-\n  {\"auths\":\n  {}}\n", "pullSecret: \"{\\\"auths\\\":\n  {}}\" # c\n", "\"pullSecret\" : {\"auths\": {}}\n"},
	{"", "additionalTrustBundlePolicy: Proxyonly\n", "additionalTrustBundlePolicy: >\n  Always\n"},
}

// Whatever stands beside what is changed stays, byte for byte and in its place.
func TestMergeLeavesTheRest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 800 {
		parts := append([]string{"apiVersion: v1\n"}, rest...)
		for _, ways := range touched {
			parts = append(parts, ways[random.IntN(len(ways))])
		}
		random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		change := installconfig.Change{Sources: sources, PullSecret: login, Policy: "Always"}
		change.Key = []string{"", installconfig.ContentSources, installconfig.DigestSources}[random.IntN(3)]
		eol := []string{"\n", "\r\n"}[random.IntN(2)]
		text := strings.ReplaceAll(strings.Join(parts, ""), "\n", eol)
		r, err := installconfig.Merge([]byte(text), change)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		got := string(r.Content)
		if strings.Count(got, "\n") != strings.Count(got, eol) {
			t.Fatalf("mixed line ends:\n%q", got)
		}
		left := got
		for _, part := range parts {
			if !isTouched(part) {
				_, after, ok := strings.Cut(left, strings.ReplaceAll(part, "\n", eol))
				if !ok {
					t.Fatalf("%q is gone, or elsewhere:\n%s\nwas\n%s", part, got, text)
				}
				left = after
			}
		}
		checkValues(t, got)
	}
}

func isTouched(part string) bool {
	return slices.ContainsFunc(touched, func(ways []string) bool { return slices.Contains(ways, part) })
}

func checkValues(t *testing.T, text string) {
	t.Helper()
	var v map[string]any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	_, content := v[installconfig.ContentSources]
	_, digest := v[installconfig.DigestSources]
	if v["pullSecret"] != login || v["additionalTrustBundlePolicy"] != "Always" || content == digest {
		t.Fatalf("values:\n%s", text)
	}
}
