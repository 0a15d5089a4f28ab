package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
)

// tellRelease prints the block that oc prints after a release (oc.md 12.4),
// and writes what a cluster is given as files.
func (a *App) tellRelease(s *session, f *releaseMirrorFlags, refs references, p *release.Payload) error {
	kind, err := f.kind()
	if err != nil {
		return err
	}
	report := cluster.Report{
		Program: a.program(), Kind: kind, UpdateImage: refs.name.Release(p), To: f.to, ToReleaseImage: f.toReleaseImage,
		Templated: refs.name.To.Templated(),
	}
	if refs.name.To.Repository.Scheme == ref.File {
		report.FromDir = f.dirs.to
		report.Upload = ref.Pattern{Ref: refs.name.To.Repository, Glob: uploadGlob(refs.name, p)}
	} else {
		report.Sources = cluster.MirrorSources(p.Sources(refs.from), mirrorsOf(refs.name))
	}
	s.ui.Result(report.String())
	if !f.dryRun && len(report.Sources) > 0 {
		s.writeInstructions(s.mediumDir(refs.from), p.Version, report.Sources)
	}
	return nil
}

// uploadGlob selects the images of a release by their tags. oc's own, with a
// template, selects the release image alone.
func uploadGlob(n release.Naming, p *release.Payload) string {
	if n.To.Templated() {
		return n.Tag(p, "*")
	}
	return n.Tag(p, "") + "*"
}

// mirrorsOf are the repositories that a release was mirrored to.
func mirrorsOf(n release.Naming) []ref.Ref {
	out := []ref.Ref{n.To.Repository}
	if !n.ReleaseImage.IsZero() {
		out = append(out, n.ReleaseImage)
	}
	return out
}

// tellMedia writes the files for releases that came from a medium, which
// image mirror does not print a block for.
func (s *session) tellMedia(ctx context.Context, wishes []mirror.Wish) {
	releases, err := mirror.ReleasesFromMedia(ctx, s.regs, wishes)
	if err != nil {
		s.ui.Warn("no instructions for clusters were written: %v", err)
	}
	for _, r := range releases {
		sources := cluster.MirrorSources(r.Payload.Sources(r.From), []ref.Ref{r.To})
		s.writeInstructions(s.mediumDir(r.From), r.Payload.Version, sources)
	}
}

// mediumDir is the directory of a release read from a medium, "" otherwise.
func (s *session) mediumDir(from ref.Ref) string {
	if from.Scheme != ref.File {
		return ""
	}
	if s.dirs.from == "" {
		return "."
	}
	return s.dirs.from
}

// writeInstructions writes mirror sets to mirror-VERSION beside the images of
// the medium if it can be written, else in the working directory.
func (s *session) writeInstructions(medium, version string, sources []cluster.MirrorSource) {
	files := cluster.Files("mirror-"+version, sources)
	if len(files) == 0 {
		return
	}
	var err error
	for _, base := range []string{medium, "."} {
		if base == "" {
			continue
		}
		dir := filepath.Join(base, "mirror-"+version)
		if err = writeFiles(dir, files); err == nil {
			s.ui.Info("instructions for clusters are in %s: apply imageDigestMirrorSet.yaml, or imageContentSourcePolicy.yaml before OpenShift 4.13", dir)
			return
		}
	}
	// All images are there: oc writes no files at all, and would have ended well.
	s.ui.Warn("instructions for clusters were not written: %v", err)
}

func writeFiles(dir string, files []cluster.File) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := writeFile(filepath.Join(dir, f.Name), f.Content); err != nil {
			return err
		}
	}
	return nil
}

// writeFile replaces a file whole or not at all, and durably.
func writeFile(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // there is none after the rename
	_, err = tmp.Write(content)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
