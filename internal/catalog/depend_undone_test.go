package catalog_test

import (
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// What a choice met besides is not sought any more, what was tried and taken
// back is neither kept nor told, and what cannot be had for two reasons takes no
// more from the others than for one. Of a package that the user chose from, no
// default channel is chosen.
func TestDependencyChoicesTakenBack(t *testing.T) {
	one := api("olm.gvk", "One")
	none := needsPackage("none", "")
	torn := pkg{name: "torn", standard: "s", channels: []string{"s: 3>2 2>1 1"}, properties: map[string]string{"2": none, "1": api("olm.gvk", "Far")}}
	for name, test := range map[string]struct {
		packages []pkg
		want     string
		result   string
		notes    []string
	}{
		"met besides": {
			[]pkg{app("app", needsPackage("lib", "")+","+api("olm.gvk.required", "One")), app("lib", one), app("a", one)},
			"app", "app[s*: 1] lib[s*: 1]",
			[]string{"package lib is added, because bundle app.v1.0.0 needs package lib"},
		},
		"a package that was new": {
			[]pkg{app("app", needsPackage("torn", "3.0.0")+","+api("olm.gvk.required", "One")), torn, app("a", one+","+api("olm.gvk.required", "Far")), app("y", one)},
			"app", "app[s*: 1] torn[s*: 3] y[s*: 1]",
			[]string{
				"package torn is added, because bundle app.v1.0.0 needs package torn in a version 3.0.0",
				"package y is added, because bundle app.v1.0.0 needs the API One.v1.g.io",
			},
		},
		"a channel that was new": {
			[]pkg{
				app("app", needsPackage("lib", "9.0.0")+","+needsPackage("torn", "3.0.0")+","+api("olm.gvk.required", "End")), torn,
				{name: "lib", standard: "s", channels: []string{"s: 9", "t: 1"}, properties: map[string]string{"1": api("olm.gvk", "End") + "," + api("olm.gvk.required", "Far")}},
				app("zend", api("olm.gvk", "End")),
			},
			"app", "app[s*: 1] lib[s*: 9] torn[s*: 3] zend[s*: 1]", nil,
		},
		"lost for two reasons": {
			[]pkg{app("root", api("olm.gvk.required", "Two")), app("app", api("olm.gvk", "Two")+","+api("olm.gvk.required", "One")), app("zapp", api("olm.gvk", "Two")), app("b", one+","+none+","+needsPackage("nothing", "")), app("y", one)},
			"root", "app[s*: 1] root[s*: 1] y[s*: 1]", nil,
		},
		"the user's default channel": {
			[]pkg{app("app", needsPackage("lib", "2.0.0")), {name: "lib", standard: "s", channels: []string{"s: 9", "t: 2>1 1"}}},
			"app lib:t:1.0.0", "! package lib: nothing is wanted of its default channel s", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, s, err := catalog.Select(catalogOf(t, test.packages), wanted(t, strings.Fields(test.want)...), catalog.SelectOptions{WithDependencies: true})
			checkSelection(t, test.result, s, err)
			if notes := strings.Join(s.Notes, "\n"); test.notes != nil && notes != strings.Join(test.notes, "\n") {
				t.Errorf("notes %q", s.Notes)
			}
		})
	}
}
