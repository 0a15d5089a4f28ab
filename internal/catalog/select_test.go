package catalog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// pkg is a package for tests. A channel is a list of entries, newest first:
// "3>2" replaces, "3-2" skips, with names that are versions without their
// zeros.
type pkg struct {
	name, standard string
	channels       []string // "stable: 3>2 2>1 1"
	properties     map[string]string
	deprecations   []string // "channel stable", "bundle 1", "package"
}

var entryParts = regexp.MustCompile(`[>-][^>-]*`)

// bundleName makes a.v1.0.0 of 1.
func bundleName(pkg, v string) string {
	if strings.Contains(v, ".v") {
		return v
	}
	return pkg + ".v" + version(v)
}

func version(v string) string {
	number, rest, _ := strings.Cut(strings.ReplaceAll(v, "_", "-"), "+")
	for strings.Count(number, ".") < 2 {
		number += ".0"
	}
	if rest != "" {
		return number + "+" + rest
	}
	return number
}

func (p pkg) documents() []string {
	out := []string{fmt.Sprintf(`{"schema":"olm.package","name":%q,"defaultChannel":%q,"icon":{"a":1}}`, p.name, p.standard)}
	seen := map[string]bool{}
	for _, c := range p.channels {
		name, list, _ := strings.Cut(c, ":")
		var entries []string
		for e := range strings.FieldsSeq(list) {
			own := e[:len(e)-len(strings.Join(entryParts.FindAllString(e, -1), ""))]
			entry := catalog.Entry{Name: bundleName(p.name, strings.TrimPrefix(own, "!"))}
			for _, part := range entryParts.FindAllString(e, -1) {
				if part[0] == '>' {
					entry.Replaces = bundleName(p.name, part[1:])
				} else {
					entry.Skips = append(entry.Skips, bundleName(p.name, part[1:]))
				}
			}
			body, _ := json.Marshal(entry)
			entries = append(entries, string(body))
			if !seen[own] && own[0] != '!' { // ! is an entry without bundle
				seen[own] = true
				out = append(out, p.bundle(own))
			}
		}
		out = append(out, fmt.Sprintf(`{"schema":"olm.channel","package":%q,"name":%q,"x":[1],"entries":[%s],"y":{}}`, p.name, name, strings.Join(entries, ",")))
	}
	if p.deprecations != nil {
		out = append(out, p.deprecated())
	}
	return out
}

func (p pkg) bundle(v string) string {
	properties := fmt.Sprintf(`{"type":"olm.package","value":{"packageName":%q,"version":%q}}`, p.name, version(v))
	if more := p.properties[v]; more != "" {
		properties += "," + more
	}
	return fmt.Sprintf(`{"schema":"olm.bundle","package":%q,"name":%q,"image":"quay.io/t/%s@sha256:%s","properties":[%s],"relatedImages":[{"name":"op","image":"quay.io/t/%s-operator:%s"}]}`,
		p.name, bundleName(p.name, v), p.name, strings.Repeat("0", 64), properties, p.name, strings.ReplaceAll(v, "+", "-"))
}

func (p pkg) deprecated() string {
	var entries []string
	for _, d := range p.deprecations {
		schema, name, _ := strings.Cut(d, " ")
		if schema == "bundle" {
			name = bundleName(p.name, name)
		}
		entries = append(entries, fmt.Sprintf(`{"reference":{"schema":"olm.%s","name":%q},"message":"m"}`, schema, name))
	}
	return fmt.Sprintf(`{"schema":"olm.deprecations","package":%q,"entries":[%s]}`, p.name, strings.Join(entries, ","))
}

// catalogOf makes a catalog of packages, and of documents that belong to none.
func catalogOf(t testing.TB, packages []pkg, more ...string) *catalog.Catalog {
	t.Helper()
	var documents []string
	for _, p := range packages {
		documents = append(documents, p.documents()...)
	}
	documents = append(documents, more...)
	c, problems, err := catalog.Read(files("c.json", strings.Join(documents, "\n")), catalog.ReadOptions{})
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	return c
}

func wanted(t testing.TB, wants ...string) []catalog.Wanted {
	t.Helper()
	var out []catalog.Wanted
	for _, s := range wants {
		w, err := catalog.ParseWanted(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, w)
	}
	return out
}

// summary writes a selection as one line: "a[stable*: 3 2; beta: 2]", the
// default channel with a star.
func summary(s catalog.Selection) string {
	var packages []string
	for _, p := range s.Packages {
		var channels []string
		for _, c := range p.Channels {
			name := c.Name
			if name == p.DefaultChannel {
				name += "*"
			}
			var bundles []string
			for _, b := range c.Bundles {
				b = strings.TrimPrefix(b, p.Package+".v")
				for strings.HasSuffix(b, ".0") && strings.Count(b, ".") > 0 {
					b = strings.TrimSuffix(b, ".0")
				}
				bundles = append(bundles, b)
			}
			channels = append(channels, name+": "+strings.Join(bundles, " "))
		}
		packages = append(packages, p.Package+"["+strings.Join(channels, "; ")+"]")
	}
	return strings.Join(packages, " ")
}

// plain is a catalog whose chains are in order.
var plain = []pkg{
	{name: "a", standard: "stable", channels: []string{"stable: 5>4 4>3 3>2 2>1 1", "beta: 6>5 5", "old: 2>1 1"}},
	{name: "c", standard: "s", channels: []string{"s: 4>2-3 3>2 2>1-1.5 1.5>1 1"}},
}

func TestSelect(t *testing.T) {
	packages := plain
	// The rows of oc-mirror.md 4.2, then those that are ours.
	for _, test := range []struct{ want, result string }{
		{"a", "a[beta: 6; old: 2; stable*: 5]"},
		{"*", "a[beta: 6; old: 2; stable*: 5] c[s*: 4]"},
		{"a::..", "a[beta: 6 5; old: 2 1; stable*: 5 4 3 2 1]"},
		{"a::4.0.0..", "a[beta: 6 5; stable*: 5 4]"},
		{"a::..2.0.0", "a[old: 2 1; stable*: 2 1]"},
		{"a::2.0.0..3.0.0", "a[old: 2; stable*: 3 2]"},
		{"a::6.0.0..7.0.0", "! its default channel stable"},
		{"a::5.0.0..5.0.0", "a[beta: 5; stable*: 5]"},
		{"a::2.0.0", "a[old: 2; stable*: 2]"},
		{"a:stable", "a[stable*: 5]"},
		{"a:stable a:beta", "a[beta: 6; stable*: 5]"},
		{"a:stable:..", "a[stable*: 5 4 3 2 1]"},
		{"a:stable:3.0.0.. a:old", "a[old: 2; stable*: 5 4 3]"},
		{"a:stable:..3.1.0", "a[stable*: 3 2 1]"},
		{"a:stable:=3.0.0", "a[stable*: 3]"},
		{"a:stable:v3.0.0", "a[stable*: 3]"},
		{"a:beta", "! package a: nothing is wanted of its default channel stable, and OLM takes no package without; another of those wanted has to be its default: beta"},
		{"nothing", "! the catalog has no package nothing; it has a, c"},
		{"a:nothing", "! package a has no channel nothing; it has beta, old, stable"},
		{"a:stable:7.0.0..", "! package a: channel stable has no version 7.0.0..; it has 1.0.0, 2.0.0, 3.0.0, 4.0.0, 5.0.0"},
		{"a:stable:3.1.0", "! channel stable has no version 3.1.0; it has 1"},
		{"a::7.0.0..", "! package a has no version 7.0.0..; it has 1.0.0, 2.0.0, 3.0.0, 4.0.0, 5.0.0, 6.0.0"},

		// What is said of a channel comes before what is said of all.
		{"a a:stable:4.0.0..", "a[beta: 6; old: 2; stable*: 5 4]"},
		{"* a:stable", "a[stable*: 5] c[s*: 4]"},
		{"*::5.0.0..", "a[beta: 6 5; stable*: 5]"}, // c has none
		{"*::4.0.0.. c", "a[beta: 6 5; stable*: 5 4] c[s*: 4]"},
		{"*::9.0.0..", "! none of the packages that * stands for has a version 9.0.0.."},
		{"*::9.0.0.. a", "! none of the packages that * stands for has a version 9.0.0.."},
		{"* *::..", "! * and *::..: of one channel only one range"},
		{"a:stable a:stable", "a[stable*: 5]"},
		{"a:stable a:stable:4.0.0", "! a:stable and a:stable:4.0.0: of one channel only one range"},
		// Skipped versions hang on the entry that skips them.
		{"c::..", "c[s*: 4 3 2 1.5 1]"},
		{"c::2.0.0..", "c[s*: 4 3 2]"},
		{"c::3.0.0..3.5.0", "c[s*: 4 3]"},
		{"c::3.0.0", "c[s*: 3]"},
		{"c::1.2.0..2.0.0", "c[s*: 2 1.5]"},
		{"c::..1.5.0", "c[s*: 2 1.5 1]"},
	} {
		t.Run(test.want, func(t *testing.T) {
			c := catalogOf(t, packages)
			out, selection, err := catalog.Select(c, wanted(t, strings.Fields(test.want)...), catalog.SelectOptions{})
			checkSelection(t, test.result, selection, err)
			if err == nil {
				again(t, out, test.want, catalog.SelectOptions{})
			}
		})
	}
}

func checkSelection(t *testing.T, want string, got catalog.Selection, err error) {
	t.Helper()
	message, fails := strings.CutPrefix(want, "! ")
	switch {
	case fails && (err == nil || !strings.Contains(err.Error(), message)):
		t.Errorf("error %v, want %s; %s", err, message, summary(got))
	case !fails && err != nil:
		t.Error(err)
	case !fails && summary(got) != want:
		t.Errorf("got  %s\nwant %s", summary(got), want)
	}
}

// again selects the same of what was selected, which must change nothing.
func again(t *testing.T, c *catalog.Catalog, want string, o catalog.SelectOptions) {
	t.Helper()
	out, _, err := catalog.Select(c, wanted(t, strings.Fields(want)...), o)
	if err != nil {
		t.Fatalf("selecting once more: %v", err)
	}
	if a, b := strings.Join(raws(c), "\n"), strings.Join(raws(out), "\n"); a != b {
		t.Errorf("selecting once more changes\n%s\nto\n%s", a, b)
	}
}

// What is broken is told, with the package and what is wrong.
func TestSelectBroken(t *testing.T) {
	for _, test := range []struct {
		name, want, err string
		p               pkg
	}{
		{"empty", "a", "package a: channel s cannot be used: it is empty", pkg{channels: []string{"s:"}}},
		{"no head", "a", "channel s cannot be used: it has no head: each of its 2 entries is replaced or skipped", pkg{channels: []string{"s: 2>1 1>2"}}},
		{"two heads", "a", "channel s cannot be used: it has more than one head: a.v2.0.0, a.v3.0.0", pkg{channels: []string{"s: 3>1 2>1 1"}}},
		{"circle", "a", "its entries replace each other in a circle through a.v2.0.0", pkg{channels: []string{"s: 3>2 2>1 1>2"}}},
		{"twice", "a", "its entry a.v1.0.0 is there twice", pkg{channels: []string{"s: 1 1"}}},
		{"channel twice", "a", "package a: the catalog has its channel s twice, in c.json, line", pkg{channels: []string{"s: 1", "s: 2"}}},
		{"no channels", "a", "package a: it has no channels", pkg{}},
		{"no bundle", "a", "channel s has entries that the catalog has no bundle for: a.v2.0.0", pkg{channels: []string{"s: !2>1 1"}}},
		{"stranded", "a::..", "no upgrades lead from its head a.v5.0.0 to a.v2.0.0, a.v1.0.0", pkg{channels: []string{"s: 5>4 4 2>1 1>2"}}},
		{"default", "a", "package a: the catalog names no default channel for it; one of those wanted has to be: t", pkg{standard: "-", channels: []string{"t: 1"}}},
		{"no such default", "a", "nothing is wanted of its default channel s", pkg{channels: []string{"t: 1"}}},
		{"version", "a::1.0.0..", `bundle a.vx.y.0 has the version "x.y.0", which cannot be compared`, pkg{channels: []string{"s: x.y"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.p.name = "a"
			if test.p.standard == "" {
				test.p.standard = "s"
			}
			test.p.standard = strings.TrimPrefix(test.p.standard, "-")
			c := catalogOf(t, []pkg{test.p, {name: "other", standard: "s", channels: []string{"s: 1"}}})
			_, s, err := catalog.Select(c, wanted(t, test.want), catalog.SelectOptions{})
			checkSelection(t, "! "+test.err, s, err)
			if errors.Is(err, catalog.ErrBroken) == errors.Is(err, catalog.ErrDefaultChannel) {
				t.Errorf("the reason of %v", err)
			}
			// What is not wanted does not matter.
			if _, _, err := catalog.Select(c, wanted(t, "other"), catalog.SelectOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSelectDefaultChannel(t *testing.T) {
	c := catalogOf(t, plain[:1])
	out, s, err := catalog.Select(c, wanted(t, "a:beta"), catalog.SelectOptions{DefaultChannels: map[string]string{"a": "beta"}})
	if err != nil || summary(s) != "a[beta*: 6]" {
		t.Fatal(err, summary(s))
	}
	if want := `{"schema":"olm.package","name":"a","defaultChannel":"beta","icon":{"a":1}}`; raws(out)[0] != want || out.Packages[0].DefaultChannel != "beta" {
		t.Errorf("got %s", raws(out)[0])
	}
	for channel, want := range map[string]string{
		"old":  "package a: old is to be its default channel, but is not among those wanted: beta",
		"none": "package a: none is to be its default channel",
	} {
		_, s, err := catalog.Select(c, wanted(t, "a:beta"), catalog.SelectOptions{DefaultChannels: map[string]string{"a": channel}})
		checkSelection(t, "! "+want, s, err)
	}
	_, s, err = catalog.Select(c, wanted(t, "a"), catalog.SelectOptions{DefaultChannels: map[string]string{"b": "x"}})
	checkSelection(t, "! package b: it is given a default channel, but is not wanted", s, err)
}

// What is wrong with what is wanted of every package is told once.
func TestSelectEveryPackage(t *testing.T) {
	c := catalogOf(t, plain)
	_, _, err := catalog.Select(c, wanted(t, "*", "*::.."), catalog.SelectOptions{})
	if err == nil || strings.Count(err.Error(), "only one range") != 1 {
		t.Error(err)
	}
	o := catalog.SelectOptions{DefaultChannels: map[string]string{"a": "beta", "none": "x"}}
	_, s, err := catalog.Select(c, wanted(t, "*"), o)
	checkSelection(t, "! package none: it is given a default channel, but is not wanted", s, err)
	delete(o.DefaultChannels, "none")
	_, s, err = catalog.Select(c, wanted(t, "*"), o)
	checkSelection(t, "a[beta*: 6; old: 2; stable: 5] c[s*: 4]", s, err)
}

// Of every package a range can be wanted although the default channel of one
// has nothing of it: the channel with the newest version takes its place.
func TestSelectEveryPackageOtherDefault(t *testing.T) {
	c := catalogOf(t, []pkg{
		{name: "a", standard: "s", channels: []string{"s: 1", "t: 3>2 2", "u: 5>4 4", "v: 5"}},
		{name: "b", standard: "s", channels: []string{"s: 3>2 2"}},
	})
	const note = "package a: its default channel s has no version 2.0.0..; u takes its place, unless another is named"
	out, s, err := catalog.Select(c, wanted(t, "*::2.0.0.."), catalog.SelectOptions{})
	checkSelection(t, "a[t: 3 2; u*: 5 4; v: 5] b[s*: 3 2]", s, err)
	if err != nil || strings.Join(s.Notes, "\n") != note || since.olmTakes(out) != nil {
		t.Errorf("%v, %q", err, s.Notes)
	}
	_, s, err = catalog.Select(c, wanted(t, "*::2.0.0.."), catalog.SelectOptions{DefaultChannels: map[string]string{"a": "t"}})
	checkSelection(t, "a[t*: 3 2; u: 5 4; v: 5] b[s*: 3 2]", s, err)
	if len(s.Notes) > 0 {
		t.Errorf("%q", s.Notes)
	}
	// Of one that is named it is for the user to say.
	_, s, err = catalog.Select(c, wanted(t, "*", "a::2.0.0.."), catalog.SelectOptions{})
	checkSelection(t, "! package a: nothing is wanted of its default channel s", s, err)
	// A catalog that has no such channel is broken as before.
	c = catalogOf(t, []pkg{{name: "a", standard: "none", channels: []string{"t: 3>2 2"}}})
	_, s, err = catalog.Select(c, wanted(t, "*::2.0.0.."), catalog.SelectOptions{})
	checkSelection(t, "! package a: nothing is wanted of its default channel none", s, err)
}

// What is kept is as it was written, and what names what is gone is gone.
func TestSelectDocuments(t *testing.T) {
	a := plain[0]
	a.deprecations = []string{"package", "channel old", "channel stable", "bundle 1", "bundle 5"}
	gone := plain[1]
	gone.deprecations = []string{"package"}
	c := catalogOf(t, []pkg{a, gone},
		`{"schema":"custom","package":"a","z":1}`, `{"schema":"custom","package":"c"}`, `{"schema":"custom"}`)
	out, _, err := catalog.Select(c, wanted(t, "a:stable"), catalog.SelectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(raws(out), "\n")
	want := strings.Join([]string{
		a.documents()[0],
		a.bundle("5"),
		`{"schema":"olm.channel","package":"a","name":"stable","x":[1],"entries":[{"name":"a.v5.0.0","replaces":"a.v4.0.0"}],"y":{}}`,
		`{"schema":"olm.deprecations","package":"a","entries":[{"reference":{"schema":"olm.package","name":""},"message":"m"},{"reference":{"schema":"olm.channel","name":"stable"},"message":"m"},{"reference":{"schema":"olm.bundle","name":"a.v5.0.0"},"message":"m"}]}`,
		`{"schema":"custom","package":"a","z":1}`, `{"schema":"custom"}`,
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	a.deprecations = []string{"bundle 1"}
	if out, _, err = catalog.Select(catalogOf(t, []pkg{a}), wanted(t, "a:stable"), catalog.SelectOptions{}); err != nil || len(out.Deprecations) > 0 {
		t.Errorf("deprecations of nothing: %v, %v", out.Deprecations, err)
	}
}

// With everything wanted nothing changes, and with nothing wanted either.
func TestSelectAll(t *testing.T) {
	c := catalogOf(t, plain, `{"schema":"custom"}`)
	for _, want := range [][]catalog.Wanted{nil, wanted(t, "*::.."), wanted(t, "a::..", "c:s:..")} {
		out, _, err := catalog.Select(c, want, catalog.SelectOptions{})
		if err != nil || strings.Join(raws(out), "\n") != strings.Join(raws(c), "\n") {
			t.Errorf("%v: %v\n%s", want, err, strings.Join(raws(out), "\n"))
		}
	}
}

func TestSelectBuildMetadata(t *testing.T) {
	c := catalogOf(t, []pkg{{name: "a", standard: "s", channels: []string{"s: 2+b>2+a 2+a>1 1"}}})
	for want, result := range map[string]string{
		"a::2.0.0": "2.0.0+b", "a::2.0.0+a": "2.0.0+a", "a::2.0.0+c": "2.0.0+b", "a::2.0.0+a..2.0.0+b": "2.0.0+b 2.0.0+a",
	} {
		_, s, err := catalog.Select(c, wanted(t, want), catalog.SelectOptions{})
		if err != nil || summary(s) != "a[s*: "+result+"]" {
			t.Errorf("%s: %s, %v", want, summary(s), err)
		}
	}
}

// Versions that a user may well have meant are told.
func TestSelectNotes(t *testing.T) {
	c := catalogOf(t, []pkg{{name: "a", standard: "s", channels: []string{"s: 3>2.0.0_5 2.0.0_5>1 1"}}, plain[1]})
	for want, note := range map[string]string{
		"*::4.0.0..":       "left out, because they have no version 4.0.0..: a",
		"a::2.0.0..":       "package a: channel s has 2.0.0-5, which comes before 2.0.0 in the order of versions and is left out; ask for 2.0.0-5 to have it",
		"a::2.0.0-5..":     "",
		"a::..3.0.0":       "",
		"a":                "",
		"c:s:3.0.0..3.5.0": "package c: channel s keeps c.v4.0.0, which c:s:3.0.0..3.5.0 does not ask for, because the upgrades to what it asks for lead through it",
		"c::1.2.0..2.0.0":  "",
	} {
		_, s, err := catalog.Select(c, wanted(t, want), catalog.SelectOptions{})
		if err != nil || strings.Join(s.Notes, "\n") != note {
			t.Errorf("%s: %v, %q", want, err, s.Notes)
		}
	}
}

// In a catalog with many packages the nearest names are told.
func TestSelectNearest(t *testing.T) {
	var many []pkg
	for i := range 40 {
		many = append(many, pkg{name: fmt.Sprintf("zz%02d", i), standard: "s", channels: []string{"s: 1"}})
	}
	many = append(many, pkg{name: "jaeger-product", standard: "s", channels: []string{"s: 1"}}, pkg{name: "kiali-ossm", standard: "s", channels: []string{"s: 1"}})
	c := catalogOf(t, many)
	for want, message := range map[string]string{
		"jaeger":               "the catalog has no package jaeger, but 42 others; the nearest are jaeger-product",
		"kaili-osm":            "the nearest are kiali-ossm",
		"completely-different": "the catalog has no package completely-different, but 42 others",
	} {
		_, s, err := catalog.Select(c, wanted(t, want), catalog.SelectOptions{})
		checkSelection(t, "! "+message, s, err)
	}
}

func TestParseWanted(t *testing.T) {
	for s, want := range map[string]catalog.Wanted{
		"a":                  {Package: "a"},
		"*":                  {Package: "*"},
		"a:b":                {Package: "a", Channel: "b"},
		"a:b:1.2.3":          {Package: "a", Channel: "b", Min: "1.2.3", Max: "1.2.3"},
		"a:b:=1.2.3":         {Package: "a", Channel: "b", Min: "1.2.3", Max: "1.2.3"},
		"a:b:v1.2.3..v2.0.0": {Package: "a", Channel: "b", Min: "1.2.3", Max: "2.0.0"},
		"a:b:1.2.3-rc.1..":   {Package: "a", Channel: "b", Min: "1.2.3-rc.1"},
		"a:b:..1.2.3+x.y":    {Package: "a", Channel: "b", Max: "1.2.3+x.y"},
		"a::..":              {Package: "a", All: true},
	} {
		if got, err := catalog.ParseWanted(s); err != nil || got != want {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
	for s, want := range map[string]string{
		"": "the name of the package is missing", ":b": "the name of the package is missing", "a:": "the channel is missing",
		"a::": "the versions are missing", "a:b:": "the versions are missing", "a:b:1": `"1" is no version`, "a:b:1.2.3...": `"." is no version`,
		"a:b:2.0.0..1.0.0": "2.0.0 is later than 1.0.0", "a:b:c:d": `"c:d" is no version`, "a*": "* stands for every package",
		"a:1.0.0..": "versions come after a second colon: a::1.0.0..", "a:..2.0.0": "after a second colon", "a:1.0..2.0": "after a second colon", "*:1.0.0..": "*::1.0.0..", "*:b": "no one channel",
		"a,b": "no spaces, slashes, commas", "a b": "no spaces", "quay.io/a:b": "no spaces, slashes",
	} {
		if _, err := catalog.ParseWanted(s); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "expected PACKAGE[:CHANNEL[:VERSIONS]]") {
			t.Errorf("%q: %v, want %s", s, err, want)
		}
	}
}

// What is read is written so that it is read again.
func FuzzParseWanted(f *testing.F) {
	for _, s := range []string{"a", "a:b", "a::..", "a:b:1.2.3..", "a:b:..1.2.3", "a:b:=v1.0.0-a+b", "*", "a:b:1.0.0..1.0.0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := catalog.ParseWanted(s)
		if err != nil {
			return
		}
		again, err := catalog.ParseWanted(w.String())
		if err != nil || again != w {
			t.Errorf("%q: %+v is written as %q, which is read as %+v, %v", s, w, w, again, err)
		}
	})
}
