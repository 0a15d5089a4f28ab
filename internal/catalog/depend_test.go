package catalog_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

func needsPackage(name, versions string) string {
	return `{"type":"olm.package.required","value":{"packageName":"` + name + `","versionRange":"` + versions + `"}}`
}

func api(property, kind string) string {
	return `{"type":"` + property + `","value":{"group":"g.io","version":"v1","kind":"` + kind + `"}}`
}

func constraint(value string) string {
	return `{"type":"olm.constraint","value":{"failureMessage":"m",` + value + `}}`
}

const (
	anyOf = `"any":{"constraints":[{"package":{"packageName":"none","versionRange":">=1.0.0"}},{"package":{"packageName":"lib","versionRange":"<2.0.0"}}]}`
	allOf = `"all":{"constraints":[{"gvk":{"group":"g.io","version":"v1","kind":"One"}},{"package":{"packageName":"lib","versionRange":">=3.0.0"}}]}`
	// OLM asks one bundle for all of it.
	allOfTwo = `"all":{"constraints":[{"package":{"packageName":"two"}},{"package":{"packageName":"lib"}}]}`
	allNot   = `"all":{"constraints":[{"package":{"packageName":"lib","versionRange":">=1.0.0"}},{"not":{"constraints":[{"gvk":{"group":"g.io","version":"v1","kind":"One"}}]}}]}`
	anyAll   = `"any":{"constraints":[{"all":{"constraints":[{"package":{"packageName":"lib","versionRange":"<2.0.0"}},{"package":{"packageName":"none"}}]}},{"package":{"packageName":"other-lib"}}]}`
	allCel   = `"all":{"constraints":[{"cel":{"rule":"true"}},{"not":{"constraints":[{"cel":{"rule":"true"}}]}},{"any":{"constraints":[{"all":{"constraints":[{"cel":{"rule":"true"}},{"package":{"packageName":"lib"}}]}}]}},{"package":{"packageName":"lib","versionRange":"<2.0.0"}}]}`
	notThere = `"not":{"constraints":[{"package":{"packageName":"lib","versionRange":">=1.0.0"}}]}`
)

// needing is a catalog in which each app needs something else.
var needing = []pkg{
	{name: "app-package", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": needsPackage("lib", ">=1.0.0 <4.0.0")}},
	{name: "app-old", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": needsPackage("lib", "<2.0.0")}},
	{name: "app-mid", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": needsPackage("lib", "2.5.0")}},
	{name: "app-both", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": needsPackage("app-old", "") + "," + needsPackage("lib", ">=3.0.0")}},
	{name: "app-api", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": api("olm.gvk.required", "One")}},
	{name: "app-chain", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": api("olm.gvk.required", "Two")}},
	{name: "app-any", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": constraint(anyOf)}},
	{name: "app-all", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": constraint(allOf)}},
	{name: "app-not", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": constraint(notThere)}},
	{name: "app-cel", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": constraint(`"cel":{"rule":"true"}`)}},
	{name: "app-all-cel", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": constraint(allCel)}},
	{name: "app-all-two", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": constraint(allOfTwo)}},
	{name: "app-all-not", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": constraint(allNot)}},
	{name: "app-any-all", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": constraint(anyAll)}},
	{name: "app-deep", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": constraint(strings.Repeat(`"all":{"constraints":[{`, 65) + `"package":{"packageName":"none"}` + strings.Repeat(`}]}`, 65))}},
	{name: "app-range", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": needsPackage("lib", "newest")}},
	{name: "app-none", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": needsPackage("lib", ">9.0.0")}},
	{name: "app-no-api", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": api("olm.gvk.required", "None")}},
	{name: "app-no-package", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": needsPackage("none", ">1.0.0")}},
	{name: "lib", standard: "s", channels: []string{"s: 3>2.5 2.5>1 1", "old: 1"}, properties: map[string]string{"3": api("olm.gvk", "One"), "1": api("olm.gvk", "One")}},
	{name: "other-lib", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": api("olm.gvk", "One")}},
	{name: "two", standard: "s", channels: []string{"s: 2", "t: 1"}, properties: map[string]string{"1": api("olm.gvk", "Two") + "," + api("olm.gvk.required", "One")}},
}

func TestDependencies(t *testing.T) {
	for _, test := range []struct{ want, without, with string }{
		{"app-package", "! package app-package: bundle app-package.v1.0.0 needs package lib in a version >=1.0.0 <4.0.0, which is not among what is wanted; in the catalog lib has it (lib.v3.0.0 in channel s)", "app-package[s*: 1] lib[s*: 3]"},
		{"app-package lib", "app-package[s*: 1] lib[old: 1; s*: 3]", "app-package[s*: 1] lib[old: 1; s*: 3]"},
		// The head of another channel comes before what is no head; the default channel comes along.
		{"app-old", "! in the catalog lib has it (lib.v1.0.0 in channel old)", "app-old[s*: 1] lib[old: 1; s*: 3]"},
		{"app-mid", "! (lib.v2.5.0 in channel s)", "app-mid[s*: 1] lib[s*: 2.5]"},
		{"app-mid lib:s", "! (lib.v2.5.0 in channel s)", "app-mid[s*: 1] lib[s*: 3 2.5]"},
		{"app-both", "! needs package app-old, which", "app-both[s*: 1] app-old[s*: 1] lib[old: 1; s*: 3]"},
		{"app-api", "! needs the API One.v1.g.io, which is not among what is wanted; in the catalog lib, other-lib have it", "app-api[s*: 1] lib[s*: 3]"},
		{"app-api other-lib", "app-api[s*: 1] other-lib[s*: 1]", "app-api[s*: 1] other-lib[s*: 1]"},
		{"app-chain", "! in the catalog two has it (two.v1.0.0 in channel t)", "app-chain[s*: 1] lib[s*: 3] two[s*: 2; t: 1]"},
		{"app-any", "! needs one of: package none in a version >=1.0.0; package lib in a version <2.0.0", "app-any[s*: 1] lib[old: 1; s*: 3]"},
		{"app-any lib:old lib:s", "app-any[s*: 1] lib[old: 1; s*: 3]", "app-any[s*: 1] lib[old: 1; s*: 3]"},
		{"app-all", "! needs one bundle with all of: the API One.v1.g.io; package lib in a version >=3.0.0, which is not among", "app-all[s*: 1] lib[s*: 3]"},
		{"app-all lib:old lib:s:2.5.0 other-lib", "! needs one bundle with all of", "app-all[s*: 1] lib[old: 1; s*: 3 2.5] other-lib[s*: 1]"},
		{"app-all-two two lib", "! needs one bundle with all of: package two; package lib, which the catalog does not have", "! which the catalog does not have"},
		{"app-all-not", "! with all of: package lib in a version >=1.0.0; (a bundle with none of: the API One.v1.g.io), which is not among", "app-all-not[s*: 1] lib[s*: 2.5]"},
		{"app-not", "app-not[s*: 1]", "app-not[s*: 1]"},
		{"app-cel", "app-cel[s*: 1]", "app-cel[s*: 1]"},
		// An alternative of which the catalog has but a part is none.
		{"app-any-all", "! in the catalog other-lib has it", "app-any-all[s*: 1] other-lib[s*: 1]"},
		// What is clear counts, beside what is not.
		{"app-all-cel", "! package lib in a version <2.0.0, which is not among what is wanted", "app-all-cel[s*: 1] lib[old: 1; s*: 3]"},
		{"app-range", "app-range[s*: 1]", "app-range[s*: 1]"},
		{"app-none", "! needs package lib in a version >9.0.0, which the catalog does not have; it has 1.0.0, 2.5.0, 3.0.0", "! which the catalog does not have"},
		{"app-no-api", "! package app-no-api: bundle app-no-api.v1.0.0 needs the API None.v1.g.io, which the catalog does not have", "! which the catalog does not have"},
		{"app-no-package app-none", "! needs package none in a version >1.0.0, which the catalog does not have", "! app-none: bundle"},
	} {
		t.Run(test.want, func(t *testing.T) {
			c := catalogOf(t, needing)
			_, s, err := catalog.Select(c, wanted(t, strings.Fields(test.want)...), catalog.SelectOptions{})
			checkSelection(t, test.without, s, err)
			o := catalog.SelectOptions{WithDependencies: true}
			out, s, err := catalog.Select(c, wanted(t, strings.Fields(test.want)...), o)
			checkSelection(t, test.with, s, err)
			if err == nil {
				again(t, out, test.want, o)
			}
		})
	}
}

// Of several that would do, one is chosen that asks for little and lasts.
func TestDependencyChoice(t *testing.T) {
	one := api("olm.gvk", "One")
	packages := []pkg{
		{name: "app", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": api("olm.gvk.required", "One")}},
		{name: "both", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": api("olm.gvk.required", "One") + "," + needsPackage("z", "")}},
		{name: "some", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": needsPackage("z", "<4.0.0")}},
		{name: "b", standard: "s", channels: []string{"a: 2", "s: 1"}, properties: map[string]string{"1": one, "2": one}},
		{name: "z", standard: "s", channels: []string{"s: 5>4 4", "t: 2", "u: 3"}, properties: map[string]string{"4": one, "5": one}},
		{name: "y", standard: "s", channels: []string{"s: 2>1 1"}, properties: map[string]string{"1": one}},
	}
	for want, result := range map[string]string{
		"app":     "app[s*: 1] b[s*: 1]",        // the default channel, although another has a newer version
		"app y":   "app[s*: 1] y[s*: 2 1]",      // a package that is there anyway, although only an older version will do
		"app z:t": "app[s*: 1] z[s*: 5; t: 2]",  // another channel of it
		"both":    "both[s*: 1] z[s*: 5]",       // what is needed by name first: it has the API too
		"some":    "some[s*: 1] z[s*: 5; u: 3]", // the newest head that will do
	} {
		_, s, err := catalog.Select(catalogOf(t, packages), wanted(t, strings.Fields(want)...), catalog.SelectOptions{WithDependencies: true})
		t.Run(want, func(t *testing.T) { checkSelection(t, result, s, err) })
	}
}

// Whoever asks can tell what would help.
func TestDependencyReasons(t *testing.T) {
	c := catalogOf(t, needing)
	_, _, err := catalog.Select(c, wanted(t, "app-package"), catalog.SelectOptions{})
	if !errors.Is(err, catalog.ErrDependency) || errors.Is(err, catalog.ErrUnmet) {
		t.Error(err)
	}
	_, _, err = catalog.Select(c, wanted(t, "app-none"), catalog.SelectOptions{WithDependencies: true})
	if errors.Is(err, catalog.ErrDependency) || !errors.Is(err, catalog.ErrUnmet) {
		t.Error(err)
	}
}

// What is not met may be somewhere else.
func TestDependenciesAllowedToMiss(t *testing.T) {
	c := catalogOf(t, needing)
	for _, test := range []struct {
		with      bool
		want, got string
		notes     int
	}{
		{false, "app-package app-none", "app-none[s*: 1] app-package[s*: 1]", 2},
		{true, "app-package app-none", "app-none[s*: 1] app-package[s*: 1] lib[s*: 3]", 2},
		{true, "app-no-package app-chain", "app-chain[s*: 1] app-no-package[s*: 1] lib[s*: 3] two[s*: 2; t: 1]", 3},
	} {
		o := catalog.SelectOptions{WithDependencies: test.with, AllowUnmet: true}
		out, s, err := catalog.Select(c, wanted(t, strings.Fields(test.want)...), o)
		checkSelection(t, test.got, s, err)
		if len(s.Notes) != test.notes {
			t.Errorf("%s: %q", test.want, s.Notes)
		}
		again(t, out, test.want, o)
	}
}

func TestDependencyNotes(t *testing.T) {
	c := catalogOf(t, needing)
	o := catalog.SelectOptions{WithDependencies: true}
	for want, note := range map[string]string{
		"app-cel":                   "package app-cel: whether bundle app-cel.v1.0.0 has all that it needs is not known: its olm.constraint: an expression in CEL",
		"app-all-cel lib:s lib:old": "whether bundle app-all-cel.v1.0.0 has all that it needs is not known: its olm.constraint: an expression in CEL",
		"app-deep":                  "not known: its olm.constraint: constraints are nested more than 64 deep",
		"app-range":                 `its olm.package.required: the range of versions "newest"`,
		"app-package":               "package lib is added, because bundle app-package.v1.0.0 needs package lib",
		"app-mid lib:s":             "package lib: lib.v2.5.0 of channel s is added, because bundle app-mid.v1.0.0 needs",
	} {
		_, s, err := catalog.Select(c, wanted(t, strings.Fields(want)...), o)
		if err != nil || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], note) {
			t.Errorf("%s: %v, %q", want, err, s.Notes)
		}
	}
	_, s, _ := catalog.Select(c, wanted(t, "app-package"), o)
	if s.Packages[0].NeededBy != "" || s.Packages[1].NeededBy != "app-package.v1.0.0" {
		t.Errorf("%+v", s.Packages)
	}
}
