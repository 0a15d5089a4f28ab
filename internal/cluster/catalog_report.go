package cluster

import (
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// CatalogReport is what "adm catalog mirror" says on standard output when it is
// done (oc.md 15.4). Users record these lines, and scripts look for them.
type CatalogReport struct {
	// Program is how the user started us, for the command to run next.
	Program string
	// Dir is the directory of manifests, as the user would write it.
	Dir string
	// Upload is the index image in a directory, zero where it went to a registry.
	Upload ref.Ref
	// FromDir is the directory that Upload lies below, "" for the current one.
	FromDir string
	// Files are those that were written for clusters.
	Files []File
	// Tagged is how many related images clusters ask for by tag.
	Tagged int
}

// String returns the text, every line ended.
func (r CatalogReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "wrote mirroring manifests to %s\n", r.Dir)
	switch {
	case !r.Upload.IsZero():
		fmt.Fprintf(&b, "\nTo upload local images to a registry, run:\n\n\t%s\n", r.uploadCommand())
	case len(r.Files) > 0:
		r.instructions(&b)
	}
	return b.String()
}

func (r CatalogReport) uploadCommand() string {
	command := r.Program + " adm catalog mirror "
	if r.FromDir != "" {
		command += "--from-dir=" + Quote(r.FromDir) + " "
	}
	return command + r.Upload.String() + " REGISTRY/REPOSITORY"
}

// instructions are the commands that make a cluster use the catalog.
func (r CatalogReport) instructions(b *strings.Builder) {
	b.WriteString("\nTo make a cluster use the catalog, run:\n")
	if newer := r.apply(IDMSFile, ITMSFile); newer != "" {
		fmt.Fprintf(b, "\nOpenShift 4.13 and later:\n\n\t%s\n", newer)
		r.older(b)
	}
	fmt.Fprintf(b, "\nthen, with OLM (any version):\n\n\t%s\n", r.apply(CatalogSourceFile))
	if catalog := r.apply(ClusterCatalogFile); catalog != "" {
		fmt.Fprintf(b, "\nor, with OLM v1 (OpenShift 4.18 and later):\n\n\t%s\n", catalog)
	}
	b.WriteString("\nIf the mirror asks for a login, its credentials have to be in the cluster's global pull secret\n" +
		"(secret pull-secret in namespace openshift-config).")
	if r.apply(IDMSFile, ITMSFile) != "" {
		b.WriteString(" For images that mirror sets redirect, of whichever kind,\n" +
			"a pull secret of a project is of no use.")
	}
	b.WriteString("\n")
}

// older is what clusters without the newer mirror sets are given.
func (r CatalogReport) older(b *strings.Builder) {
	icsp := r.apply(ICSPFile)
	if icsp == "" {
		b.WriteString("\nOpenShift 4.12 and before cannot be told where images by tag are, and this catalog names no others.\n")
		return
	}
	fmt.Fprintf(b, "\nOpenShift 4.12 and before (later versions take it too, but 4.13 before 4.13.27 and 4.14 before 4.14.3 not beside the other kinds):\n\n\t%s\n", icsp)
	if r.Tagged > 0 {
		fmt.Fprintf(b, "\nAn ImageContentSourcePolicy does not redirect images by tag: %d of this catalog.\n", r.Tagged)
	}
}

// apply is the command for those of the files that were written, "" for none.
func (r CatalogReport) apply(files ...string) string {
	var command strings.Builder
	for _, name := range files {
		for _, f := range r.Files {
			if f.Name == name {
				command.WriteString(" -f " + Quote(strings.TrimSuffix(r.Dir, "/")+"/"+name))
			}
		}
	}
	if command.Len() == 0 {
		return ""
	}
	return "oc apply" + command.String()
}
