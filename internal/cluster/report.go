package cluster

import (
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// Report is what "adm release mirror" says on standard output when it is done,
// or would be (oc.md 12.4). Scripts parse it.
type Report struct {
	// Program is how the user started us, for the command to run next.
	Program string
	// UpdateImage is where the release image is.
	UpdateImage ref.Ref
	// To and ToReleaseImage are the flags as given, "" where they were not.
	To, ToReleaseImage string
	// Templated says that To has ${component} in it.
	Templated bool
	// Upload, where the release went to a disk, selects its images there.
	Upload ref.Pattern
	// UploadRelease is the release image on the disk where it is not among
	// those of Upload but in a repository of its own.
	UploadRelease ref.Ref
	// FromDir is the directory that Upload lies below, "" for the current one.
	FromDir string
	// Sources are what the mirror holds; empty where source or destination is
	// not a registry, and then nothing is said about them.
	Sources []MirrorSource
	Kind    Kind
	// SignatureDir is where signatures were written, "" for nowhere.
	SignatureDir string
}

// String returns the text, every line ended.
func (r Report) String() string {
	var b strings.Builder
	r.success(&b)
	switch {
	case r.Upload.IsGlob():
		fmt.Fprintf(&b, "\nTo upload local images to a registry, run:\n\n    %s\n\n", r.uploadCommand())
	case len(r.Sources) > 0 && r.Kind != None:
		r.instructions(&b)
	}
	return b.String()
}

func (r Report) success(b *strings.Builder) {
	image := r.ToReleaseImage
	if image == "" {
		image = r.UpdateImage.Name()
	}
	fmt.Fprintf(b, "\nSuccess\nUpdate image:  %s\n", image)
	label := "Mirror prefix"
	if r.Templated {
		label = "Mirrored to"
	}
	for _, to := range []string{r.To, r.ToReleaseImage} {
		if to != "" {
			fmt.Fprintf(b, "%s: %s\n", label, to)
		}
	}
}

func (r Report) uploadCommand() string {
	command := r.Program + " image mirror "
	if r.FromDir != "" {
		command += "--from-dir=" + Quote(r.FromDir) + " "
	}
	if r.UploadRelease.IsZero() {
		return command + "'" + r.Upload.String() + "' REGISTRY/REPOSITORY"
	}
	return command + "'" + r.Upload.String() + "=REGISTRY/REPOSITORY' '" + r.UploadRelease.String() + "=REGISTRY/RELEASE_REPOSITORY'"
}

// Quote makes one word of a path for a shell. Paths without special characters
// stay as they are, as oc prints them.
func Quote(s string) string {
	plain := func(r rune) bool {
		return (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9') || strings.ContainsRune("/._-+:,@%=", r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func (r Report) instructions(b *strings.Builder) {
	fmt.Fprintf(b, "\nTo use the new mirrored repository to install, add the following section to the install-config.yaml:\n\n%s",
		r.Kind.InstallConfig(r.Sources))
	fmt.Fprintf(b, "\n\nTo use the new mirrored repository for upgrades, use the following to create %s:\n\n%s",
		r.Kind.article(), r.Kind.Object("example", r.Sources))
	if r.SignatureDir != "" {
		fmt.Fprintf(b, "\n\nTo apply signature configmaps use 'oc apply' on files found in %s\n\n", r.SignatureDir)
	}
}
