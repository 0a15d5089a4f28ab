package release_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airbridge-dev/airbridge/internal/release"
)

const toolsImage = "mirror.example.com/ocp/release:4.14.3"

// pickTools returns what is selected, a line each: where it comes from, what it
// is called and in which archive it is.
func pickTools(t *testing.T, arch string, o release.ToolSelection) []string {
	t.Helper()
	o.Image = toolsImage
	tools, err := release.SelectTools(arch, o)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, tool := range tools {
		lines = append(lines, strings.Join([]string{tool.OS + "/" + tool.Arch, tool.Command, tool.Component + ":" + tool.Path, tool.Entry(), tool.Archive("V")}, " "))
	}
	return lines
}

// The whole table of oc.md 13.3, as it is for a release for amd64. The builds of
// cli-artifacts for linux/amd64 that cli and installer have as well are left out.
var everyTool = []string{
	"darwin/amd64 oc cli-artifacts:usr/share/openshift/mac/oc oc openshift-client-mac-V.tar.gz",
	"darwin/arm64 oc cli-artifacts:usr/share/openshift/mac_arm64/oc oc openshift-client-mac-arm64-V.tar.gz",
	"linux/amd64 oc cli:usr/bin/oc oc openshift-client-linux-V.tar.gz",
	"linux/amd64 oc.rhel9 cli-artifacts:usr/share/openshift/linux_amd64/oc.rhel9 oc openshift-client-linux-amd64-rhel9-V.tar.gz",
	"linux/amd64 oc.rhel8 cli-artifacts:usr/share/openshift/linux_amd64/oc.rhel8 oc openshift-client-linux-amd64-rhel8-V.tar.gz",
	"linux/arm64 oc cli-artifacts:usr/share/openshift/linux_arm64/oc oc openshift-client-linux-arm64-V.tar.gz",
	"linux/arm64 oc.rhel9 cli-artifacts:usr/share/openshift/linux_arm64/oc.rhel9 oc openshift-client-linux-arm64-rhel9-V.tar.gz",
	"linux/arm64 oc.rhel8 cli-artifacts:usr/share/openshift/linux_arm64/oc.rhel8 oc openshift-client-linux-arm64-rhel8-V.tar.gz",
	"linux/ppc64le oc cli-artifacts:usr/share/openshift/linux_ppc64le/oc oc openshift-client-linux-ppc64le-V.tar.gz",
	"linux/ppc64le oc.rhel9 cli-artifacts:usr/share/openshift/linux_ppc64le/oc.rhel9 oc openshift-client-linux-ppc64le-rhel9-V.tar.gz",
	"linux/ppc64le oc.rhel8 cli-artifacts:usr/share/openshift/linux_ppc64le/oc.rhel8 oc openshift-client-linux-ppc64le-rhel8-V.tar.gz",
	"linux/s390x oc.rhel9 cli-artifacts:usr/share/openshift/linux_s390x/oc.rhel9 oc openshift-client-linux-s390x-rhel9-V.tar.gz",
	"linux/s390x oc.rhel8 cli-artifacts:usr/share/openshift/linux_s390x/oc.rhel8 oc openshift-client-linux-s390x-rhel8-V.tar.gz",
	"windows/amd64 oc cli-artifacts:usr/share/openshift/windows/oc.exe oc.exe openshift-client-windows-V.zip",
	"darwin/amd64 openshift-install installer-artifacts:usr/share/openshift/mac/openshift-install openshift-install openshift-install-mac-V.tar.gz",
	"darwin/arm64 openshift-install installer-artifacts:usr/share/openshift/mac_arm64/openshift-install openshift-install openshift-install-mac-arm64-V.tar.gz",
	"linux/amd64 openshift-install installer:usr/bin/openshift-install openshift-install openshift-install-linux-V.tar.gz",
	"linux/arm64 openshift-install installer-artifacts:usr/share/openshift/linux_arm64/openshift-install openshift-install openshift-install-linux-arm64-V.tar.gz",
	"linux/amd64 ccoctl cloud-credential-operator:usr/bin/ccoctl ccoctl ccoctl-linux-V.tar.gz",
	"linux/amd64 ccoctl.rhel8 cloud-credential-operator:usr/bin/ccoctl.rhel8 ccoctl ccoctl-linux-rhel8-V.tar.gz",
	"linux/amd64 ccoctl.rhel9 cloud-credential-operator:usr/bin/ccoctl.rhel9 ccoctl ccoctl-linux-rhel9-V.tar.gz",
}

func TestEveryTool(t *testing.T) {
	if d := cmp.Diff(everyTool, pickTools(t, "amd64", release.ToolSelection{Platform: "*"})); d != "" {
		t.Error(d)
	}
}

// onlyTools returns the lines of everyTool that begin with one of the words.
func onlyTools(prefixes ...string) []string {
	return slices.DeleteFunc(slices.Clone(everyTool), func(line string) bool {
		return !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p+" ") })
	})
}

func TestToolsOfAReleaseOfAnotherArchitecture(t *testing.T) {
	got := pickTools(t, "arm64", release.ToolSelection{Command: "oc", Platform: "*"})
	want := []string{
		everyTool[0], everyTool[1],
		"linux/arm64 oc cli:usr/bin/oc oc openshift-client-linux-V.tar.gz",
		"linux/amd64 oc cli-artifacts:usr/share/openshift/linux_amd64/oc oc openshift-client-linux-amd64-V.tar.gz",
		everyTool[8], everyTool[13],
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// s390x has no other oc than that of the release itself.
	got = pickTools(t, "s390x", release.ToolSelection{Command: "oc", Platform: "linux/s390x"})
	if d := cmp.Diff([]string{"linux/s390x oc cli:usr/bin/oc oc openshift-client-linux-V.tar.gz"}, got); d != "" {
		t.Error(d)
	}
}

func TestSelectTools(t *testing.T) {
	const metal, fips = "linux/amd64 openshift-baremetal-install baremetal-installer:usr/bin/openshift-install openshift-baremetal-install openshift-baremetal-install-linux-V.tar.gz",
		"linux/amd64 openshift-install-fips baremetal-installer:usr/bin/openshift-install openshift-install-fips openshift-install-rhel-V.tar.gz"
	for _, c := range []struct {
		name, command, platform, host string
		want                          []string
		archives                      bool
	}{
		{"the host", "openshift-install", "", "linux/amd64", onlyTools("linux/amd64 openshift-install"), false},
		{"a host of another architecture", "openshift-install", "", "linux/arm64", onlyTools("linux/arm64 openshift-install"), false},
		{"a Mac", "oc", "", "darwin/arm64", onlyTools("darwin/arm64 oc"), false},
		{"Windows", "oc", "", "windows/amd64", onlyTools("windows/amd64 oc"), false},
		{"the system alone is amd64", "oc", "linux", "linux/arm64", onlyTools("linux/amd64 oc"), false},
		{"mac alone is amd64", "oc", "mac", "darwin/arm64", onlyTools("darwin/amd64 oc"), false},
		{"mac with its architecture", "oc", "mac/arm64", "linux/amd64", onlyTools("darwin/arm64 oc"), false},
		{"macos", "oc", "macos/arm64", "linux/amd64", onlyTools("darwin/arm64 oc"), false},
		{"names of architectures that others use", "oc", "linux/aarch64", "linux/amd64", onlyTools("linux/arm64 oc"), false},
		{"and the other", "oc", "linux/x86_64", "linux/arm64", onlyTools("linux/amd64 oc"), false},
		{"a build for RHEL 9", "oc.rhel9", "linux/s390x", "linux/amd64", onlyTools("linux/s390x oc.rhel9"), false},
		{"ccoctl", "ccoctl.rhel8", "", "linux/amd64", onlyTools("linux/amd64 ccoctl.rhel8"), false},
		{"for bare metal", "openshift-baremetal-install", "", "linux/amd64", []string{metal}, false},
		{"FIPS", "openshift-install-fips", "", "linux/amd64", []string{fips}, false},
		{"one command everywhere", "openshift-install", "*", "linux/amd64", onlyTools("darwin/amd64 openshift-install", "darwin/arm64 openshift-install", "linux/amd64 openshift-install", "linux/arm64 openshift-install"), true},
		{"one command on all of a system", "openshift-install", "linux/*", "darwin/arm64", onlyTools("linux/amd64 openshift-install", "linux/arm64 openshift-install"), true},
		{"one command on all of an architecture", "openshift-install", "*/arm64", "linux/amd64", onlyTools("darwin/arm64 openshift-install", "linux/arm64 openshift-install"), true},
		{"all for the host", "", "", "linux/amd64", onlyTools("linux/amd64 oc", "linux/amd64 oc.rhel9", "linux/amd64 oc.rhel8", "linux/amd64 openshift-install", "linux/amd64 ccoctl", "linux/amd64 ccoctl.rhel8", "linux/amd64 ccoctl.rhel9"), true},
		{"all for a Mac", "", "", "darwin/arm64", onlyTools("darwin/arm64 oc", "darwin/arm64 openshift-install"), true},
		{"all for another", "", "linux/ppc64le", "linux/amd64", onlyTools("linux/ppc64le oc", "linux/ppc64le oc.rhel9", "linux/ppc64le oc.rhel8"), true},
	} {
		o := release.ToolSelection{Command: c.command, Platform: c.platform}
		o.HostOS, o.HostArch, _ = strings.Cut(c.host, "/")
		if d := cmp.Diff(c.want, pickTools(t, "amd64", o)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
		if o.Archives() != c.archives {
			t.Errorf("%s: archives %v", c.name, o.Archives())
		}
	}
}

func TestSelectToolsSaysWhatThereIs(t *testing.T) {
	const commands = "ccoctl, ccoctl.rhel8, ccoctl.rhel9, oc, oc.rhel8, oc.rhel9, openshift-baremetal-install, openshift-install, openshift-install-fips"
	const hint = " on " + toolsImage + "; choose with --command-os from "
	for _, c := range []struct{ command, platform, want string }{
		{"kubectl", "", `command "kubectl" does not exist in targets or does not support the operating system "windows"; there are ` + commands},
		{"", "linux/", `invalid --command-os value "linux/": it is OS, OS/ARCH or *, as in linux, mac/arm64`},
		{"", "/amd64", `invalid --command-os value "/amd64": it is OS, OS/ARCH or *, as in linux, mac/arm64`},
		{"", "linux/arm/v7", `invalid --command-os value "linux/arm/v7": it is OS, OS/ARCH or *, as in linux, mac/arm64`},
		{"openshift-install", "", "the command 'openshift-install' is not available for windows/amd64" + hint + "darwin/amd64, darwin/arm64, linux/amd64, linux/arm64"},
		{"ccoctl", "linux/arm64", "the command 'ccoctl' is not available for linux/arm64" + hint + "linux/amd64"},
		{"oc", "linux/s390x", "the command 'oc' is not available for linux/s390x" + hint + "darwin/amd64, darwin/arm64, linux/amd64, linux/arm64, linux/ppc64le, windows/amd64, or for linux/s390x the command oc.rhel9 or oc.rhel8"},
		{"", "solaris", "no commands are available for solaris/amd64" + hint + "darwin/amd64, darwin/arm64, linux/amd64, linux/arm64, linux/ppc64le, linux/s390x, windows/amd64"},
	} {
		_, err := release.SelectTools("amd64", release.ToolSelection{Command: c.command, Platform: c.platform, HostOS: "windows", HostArch: "amd64", Image: toolsImage})
		if err == nil || err.Error() != c.want {
			t.Errorf("%q for %q:\ngot  %v\nwant %s", c.command, c.platform, err, c.want)
		}
	}
}

// What older releases lack is passed over, unless it is what was asked for.
func TestToolsThatAReleaseMayLack(t *testing.T) {
	for _, c := range []struct {
		command, platform string
		may               []string // archives
	}{
		{"", "linux/amd64", []string{
			"openshift-client-linux-amd64-rhel9-V.tar.gz", "openshift-client-linux-amd64-rhel8-V.tar.gz",
			"ccoctl-linux-V.tar.gz", "ccoctl-linux-rhel8-V.tar.gz", "ccoctl-linux-rhel9-V.tar.gz",
		}},
		{"openshift-install", "*", []string{"openshift-install-mac-arm64-V.tar.gz", "openshift-install-linux-arm64-V.tar.gz"}},
		{"oc.rhel9", "linux/amd64", nil},
		{"ccoctl", "linux/amd64", nil},
	} {
		tools, err := release.SelectTools("amd64", release.ToolSelection{Command: c.command, Platform: c.platform})
		if err != nil {
			t.Fatal(err)
		}
		var may []string
		for _, tool := range tools {
			if tool.MayLack {
				may = append(may, tool.Archive("V"))
			}
		}
		if d := cmp.Diff(c.may, may); d != "" {
			t.Errorf("%q for %s: %s", c.command, c.platform, d)
		}
	}
}

func TestWhatIsDoneToTools(t *testing.T) {
	values := release.Values{PullSpec: "reg.example.com/r@sha256:00", Version: "4.14.3", Platform: "linux/amd64"}
	written := map[string]string{"oc": "4.14.3", "openshift-install": "reg.example.com/r@sha256:00 4.14.3 linux/amd64", "ccoctl": ""}
	for _, command := range []string{"", "openshift-baremetal-install", "openshift-install-fips"} {
		tools, err := release.SelectTools("amd64", release.ToolSelection{Command: command, Platform: "*"})
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range tools {
			var got []string
			for _, r := range tool.Replacements(values) {
				got = append(got, r.Value)
			}
			kind := tool.Name
			if command != "" {
				kind = "openshift-install"
			}
			if want := written[kind]; strings.Join(got, " ") != want {
				t.Errorf("%s: %q is written into it, want %q", tool.Archive("V"), got, want)
			}
			if sign := tool.OS == "darwin" && tool.Arch == "arm64"; tool.Sign != sign {
				t.Errorf("%s: signed %v", tool.Archive("V"), tool.Sign)
			}
			if link := kind == "oc" && tool.OS != "windows"; slices.Equal(tool.Links, []string{"kubectl"}) != link {
				t.Errorf("%s: links %q", tool.Archive("V"), tool.Links)
			}
			if zip := tool.OS == "windows"; tool.Zip() != zip {
				t.Errorf("%s: zip %v", tool.Archive("V"), tool.Zip())
			}
		}
	}
}

func TestReadme(t *testing.T) {
	tools, err := release.SelectTools("amd64", release.ToolSelection{Platform: "*"})
	if err != nil {
		t.Fatal(err)
	}
	for _, archive := range []string{"openshift-client-linux-4.14.3.tar.gz", "openshift-client-windows-4.14.3.zip", "openshift-install-mac-arm64-4.14.3.tar.gz", "ccoctl-linux-rhel9-4.14.3.tar.gz"} {
		i := slices.IndexFunc(tools, func(t release.Tool) bool { return t.Archive("4.14.3") == archive })
		if i < 0 {
			t.Fatalf("there is no %s", archive)
		}
		golden := filepath.Join("testdata", "readme", archive+".md")
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), tools[i].Readme("4.14.3")); d != "" {
			t.Errorf("%s: %s", archive, d)
		}
	}
}
