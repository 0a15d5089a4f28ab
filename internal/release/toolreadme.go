package release

import (
	"fmt"
	"strings"
)

// Readme returns the README.md of the tool's archive: what it is, of which
// release and for which platform, and how it is installed. Lines end with \n.
func (t Tool) Readme(version string) string {
	var b strings.Builder
	about := t.about()
	fmt.Fprintf(&b, "# %s\n\n", about.title)
	fmt.Fprintf(&b, "`%s` of OpenShift release %s, for %s on %s.\n\n%s\n\n", t.Entry(), version, t.system(), t.Arch, about.text)
	fmt.Fprintf(&b, "## Installing\n\n%s\n", t.howToInstall())
	fmt.Fprintf(&b, "\nCheck it with:\n\n    %s\n", about.check)
	if t.OS == darwin {
		fmt.Fprintf(&b, "\nIf macOS will not open it because it was downloaded:\n\n    xattr -d com.apple.quarantine %s\n", t.Entry())
	}
	fmt.Fprintf(&b, "\n## Further reading\n\n"+
		"The documentation is at <https://docs.openshift.com>; choose the version of this release.\n"+
		"The source code is at <%s>, under the Apache License 2.0.\n", about.source)
	return b.String()
}

// systemNames are the systems as people write them.
var systemNames = map[string]string{linux: "Linux", darwin: "macOS", windows: "Windows"}

// system is where the tool runs: some are built for one release of RHEL.
func (t Tool) system() string {
	if _, rhel, ok := strings.Cut(t.Command, ".rhel"); ok {
		return "RHEL " + rhel
	}
	return systemNames[t.OS]
}

// about is what there is to say of a tool.
type about struct{ title, text, check, source string }

func (t Tool) about() about {
	switch t.markers {
	case versioned:
		return about{
			title: "OpenShift client",
			text: "It talks to OpenShift and Kubernetes clusters from the command line. Called by the name\n" +
				"`kubectl` it behaves as that command does.",
			check:  t.Entry() + " version --client",
			source: "https://github.com/openshift/oc",
		}
	case installer:
		return about{
			title: "OpenShift installer",
			text: "It installs OpenShift clusters. This copy is bound to the release named above: it installs\n" +
				"that one and looks for it where it was taken from.",
			check:  "./" + t.Entry() + " version",
			source: "https://github.com/openshift/installer",
		}
	default:
		return about{
			title:  "Cloud credential utility",
			text:   "It makes the credentials that a cluster's components need in a cloud, where the cluster\nis not given the right to make them itself.",
			check:  t.Entry() + " --help",
			source: "https://github.com/openshift/cloud-credential-operator",
		}
	}
}

func (t Tool) howToInstall() string {
	switch {
	case t.OS == windows:
		return fmt.Sprintf("Unpack the archive and move `%s` into a directory of your PATH. For `kubectl.exe` make a copy\n"+
			"of `%s` with that name.", t.Entry(), t.Entry())
	case len(t.Links) > 0:
		return fmt.Sprintf("Unpack the archive and move `%s` and `%s` into a directory of your PATH, such as\n"+
			"`/usr/local/bin`. The two are one file.", t.Entry(), strings.Join(t.Links, "`, `"))
	default:
		return fmt.Sprintf("Unpack the archive and move `%s` into a directory of your PATH, such as\n"+
			"`/usr/local/bin`, or run it where it is, as `./%s`.", t.Entry(), t.Entry())
	}
}

// ToolsPreamble begins release.txt, the file that says which release a directory
// of archives belongs to; what "release info --pullspecs" prints of it follows.
func ToolsPreamble() string {
	return "Client tools for OpenShift\n" +
		"--------------------------\n\n" +
		"The archives beside this file hold the command line programs of one OpenShift release. The\n" +
		"installer among them is bound to that release.\n\n" +
		"To check the files, run \"sha256sum -c sha256sum.txt\". If there is a sha256sum.txt.asc,\n" +
		"\"gpg --verify sha256sum.txt.asc sha256sum.txt\" says who made that list.\n\n" +
		"---\n\n"
}
