package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/airbridge-dev/airbridge/internal/archive"
	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/release"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

// payload extracts manifests, or prints one file (oc.md 13.2).
func (x extraction) payload(ctx context.Context, rules cluster.MirrorRules) error {
	f := x.flags
	selection, err := x.selection()
	if err != nil {
		return err
	}
	c, err := x.read(ctx, mirror.NewFinder(x.s.regs, rules))
	if err != nil {
		return err
	}
	if f.file != "" {
		content, ok := c.File(f.file)
		if !ok {
			return &mirror.MissingFilesError{Files: []string{f.file}, In: []string{"release image " + x.from.image.String()}}
		}
		x.s.ui.Result(string(content))
		return nil
	}
	files, unread, err := c.Files(selection)
	if err != nil {
		return err
	}
	for _, err := range unread {
		x.s.ui.Warn("%v", err)
	}
	if err := mirror.MakeDirectory(f.to); err != nil {
		return err
	}
	if err := mirror.WriteFiles(f.to, files); err != nil {
		return err
	}
	x.s.ui.Result(x.payloadLine(c))
	x.s.ui.Info("wrote %s to %s", ui.Count(len(files), "file"), f.to)
	return nil
}

// payloadLine is what oc prints of manifests that it extracted. Of a list it
// names the image that was read.
func (x extraction) payloadLine(c *release.Contents) string {
	created := c.Config.Created.Format(time.RFC3339)
	if !x.from.image.Digest.IsZero() {
		return fmt.Sprintf("Extracted release payload created at %s\n", created)
	}
	return fmt.Sprintf("Extracted release payload from digest %s created at %s\n", c.Digest, created)
}

// selection says which manifests are wanted.
func (x extraction) selection() (s release.FileSelection, err error) {
	f := x.flags
	s.CredentialsRequests = f.requests
	if f.requests && !f.included {
		x.s.ui.Warn("if you intend to pass CredentialsRequests to ccoctl, you should use --included to filter out requests that your cluster is not expected to need.")
	}
	if f.included {
		content, err := os.ReadFile(f.installConfig)
		if err != nil {
			return s, fmt.Errorf("reading --install-config: %w", err)
		}
		if s.Inclusion, err = release.ParseInstallConfig(content); err != nil {
			return s, fmt.Errorf("%s: %w", f.installConfig, err)
		}
		x.s.ui.Info("manifests are chosen by %s alone: what a cluster turns on by itself later, or overrides, is not known here", f.installConfig)
	}
	platform, err := f.platformOf(s.Inclusion)
	if err != nil || platform == "" || !f.requests {
		return s, err
	}
	if !asksForAccounts(platform) {
		x.s.ui.Warn("a cluster on platform %s asks for no accounts: there will be no CredentialsRequests", platform)
	} else if release.ProviderKind(platform) == "" {
		return s, fmt.Errorf("unrecognized platform for CredentialsRequests: %.100q", platform)
	}
	s.ProviderKind = cmp.Or(release.ProviderKind(platform), platform) // the latter is nobody's
	return s, nil
}

// read reads the release image.
func (x extraction) read(ctx context.Context, finder *mirror.Finder) (*release.Contents, error) {
	c, err := finder.Release(ctx, x.from.image, x.pick)
	if err != nil {
		return nil, err
	}
	return c, x.from.check(c.Payload)
}

// programs extracts tools (oc.md 13.3).
func (x extraction) programs(ctx context.Context, rules cluster.MirrorRules) error {
	sign, err := x.signer(ctx)
	if err != nil {
		return err
	}
	finder := mirror.NewFinder(x.s.regs, rules)
	c, err := x.read(ctx, finder)
	if err != nil {
		return err
	}
	selection := x.flags.selection(x.from.image.String())
	tools, err := release.SelectTools(c.Arch, selection)
	if err != nil {
		return err
	}
	info, err := release.NewInfo(x.from.image, c)
	if err != nil {
		return err
	}
	values, err := x.values(info, tools)
	if err != nil {
		return err
	}
	if err := mirror.MakeDirectory(x.flags.to); err != nil {
		return err
	}
	e := &mirror.Extractor{
		Finder: finder, Release: c, Values: values, Dir: x.flags.to, Archives: selection.Archives(), Warn: x.s.ui.Warn, Reading: x.reading,
	}
	files, err := e.Tools(ctx, tools)
	if len(files) > 0 && e.Archives && (err == nil || as[*mirror.MissingFilesError](err)) {
		if derr := e.Describe(info, files, sign); derr != nil {
			return derr
		}
	}
	x.tell(files, tools, values)
	return err
}

// values are what is written into the tools.
func (x extraction) values(info *release.Info, tools []release.Tool) (release.Values, error) {
	v := release.Values{Version: info.Name(), Platform: info.Platform()}
	pin, known := info.PullSpec(x.from.image)
	if !x.pin.IsZero() {
		pin, known = x.pin.WithDigest(info.Root()), true
	}
	if known {
		v.PullSpec = pin.String()
		return v, nil
	}
	if slices.ContainsFunc(tools, release.Tool.Pinned) {
		return v, &hinted{
			fmt.Errorf("%s is in a directory, and where its makers publish it is not known, so openshift-install cannot be bound to it", x.from.image),
			"name the repository that the release will be installed from with --pull-spec=REG/REPO",
		}
	}
	return v, nil
}

// reading shows how far the reading of a component is.
func (x extraction) reading(component string) (progress func(done, total int64), over func()) {
	meter := x.s.ui.Meter("reading " + component)
	return meter.Set, meter.Stop
}

// tell says what was written where, and what it is bound to.
func (x extraction) tell(files []mirror.File, tools []release.Tool, v release.Values) {
	for _, f := range files {
		x.s.ui.Info("wrote %s, of release %s", filepath.Join(x.flags.to, f.Name), v.Version)
	}
	if len(files) > 0 && slices.ContainsFunc(tools, release.Tool.Pinned) {
		x.s.ui.Info("openshift-install installs %s", v.PullSpec)
	}
}

// signer reads the key of --signing-key, before anything else is done.
func (x extraction) signer(ctx context.Context) (mirror.Sign, error) {
	name := x.flags.signingKey
	if name == "" {
		return nil, nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading --signing-key: %w", err)
	}
	now := x.s.app.Now()
	key, err := archive.ReadSigner(content, now, x.s.app.unlock(ctx))
	if err != nil {
		return nil, fmt.Errorf("--signing-key %s: %w", name, err)
	}
	return func(message []byte) ([]byte, error) {
		var signature bytes.Buffer
		err := key.Sign(&signature, message, now)
		return signature.Bytes(), err
	}, nil
}

// unlock asks for the passphrase of a key, nil where nobody is there to ask.
func (a *App) unlock(ctx context.Context) archive.Unlock {
	f, ok := a.keyboard()
	if !ok {
		return nil
	}
	return func(keyID string) ([]byte, error) {
		fmt.Fprintf(a.Stderr, "The key %s is protected by a passphrase.\n", keyID)
		secret, err := a.askSecret(ctx, f)
		if err == nil && secret == "" {
			err = errors.New("no passphrase was given")
		}
		return []byte(secret), err
	}
}
