package catalog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// files makes a file system of pairs of names and contents.
func files(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return out
}

func read(t *testing.T, fsys fstest.MapFS) (*catalog.Catalog, []catalog.Problem) {
	t.Helper()
	c, problems, err := catalog.Read(fsys, catalog.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c, problems
}

// clean reads a catalog without problems.
func clean(t *testing.T, fsys fstest.MapFS) *catalog.Catalog {
	t.Helper()
	c, problems := read(t, fsys)
	for _, p := range problems {
		t.Error(p)
	}
	return c
}

func raws(c *catalog.Catalog) (out []string) {
	for _, m := range c.Documents() {
		out = append(out, string(m.Raw))
	}
	return out
}

const mixed = `---
schema: olm.package
name: alpha
defaultChannel: stable
extra: {z: 1, a: [yes, 'yes', 0x10, 1.5, ~, 2020-01-02]}
---
# a comment
schema: olm.channel
package: alpha
name: stable
entries:
- name: alpha.v1.1.0
  replaces: alpha.v1.0.0
  skips: [alpha.v1.0.1]
  skipRange: '>=1.0.0 <1.1.0'
- name: alpha.v1.0.0
--- {schema: example.com/thing, image: "quay.io/a/thing:1"}
...
`

const bundles = `{"schema":"olm.bundle","package":"alpha","name":"alpha.v1.1.0","image":"quay.io/a/bundle@sha256:11",
 "properties":[{"type":"olm.package","value":{"packageName":"alpha","version":"1.1.0"}},{"type":"x","value":[1, 2]}],
 "relatedImages":[{"name":"","image":"quay.io/a/bundle@sha256:11"},{"name":"op","image":"quay.io/a/op@sha256:22"},{"name":"none","image":""}]}
{"schema":"olm.deprecations","package":"alpha"}
  {"name":"no schema", "relatedImages":[{"image":"quay.io/a/op@sha256:33"}], "s":"\u00e9\"}{"}`

func TestRead(t *testing.T) {
	c := clean(t, files("b/catalog.yaml", mixed, "c.anything", bundles, "empty.yaml", "\n", "markers.yaml", "---\n---\n# nothing\n---\n"))
	if len(c.Packages) != 1 || len(c.Channels) != 1 || len(c.Bundles) != 1 || len(c.Deprecations) != 1 || len(c.Others) != 2 {
		t.Fatalf("%+v", c)
	}
	if p := c.Packages[0]; p.Package != "alpha" || p.DefaultChannel != "stable" || p.File != "b/catalog.yaml" || p.Line != 2 {
		t.Errorf("%+v", p)
	}
	want := []catalog.Entry{
		{Name: "alpha.v1.1.0", Replaces: "alpha.v1.0.0", Skips: []string{"alpha.v1.0.1"}, SkipRange: ">=1.0.0 <1.1.0"}, {Name: "alpha.v1.0.0"},
	}
	if diff := cmp.Diff(want, c.Channels[0].Entries); diff != "" {
		t.Error(diff)
	}
	b := c.Bundles[0]
	if b.Version != "1.1.0" || len(b.Properties) != 2 || string(b.Properties[1].Value) != "[1, 2]" || b.Line != 1 {
		t.Errorf("%+v", b)
	}
	if got := []int{c.Channels[0].Line, c.Others[0].Line, c.Deprecations[0].Line, c.Others[1].Line}; !cmp.Equal(got, []int{8, 17, 4, 5}) {
		t.Error("lines", got)
	}
	first := `{"schema":"olm.package","name":"alpha","defaultChannel":"stable","extra":{"z":1,"a":[true,"yes",16,1.5,null,"2020-01-02"]}}`
	if got := raws(c)[0]; got != first {
		t.Errorf("got  %s\nwant %s", got, first)
	}
	if got := raws(c)[3]; got != bundles[:strings.Index(bundles, "\n{")] {
		t.Error("JSON is not kept as it is:", got)
	}
}

func TestImages(t *testing.T) {
	c := clean(t, files("a.yaml", mixed, "c.json", bundles))
	want := []catalog.Image{
		{Ref: "quay.io/a/thing:1"},
		{Ref: "quay.io/a/bundle@sha256:11", Package: "alpha", Bundle: "alpha.v1.1.0"},
		{Ref: "quay.io/a/op@sha256:22", Name: "op", Package: "alpha", Bundle: "alpha.v1.1.0"},
		{Ref: "quay.io/a/op@sha256:33"},
	}
	if diff := cmp.Diff(want, c.Images()); diff != "" {
		t.Error(diff)
	}
}

// An image that several bundles share is missed by each of them.
func TestSharedImages(t *testing.T) {
	c := clean(t, files("a.yaml", "schema: x\nimage: q/a:1\n", "b.json",
		`{"schema":"olm.bundle","package":"p","name":"p.v1","image":"q/b:1","relatedImages":[{"image":"q/b:1"},{"image":"q/a:1"},{"image":"q/s:1"},{"image":"q/s:1"}]}
		{"schema":"olm.bundle","package":"p","name":"p.v2","image":"q/b:2","relatedImages":[{"image":"q/s:1"},{"image":"q/b:2"},{"image":"q/s:1"}]}
		{"schema":"olm.bundle","package":"r","name":"r.v1","image":"q/b:3","relatedImages":[{"image":"q/s:1"}]}
		{"schema":"y","relatedImages":[{"image":"q/s:1"}]}`))
	got := map[string][]string{}
	for _, image := range c.Images() {
		got[image.Ref] = append([]string{image.Bundle}, image.Others...)
	}
	want := map[string][]string{"q/a:1": {"", "p.v1"}, "q/b:1": {"p.v1"}, "q/s:1": {"p.v1", "p.v2", "r.v1"}, "q/b:2": {"p.v2"}, "q/b:3": {"r.v1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAdd(t *testing.T) {
	c := clean(t, files("a.yaml", mixed))
	if err := c.Add([]byte(`{"schema":"olm.bundle","name":"b","image":"quay.io/b:1"}`)); err != nil {
		t.Fatal(err)
	}
	images := c.Images()
	if last := images[len(images)-1]; last.Ref != "quay.io/b:1" || last.Bundle != "b" {
		t.Errorf("%+v", images)
	}
	for _, bad := range []string{"", "[]", "{", "null", `{"schema":"olm.bundle","name":1}`} {
		if err := c.Add([]byte(bad)); err == nil {
			t.Errorf("%q was added", bad)
		}
	}
}

// Documents that come after a broken one are read, and where it is is told.
func TestProblems(t *testing.T) {
	for _, c := range []struct {
		name, content string
		line          int
		pkg, text     string
		documents     int
	}{
		{"yaml", "---\nschema: olm.bundle\npackage: alpha\nname: [\n---\nschema: x\n", 4, "alpha", "did not find", 1},
		{"yaml, after an end", "schema: x\n...\nschema: y\nz: [\n--- {schema: z}\n", 4, "", "did not find", 2},
		{"yaml, a directive alone", "schema: x\n...\n%YAML 1.1\n", 3, "", "did not find", 1},
		{"json, after a comment", "# c\n\n---\n\n{\"schema\":\"x\"}\n{\"schema\": oops}\n--- {\"schema\":\"y\"}", 6, "", "invalid character", 2},
		{"yaml, first line", "schema: x: y", 1, "", "mapping values are not allowed", 0},
		{"yaml tab", "schema: olm.package\nname: beta\nicon:\n\tx: y\n---\nschema: x", 4, "beta", "cannot start any token", 1},
		{"json", "{\"schema\":\"x\"}\n{\"schema\":\n\"olm.bundle\", \"package\": \"alpha\",\n oops}\n{\"schema\":\"y\"}", 4, "alpha", "invalid character", 2},
		{"cut json", "{\"schema\":\"olm.package\",\"name\":\"gamma\"}\n{\"schema\":\"olm.bundle\",\n", 3, "gamma", "unexpected end", 1},
		{"prose", "Read me, please.\n", 1, "", "it is a string, not an object", 0},
		{"list", "- a\n- b\n", 1, "", "it is a list, not an object", 0},
		{"json list", "{\"schema\":\"x\"} [1]", 1, "", "it is a list, not an object", 1},
		{"number for a name", "schema: olm.channel\npackage: alpha\nname: 4.14\n", 1, "alpha", "name is a number, not a string", 0},
		{"entries", "schema: olm.channel\npackage: alpha\nname: x\nentries: {}\n", 1, "alpha", "entries: ", 0},
		{"related", "schema: olm.bundle\npackage: alpha\nname: x\nrelatedImages: [x]\n", 1, "alpha", "relatedImages has a string where an object belongs", 0},
		{"related image", "schema: olm.bundle\npackage: alpha\nname: x\nrelatedImages: [{image: 1}]\n", 1, "alpha", "image of a related image is a number", 0},
		{"properties", "schema: olm.bundle\npackage: alpha\nname: x\nproperties: 1\n", 1, "alpha", "properties is a number, not a list", 0},
		{"behind a document of no package", "{\"schema\":\"olm.package\",\"name\":\"alpha\"}\n{\"schema\":\"x\"}\n[1]", 3, "alpha", "it is a list", 2},
		{"nan", "schema: x\na:\n  - .nan\n", 3, "", ".nan is no number", 0},
		{"key", "schema: x\n? [a]\n: b\n", 2, "", "a key of a mapping has to be a string", 0},
		{"merge", "schema: x\na:\n  <<: 1\n", 3, "", "<< has to be followed by", 0},
		{"loop", "schema: x\na: &a\n  b: *a\n", 3, "", "the alias *a is part of what", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems := read(t, files("dir/file", c.content))
			if len(problems) != 1 {
				t.Fatal(problems)
			}
			p := problems[0]
			if p.File != "dir/file" || p.Line != c.line || p.Package != c.pkg || !strings.Contains(p.Err.Error(), c.text) {
				t.Errorf("%d %q %v", p.Line, p.Package, p.Err)
			}
			if n := len(got.Documents()); n != c.documents {
				t.Errorf("%d documents, want %d", n, c.documents)
			}
		})
	}
}

// What schemas that are not OLM's mean by a field is up to them.
// What a broken document lacks, or has too much, does not take along those of
// others behind it.
func TestDocumentsBehindBrokenOnes(t *testing.T) {
	const before, after = `{"schema":"olm.package","name":"b"}` + "\n", `{"schema":"custom","package":"b","image":"q/b:1"}` + "\n" + `{"schema":"olm.channel","package":"b","name":"s"}`
	for name, c := range map[string]struct {
		broken   string
		problems string
	}{
		"no end":         {`{"schema":"olm.package","name":"a"` + "\n", "3a"},
		"two ends":       {`{"schema":"olm.package","name":"a"}}` + "\n", "2a"},
		"no quote":       {`{"schema":"olm.package","name":"a}` + "\n", "3a"},
		"no value":       {`{"schema":"olm.channel","package":"a","name":}` + "\n", "2a"},
		"not indented":   {"{\"schema\":\"olm.bundle\",\"package\":\"a\",\"x\":[,\n{\n\"image\":\"q/part:1\"\n}\n]}\n", "2a 3b 6b"},
		"carriage":       {`{"schema":"olm.package","name":"a"` + "\r\n\r\n", "4a"},
		"two, no end":    {`{"schema":"olm.package","name":"a"` + "\n" + `{"schema":"olm.package","name":"c"` + "\n", "3a 4c"},
		"end of another": {`{"schema":"olm.package","name":"a",` + "\n" + `{"schema":"olm.package","name":"c"}}` + "\n", "3a 3c"},
	} {
		got, problems := read(t, files("f", before+c.broken+after))
		var told []string
		for _, p := range problems {
			told = append(told, fmt.Sprint(p.Line)+p.Package)
		}
		if strings.Join(told, " ") != c.problems || len(got.Images()) != 1 || got.Images()[0].Ref != "q/b:1" || len(got.Channels) != 1 {
			t.Errorf("%s: %q %v\n%s", name, told, problems, raws(got))
		}
	}
}

// Where nothing tells how far a broken document goes, it may have documents of any
// package in it.
func TestBrokenToTheEnd(t *testing.T) {
	for content, pkg := range map[string]string{
		`{"schema":"olm.package","name":"a"`:                                                       "a",
		`{"schema":"olm.package","name":"a"{"schema":"olm.package","name":"b"}`:                    "",
		`{"schema":"olm.package","name":"b"} x {"schema":"olm.package","name":"a"}`:                "a",
		`{"schema":"x","package":"b"} x {"schema":"x","package":"a"} {"schema":"x","name":"a"}`:    "",
		strings.Repeat(`{"schema":"olm.package","name":"a"`+"\n", 21) + `{"schema":"olm.package"}`: "",
	} {
		_, problems := read(t, files("f", content))
		if n := len(problems); n == 0 || problems[n-1].Package != pkg {
			t.Errorf("%s: %v", content, problems)
		}
	}
}

func TestUnknownSchemasMayDiffer(t *testing.T) {
	c := clean(t, files("a", `{"schema":"acme","image":{"x":1},"relatedImages":"none","entries":3,"properties":{},"name":1}`))
	if len(c.Others) != 1 || len(c.Images()) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestYAML(t *testing.T) {
	for in, want := range map[string]string{
		"a: &x {b: 1}\nc: *x":                                    `{"a":{"b":1},"c":{"b":1}}`,
		"a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}":                  `{"a":{"b":1,"c":2},"d":{"b":1,"c":2,"c":3}}`,
		"a: &x {b: 1}\ne: &y {b: 2}\nd:\n  <<: [*x, *y]":         `{"a":{"b":1},"e":{"b":2},"d":{"b":2,"b":1}}`,
		"1: a\ntrue: b\nyes: c\nnull: d":                         `{"1":"a","true":"b","true":"c","null":"d"}`,
		"a: |\n  x\t\"y\"\\\n  z":                                `{"a":"x\t\"y\"\\\nz"}`,
		"a: \"\\u0001\\r\"":                                      `{"a":"\u0001\r"}`,
		"a: !!binary aGVsbG8=":                                   `{"a":"hello"}`,
		"a: !!binary /w==":                                       `{"a":"�"}`,
		"a: !custom x":                                           `{"a":"x"}`,
		"a: 012\nb: -1\nc: 18446744073709551615\nd: +1e3\ne: .5": `{"a":10,"b":-1,"c":18446744073709551615,"d":1000,"e":0.5}`,
		"%YAML 1.1\n---\na: b":                                   `{"a":"b"}`,
		"# c\n%YAML 1.1\n---\na: b\n...\n# d\n":                  `{"a":"b"}`,
		"# c\n---\n{\"a\": 1.0}":                                 `{"a": 1.0}`,
		"{\"a\":\"\u2028--- \"}":                                 "{\"a\":\"\u2028--- \"}",
		"\ufeffa: b":                                             `{"a":"b"}`,
		"---\r\na: b\r\n":                                        `{"a":"b"}`,
		"{a: b}":                                                 `{"a":"b"}`,
		"a: |\n  ---x\n  --- y\n":                                `{"a":"---x\n--- y\n"}`,
	} {
		got := raws(clean(t, files("f", in)))
		if len(got) != 1 || got[0] != want || !json.Valid([]byte(got[0])) {
			t.Errorf("%q:\ngot  %q\nwant %q", in, got, want)
		}
	}
}

// A few lines of aliases must not come to gigabytes, nor to endless work.
func TestAliasBombs(t *testing.T) {
	for _, bomb := range []struct{ leaf, node string }{{"[x]", "[%s]"}, {"{a: b}", "{<<: [%s]}"}, {"{}", "{<<: [%s]}"}, {"[]", "[%s]"}} {
		var b strings.Builder
		fmt.Fprintf(&b, "schema: x\na0: &a0 %s\n", bomb.leaf)
		for i := 1; i < 30; i++ {
			again := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", ")
			fmt.Fprintf(&b, "a%d: &a%d %s\n", i, i, fmt.Sprintf(bomb.node, again))
		}
		_, problems := read(t, files("f", b.String()))
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), "limit exceeded") {
			t.Errorf("%s: %v", bomb.node, problems)
		}
	}
}

func TestIgnoredFiles(t *testing.T) {
	doc := func(name string) string { return `{"schema":"` + name + `"}` }
	fsys := files(
		".indexignore", "# no documents\n  *.md  \n/top\n\ndocs/\n!docs/keep.json\nlogs/**/x\n[^a-z].json\n",
		"README.md", "prose", "a/b/README.md", "prose", "top/x", "bad: [", "a/top", doc("a/top"),
		"docs/x", "bad: [", "docs/keep.json", doc("docs/keep.json"), "a/docs", doc("a/docs"),
		"logs/x", "bad: [", "logs/1/2/x", "bad: [", "logs/1/y", doc("logs/1/y"), "Q.json", "bad: [", "q.json", doc("q.json"),
		"sub/.indexignore", "local\n!*.md\n!../q.json\n", "sub/local/x", "bad: [", "sub/x.md", doc("sub/x.md"), "local", doc("local"),
	)
	var got []string
	for _, m := range clean(t, fsys).Documents() {
		if m.File != m.Schema {
			t.Error(m.File, m.Schema)
		}
		got = append(got, m.File)
	}
	want := []string{"a/docs", "a/top", "docs/keep.json", "local", "logs/1/y", "q.json", "sub/x.md"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What OLM itself leaves of these files, pattern by pattern: where it is not what
// git does, a cluster is served what git would leave out.
func TestIgnoredAsByOLM(t *testing.T) {
	all := []string{".h", "a", "a.md", "b", "d/e/f", "p/a", "p/x/a", "p/y/b", "x/a", "x/b", "x/y/a/b", "y/x/y/b"}
	for pattern, ignored := range map[string]string{
		"*":      strings.Join(all, " "),
		"/*":     strings.Join(all, " "),
		"**":     strings.Join(all, " "),
		"/":      "",
		"!":      "",
		"/**":    "",
		"/**/":   "",
		"[!b]":   "b p/y/b x/b x/y/a/b y/x/y/b",
		"[^b]":   "a d/e/f p/a p/x/a p/y/b x/a x/b x/y/a/b y/x/y/b",
		"[":      "",
		"a":      "a p/a p/x/a x/a x/y/a/b",
		"/a":     "a",
		"a/":     "x/y/a/b",
		"p/":     "p/a p/x/a p/y/b",
		"/p/":    "p/a p/x/a p/y/b",
		"a/**":   "a",
		"p/**":   "p/a p/x/a p/y/b",
		"p/**/":  "p/a p/x/a p/y/b",
		"p//a":   "p/a",
		"p/**/a": "p/a p/x/a",
		"p/**a":  "",
		"**/a/b": "x/y/a/b",
		"**/y/b": "p/y/b",
		"x/*/a":  "x/y/a/b",
		"**/y":   "p/y/b x/y/a/b y/x/y/b",
		"./a":    "",
		"../a":   "",
		"*.md":   "a.md",
		".*":     ".h",
		"\\a":    "a p/a p/x/a x/a x/y/a/b",
	} {
		fsys := files(".indexignore", pattern)
		for _, name := range all {
			fsys[name] = &fstest.MapFile{Data: []byte(`{"schema":"x"}`)}
		}
		got := slices.Clone(all)
		for _, m := range clean(t, fsys).Documents() {
			got = slices.DeleteFunc(got, func(name string) bool { return name == m.File })
		}
		if strings.Join(got, " ") != ignored {
			t.Errorf("%s: ignored %s\nwant %s", pattern, got, ignored)
		}
	}
}

// OLM takes a field for what it is whatever the case of its letters.
func TestCaseOfFields(t *testing.T) {
	c := clean(t, files("a", `Schema: olm.bundle
PACKAGE: p
Name: p.v1
Image: quay.io/a/p:1
extra: {Name: x}
RelatedImages: [{NAME: r, Image: "quay.io/a/r:1"}]
Properties: [{Type: olm.package, value: {PackageName: p, Version: 1.0.0}}]
`))
	want := []catalog.Image{
		{Ref: "quay.io/a/p:1", Package: "p", Bundle: "p.v1"}, {Ref: "quay.io/a/r:1", Name: "r", Package: "p", Bundle: "p.v1"},
	}
	if diff := cmp.Diff(want, c.Images()); diff != "" {
		t.Error(diff)
	}
	if b := c.Bundles[0]; b.Version != "1.0.0" || !strings.Contains(string(b.Raw), `"extra":{"Name":"x"}`) {
		t.Errorf("%s %s", b.Version, b.Raw)
	}
}

// Old versions of OLM take the field in small letters, new ones take no catalog with
// both: neither image may be left out without a word.
func TestFieldsSpelledTwice(t *testing.T) {
	for document, field := range map[string]string{
		`{"schema":"olm.bundle","package":"p","name":"b","image":"a:1","Image":"b:1"}`:                             "image",
		`{"schema":"olm.bundle","package":"p","name":"b","image":"a:1","\u0049mage":"b:1"}`:                        "image",
		`{"schema":"x","package":"p","relatedImages":[],"relatedimages":[{"image":"a:1"}]}`:                        "relatedimages",
		`{"ſchema":"x","schema":"olm.bundle","package":"p"}`:                                                       "schema",
		`{"schema":"olm.bundle","package":"p","name":"b","relatedImages":[{"image":"a:1","IMAGE":"b:1"}]}`:         "image",
		`{"schema":"olm.bundle","package":"p","name":"b","relatedImages":[{"NAME":"a","image":"b:1","name":"c"}]}`: "name",
	} {
		c, problems := read(t, files("a", document))
		if len(problems) != 1 || problems[0].Package != "p" || !strings.Contains(problems[0].Error(), "it has the field "+field+" twice, as ") || len(c.Documents()) > 0 {
			t.Error(document, problems, raws(c))
		}
	}
	c := clean(t, files("a", `{"schema":"olm.bundle","name":"b","image":"a:1","image":"b:1","x":1,"X":2,"relatedImages":[{"image":"a:2","image":"b:2"}]}`))
	if images := c.Images(); len(images) != 2 || images[0].Ref != "b:1" || images[1].Ref != "b:2" {
		t.Error(images)
	}
}

// failing has a file that cannot be read.
type failing struct{ fs.FS }

func (f failing) Open(name string) (fs.File, error) {
	opened, err := f.FS.Open(name)
	if name == "b" && err == nil {
		opened = failingFile{opened}
	}
	return opened, err
}

type failingFile struct{ fs.File }

func (failingFile) Read([]byte) (int, error) { return 0, syscall.EIO }

// A disk that fails leaves no file out: the error is one of the whole catalog.
func TestFileThatFails(t *testing.T) {
	all := files("a", `{"schema":"x"}`, "b", `{"schema":"x"}`, "c", `{"schema":"x"}`)
	if c, _, err := catalog.Read(failing{all}, catalog.ReadOptions{}); c != nil || !errors.Is(err, syscall.EIO) {
		t.Error(c, err)
	}
}

// Pipes and devices are no documents, and are not waited for.
func TestNoRegularFile(t *testing.T) {
	all := files("a", `{"schema":"x"}`, "pipe", `{"schema":"x"}`)
	all["pipe"].Mode = fs.ModeNamedPipe
	if c := clean(t, all); len(c.Others) != 1 {
		t.Error(raws(c))
	}
}

// What is no object where an object belongs has no version.
func TestPropertyWithoutObject(t *testing.T) {
	for _, property := range []string{`{"type":"olm.package"}`, `{"type":"olm.package","value":""}`, `{"type":"olm.package","value":"\"\""}`, `{"type":"olm.package","value":[]}`} {
		c := clean(t, files("a", `{"schema":"olm.bundle","package":"p","name":"b","properties":[`+property+`,{"type":"olm.package","value":{"version":"1.0.0"}}]}`))
		if c.Bundles[0].Version != "1.0.0" {
			t.Errorf("%s: %q", property, c.Bundles[0].Version)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	if _, _, err := catalog.Read(os.DirFS(filepath.Join(t.TempDir(), "none")), catalog.ReadOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(mixed), []byte("*.md\n!a\n"))
	f.Add([]byte(bundles), []byte("/a/**/b\n[x"))
	f.Add([]byte("a: &a [*a]\n---\n{\"a\":"), []byte("**"))
	f.Fuzz(func(t *testing.T, content, ignore []byte) {
		c, problems, err := catalog.Read(fstest.MapFS{
			"a/catalog": {Data: content}, ".indexignore": {Data: ignore}, "a/.indexignore": {Data: ignore},
		}, catalog.ReadOptions{Workers: 1})
		if err != nil {
			return
		}
		for _, m := range c.Documents() {
			if !json.Valid(m.Raw) || m.Line < 1 {
				t.Errorf("line %d: %q", m.Line, m.Raw)
			}
			var v map[string]json.RawMessage
			if err := json.Unmarshal(m.Raw, &v); err != nil {
				t.Error(err)
			}
		}
		for _, p := range problems {
			if p.Line < 1 || p.Line > len(content)+1 {
				t.Error(p)
			}
		}
		c.Images()
	})
}
