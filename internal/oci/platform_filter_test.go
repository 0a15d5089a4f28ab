package oci_test

import (
	"strings"
	"testing"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

func TestPlatformFilter(t *testing.T) {
	amd := oci.Platform{OS: "linux", Architecture: "amd64"}
	arm := oci.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	for _, tt := range []struct {
		expr     string
		amd, arm bool
	}{
		{"", true, true},
		{".*", true, true},
		{"linux/amd64", true, false},
		{"arm64", false, true},
		{"^linux/arm64$", false, false},
		{"linux/arm64/v8", false, true},
		{"linux/(amd64|arm64)", true, true},
		{"windows", false, false},
	} {
		f, err := oci.ParsePlatformFilter(tt.expr)
		if err != nil || f.Match(amd) != tt.amd || f.Match(arm) != tt.arm {
			t.Errorf("%q: %v %v, %v", tt.expr, f.Match(amd), f.Match(arm), err)
		}
		if f.All() != (tt.expr == "" || tt.expr == ".*") {
			t.Errorf("%q: All = %v", tt.expr, f.All())
		}
		if again, _ := oci.ParsePlatformFilter(f.String()); again.Match(amd) != tt.amd {
			t.Errorf("%q prints %q", tt.expr, f)
		}
	}
	for _, bad := range []string{"linux/(", strings.Repeat("a", 2000)} {
		if _, err := oci.ParsePlatformFilter(bad); err == nil {
			t.Errorf("%.20q: no error", bad)
		}
	}
}
