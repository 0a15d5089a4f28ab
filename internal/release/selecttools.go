package release

import (
	"fmt"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
)

// ToolSelection is what the user asks for.
type ToolSelection struct {
	// Command is one command, "" for all of them (--tools).
	Command string
	// Platform is the value of --command-os: "OS", "OS/ARCH", "*", also
	// "linux/*" and "*/arm64"; "" is the host's.
	Platform string
	// HostOS and HostArch are where this program runs, in Go's words.
	HostOS   string
	HostArch string
	// Image is the release image as the user named it, for messages.
	Image string
}

// platform is a Platform taken apart, "*" for any.
type platform struct{ os, arch string }

// anything is the word for every system or architecture.
const anything = "*"

// Archives reports whether each tool goes into an archive of its own: always
// with --tools, and where one command is asked for on several platforms.
func (o ToolSelection) Archives() bool {
	return o.Command == "" || strings.Contains(o.Platform, anything)
}

// SelectTools returns what is to be taken out of a release whose image is of
// the given architecture, in oc's order and by its rules (oc.md 13.3). A
// command built for the architecture of the release stands for the one that
// another component has for the same platform. The error lists what there is.
func SelectTools(arch string, o ToolSelection) ([]Tool, error) {
	p, err := o.platform()
	if err != nil {
		return nil, err
	}
	candidates, err := o.candidates(p)
	if err != nil {
		return nil, err
	}
	var tools []Tool
	own := map[string]bool{} // commands that there are for the release's architecture
	for _, t := range candidates {
		if t.Arch == releaseArch {
			t.Arch = arch
			own[t.Command] = own[t.Command] || p.has(t)
		} else if t.OS == linux && t.Arch == arch && own[t.Command] {
			continue
		}
		t.MayLack = t.newer && o.Archives()
		if p.has(t) {
			tools = append(tools, t)
		}
	}
	if len(tools) == 0 {
		return nil, o.unavailable(p, platforms(candidates, arch))
	}
	return tools, nil
}

// goOS takes the names that others use for Go's.
func goOS(name string) string {
	if name == "mac" || name == "macos" {
		return darwin
	}
	return name
}

func (o ToolSelection) platform() (platform, error) {
	if o.Platform == "" {
		return platform{o.HostOS, o.HostArch}, nil
	}
	os, arch, both := strings.Cut(o.Platform, "/")
	switch {
	case os == "" || both && arch == "" || strings.Contains(arch, "/"):
		return platform{}, fmt.Errorf("invalid --command-os value %q: it is OS, OS/ARCH or *, as in linux, mac/arm64", o.Platform)
	case both:
		return platform{goOS(os), oci.GoArch(arch)}, nil
	case os == anything:
		return platform{anything, anything}, nil
	default:
		return platform{goOS(os), "amd64"}, nil // even on a host of another architecture
	}
}

func (p platform) has(t Tool) bool {
	return (p.os == anything || p.os == t.OS) && (p.arch == anything || p.arch == t.Arch)
}

func (p platform) String() string { return p.os + "/" + p.arch }

// candidates are the tools of the command that was asked for, on any platform.
func (o ToolSelection) candidates(p platform) ([]Tool, error) {
	var tools []Tool
	var names []string
	for _, t := range everyTool() {
		if t.Command == o.Command || o.Command == "" && !t.extra {
			tools = append(tools, t)
		}
		names = append(names, t.Command)
	}
	if len(tools) > 0 {
		return tools, nil
	}
	slices.Sort(names)
	return nil, fmt.Errorf("command %q does not exist in targets or does not support the operating system %q; there are %s",
		o.Command, p.os, strings.Join(slices.Compact(names), ", "))
}

// platforms lists where tools run.
func platforms(tools []Tool, arch string) string {
	var names []string
	for _, t := range tools {
		if t.Arch == releaseArch {
			t.Arch = arch
		}
		names = append(names, platform{t.OS, t.Arch}.String())
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

func (o ToolSelection) unavailable(p platform, there string) error {
	if o.Command == "" {
		return fmt.Errorf("no commands are available for %s on %s; choose with --command-os from %s", p, o.Image, there)
	}
	err := fmt.Errorf("the command '%s' is not available for %s on %s; choose with --command-os from %s", o.Command, p, o.Image, there)
	if other := o.otherBuilds(p); len(other) > 0 {
		return fmt.Errorf("%w, or for %s the command %s", err, p, strings.Join(other, " or "))
	}
	return err
}

// otherBuilds are the commands that bring the same program for a platform.
func (o ToolSelection) otherBuilds(p platform) []string {
	var names []string
	for _, t := range everyTool() {
		if t.Name == o.Command && t.Arch != releaseArch && p.has(t) {
			names = append(names, t.Command)
		}
	}
	return names
}
