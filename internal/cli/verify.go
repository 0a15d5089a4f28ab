package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/signature"
)

// How long signature stores may take. A machine without a network must not
// wait for minutes before it is told so.
const (
	signatureRequest = 15 * time.Second
	signatureAll     = 30 * time.Second
)

// verifyFlags say how releases are verified.
type verifyFlags struct {
	value string
	files []string

	policy mirror.Policy  // set by parse
	keys   signature.Keys // set by parse
}

func (v *verifyFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&v.value, "verify", "", "what a release that cannot be verified is: require (an error), warn, or off (not looked at); without it require where a trusted key can tell, else warn")
	flags.StringArrayVar(&v.files, "key", nil, "file with OpenPGP public keys to trust besides Red Hat's; may be given several times")
}

// parse reads the values of the flags, and the files with keys, once: they may
// be pipes.
func (v *verifyFlags) parse() (err error) {
	if v.policy, err = mirror.ParsePolicy(v.value); err != nil {
		return &usageError{err}
	}
	for _, name := range v.files {
		ring, err := readRing(name)
		if err == nil {
			v.keys, err = v.keys.Give(ring)
		}
		if err != nil {
			return fmt.Errorf("reading --key %s: %w", name, err)
		}
	}
	return nil
}

// verifier makes what verifies the releases of a session, with directories
// that may have their signatures.
func (v *verifyFlags) verifier(s *session, dirs ...string) (mirror.Verifier, error) {
	transport, err := s.registry.web()
	if err != nil {
		return mirror.Verifier{}, err
	}
	return mirror.Verifier{
		Policy: v.policy, Given: v.keys, Dirs: dirs,
		Fetch: signature.Options{
			Transport: transport, UserAgent: userAgent(), Now: s.app.Now,
			Request: signatureRequest, All: signatureAll,
		},
	}, nil
}

func readRing(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		if e, ok := errors.AsType[*os.PathError](err); ok {
			err = e.Err // the name is said before
		}
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, signature.MaxRing+1))
}

// configDir is where a medium keeps the signature config maps of its releases.
func configDir(dir string) string { return filepath.Join(dir, "config") }

// signatureTarget is where the signature config maps go, "" for no directory
// but that of the instructions.
func (f *releaseMirrorFlags) signatureTarget() string {
	switch {
	case f.signatureDir != "":
		return f.signatureDir
	case f.dirs.to != "":
		return configDir(f.dirs.to)
	}
	return ""
}

// verify verifies the release before anything is copied.
func (f *releaseMirrorFlags) verify(ctx context.Context, s *session, p *release.Payload, from ref.Ref) (*mirror.Verified, error) {
	var dirs []string
	if dir := f.signatureTarget(); dir != "" {
		dirs = append(dirs, dir)
	}
	if medium := s.mediumDir(from); medium != "" {
		dirs = append(dirs, configDir(medium))
	}
	v, err := f.verification.verifier(s, dirs...)
	if err != nil {
		return nil, err
	}
	verified, err := v.Release(ctx, p, from, s.observer(nil))
	if err != nil {
		return nil, err
	}
	if f.applySignature {
		return nil, f.cannotApply(s.mediumDir(from), p)
	}
	return verified, f.prepareSignatures(s, verified)
}

// prepareSignatures finds out before the first image is copied that a directory
// for signatures cannot be made: afterwards hours may have passed.
func (f *releaseMirrorFlags) prepareSignatures(s *session, verified *mirror.Verified) error {
	switch {
	case f.signatureDir == "":
		return nil
	case len(verified.ConfigMaps()) == 0:
		s.ui.Warn("no signature config map will be written to %s: there is no valid signature", f.signatureDir)
		return nil
	case f.dryRun || f.toMirror:
		return nil
	}
	if err := os.MkdirAll(f.signatureDir, 0o750); err != nil {
		return fmt.Errorf("--release-image-signature-to-dir: %w", err)
	}
	return nil
}

// cannotApply says what to do instead of --apply-release-image-signature. It
// is an error before the first image is copied: whoever asks for it counts on
// the cluster having the signature at the end.
func (f *releaseMirrorFlags) cannotApply(medium string, p *release.Payload) error {
	dir := f.signatureTarget()
	if dir == "" {
		dir = filepath.Join(medium, "mirror-"+p.Version)
	}
	name := cluster.SignatureMap(p.Root(), nil).Name
	return &hinted{
		usagef("--apply-release-image-signature needs a cluster, which is not contacted"),
		"leave the flag out; when the release is mirrored, run oc apply -f " + filepath.Join(dir, name),
	}
}

// writeSignatures writes the signature config maps and says so in oc's words
// (oc.md 12.5).
func (f *releaseMirrorFlags) writeSignatures(s *session, verified *mirror.Verified) error {
	dir := f.signatureTarget()
	files := verified.ConfigMaps()
	if dir == "" || len(files) == 0 {
		return nil
	}
	if !f.dryRun {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return fmt.Errorf("writing signature config maps: %w", err)
		}
	}
	for _, file := range files {
		path := filepath.Join(dir, file.Name)
		if f.dryRun {
			s.ui.Info("Write configmap signature file %s", path)
			continue
		}
		if err := writeFile(path, file.Content, 0o640); err != nil {
			return fmt.Errorf("writing signature config maps: %w", err)
		}
		s.ui.Result(fmt.Sprintf("Configmap signature file %s created\n", path))
	}
	return nil
}

// mediaRelease is a release that is pushed from a medium, verified.
type mediaRelease struct {
	mirror.MirroredRelease
	verified *mirror.Verified
}

// allRead is an error where the user requires releases to be verified and one
// cannot be read, or there is none: silence would pass for a proof.
func allRead(releases []mirror.MirroredRelease, unread []error) error {
	switch {
	case len(unread) > 0:
		return unread[0]
	case len(releases) == 0:
		return &hinted{
			usagef("--verify=require: none of the images is a release on a medium that comes with its components, so nothing would be verified"),
			"name a release on a medium by a wildcard, as 'file://openshift/release:4.14.3-x86_64*'; adm release mirror verifies one in a registry; other images go without --verify",
		}
	}
	return nil
}

// verifyMedia verifies the releases among the wishes that come from a medium,
// with the signatures that lie there.
func (s *session) verifyMedia(ctx context.Context, wishes []mirror.Wish, flags *verifyFlags) ([]mediaRelease, error) {
	releases, unread, err := mirror.ReleasesFromMedia(ctx, s.regs, wishes)
	if err == nil && flags.policy == mirror.VerifyRequire {
		err = allRead(releases, unread)
	}
	if err != nil {
		return nil, err
	}
	for _, err := range unread {
		s.ui.Warn("a release of the medium cannot be read; it is not verified, and no instructions for clusters will be written for it: %v", err)
	}
	var out []mediaRelease
	seen := map[ref.Ref]*mirror.Verified{}
	for _, r := range releases {
		verified := seen[r.From] // which may go to several registries
		if verified == nil {
			v, err := flags.verifier(s, configDir(s.mediumDir(r.From)))
			if err != nil {
				return nil, err
			}
			if verified, err = v.Medium(r.Payload, s.observer(nil)); err != nil {
				return nil, err
			}
			seen[r.From] = verified
		}
		out = append(out, mediaRelease{r, verified})
	}
	return out, nil
}
