package cli

import (
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/graph"
	"github.com/airbridge-dev/airbridge/internal/registry"
	"github.com/airbridge-dev/airbridge/internal/table"
)

// fits fails where a line is wider than the terminal.
func fits(t *testing.T, text string, columns int) {
	t.Helper()
	for line := range strings.Lines(text) {
		if table.Width(strings.TrimSuffix(line, "\n")) > columns {
			t.Errorf("wider than %d: %s", columns, line)
		}
	}
}

// A list fits on the terminal: what is typed again is never cut.
func TestPackagesFitOnTheTerminal(t *testing.T) {
	packages := []catalog.PackageListing{
		{Name: "multicluster-global-hub-operator", DisplayName: "Multicluster Global Hub Operator", DefaultChannel: "release-1.4"},
		{Name: "visionone-containersecurity", DisplayName: "Trend Vision One™ Container Security", DefaultChannel: "stable"},
		{Name: "storage", DisplayName: "저장소 演算子 🚀", DefaultChannel: "stable"},
	}
	for columns, want := range map[int]string{
		0: "Container Security  ", 120: "Container Security  ", 80: "Trend Vision One™ Container …  stable\nstorage                           저장소 演算子 🚀               stable", 40: "Trend Visio…  stable",
	} {
		text := packagesText(packages, columns)
		if !strings.Contains(text, want) {
			t.Errorf("%d columns:\n%s", columns, text)
		}
		if columns >= 80 {
			fits(t, text, columns)
		}
	}
}

// Of the names of bundles the versions at their ends stay.
func TestChannelFitsOnTheTerminal(t *testing.T) {
	const name = "multicluster-global-hub-operator-rh.v1.2."
	c := catalog.ChannelListing{Bundles: []catalog.BundleListing{
		{Version: "1.2.0-0.1700000000.p", Name: name + "0-0.1700000000.p"},
		{Version: "1.2.1", Name: name + "1", Replaces: name + "0-0.1700000000.p"},
	}}
	for _, columns := range []int{80, 100, 120} {
		text := channelText(c, columns)
		fits(t, text, columns)
		if strings.Count(text, "1.2.0-0.1700000000.p") != 3 {
			t.Errorf("%d columns:\n%s", columns, text)
		}
	}
	p := catalog.PackageListing{Name: "multicluster-global-hub-operator-rh", Channels: []catalog.ChannelListing{
		{Name: "release-1.2", Head: name + "0-0.1700000000.p.and.more.v1.2.1", Version: "1.2.1", Bundles: c.Bundles},
		{Name: "broken", Problem: "the channel has several heads: a.v1.0.0, b.v1.0.0, c.v1.0.0 and some more"},
	}}
	if text := packageText(p, 72); !strings.Contains(text, "more.v1.2.1  1.2.1    2\n") || !strings.Contains(text, "  …") || !strings.Contains(text, "some more)\n") {
		t.Errorf("got\n%s", text)
	} else {
		fits(t, text, 72)
	}
	if text := channelText(c, 0); strings.Count(text, name) != 3 {
		t.Errorf("cut for no terminal:\n%s", text)
	}
}

func TestReleasesFitOnTheTerminal(t *testing.T) {
	list := []releaseListing{{
		Version: "4.14.1", Image: "quay.io/openshift-release-dev/ocp-release@sha256:" + strings.Repeat("a", 64),
		Channels: []string{"candidate-4.14", "candidate-4.15", "eus-4.14", "eus-4.16", "fast-4.14", "fast-4.15", "stable-4.14", "stable-4.15"},
	}}
	for columns, whole := range map[int]bool{80: false, 100: false, 120: false, 160: true} {
		text, got := releasesText(list, columns)
		fits(t, text, columns)
		if got != whole || strings.Contains(text, list[0].Image) != whole || !strings.Contains(text, "stable-4.15") {
			t.Errorf("%d columns: %t\n%s", columns, got, text)
		}
	}
	text, whole := releasesText(list, 0)
	if !whole || strings.Count(text, "\n") != 2 || !strings.Contains(text, list[0].Image+"  candidate-4.14 ") {
		t.Errorf("without a terminal:\n%s", text)
	}
	fits(t, linesText([]graph.Line{{Minor: "4.14", Newest: "4.14.39", Channels: list[0].Channels}}, 80), 80)
}

func TestUsageFitsOnTheTerminal(t *testing.T) {
	name := strings.Repeat("openshift-release-dev/", 4) + "ocp-release"
	u := registry.Usage{Repositories: []registry.RepoUsage{{Name: name, Tags: 1}, {Name: "a/b", Tags: 2}}}
	if text := usageText(u, 100); !strings.Contains(text, "\n"+name+"\n  ") {
		t.Errorf("got\n%s", text)
	} else {
		fits(t, text, 100)
	}
	if text := usageText(u, 0); !strings.Contains(text, "\n"+name+"   1      ") {
		t.Errorf("without a terminal:\n%s", text)
	}
}
