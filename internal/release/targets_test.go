package release_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
)

// payload is a release of two components.
func payload(arch string, multi bool) *release.Payload {
	p := &release.Payload{Digest: oci.FromBytes([]byte("image")), Version: "4.14.3", Arch: arch}
	if multi {
		p.ListDigest = oci.FromBytes([]byte("list"))
	}
	for _, name := range []string{"cli", "installer"} {
		p.Components = append(p.Components, release.Component{
			Name: name,
			From: ref.MustParse("quay.io/openshift-release-dev/ocp-v4.0-art-dev").WithDigest(oci.FromBytes([]byte(name))),
		})
	}
	return p
}

func TestTargets(t *testing.T) {
	const reg = "reg.example.com:5000/ocp4/openshift4"
	for _, tt := range []struct {
		name, to string
		naming   release.Naming
		payload  *release.Payload
		want     []string
	}{
		{
			"the usual", reg,
			release.Naming{},
			payload("amd64", false),
			[]string{reg + ":4.14.3-x86_64 last", reg + ":4.14.3-x86_64-cli", reg + ":4.14.3-x86_64-installer"},
		},
		{
			"arm", reg,
			release.Naming{},
			payload("arm64", false),
			[]string{reg + ":4.14.3-aarch64 last", reg + ":4.14.3-aarch64-cli", reg + ":4.14.3-aarch64-installer"},
		},
		{
			"as is", reg,
			release.Naming{},
			payload("s390x", false),
			[]string{reg + ":4.14.3-s390x last", reg + ":4.14.3-s390x-cli", reg + ":4.14.3-s390x-installer"},
		},
		{
			"no architecture", reg,
			release.Naming{},
			payload("", false),
			[]string{reg + ":4.14.3 last", reg + ":4.14.3-cli", reg + ":4.14.3-installer"},
		},
		{
			"list", reg,
			release.Naming{},
			payload("amd64", true),
			[]string{reg + ":4.14.3-x86_64 last", reg + ":4.14.3-x86_64-cli", reg + ":4.14.3-x86_64-installer"},
		},
		{
			"list kept", reg,
			release.Naming{KeepList: true},
			payload("amd64", true),
			[]string{reg + ":4.14.3-multi last", reg + ":4.14.3-multi-cli", reg + ":4.14.3-multi-installer"},
		},
		{
			"no list to keep", reg,
			release.Naming{KeepList: true},
			payload("amd64", false),
			[]string{reg + ":4.14.3-x86_64 last", reg + ":4.14.3-x86_64-cli", reg + ":4.14.3-x86_64-installer"},
		},
		{
			"to-release-image", reg,
			release.Naming{ReleaseImage: ref.MustParse("reg.example.com:5000/ocp4/release:x")},
			payload("amd64", false),
			[]string{"reg.example.com:5000/ocp4/release:x last", reg + ":4.14.3-x86_64-cli", reg + ":4.14.3-x86_64-installer"},
		},
		{
			"skip", reg,
			release.Naming{SkipRelease: true},
			payload("amd64", false),
			[]string{reg + ":4.14.3-x86_64-cli", reg + ":4.14.3-x86_64-installer"},
		},
		{"disk", "file://openshift/release", release.Naming{}, payload("amd64", false), []string{
			"file://openshift/release:4.14.3-x86_64 last",
			"file://openshift/release:4.14.3-x86_64-cli", "file://openshift/release:4.14.3-x86_64-installer",
		}},
		{
			"template", reg + ":${component}",
			release.Naming{},
			payload("amd64", false),
			[]string{reg + ":release-x86_64 last", reg + ":cli-x86_64", reg + ":installer-x86_64"},
		},
		{
			"template with version", reg + ":v${version}.${component}",
			release.Naming{},
			payload("amd64", false),
			[]string{reg + ":v4.14.3.release-x86_64 last", reg + ":v4.14.3.cli-x86_64", reg + ":v4.14.3.installer-x86_64"},
		},
	} {
		to, err := release.ParseTemplate(tt.to)
		if err != nil {
			t.Fatal(err)
		}
		tt.naming.To = to
		from := ref.MustParse("quay.io/openshift-release-dev/ocp-release:4.14.3-x86_64")
		got, err := release.Targets(tt.payload, from, tt.naming)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, m := range got {
			line := m.Destinations[0].String()
			want := ref.Ref{}
			if m.Last {
				line += " last"
				want = from
				want.Digest = tt.payload.Root()
			} else {
				i := slices.IndexFunc(tt.payload.Components, func(c release.Component) bool { return strings.Contains(line, c.Name) })
				want = tt.payload.Components[i].From
			}
			if m.Source != want || len(m.Destinations) != 1 {
				t.Errorf("%s: %s comes from %s, want %s", tt.name, line, m.Source, want)
			}
			lines = append(lines, line)
		}
		if diff := cmp.Diff(tt.want, lines); diff != "" {
			t.Errorf("%s:\n%s", tt.name, diff)
		}
		if to.Templated() != strings.Contains(tt.to, "$") {
			t.Errorf("%s: templated %v", tt.name, to.Templated())
		}
	}
}

func TestTargetsThatAreNoTags(t *testing.T) {
	p := payload("amd64", false)
	p.Components[0].Name = strings.Repeat("a", 120)
	to, err := release.ParseTemplate("r.x/a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := release.Targets(p, ref.MustParse("r.x/b:1"), release.Naming{To: to}); err == nil {
		t.Error("a tag of more than 128 characters is no error")
	}
}

func TestParseTemplateErrors(t *testing.T) {
	for to, want := range map[string]string{
		"":              "--to must be a valid image repository",
		"/":             "--to must be a valid image repository",
		"r.example.com": "no repository",
		"mirror:5000":   "looks like a registry",
		"r.x/a:tag":     "--to must be to an image repository and may not contain a tag or digest",
		"r.x/a@" + fmt.Sprint(oci.FromBytes(nil)): "--to must be to an image repository and may not contain a tag or digest",
		"r.x/${component}":                        "oc adm release new",
		"r.x/${component}:${version}":             "oc adm release new",
		"r.x/${version}:${component}":             "oc adm release new",
		"r.x/a:${component}-${component}":         "${component} must stand once",
		"r.x/a:${version}":                        "${component} must stand once",
		"r.x/a:${component}${other}":              "is not a tag",
		"r.x//a:${component}":                     "--to must be a valid image repository",
		"r.x/a:-${component}":                     "is not a tag",
	} {
		if _, err := release.ParseTemplate(to); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", to, err, want)
		}
	}
}

func TestSources(t *testing.T) {
	p := payload("amd64", false)
	for from, want := range map[string]string{
		"quay.io/openshift-release-dev/ocp-release:4.14.3-x86_64": "[quay.io/openshift-release-dev/ocp-release quay.io/openshift-release-dev/ocp-v4.0-art-dev]",
		"r.example.com/other:1":                                   "[r.example.com/other quay.io/openshift-release-dev/ocp-v4.0-art-dev]",
		"file://openshift/release:4.14.3-x86_64":                  "[quay.io/openshift-release-dev/ocp-release quay.io/openshift-release-dev/ocp-v4.0-art-dev]",
	} {
		if got := fmt.Sprint(p.Sources(ref.MustParse(from))); got != want {
			t.Errorf("%s: %s", from, got)
		}
	}
	p.Components[0].From = ref.MustParse("r.x/c").WithDigest(oci.FromBytes(nil))
	p.Components = p.Components[:1]
	if got := fmt.Sprint(p.Sources(ref.MustParse("file://a:1"))); got != "[r.x/c]" {
		t.Errorf("an unknown maker: %s", got)
	}
}
