package catalog_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// app is a package of one version that needs something.
func app(name, properties string) pkg {
	return pkg{name: name, standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": properties}}
}

// What is chosen first stays where it works; where it does not, another is
// taken.
func TestDependencyOtherChoices(t *testing.T) {
	one, none := api("olm.gvk", "One"), needsPackage("none", "")
	packages := []pkg{
		app("app", api("olm.gvk.required", "One")),
		app("app-lib", needsPackage("lib", "")),
		app("app-both", needsPackage("lib", "")+","+api("olm.gvk.required", "One")),
		app("app-deep", needsPackage("deep", "")),
		app("app-any", constraint(`"any":{"constraints":[{"package":{"packageName":"b"}},{"package":{"packageName":"lib"}}]}`)),
		app("app-old", needsPackage("turned", "<2.0.0")),
		app("app-ends", needsPackage("torn", "3.0.0")+","+api("olm.gvk.required", "End")),
		app("app-torn", needsPackage("torn", "3.0.0")+","+needsPackage("torn", "1.0.0")),
		app("app-first", constraint(`"any":{"constraints":[{"package":{"packageName":"zgap"}},{"package":{"packageName":"y"}}]}`)),
		app("app-gap", needsPackage("gap", "3.0.0")+","+api("olm.gvk.required", "Gap")),
		{name: "gap", standard: "s", channels: []string{"s: 3>2 !2>1 1"}, properties: map[string]string{"1": api("olm.gvk", "Gap")}},
		app("zgap", api("olm.gvk", "Gap")),
		app("app-b", needsPackage("b", "")),
		app("b", one+","+none),
		app("y", one),
		app("deep", needsPackage("b", "")),
		{name: "lib", standard: "s", channels: []string{"s: 3>2 2>1 1"}, properties: map[string]string{"3": none, "2": needsPackage("b", "")}},
		{name: "turned", standard: "s", channels: []string{"s: 3>2 2", "t: 1"}, properties: map[string]string{"3": none}},
		{name: "torn", standard: "s", channels: []string{"s: 3>2 2>1 1"}, properties: map[string]string{"2": none, "1": api("olm.gvk", "End") + "," + api("olm.gvk", "Far")}},
		app("app-back", needsPackage("torn", "3.0.0")+","+needsPackage("back", "3.0.0")+","+api("olm.gvk.required", "Back")),
		{name: "back", standard: "s", channels: []string{"s: 3>2 2>1 1"}, properties: map[string]string{"2": api("olm.gvk.required", "Far"), "1": api("olm.gvk", "Back")}},
		app("zback", api("olm.gvk", "Back")),
		{name: "zend", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": api("olm.gvk", "End")}},
	}
	for want, result := range map[string]string{
		"app":                   "app[s*: 1] y[s*: 1]",                                  // b has it too, and needs what is not there
		"app-lib":               "app-lib[s*: 1] lib[s*: 1]",                            // only the oldest can be had
		"app-both":              "app-both[s*: 1] lib[s*: 1] y[s*: 1]",                  // each for itself
		"app-any":               "app-any[s*: 1] lib[s*: 1]",                            // the other alternative
		"app-old":               "app-old[s*: 1] turned[s*: 2; t: 1]",                   // not the head of the default channel
		"app-ends":              "app-ends[s*: 1] torn[s*: 3] zend[s*: 1]",              // not what lets 2 come along
		"app-back":              "app-back[s*: 1] back[s*: 3] torn[s*: 3] zback[s*: 1]", // not what needs what cannot come along
		"app-first":             "app-first[s*: 1] zgap[s*: 1]",
		"app-gap":               "app-gap[s*: 1] gap[s*: 3] zgap[s*: 1]", // not what the catalog has but in part
		"app-deep":              "! package b: bundle b.v1.0.0 needs package none, which the catalog does not have",
		"app-b":                 "! package b: bundle b.v1.0.0 needs package none, which the catalog does not have",
		"app-torn":              "! package torn: bundle torn.v2.0.0 needs package none, which the catalog does not have; the package would be added because bundle app-torn.v1.0.0 needs it, and no other choice will do",
		"app-torn torn:s:3.0.0": "! bundle torn.v2.0.0 needs package none, which the catalog does not have; it would come along with what other bundles need, and no other choice will do",
	} {
		c := catalogOf(t, packages)
		o := catalog.SelectOptions{WithDependencies: true}
		out, s, err := catalog.Select(c, wanted(t, strings.Fields(want)...), o)
		t.Run(want, func(t *testing.T) { checkSelection(t, result, s, err) })
		if err == nil {
			again(t, out, want, o)
		}
	}
}

// What was tried and taken back leaves no trace.
func TestDependencyNotesOfChoices(t *testing.T) {
	packages := []pkg{
		app("app-ends", needsPackage("torn", "3.0.0")+","+api("olm.gvk.required", "End")),
		{name: "torn", standard: "s", channels: []string{"s: 3>2 2>1 1"}, properties: map[string]string{"2": needsPackage("none", ""), "1": api("olm.gvk", "End")}},
		{name: "zend", standard: "s", channels: []string{"s: 1"}, properties: map[string]string{"1": api("olm.gvk", "End")}},
	}
	_, s, err := catalog.Select(catalogOf(t, packages), wanted(t, "app-ends"), catalog.SelectOptions{WithDependencies: true})
	want := "package torn is added, because bundle app-ends.v1.0.0 needs package torn in a version 3.0.0\n" +
		"package zend is added, because bundle app-ends.v1.0.0 needs the API End.v1.g.io"
	if err != nil || strings.Join(s.Notes, "\n") != want {
		t.Errorf("%v, %q", err, s.Notes)
	}
}

// Where some of it cannot be had, the rest is what can be.
func TestDependencyChoicesAllowedToMiss(t *testing.T) {
	packages := []pkg{
		app("app", api("olm.gvk.required", "One")+","+needsPackage("none", "")),
		app("b", api("olm.gvk", "One")+","+needsPackage("nothing", "")),
		app("y", api("olm.gvk", "One")),
	}
	_, s, err := catalog.Select(catalogOf(t, packages), wanted(t, "app"), catalog.SelectOptions{WithDependencies: true, AllowUnmet: true})
	checkSelection(t, "app[s*: 1] y[s*: 1]", s, err)
}

// A catalog whose choices are too many to try comes to an end, with an error
// that says so; what can be known before they are tried is.
func TestDependencyChoicesAreBounded(t *testing.T) {
	const lacks = "needs package none, which the catalog does not have"
	const added, others = "; the package would be added because bundle app.v1.0.0 needs it, and ", "no other choice will do"
	tornApart := needsPackage("torn", "3.0.0") + "," + needsPackage("torn", "1.0.0")
	for _, test := range []struct{ many, needs, err string }{
		{"zmany", tornApart, "package torn: bundle torn.v2.0.0 " + lacks + added + "of the other choices the first 2000 will not do either"},
		{"many", tornApart, "package torn: bundle torn.v2.0.0 " + lacks + added + others},
		{"zmany", needsPackage("deep", ""), "package b: bundle b.v1.0.0 " + lacks + strings.ReplaceAll(added, "app", "deep") + others},
		{"zmany", needsPackage("none", ""), "package app: bundle app.v1.0.0 " + lacks},
	} {
		needs := []string{test.needs}
		packages := []pkg{
			{name: "torn", standard: "s", channels: []string{"s: 3>2 2>1 1"}, properties: map[string]string{"2": needsPackage("none", "")}},
			app("b", needsPackage("none", "")), app("deep", needsPackage("b", "")),
		}
		for i := range 40 {
			name := fmt.Sprintf("%s%d", test.many, i)
			needs = append(needs, needsPackage(name, ""))
			packages = append(packages, pkg{name: name, standard: "s", channels: []string{"s: 3>2 2>1 1"}})
		}
		c := catalogOf(t, append(packages, app("app", strings.Join(needs, ","))))
		_, _, err := catalog.Select(c, wanted(t, "app"), catalog.SelectOptions{WithDependencies: true})
		if err == nil || err.Error() != test.err || !errors.Is(err, catalog.ErrUnmet) {
			t.Errorf("%s: %v\nwant %s", test.many, err, test.err)
		}
	}
}

// model is a catalog for the solver that tries everything: of each package
// "p0" and so on its channels, each a chain of versions, the newest first.
type model struct {
	channels map[string][][]int
	needs    map[string]map[int][]modelNeed // of a version of a package
	apis     map[string]map[int]string
}

// modelNeed is a need for a package in some versions, or for an API.
type modelNeed struct {
	pkg      string
	from, to int
	api      string
}

func (m model) packages() []pkg {
	var out []pkg
	for i := range len(m.channels) {
		name := fmt.Sprintf("p%d", i)
		p := pkg{name: name, standard: "c0", properties: map[string]string{}}
		for c, versions := range m.channels[name] {
			text := fmt.Sprintf("c%d:", c)
			for at, v := range versions {
				text += fmt.Sprintf(" %d", v)
				if at+1 < len(versions) {
					text += fmt.Sprintf(">%d", versions[at+1])
				}
				p.properties[fmt.Sprint(v)] = m.properties(name, v)
			}
			p.channels = append(p.channels, text)
		}
		out = append(out, p)
	}
	return out
}

func (m model) properties(name string, v int) string {
	var out []string
	if kind := m.apis[name][v]; kind != "" {
		out = append(out, api("olm.gvk", kind))
	}
	for _, n := range m.needs[name][v] {
		if n.api != "" {
			out = append(out, api("olm.gvk.required", n.api))
		} else {
			out = append(out, needsPackage(n.pkg, fmt.Sprintf(">=%d.0.0 <=%d.0.0", n.from, n.to)))
		}
	}
	return strings.Join(out, ",")
}

func randomModel(r *rand.Rand) model {
	m := model{map[string][][]int{}, map[string]map[int][]modelNeed{}, map[string]map[int]string{}}
	for i := range 3 {
		name := fmt.Sprintf("p%d", i)
		m.needs[name], m.apis[name] = map[int][]modelNeed{}, map[int]string{}
		for range 1 + r.IntN(2) {
			var versions []int
			for v := 4; v > 0; v-- {
				if r.IntN(3) > 0 && len(versions) < 3 || v == 1 && versions == nil {
					versions = append(versions, v)
				}
			}
			m.channels[name] = append(m.channels[name], versions)
		}
		for v := 1; v <= 4; v++ {
			if r.IntN(3) == 0 {
				m.apis[name][v] = fmt.Sprintf("A%d", r.IntN(3))
			}
			for range r.IntN(3) {
				from := 1 + r.IntN(4)
				n := modelNeed{pkg: fmt.Sprintf("p%d", r.IntN(3)), from: from, to: from + r.IntN(2)}
				if r.IntN(3) == 0 {
					n = modelNeed{api: fmt.Sprintf("A%d", r.IntN(4))}
				}
				m.needs[name][v] = append(m.needs[name][v], n)
			}
		}
	}
	return m
}

// kept is what is kept of a channel of a package, as positions; from -1 is nothing.
type kept struct {
	pkg      string
	channel  int
	from, to int
}

// holds reports whether everything that is kept has what it needs, and each
// package its default channel.
func (m model) holds(all []kept) bool {
	has, standard := map[string]map[int]bool{}, map[string]bool{}
	for _, k := range all {
		for at := k.from; at >= 0 && at <= k.to; at++ {
			if has[k.pkg] == nil {
				has[k.pkg] = map[int]bool{}
			}
			has[k.pkg][m.channels[k.pkg][k.channel][at]] = true
			standard[k.pkg] = standard[k.pkg] || k.channel == 0
		}
	}
	for name, versions := range has {
		for v := range versions {
			if !standard[name] || slices.ContainsFunc(m.needs[name][v], func(n modelNeed) bool { return !m.met(n, has) }) {
				return false
			}
		}
	}
	return true
}

func (m model) met(n modelNeed, has map[string]map[int]bool) bool {
	for name, versions := range has {
		for v := range versions {
			if n.api != "" && m.apis[name][v] == n.api || n.pkg == name && v >= n.from && v <= n.to {
				return true
			}
		}
	}
	return false
}

// solvable tries all that can be kept beside the heads of the wanted channel.
func (m model) solvable(all []kept) bool {
	if len(all) == m.count() {
		return m.holds(all)
	}
	next := m.channel(len(all))
	versions := m.channels[next.pkg][next.channel]
	first := -1
	if len(all) == 0 {
		first = 0 // the head is wanted
	}
	for from := first; from < len(versions) && (len(all) > 0 || from == 0); from++ {
		for to := max(from, 0); to < len(versions); to++ {
			if m.solvable(append(slices.Clip(all), kept{next.pkg, next.channel, from, to})) {
				return true
			}
			if from < 0 {
				break
			}
		}
	}
	return false
}

func (m model) count() int {
	n := 0
	for _, c := range m.channels {
		n += len(c)
	}
	return n
}

// channel returns the nth channel of the catalog.
func (m model) channel(n int) kept {
	for i := range len(m.channels) {
		name := fmt.Sprintf("p%d", i)
		if n < len(m.channels[name]) {
			return kept{pkg: name, channel: n}
		}
		n -= len(m.channels[name])
	}
	return kept{}
}

// found returns what was selected, of all channels that have something.
func (m model) found(s catalog.Selection) []kept {
	var out []kept
	for _, p := range s.Packages {
		for _, c := range p.Channels {
			var channel int
			fmt.Sscanf(c.Name, "c%d", &channel)
			names := []string{}
			for _, v := range m.channels[p.Package][channel] {
				names = append(names, bundleName(p.Package, fmt.Sprint(v)))
			}
			from := slices.Index(names, c.Bundles[0])
			out = append(out, kept{p.Package, channel, from, from + len(c.Bundles) - 1})
		}
	}
	return out
}

// Whenever there is a way to have all that is needed, one is found, and what is
// found has all.
func TestDependenciesAreFound(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	count := map[bool]int{}
	for count[true] < 150 || count[false] < 50 {
		m := randomModel(r)
		_, s, err := catalog.Select(catalogOf(t, m.packages()), wanted(t, "p0:c0"), catalog.SelectOptions{WithDependencies: true})
		switch solvable := m.solvable(nil); {
		case solvable != (err == nil):
			t.Fatalf("solvable %v: %s, %v\n%+v", solvable, summary(s), err, m.packages())
		case err == nil && !m.holds(m.found(s)):
			t.Fatalf("something is missing: %s\n%+v", summary(s), m.packages())
		case err != nil && !errors.Is(err, catalog.ErrUnmet):
			t.Fatal(err)
		default:
			count[solvable]++
		}
	}
}
