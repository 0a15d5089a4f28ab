package cluster_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// rule writes an object with one source.
func rule(kind, source string, mirrors ...string) string {
	field := map[string]string{"ImageContentSourcePolicy": "repositoryDigestMirrors", "ImageDigestMirrorSet": "imageDigestMirrors", "ImageTagMirrorSet": "imageTagMirrors"}[kind]
	return "apiVersion: x/v1\nkind: " + kind + "\nmetadata: {name: x}\nspec:\n  " + field + ":\n  - source: '" + source + "'\n    mirrors: ['" + strings.Join(mirrors, "', '") + "']\n"
}

func candidates(t *testing.T, rules, image string) []string {
	t.Helper()
	m, err := cluster.ParseMirrors("file", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range m.Candidates(ref.MustParse(image)) {
		out = append(out, c.String())
	}
	return out
}

func TestCandidates(t *testing.T) {
	icsp, idms, itms := "ImageContentSourcePolicy", "ImageDigestMirrorSet", "ImageTagMirrorSet"
	never := "    mirrorSourcePolicy: NeverContactSource\n"
	for name, tt := range map[string]struct {
		rules, image string
		want         []string
	}{
		"repository":   {rule(icsp, "q.io/a", "m.io/x"), "q.io/a" + digest, []string{"m.io/x" + digest, "q.io/a" + digest}},
		"prefix":       {rule(idms, "q.io/a", "m.io/x"), "q.io/a/b/c" + digest, []string{"m.io/x/b/c" + digest, "q.io/a/b/c" + digest}},
		"not a prefix": {rule(idms, "q.io/a", "m.io/x"), "q.io/ab" + digest, []string{"q.io/ab" + digest}},
		"host":         {rule(idms, "q.io", "m:5000"), "q.io/a/b" + digest, []string{"m:5000/a/b" + digest, "q.io/a/b" + digest}},
		"host prefix":  {rule(idms, "q.io", "m.io"), "q.io:5000/a" + digest, []string{"q.io:5000/a" + digest}},
		"host alone for a repository": {
			rule(idms, "q.io/a", "m.io"), "q.io/a" + digest, []string{"q.io/a" + digest},
		},
		"order, all that fit, once": {
			rule(icsp, "q.io", "m.io/1", "m.io/2") + "---\n" + rule(icsp, "q.io/a", "m.io/2/a", "m.io/3"), "q.io/a" + digest,
			[]string{"m.io/1/a" + digest, "m.io/2/a" + digest, "m.io/3" + digest, "q.io/a" + digest},
		},
		"tag, rules for digests": {rule(icsp, "q.io/a", "m.io/x"), "q.io/a:1", []string{"q.io/a:1"}},
		"tag, rules for tags":    {rule(itms, "q.io/a", "m.io/x"), "q.io/a:1", []string{"m.io/x:1", "q.io/a:1"}},
		"digest, rules for tags": {rule(itms, "q.io/a", "m.io/x"), "q.io/a" + digest, []string{"q.io/a" + digest}},
		"never":                  {rule(idms, "q.io/a", "m.io/x") + never, "q.io/a" + digest, []string{"m.io/x" + digest}},
		"never, does not fit":    {rule(idms, "q.io/a", "m.io/x") + never, "q.io/b" + digest, []string{"q.io/b" + digest}},
		"domain":                 {rule(idms, "*.q.io", "m.io/x"), "r.q.io/b" + digest, []string{"m.io/x/b" + digest, "r.q.io/b" + digest}},
		"domain, deeper, port":   {rule(idms, "*.q.io", "m.io"), "s.r.q.io:443/b" + digest, []string{"m.io/b" + digest, "s.r.q.io:443/b" + digest}},
		"domain itself":          {rule(idms, "*.q.io", "m.io"), "q.io/b" + digest, []string{"q.io/b" + digest}},
		"domain with a path":     {rule(idms, "*.q.io/a", "m.io/x"), "r.q.io/a/b" + digest, []string{"m.io/x/b" + digest, "r.q.io/a/b" + digest}},
		"domain, other path":     {rule(idms, "*.q.io/a", "m.io/x"), "r.q.io/b" + digest, []string{"r.q.io/b" + digest}},
		"docker hub":             {rule(idms, "docker.io", "m.io"), "busybox" + digest, []string{"m.io/library/busybox" + digest, "busybox" + digest}},
		"case of the host":       {rule(idms, "Q.io/a", "m.io"), "q.IO/a/b" + digest, []string{"m.io/b" + digest, "q.IO/a/b" + digest}},
		"the source as a mirror": {rule(idms, "q.io/a", "q.io/a", "m.io/x"), "q.io/a" + digest, []string{"q.io/a" + digest, "m.io/x" + digest}},
		"file":                   {rule(idms, "q.io", "m.io"), "file://q.io/a" + digest, []string{"file://q.io/a" + digest}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, candidates(t, tt.rules, tt.image)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := (cluster.MirrorRules{}).Candidates(ref.MustParse("q.io/a:1")); len(got) != 1 || got[0].String() != "q.io/a:1" {
		t.Errorf("without rules: %v", got)
	}
}

func TestOnlyByDigest(t *testing.T) {
	digests, tags := rule("ImageDigestMirrorSet", "q.io/a", "m.io/x"), rule("ImageTagMirrorSet", "q.io/a", "m.io/x")
	for _, tt := range []struct {
		rules, image string
		want         bool
	}{
		{digests, "q.io/a:1", true},
		{digests, "q.io/a" + digest, false},
		{digests, "q.io/b:1", false},
		{digests + "---\n" + tags, "q.io/a:1", false},
	} {
		m, err := cluster.ParseMirrors("f", []byte(tt.rules))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.OnlyByDigest(ref.MustParse(tt.image)); got != tt.want {
			t.Errorf("%s: %t", tt.image, got)
		}
	}
}

// Every form in which people have mirror rules says the same.
func TestParseMirrorsForms(t *testing.T) {
	image := art + digest
	want := []string{mirror + digest, image}
	section := "- mirrors:\n  - " + mirror + "\n  source: " + art + "\n"
	icsp := string(cluster.ICSP.Object("x", sources))
	report := cluster.Report{Program: "oc", UpdateImage: ref.MustParse(mirror + ":1"), Sources: sources}
	for name, text := range map[string]string{
		"icsp":                    icsp,
		"idms":                    string(cluster.IDMS.Object("x", sources)),
		"several documents":       "---\n" + rule("ImageDigestMirrorSet", "a.io/b", "c.io/d") + "---\n---\n" + icsp + "---\n",
		"beside other objects":    "kind: Deployment\nspec: 3\n---\n" + icsp + "---\nkind: X\nspec: [a]\n",
		"list":                    "kind: List\nitems:\n- {kind: Node, spec: {a: 1}}\n- " + strings.ReplaceAll(strings.TrimSpace(icsp), "\n", "\n  ") + "\n",
		"json":                    `{"kind":"ImageDigestMirrorSet","spec":{"imageDigestMirrors":[{"source":"` + art + `","mirrors":["` + mirror + `"]}]}}`,
		"section":                 string(cluster.ICSP.InstallConfig(sources)),
		"section of new name":     string(cluster.IDMS.InstallConfig(sources)),
		"section without its key": section,
		"spec alone":              "repositoryDigestMirrors:\n" + section,
		"install config":          "apiVersion: v1\nbaseDomain: x\nmetadata: {name: y}\nplatform: {none: {}}\npullSecret: '{\"auths\":{}}'\n" + string(cluster.IDMS.InstallConfig(sources)),
		"half an install config":  "baseDomain: [\n" + string(cluster.IDMS.InstallConfig(sources)),
		"standard output":         "sha256:abc m.io/x:1\n" + report.String(),
		"both streams":            "info: Mirroring 3 images to m.io ...\nwarning: x: y\nsha256:abc m.io/x:1\n" + report.String() + "hint: z\n",
		"windows":                 "\ufeff" + strings.ReplaceAll(icsp, "\n", "\r\n"),
		"in a mail":               "Hello,\nplease apply this:\n" + icsp + "\nRegards: me\n",
		"between lines":           "Subject: mirrors\n-----\n" + icsp + "-----\nRegards: me\n-- \nme\n",
		"cut short":               "info: Mirroring 3 images\n...\n" + section + "...\nregards: [\n",
		"directive":               "# ours\n%YAML 1.1\n--- # c\n" + icsp + "...\n",
		"behind a marker":         `--- {"spec":{"imageDigestMirrors":[{"source":"` + art + `","mirrors":["` + mirror + `"]}]}}`,
		"behind another":          "kind: X\n--- {kind: Y}\n...\n" + icsp,
		"utf-16":                  inUTF16(icsp),
		"comments":                "# mirror\n" + strings.ReplaceAll(icsp, "spec:", "# of the release\nspec:"),
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, candidates(t, text, image)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What real oc and we print is understood.
func TestParseMirrorsOfGoldenReports(t *testing.T) {
	for _, name := range []string{"icsp.txt", "idms.txt", "templated.txt"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		m, err := cluster.ParseMirrors(name, text)
		if err != nil || m.Len() != 4 {
			t.Errorf("%s: %d rules, %v", name, m.Len(), err)
		}
	}
}

func TestParseMirrorsErrors(t *testing.T) {
	idms := "ImageDigestMirrorSet"
	for name, tt := range map[string]struct{ text, want string }{
		"empty":           {"", cluster.ErrNoMirrorRules.Error()},
		"other objects":   {"kind: Deployment\nspec: {}\n", cluster.ErrNoMirrorRules.Error()},
		"empty section":   {"imageContentSources: []\n", cluster.ErrNoMirrorRules.Error()},
		"report for disk": {"\nSuccess\nUpdate image:  openshift/release:1\n", cluster.ErrNoMirrorRules.Error()},
		"source tag":      {rule(idms, "q.io/a:1", "m.io/a"), `source: "q.io/a:1" is not a registry or repository`},
		"mirror digest":   {rule(idms, "q.io/a", "m.io/a"+digest), "mirror of q.io/a: "},
		"mirror url":      {rule(idms, "q.io/a", "https://m.io/a"), `"https://m.io/a" is not a registry or repository`},
		"no source":       {rule(idms, "", "m.io/a"), `source: "" is not`},
		"star alone":      {rule(idms, "*", "m.io/a"), `source: "*" is not`},
		"policy":          {rule(idms, "q.io/a", "m.io/a") + "    mirrorSourcePolicy: Sometimes\n", "must be NeverContactSource or AllowContactingSource"},
		"two policies": {
			rule(idms, "q.io/a", "m.io/a") + "    mirrorSourcePolicy: NeverContactSource\n---\n" + rule(idms, "q.io/a", "m.io/b"), "two different values",
		},
		"broken":       {"a: 1\n---\nspec:\n  imageDigestMirrors:\n  - mirrors: [x\n", "line "},
		"wrong type":   {"imageContentSources: {mirrors: 3}\n", "not valid YAML"},
		"too many":     {"imageContentSources:\n" + strings.Repeat("- {source: q.io, mirrors: [m.io]}\n", 10001), "more than 10000 sources"},
		"many mirrors": {rule(idms, "q.io", strings.Split(strings.Repeat("m.io,", 100)+"m.io", ",")...), "101 mirrors"},
		"documents":    {strings.Repeat("\n---", 1001), "more than 1000"},
		"too long":     {strings.Repeat("#", 8<<20+1), "bytes, more than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cluster.ParseMirrors("rules.yaml", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "rules.yaml: ") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	if _, err := cluster.ParseMirrors("x", nil); !errors.Is(err, cluster.ErrNoMirrorRules) {
		t.Errorf("not ErrNoMirrorRules: %v", err)
	}
}

// An install config has a pull secret, which no error shows.
func TestParseMirrorsErrorsShowNoSecrets(t *testing.T) {
	for _, text := range []string{
		"pullSecret: hunter2\nimageContentSources: [\n",
		"pullSecret: {hunter2\nimageContentSources:\n- mirrors: 3\n",
		"pullSecret: *hunter2\nimageContentSources: [x, mirrors: y]\nmirrors: z",
		"pullSecret: {{hunter2}}\n---\nmirrors: !!int hunter2\n",
		rule("ImageDigestMirrorSet", "user:hunter2@q.io/a", "m.io"),
		rule("ImageDigestMirrorSet", "q.io/a", "user:hunter2@m.io"),
	} {
		if _, err := cluster.ParseMirrors("f", []byte(text)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func FuzzParseMirrors(f *testing.F) {
	f.Add([]byte(rule("ImageDigestMirrorSet", "*.q.io/a", "m.io/x", "m:5000")), "r.q.io/a/b"+digest)
	f.Add(cluster.ICSP.InstallConfig(sources), art+digest)
	f.Add([]byte("- mirrors: [a]\n  source: b\n"), "b:1")
	f.Add([]byte("x\nspec:\n  imageTagMirrors:\n  - {source: q.io, mirrors: [m.io], mirrorSourcePolicy: NeverContactSource}"), "q.io/a:1")
	f.Fuzz(func(t *testing.T, text []byte, image string) {
		m, err := cluster.ParseMirrors("f", text)
		r, rerr := ref.Parse(image)
		if err != nil || rerr != nil || r.Path == "" {
			return
		}
		if m.Len() == 0 {
			t.Error("no rules and no error")
		}
		got := m.Candidates(r)
		if len(got) == 0 {
			t.Errorf("%s: no candidates", image)
		}
		for _, c := range got {
			if c.Tag != r.Tag || c.Digest != r.Digest {
				t.Errorf("%s becomes %s", image, c)
			}
		}
	})
}
