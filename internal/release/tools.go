package release

import (
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/patch"
)

// Tool is a command that a release carries in one of its component images,
// built for one platform (oc.md 13.3).
type Tool struct {
	// Command is what the user asks for: "oc.rhel9". Name is what the file is
	// called once it is out: "oc".
	Command string
	Name    string
	// OS and Arch are where the command runs, in Go's words.
	OS   string
	Arch string
	// Component is the image of the release that has it, Path where it lies in
	// that image.
	Component string
	Path      string
	// Links are further names of the command in its archive: "kubectl".
	Links []string
	// MayLack says that releases of some age do not have this one and that it
	// was not asked for by name and platform, so that its absence, of the
	// component or of the file, is no error.
	MayLack bool
	// Sign says that macOS does not run the command once it was patched, unless
	// it is signed anew.
	Sign bool

	archive string // the archive's name, with the version as %s
	markers markers
	extra   bool // --tools passes over it
	newer   bool // did not come with the first releases
}

// markers says which values are written into a tool (oc.md 13.4).
type markers int

const (
	unmarked  markers = iota
	versioned         // oc: the version
	installer         // openshift-install: pull spec, version and architecture
)

// Values are what a release writes into the tools taken out of it.
type Values struct {
	PullSpec string // by digest
	Version  string
	Platform string // "linux/amd64", "multi (linux/amd64)"
}

// Replacements returns what is to be written into the tool, nil if nothing is.
func (t Tool) Replacements(v Values) []patch.Replacement {
	switch t.markers {
	case versioned:
		return []patch.Replacement{patch.Version(v.Version)}
	case installer:
		return []patch.Replacement{patch.ReleaseImage(v.PullSpec), patch.Version(v.Version), patch.Architecture(v.Platform)}
	default:
		return nil
	}
}

// Archive returns the file name of the tool's archive.
func (t Tool) Archive(version string) string { return fmt.Sprintf(t.archive, version) }

// Zip reports whether the tool's archive is a zip file, and not a tar.gz.
func (t Tool) Zip() bool { return strings.HasSuffix(t.archive, ".zip") }

// Entry is what the tool is called within its archive: Windows needs the
// ending. Taken out alone it has its plain Name on every platform, as oc does it.
func (t Tool) Entry() string {
	if t.OS == windows {
		return t.Name + ".exe"
	}
	return t.Name
}

// The systems that there are tools for.
const (
	linux   = "linux"
	darwin  = "darwin"
	windows = "windows"
)

// releaseArch stands in the table for the architecture of the release image.
const releaseArch = ""

// everyTool returns every tool that a release may have, in oc's order: those of
// the release's own architecture before the same ones for a fixed one.
func everyTool() []Tool {
	var tools []Tool
	for _, group := range [][]Tool{clients(), installers(), credentialTools()} {
		tools = append(tools, group...)
	}
	return tools
}

// artifacts is where components keep what runs outside of the cluster.
const artifacts = "usr/share/openshift/"

// clients are the builds of oc.
func clients() []Tool {
	oc := Tool{Command: "oc", Name: "oc", OS: linux, Component: "cli-artifacts", Links: []string{"kubectl"}, markers: versioned}
	mac, own := onMac(oc, "openshift-client-mac"), oc
	own.Component, own.Path, own.archive = "cli", "usr/bin/oc", "openshift-client-linux-%s.tar.gz"
	tools := append(mac, own)
	for _, arch := range []string{"amd64", "arm64", "ppc64le", "s390x"} {
		if arch != "s390x" {
			tools = append(tools, onLinux(oc, arch, "openshift-client-linux"))
		}
		for _, rhel := range []string{"rhel9", "rhel8"} {
			t := onLinux(oc, arch, "openshift-client-linux")
			tools = append(tools, onRHEL(t, rhel, "openshift-client-linux-"+arch))
		}
	}
	win := oc
	win.OS, win.Arch, win.Links = windows, "amd64", nil // the file would be in a zip archive twice
	win.Path, win.archive = artifacts+"windows/oc.exe", "openshift-client-windows-%s.zip"
	return append(tools, win)
}

// installers are the builds of openshift-install.
func installers() []Tool {
	const command = "openshift-install"
	base := Tool{Command: command, Name: command, OS: linux, Component: "installer-artifacts", markers: installer}
	mac, own := onMac(base, "openshift-install-mac"), base
	own.Component, own.Path, own.archive = "installer", "usr/bin/"+command, "openshift-install-linux-%s.tar.gz"
	metal := own
	metal.Component, metal.extra = "baremetal-installer", true
	fips := metal
	metal.Command, metal.archive = "openshift-baremetal-install", "openshift-baremetal-install-linux-%s.tar.gz"
	fips.Command, fips.archive = "openshift-install-fips", "openshift-install-rhel-%s.tar.gz"
	metal.Name, fips.Name = metal.Command, fips.Command
	amd, arm := onLinux(base, "amd64", "openshift-install-linux"), onLinux(base, "arm64", "openshift-install-linux")
	amd.newer = true
	return append(mac, own, amd, arm, metal, fips)
}

// credentialTools are the builds of ccoctl, which nothing is written into.
func credentialTools() []Tool {
	t := Tool{Command: "ccoctl", Name: "ccoctl", OS: linux, Component: "cloud-credential-operator", Path: "usr/bin/ccoctl", newer: true}
	t.archive = "ccoctl-linux-%s.tar.gz"
	return []Tool{t, onRHEL(t, "rhel8", "ccoctl-linux"), onRHEL(t, "rhel9", "ccoctl-linux")}
}

// onLinux is the build of a tool for a fixed architecture of Linux.
func onLinux(t Tool, arch, archive string) Tool {
	t.OS, t.Arch, t.newer = linux, arch, arch != "amd64"
	t.Path = artifacts + "linux_" + arch + "/" + t.Command
	t.archive = archive + "-" + arch + "-%s.tar.gz"
	return t
}

// onRHEL is a build for one release of RHEL. Its file has the plain name.
func onRHEL(t Tool, rhel, archive string) Tool {
	t.Command += "." + rhel
	t.Path += "." + rhel
	t.archive = archive + "-" + rhel + "-%s.tar.gz"
	t.newer = true
	return t
}

// onMac are the two builds of a tool for macOS. Only that for arm64 has to be
// signed to run.
func onMac(t Tool, archive string) []Tool {
	amd, arm := t, t
	amd.OS, amd.Arch, amd.Path, amd.archive = darwin, "amd64", artifacts+"mac/"+t.Command, archive+"-%s.tar.gz"
	arm.OS, arm.Arch, arm.Path, arm.archive = darwin, "arm64", artifacts+"mac_arm64/"+t.Command, archive+"-arm64-%s.tar.gz"
	arm.Sign, arm.newer = true, true
	return []Tool{amd, arm}
}
