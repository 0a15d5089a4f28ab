package catalog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// rules are those of an opm: since v1.58.0 a replaced entry that is skipped too
// ends the chain of its channel.
type rules struct{ skippedEnds bool }

var before, since = rules{}, rules{skippedEnds: true}

// olmTakes checks a catalog by the rules of OLM's model, written down once more.
func (r rules) olmTakes(c *catalog.Catalog) error {
	channels, entries := map[string]bool{}, map[string]bool{}
	for _, ch := range c.Channels {
		channels[ch.Package+" "+ch.Name] = true
		if err := r.olmTakesChannel(ch); err != nil {
			return fmt.Errorf("%s %s: %w", ch.Package, ch.Name, err)
		}
		for _, e := range ch.Entries {
			entries[ch.Package+" "+e.Name] = true
		}
	}
	for _, p := range c.Packages {
		if !channels[p.Name+" "+p.DefaultChannel] {
			return fmt.Errorf("%s: no default channel %s", p.Name, p.DefaultChannel)
		}
	}
	for _, b := range c.Bundles {
		if !entries[b.Package+" "+b.Name] {
			return fmt.Errorf("%s is in no channel", b.Name)
		}
		delete(entries, b.Package+" "+b.Name)
	}
	if len(entries) > 0 {
		return fmt.Errorf("no bundles for %v", entries)
	}
	return nil
}

func (r rules) olmTakesChannel(ch catalog.Channel) error {
	byName, gone, skipped := map[string]catalog.Entry{}, map[string]bool{}, map[string]bool{}
	for _, e := range ch.Entries {
		byName[e.Name] = e
		gone[e.Replaces] = true
		for _, s := range e.Skips {
			gone[s], skipped[s] = true, true
		}
	}
	var heads []string
	for name := range byName {
		if !gone[name] {
			heads = append(heads, name)
		}
	}
	if len(heads) != 1 {
		return fmt.Errorf("heads %v", heads)
	}
	reached := map[string]bool{}
	for at, ok := byName[heads[0]], true; ok; at, ok = byName[at.Replaces] {
		if reached[at.Name] {
			return fmt.Errorf("a circle through %s", at.Name)
		}
		reached[at.Name] = true
		if r.skippedEnds && skipped[at.Replaces] {
			break
		}
	}
	for name := range byName {
		if !reached[name] && !skipped[name] {
			return fmt.Errorf("%s is stranded", name)
		}
	}
	return nil
}

// randomPackage makes a package with channels that are in order: each new
// version replaces an older one, and skips those between.
func randomPackage(r *rand.Rand, name string) pkg {
	p := pkg{name: name, standard: "c0", properties: map[string]string{}}
	for i := range 1 + r.IntN(3) {
		var entries []string
		last := 0
		for v := 1 + r.IntN(3); v < 12; v += 1 + r.IntN(3) {
			e := fmt.Sprint(v)
			if last > 0 {
				e += fmt.Sprintf(">%d", last)
			}
			for s := last + 1; s < v; s++ {
				if r.IntN(2) == 0 {
					e += fmt.Sprintf("-%d", s)
					entries = append([]string{fmt.Sprint(s)}, entries...)
				}
			}
			entries, last = append([]string{e}, entries...), v
		}
		p.channels = append(p.channels, fmt.Sprintf("c%d: %s", i, strings.Join(entries, " ")))
	}
	for v := range 12 {
		if r.IntN(6) == 0 {
			p.properties[fmt.Sprint(v)] = needsPackage(fmt.Sprintf("p%d", r.IntN(4)), fmt.Sprintf(">=%d.0.0", r.IntN(8)))
		}
	}
	return p
}

func randomWant(r *rand.Rand) string {
	want := fmt.Sprintf("p%d", r.IntN(4))
	switch r.IntN(4) {
	case 0:
		return want
	case 1:
		return want + ":c0"
	case 2:
		return fmt.Sprintf("%s::%d.0.0..", want, r.IntN(12))
	}
	from := r.IntN(10)
	return fmt.Sprintf("%s:c0:%d.0.0..%d.0.0", want, from, from+r.IntN(4))
}

// Whatever is selected, OLM takes it, and selecting the same of it again changes
// nothing.
func TestSelectIsSound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	selected := 0
	for range 400 {
		var packages []pkg
		for i := range 4 {
			packages = append(packages, randomPackage(r, fmt.Sprintf("p%d", i)))
		}
		c := catalogOf(t, packages)
		if err := since.olmTakes(c); err != nil {
			t.Fatalf("the test makes a bad catalog: %v", err)
		}
		want := randomWant(r)
		o := catalog.SelectOptions{WithDependencies: true}
		out, s, err := catalog.Select(c, wanted(t, want), o)
		if err != nil {
			continue
		}
		selected++
		if err := since.olmTakes(out); err != nil {
			t.Errorf("%s of %+v: %s: %v", want, packages, summary(s), err)
		}
		again(t, out, want, o)
	}
	if selected < 200 {
		t.Errorf("only %d of 400 could be selected", selected)
	}
}

// filesOf returns a catalog's files, once more as they would be read.
func filesOf(c *catalog.Catalog) (fstest.MapFS, string) {
	out := fstest.MapFS{}
	var all strings.Builder
	for name, body := range c.Files() {
		out[name] = &fstest.MapFile{Data: body}
		fmt.Fprintf(&all, "== %s\n%s", name, body)
	}
	return out, all.String()
}

func TestFiles(t *testing.T) {
	a := pkg{name: "a", standard: "s", channels: []string{"t: 2", "s: 2>1 1"}, deprecations: []string{"package"}}
	c := catalogOf(t, []pkg{{name: "Z/..x", standard: "s", channels: []string{"s: 1"}}, a},
		`{"schema":"custom", "package":"a",
		 "b": "<& \" >\\" }`, `{"schema":"custom"}`, `{"schema":".x","package":".hidden"}`)
	fsys, got := filesOf(c)
	d := a.documents()
	want := "== _/catalog.json\n{\"schema\":\"custom\"}\n" +
		"== %2ehidden/catalog.json\n{\"schema\":\".x\",\"package\":\".hidden\"}\n" +
		"== Z%2f..x/catalog.json\n"
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s", got)
	}
	if body := string(fsys["a/catalog.json"].Data); body != strings.Join([]string{d[0], d[4], d[2], d[3], d[1], d[5], `{"schema":"custom","package":"a","b":"<& \" >\\"}`}, "\n")+"\n" {
		t.Errorf("got\n%s", body)
	}
	if _, again := filesOf(clean(t, fsys)); again != got {
		t.Errorf("read and written once more it is\n%s", again)
	}
}

// The bytes do not depend on where documents were.
func TestFilesOfAnyOrder(t *testing.T) {
	a := pkg{name: "a", standard: "s", channels: []string{"t: 2", "s: 2>1 1"}, deprecations: []string{"package"}}
	documents := append(a.documents(), `{"schema":"x","package":"a","n":1}`, `{"schema":"x","package":"a","n":2}`, `{"schema":"x"}`)
	_, want := filesOf(clean(t, files("c.json", strings.Join(documents, "\n"))))
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		r.Shuffle(len(documents), func(i, j int) { documents[i], documents[j] = documents[j], documents[i] })
		n := r.IntN(len(documents))
		if _, got := filesOf(clean(t, files("a.json", strings.Join(documents[:n], "\n"), "b.json", strings.Join(documents[n:], " ")))); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// The real catalogs: all of one is all of it, heads are heads, and the order of
// wishes does not matter.
func TestSelectReal(t *testing.T) {
	c := clean(t, community(t))
	all, _, err := catalog.Select(c, wanted(t, "*::.."), catalog.SelectOptions{AllowUnmet: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, a := filesOf(all); true {
		if _, b := filesOf(c); a != b {
			t.Error("all of the catalog is not the catalog")
		}
	}
	heads, s, err := catalog.Select(c, wanted(t, "*"), catalog.SelectOptions{AllowUnmet: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := since.olmTakes(heads); err != nil {
		t.Error(err)
	}
	for _, p := range s.Packages {
		for _, ch := range p.Channels {
			if len(ch.Bundles) != 1 {
				t.Errorf("%s %s: %v", p.Package, ch.Name, ch.Bundles)
			}
		}
	}
	// It needs what is in another catalog.
	if _, _, err := catalog.Select(c, wanted(t, "shipwright-operator"), catalog.SelectOptions{}); !errors.Is(err, catalog.ErrUnmet) {
		t.Error(err)
	}
	o := catalog.SelectOptions{AllowUnmet: true}
	one, _, err := catalog.Select(c, wanted(t, "trident-operator", "shipwright-operator"), o)
	other, _, err2 := catalog.Select(c, wanted(t, "shipwright-operator", "trident-operator"), o)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if _, a := filesOf(one); true {
		if _, b := filesOf(other); a != b || len(one.Packages) != 2 {
			t.Error("the order of wishes matters")
		}
	}
}

// BenchmarkSelect reduces the community catalog and makes the layers of what is
// left, reading included, and tells how long that takes compared with decoding
// the same bytes. The bound of the issue is 2.
func BenchmarkSelect(b *testing.B) {
	fsys := community(b)
	for _, want := range []string{"koku-metrics-operator dell-csm-operator", "*", "*::.."} {
		b.Run(want, func(b *testing.B) {
			size := 0
			for b.Loop() {
				c, problems, err := catalog.Read(fsys, catalog.ReadOptions{Workers: 1})
				if err != nil || len(problems) > 0 {
					b.Fatal(err, problems)
				}
				out, _, err := catalog.Select(c, wanted(b, strings.Fields(want)...), catalog.SelectOptions{AllowUnmet: true})
				if err != nil {
					b.Fatal(err)
				}
				layers, err := catalog.Layers("/configs", out)
				if err != nil {
					b.Fatal(err)
				}
				size = len(layers[1].Body)
			}
			b.StopTimer()
			ours := b.Elapsed().Seconds() / float64(b.N)
			start := time.Now()
			for _, f := range fsys {
				if err := decode(f.Data); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size), "layer-bytes")
			b.ReportMetric(ours/time.Since(start).Seconds(), "x-decode")
		})
	}
}

// The document of a channel stays one of JSON whatever it holds.
func FuzzSelectDocuments(f *testing.F) {
	f.Add([]byte(`{"schema":"olm.channel","package":"a","name":"s","entries":[{"name":"a.v2.0.0","replaces":"a.v1.0.0"},null,{"name":"a.v1.0.0"}],"entries":[{"name":"a.v2.0.0"}],"x":"\ud800"}`))
	f.Add([]byte(`{"entries" : [ {"name":"a.v1.0.0"} , {"name":"a.v2.0.0","replaces":"a.v1.0.0"} ] ,"schema":"olm.channel","package":"a","name":"s"}`))
	base := strings.Join(pkg{name: "a", standard: "s", channels: []string{"x: 2>1 1"}}.documents(), "\n")
	f.Fuzz(func(t *testing.T, channel []byte) {
		if !json.Valid(channel) || bytes.TrimSpace(channel)[0] != '{' {
			return
		}
		c, _, err := catalog.Read(files("c.json", base+"\n"+string(channel)), catalog.ReadOptions{})
		if err != nil {
			return
		}
		out, _, err := catalog.Select(c, wanted(t, "a::2.0.0"), catalog.SelectOptions{DefaultChannels: map[string]string{"a": "x"}})
		if err != nil {
			return
		}
		for _, m := range out.Documents() {
			if !json.Valid(m.Raw) {
				t.Errorf("%s", m.Raw)
			}
		}
		if err := before.olmTakes(out); err != nil {
			t.Error(err)
		}
	})
}
