package oci

import (
	"regexp"
	"strings"
	"testing"
)

// The grammar as the specification writes it (spec.md, Pulling manifests).
var (
	namePattern = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagPattern  = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

var nameSeeds = []string{
	"", "a", "a/b", "a//b", "/a", "a/", "openshift/release-images", "a.b_c__d-e---f", "a___b", "a..b", "a._b", "a-_b", "a_", "_a", "-a", "a.",
	"A", "a b", "ä", "a\x00", "a\n", "..", "a/../b", strings.Repeat("a", 255), strings.Repeat("a/", 200) + "a",
	"v1", "_x", ".x", "-x", "V1.0-x_y", "v:1", strings.Repeat("t", 128), strings.Repeat("t", 129),
}

func FuzzNames(f *testing.F) {
	for _, s := range nameSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := len(s) <= MaxNameLength && namePattern.MatchString(s)
		if got := CheckName(s) == nil; got != want {
			t.Errorf("CheckName(%q) is %v, the grammar says %v", s, got, want)
		}
		want = tagPattern.MatchString(s)
		if got := CheckTag(s) == nil; got != want {
			t.Errorf("CheckTag(%q) is %v, the grammar says %v", s, got, want)
		}
	})
}

// Every architecture has its two names, and any name is understood.
func TestMachine(t *testing.T) {
	for arch, machine := range map[string]string{"amd64": "x86_64", "arm64": "aarch64", "s390x": "s390x", "multi": "multi", "": ""} {
		if got := Machine(arch); got != machine {
			t.Errorf("%s: %s", arch, got)
		}
		if GoArch(machine) != arch || GoArch(arch) != arch {
			t.Errorf("%s: %s, %s", machine, GoArch(machine), GoArch(arch))
		}
	}
}
