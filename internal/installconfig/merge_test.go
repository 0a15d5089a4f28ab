package installconfig_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/airbridge-dev/airbridge/internal/installconfig"
)

const (
	release = "quay.io/openshift-release-dev/ocp-release"
	art     = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
	mirror  = "reg.example.com:5000/ocp4/release"
	head    = "apiVersion: v1\nbaseDomain: example.com\n"
	login   = `{"auths":{"reg.example.com:5000":{"auth":"dTpw"}}}`
)

var (
	sources = []installconfig.Source{{Source: release, Mirrors: []string{mirror}}, {Source: art, Mirrors: []string{mirror}}}
	both    = "- mirrors:\n  - " + mirror + "\n  source: " + release + "\n- mirrors:\n  - " + mirror + "\n  source: " + art + "\n"
)

// Each case is a file, what is merged, and the whole file that comes of it.
func TestMerge(t *testing.T) {
	digest := installconfig.Change{Key: installconfig.DigestSources, Sources: sources}
	secret := installconfig.Change{PullSecret: login}
	for _, tt := range []struct {
		name, in string
		change   installconfig.Change
		want     string
	}{
		{"a new field comes last", head + "# the end\n", digest, head + "# the end\nimageDigestSources:\n" + both},
		{"without a choice, the old field", head, installconfig.Change{Sources: sources}, head + "imageContentSources:\n" + both},
		{
			"without a choice, the field there is", head + "imageDigestSources: []\n",
			installconfig.Change{Sources: sources},
			head + "imageDigestSources:\n" + both,
		},
		{"no final line end", strings.TrimSuffix(head, "\n"), digest, head + "imageDigestSources:\n" + both},
		{
			"no final line end behind a block", head + "# key\nsshKey: |\n  ssh x", secret,
			head + "pullSecret: '" + login + "'\n# key\nsshKey: |\n  ssh x",
		},
		{"before the end of the document", "---\n" + head + "...\n", digest, "---\n" + head + "imageDigestSources:\n" + both + "...\n"},
		{"an empty document behind", head + "---\n", secret, head + "pullSecret: '" + login + "'\n---\n"},
		{"indented top level", "  apiVersion: v1\n  platform: {}\n", secret, "  apiVersion: v1\n  platform: {}\n  pullSecret: '" + login + "'\n"},
		{
			"windows", "\ufeffapiVersion: v1\r\npullSecret: ''\r\nfips: true\r\n", secret,
			"\ufeffapiVersion: v1\r\npullSecret: '" + login + "'\r\nfips: true\r\n",
		},
		{
			"a mirror more, comments kept", head + "imageDigestSources:\n# ours\n- source: " + release + " # the release\n  mirrors:\n    - old.example.com/x # keep\n\n# ssh\nsshKey: x\n",
			digest,
			head + "imageDigestSources:\n# ours\n- source: " + release + " # the release\n  mirrors:\n    - old.example.com/x # keep\n    - " + mirror +
				"\n- mirrors:\n  - " + mirror + "\n  source: " + art + "\n\n# ssh\nsshKey: x\n",
		},
		{
			"another indent", head + "imageDigestSources:\n    - mirrors:\n        - " + mirror + "\n      source: other.io/x\nfips: true\n", digest,
			head + "imageDigestSources:\n    - mirrors:\n        - " + mirror + "\n      source: other.io/x\n" +
				strings.ReplaceAll("    "+strings.TrimSuffix(both, "\n"), "\n", "\n    ") + "\nfips: true\n",
		},
		{
			"the old field becomes the new", head + "'imageContentSources' :\n" + both + "fips: true\n", digest,
			head + "'imageDigestSources' :\n" + both + "fips: true\n",
		},
		{
			"both fields become one", head + "imageContentSources:\n- mirrors: [a.io/x]\n  source: b.io/x\nimageDigestSources:\n" + both + "fips: true\n",
			digest, head + "imageDigestSources:\n" + both + "- mirrors:\n  - a.io/x\n  source: b.io/x\nfips: true\n",
		},
		{
			"flow style", head + "imageDigestSources: [{source: b.io/x, mirrors: [a.io/x], sourcePolicy: NeverContactSource}] # one\n", digest,
			head + "imageDigestSources:\n- mirrors:\n  - a.io/x\n  source: b.io/x\n  sourcePolicy: NeverContactSource\n" + both,
		},
		{
			"aliases", "x: &m [a.io/x]\n" + head + "imageDigestSources:\n- source: b.io/x\n  mirrors: *m\n", digest,
			"x: &m [a.io/x]\n" + head + "imageDigestSources:\n- mirrors:\n  - a.io/x\n  source: b.io/x\n" + both,
		},
		{
			"explicit keys", head + "? imageDigestSources\n:\n" + both + "fips: true\n",
			installconfig.Change{Key: installconfig.ContentSources, Sources: sources},
			head + "imageContentSources:\n" + both + "fips: true\n",
		},
		{
			"a policy that the old field has not", head + "imageDigestSources:\n- source: b.io/x\n  mirrors:\n  - a.io/x\n  sourcePolicy: NeverContactSource\n",
			installconfig.Change{Key: installconfig.ContentSources, Sources: sources[:1]},
			head + "imageContentSources:\n- mirrors:\n  - a.io/x\n  source: b.io/x\n- mirrors:\n  - " + mirror + "\n  source: " + release + "\n",
		},
		{"a secret with its comment", "pullSecret: \"\" # paste here\n" + head, secret, "pullSecret: '" + login + "' # paste here\n" + head},
		{"a folded secret", "pullSecret: >-\n  {\"auths\":\n  {}}\n# end\n" + head, secret, "pullSecret: '" + login + "'\n# end\n" + head},
		{"a secret over lines", "pullSecret: '{\"auths\":\n  # {}}'\n  # end\n" + head, secret, "pullSecret: '" + login + "'\n  # end\n" + head},
		{"a secret that is no text", "pullSecret: {\n\"auths\": {}\n}\n" + head, secret, "pullSecret: '" + login + "'\n" + head},
		{"a secret with quotes", head, installconfig.Change{PullSecret: `{"a":"it's"}`}, head + `pullSecret: '{"a":"it''s"}'` + "\n"},
		{"the same secret", head + "pullSecret: |\n  {\"auths\": {\"reg.example.com:5000\": {\"auth\": \"dTpw\"}}}\n", secret, ""},
		{"policy", head, installconfig.Change{Policy: "Always"}, head + "additionalTrustBundlePolicy: Always\n"},
		{"another policy", head + "additionalTrustBundlePolicy: Proxyonly # x\n", installconfig.Change{Policy: "Always"}, head + "additionalTrustBundlePolicy: Always # x\n"},
		{"nothing", head, installconfig.Change{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want == "" {
				want = tt.in
			}
			r, err := installconfig.Merge([]byte(tt.in), tt.change)
			if diff := cmp.Diff(want, string(r.Content)); diff != "" || err != nil {
				t.Fatalf("%v\n%s", err, diff)
			}
			if r.Defaulted != (tt.name == "without a choice, the old field") {
				t.Errorf("defaulted: %v", r.Defaulted)
			}
			if r.Changed != (tt.in != want) {
				t.Errorf("changed: %v", r.Changed)
			}
			again, err := installconfig.Merge(r.Content, tt.change)
			if diff := cmp.Diff(want, string(again.Content)); diff != "" || err != nil || again.Changed {
				t.Errorf("again: %v\n%s", err, diff)
			}
		})
	}
}

func TestMergeSaysWhatItDid(t *testing.T) {
	r, err := installconfig.Merge([]byte(head+"imageContentSources:\n- source: b.io/x\n  mirrors:\n  - a.io/x\nimageDigestSources:\n- source: c.io/x\n  mirrors:\n  - a.io/x\n  sourcePolicy: NeverContactSource\n"),
		installconfig.Change{Key: installconfig.ContentSources, Sources: sources, PullSecret: login})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"imageContentSources: 3 sources added",
		"imageDigestSources: moved into imageContentSources, since the installer refuses both at once",
		"pullSecret: added",
	}
	if diff := cmp.Diff(want, r.Notes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"imageDigestSources: fields besides source and mirrors of 1 source were left out"}, r.Warnings); diff != "" {
		t.Error(diff)
	}
	if s := string(r.Sections); !strings.HasPrefix(s, "imageContentSources:\n- mirrors:\n  - a.io/x\n  source: b.io/x\n") || strings.Contains(s, "pullSecret") {
		t.Errorf("sections: %s", s)
	}
}

func TestKeyFor(t *testing.T) {
	for version, want := range map[string]string{
		"4.13.99": installconfig.ContentSources, "4.14.0-rc.1": installconfig.DigestSources, "v4.14": installconfig.DigestSources,
		"4.2.0": installconfig.ContentSources, "5.0.0": installconfig.DigestSources, "latest": "", "": "", "4": "",
	} {
		if got, ok := installconfig.KeyFor(version); got != want || ok != (want != "") {
			t.Errorf("%s: %s", version, got)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	change := installconfig.Change{Key: installconfig.DigestSources, Sources: sources, PullSecret: login}
	for _, tt := range []struct {
		in, want string
		is       error
	}{
		{"", "it is empty", installconfig.ErrNot},
		{"# nothing\n", "it is empty", installconfig.ErrNot},
		{"- a\n", "no YAML mapping", installconfig.ErrNot},
		{"{}\n", "braces", installconfig.ErrCannotEdit},
		{`{"apiVersion": "v1", "platform": {}}`, "line 1: the whole file is in braces", installconfig.ErrCannotEdit},
		{"apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\n", `its kind is "ImageDigestMirrorSet"`, installconfig.ErrNot},
		{"apiVersion: v2\n", `its apiVersion is "v2"`, installconfig.ErrNot},
		{"a: b\n", "no apiVersion", installconfig.ErrNot},
		{head + "---\n" + head, "line 3: a second document", installconfig.ErrCannotEdit},
		{head + "---\n# nothing\n---\n" + head, "line 5: a second document", installconfig.ErrCannotEdit},
		{head + "--- [s3cret", "line 3: a second document", installconfig.ErrCannotEdit},
		{head + "...\n" + head, "line 4: a second document", installconfig.ErrCannotEdit},
		{head + "pullSecret: 's3cret'\npullSecret: 's3cret'\n", `line 4: mapping key "pullSecret" already defined at line 3`, nil},
		{head + "pullSecret: !!int s3cret\n", "not valid YAML", nil},
		{head + "a: {? {s3cret: s3cret} : b}\n", "not valid YAML", nil},
		{head + "a: !!float \"s3cret`s3cret\"\n", "not valid YAML", nil},
		{head + "a: *s3cret\n", "not valid YAML: unknown anchor (a value)", nil},
		{head + "\tfips: true\n", "not valid YAML: line", nil},
		{head + "x: 'open\n", "not valid YAML", nil},
		{"base: &b {a: 1}\n" + head + "<<: *b\n", "line 4: a field of the top level has no plain name", installconfig.ErrCannotEdit},
		{"\xff\xfea\x00:\x00", "NUL characters; if it is UTF-16", installconfig.ErrNot},
		{head + "a: x\ry: z\n", "line ends", installconfig.ErrCannotEdit},
		{head + "imageDigestSources: s3cret\n", "line 3: imageDigestSources is not a list", nil},
		{head + "imageDigestSources:\n- mirrors: [a]\n", "line 3: an entry of imageDigestSources has no source", nil},
		{head + "imageDigestSources:\n- source: a\n  mirrors: [[s3cret]]\n", "mirrors that are no list of names", nil},
		{head + "pullSecret: &p 's3cret'\nother: *p\n", "unknown anchor", installconfig.ErrCannotEdit},
		{"a: &a [*a]\n" + head, "not valid YAML", nil},
	} {
		r, err := installconfig.Merge([]byte(tt.in), change)
		if err == nil || !strings.Contains(err.Error(), tt.want) || (tt.is != nil && !errors.Is(err, tt.is)) {
			t.Errorf("%q: %v, want %q", tt.in, err, tt.want)
		}
		if err != nil && (r.Content != nil || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%q: %v with %q", tt.in, err, r.Content)
		}
	}
}

// Whatever the file, either it is refused, or it has what was meant and every
// line of the other fields, and merging again changes nothing.
func FuzzMerge(f *testing.F) {
	for _, seed := range []string{
		head, head + "imageContentSources:\n" + both + "# c\npullSecret: |+\n  x\n\n", "\ufeff---\r\n" + strings.ReplaceAll(head, "\n", "\r\n") + "...\r\n",
		head + "imageDigestSources: [{source: a, mirrors: [b]}]\npullSecret: {\n}\n", "? apiVersion\n: v1\n? pullSecret\n: \"a\n b\"\nplatform: &x {}\nz: *x\n",
		"  apiVersion: v1\n  imageDigestSources:\n  -\n    source: a\n    mirrors:\n    -  b # c\n",
	} {
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, digest bool) {
		change := installconfig.Change{Key: installconfig.ContentSources, Sources: sources, PullSecret: login, Policy: "Always"}
		if digest {
			change.Key = installconfig.DigestSources
		}
		r, err := installconfig.Merge([]byte(text), change)
		if err != nil {
			return
		}
		var before, after map[string]any
		if err := yaml.Unmarshal([]byte(text), &before); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(r.Content, &after); err != nil {
			t.Fatal(err)
		}
		if after["pullSecret"] != login && !strings.Contains(strings.Join(r.Notes, "\n"), "pullSecret: it was there") || after["additionalTrustBundlePolicy"] != "Always" {
			t.Errorf("%q becomes %q", text, r.Content)
		}
		for _, touched := range []string{"pullSecret", "additionalTrustBundlePolicy", installconfig.ContentSources, installconfig.DigestSources} {
			delete(before, touched)
			delete(after, touched)
		}
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%q becomes %q", text, r.Content)
		}
		if again, err := installconfig.Merge(r.Content, change); err != nil || again.Changed {
			t.Errorf("again: %v, %q becomes %q", err, r.Content, again.Content)
		}
	})
}
