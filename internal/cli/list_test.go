package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/airbridge-dev/airbridge/internal/catalog"
)

// A list fits on the terminal: what is typed again is never cut.
func TestPackagesFitOnTheTerminal(t *testing.T) {
	packages := []catalog.PackageListing{
		{Name: "multicluster-global-hub-operator", DisplayName: "Multicluster Global Hub Operator", DefaultChannel: "release-1.4"},
		{Name: "visionone-containersecurity", DisplayName: "Trend Vision One™ Container Security", DefaultChannel: "stable"},
	}
	for columns, want := range map[int]string{0: "Container Security  ", 120: "Container Security  ", 80: "Trend Vision One™ Container …  stable", 40: "Trend Visio…  stable"} {
		text := packagesText(packages, columns)
		if !strings.Contains(text, want) {
			t.Errorf("%d columns:\n%s", columns, text)
		}
		for line := range strings.Lines(text) {
			if columns >= 80 && utf8.RuneCountInString(line)-1 > columns {
				t.Errorf("wider than %d: %s", columns, line)
			}
		}
	}
}
