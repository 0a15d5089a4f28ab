package cli

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
)

// tellRelease prints the block that oc prints after a release (oc.md 12.4),
// and writes what a cluster is given as files.
func (s *session) tellRelease(f *releaseMirrorFlags, refs references, p *release.Payload, verified *mirror.Verified) error {
	kind, err := f.kind()
	if err != nil {
		return err
	}
	report := cluster.Report{
		Program: s.app.program(), Kind: kind, UpdateImage: refs.name.Release(p), To: f.to, ToReleaseImage: f.toReleaseImage,
		Templated: refs.name.To.Templated(),
	}
	if len(verified.ConfigMaps()) > 0 {
		report.SignatureDir = f.signatureTarget()
	}
	separate := !refs.name.ReleaseRepository.IsZero()
	if refs.name.To.Repository.Scheme == ref.File {
		report.FromDir = f.dirs.to
		report.Upload = ref.Pattern{Ref: refs.name.To.Repository, Glob: uploadGlob(refs.name, p)}
		if separate {
			report.UploadRelease = report.UpdateImage
		}
	} else {
		report.Sources = mirrorSources(p, refs)
		if separate { // the lines that the same place given with --to-release-image has
			report.ToReleaseImage = report.UpdateImage.String()
		}
	}
	s.ui.Result(report.String())
	if !f.dryRun && len(report.Sources) > 0 {
		s.writeInstructions(s.mediumDir(refs.from), p.Version, instructions(p.Version, report.Sources, verified))
	}
	return f.writeSignatures(s, verified)
}

// instructions are the files for a cluster: mirror sets, and the signatures
// that it asks for before it updates to the release.
func instructions(version string, sources []cluster.MirrorSource, verified *mirror.Verified) []cluster.File {
	return append(cluster.Files("mirror-"+version, sources), verified.ConfigMaps()...)
}

// mirrorSources says where a release that was mirrored to a registry is found.
func mirrorSources(p *release.Payload, refs references) []cluster.MirrorSource {
	if n := refs.name; !n.ReleaseRepository.IsZero() {
		return apart(p, refs.from, n.ReleaseRepository, n.To.Repository)
	}
	return cluster.MirrorSources(p.Sources(refs.from), mirrorsOf(refs.name))
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
	for _, r := range []ref.Ref{n.ReleaseImage, n.ReleaseRepository} {
		if !r.IsZero() {
			out = append(out, r)
		}
	}
	return out
}

// tellMedia writes the files for releases that came from a medium, which
// image mirror does not print a block for. To another medium only their
// signatures go along.
func (s *session) tellMedia(releases []mediaRelease) {
	for _, r := range releases {
		if r.To.Scheme == ref.File {
			s.carrySignatures(r)
			continue
		}
		sources := cluster.MirrorSources(r.Payload.Sources(r.From), []ref.Ref{r.To})
		if r.To != r.Components {
			sources = apart(r.Payload, r.From, r.To, r.Components)
		}
		s.writeInstructions(s.mediumDir(r.From), r.Payload.Version, instructions(r.Payload.Version, sources, r.verified))
	}
}

// carrySignatures puts the signatures of a release on the medium that it was
// copied to, where they are looked for.
func (s *session) carrySignatures(r mediaRelease) {
	files := r.verified.ConfigMaps()
	if len(files) == 0 || s.regs.SameDirectory() {
		return
	}
	dir := configDir(cmp.Or(s.dirs.to, "."))
	if err := writeFiles(dir, files); err != nil {
		s.ui.Warn("the signatures of release %s were not written: %v", r.Payload.Version, err)
		return
	}
	s.ui.Info("the signatures of release %s are in %s", r.Payload.Version, dir)
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

// writeInstructions writes files to mirror-VERSION beside the images of the
// medium if it can be written, else in the working directory.
func (s *session) writeInstructions(medium, version string, files []cluster.File) {
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
			s.ui.Info("instructions for clusters are in %s: apply imageDigestMirrorSet.yaml, or imageContentSourcePolicy.yaml before OpenShift 4.13%s", dir, signaturesText(files))
			return
		}
	}
	// All images are there: oc writes no files at all, and would have ended well.
	s.ui.Warn("instructions for clusters were not written: %v", err)
}

// signaturesText says that there are signatures among the instructions.
func signaturesText(files []cluster.File) string {
	for _, f := range files {
		if strings.HasPrefix(f.Name, cluster.SignaturePrefix) {
			return "; and " + cluster.SignaturePrefix + "*.json before an update"
		}
	}
	return ""
}

func writeFiles(dir string, files []cluster.File) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := writeFile(filepath.Join(dir, f.Name), f.Content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeFile replaces a file whole or not at all, and durably.
func writeFile(path string, content []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // there is none after the rename
	_, err = tmp.Write(content)
	if err == nil {
		err = tmp.Chmod(mode)
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
