package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/installconfig"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

// installChange gathers what the flags name. content is the file as it is.
func (a *App) installChange(ctx context.Context, g *globalFlags, f *installConfigFlags, content []byte) (installconfig.Change, error) {
	u := a.ui(g)
	c := installconfig.Change{Policy: f.policy}
	found, err := a.installMirrors(ctx, g, f)
	if err != nil {
		return c, err
	}
	for _, s := range found.Sources {
		c.Sources = append(c.Sources, installconfig.Source{Source: s.Source, Mirrors: s.Mirrors})
	}
	if c.Key, err = f.key(found.Version); err != nil {
		return c, err
	}
	if err := a.installAuthorities(u, f, &c); err != nil {
		return c, err
	}
	if f.pullSecret == "" {
		return c, nil
	}
	if c.PullSecret, err = f.readSecret(); err != nil {
		return c, err
	}
	return c, a.checkSecret(ctx, u, f, mirrorRepositories(c.Sources, content))
}

// installMirrors reads the mirrors, from files or from the release in the mirror.
func (a *App) installMirrors(ctx context.Context, g *globalFlags, f *installConfigFlags) (found mirror.Mirrored, err error) {
	if f.release != "" {
		return a.mirrorsOfRelease(ctx, g, f)
	}
	u := a.ui(g)
	for _, name := range f.from {
		content, path, err := a.mirrorsFile(name)
		if err != nil {
			return found, fmt.Errorf("reading --from: %w", err)
		}
		rules, err := cluster.ParseMirrors(path, content)
		if err != nil {
			return found, fmt.Errorf("reading --from: %w", err)
		}
		sources, left := rules.InstallSources()
		for _, sentence := range left {
			u.Warn("%s: an install-config.yaml cannot say %s", path, sentence)
		}
		found.Sources = append(found.Sources, sources...)
		if version := cluster.ReleaseOf(absolute(path), content); version != "" {
			found.Version = version
		}
	}
	return found, nil
}

// absolute is for directories given as ".".
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil && path != "-" {
		return abs
	}
	return path
}

// mirrorsFile reads a file, standard input, or the directory that "adm release
// mirror" writes, in which each file says the same.
func (a *App) mirrorsFile(name string) (content []byte, path string, err error) {
	info, err := os.Stat(name)
	if name == "-" || err != nil || !info.IsDir() {
		content, path, err = a.input(name)
		return content, path, err
	}
	path, err = mirrorsIn(name)
	if err == nil {
		content, err = readMost(path)
	}
	return content, path, err
}

// mirrorsIn finds the file with mirrors in a directory, or in the only
// directory mirror-VERSION below it, as on a medium.
func mirrorsIn(dir string) (string, error) {
	if path := mirrorsAt(dir); path != "" {
		return path, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range entries {
		if path := mirrorsAt(filepath.Join(dir, e.Name())); strings.HasPrefix(e.Name(), "mirror-") && path != "" {
			found = append(found, path)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", &hinted{
			fmt.Errorf("the directory %s has no imageDigestMirrorSet.yaml: %w", dir, fs.ErrNotExist),
			"name the directory mirror-VERSION that adm release mirror or image mirror wrote, or a file with mirrors",
		}
	}
	return "", fmt.Errorf("the directory %s has mirrors of several releases: choose one of %s", dir, strings.Join(found, ", "))
}

// mirrorsAt is the file with mirrors that a directory has, "" for none.
func mirrorsAt(dir string) string {
	for _, file := range []string{"imageDigestMirrorSet.yaml", "imageContentSourcePolicy.yaml"} {
		path := filepath.Join(dir, file)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

func (a *App) mirrorsOfRelease(ctx context.Context, g *globalFlags, f *installConfigFlags) (found mirror.Mirrored, err error) {
	image, repositories, err := f.releaseRefs()
	if err != nil {
		return found, err
	}
	s, err := a.open(g, f.registries(), dirFlags{}, true)
	if err != nil {
		return found, err
	}
	defer s.close(ctx, &err)
	found, err = mirror.ReadMirrored(ctx, s.regs, image, repositories)
	if err != nil {
		return found, err
	}
	if found.OriginUnknown {
		s.ui.Warn("release %s is of no maker that airbridge knows: where its release image comes from is not among the sources", found.Version)
	}
	return found, nil
}

func (f *installConfigFlags) releaseRefs() (image ref.Ref, repositories []ref.Ref, err error) {
	parse := func(flag, value string) (r ref.Ref) {
		if err == nil {
			if r, err = ref.Parse(value); err == nil {
				err = r.RequireRepository()
			}
			if err == nil && r.Scheme != ref.Registry {
				err = errors.New("an install-config.yaml needs mirrors in a registry: push the medium to one first, or serve it")
			}
			if err != nil {
				err = flagError(flag, value, err)
			}
		}
		return r
	}
	image = parse("--release", f.release)
	for _, value := range f.components {
		repositories = append(repositories, parse("--components", value).Repository())
	}
	return image, repositories, err
}

// registries are the flags to contact the mirror with: the authorities that the
// cluster is to trust are trusted for it.
func (f *installConfigFlags) registries() *registryFlags {
	r := f.registryFlags
	if r.authority == "" && len(f.authorities) == 1 {
		r.authority = f.authorities[0]
	}
	return &r
}

// installAuthorities reads certificates and tells of those that will not do.
func (a *App) installAuthorities(u *ui.UI, f *installConfigFlags, c *installconfig.Change) error {
	for _, name := range f.authorities {
		content, err := readMost(name)
		if err != nil {
			return fmt.Errorf("reading --ca-file: %w", err)
		}
		certs, err := installconfig.ParseAuthorities(content)
		if err != nil {
			return fmt.Errorf("--ca-file %s: %w", name, err)
		}
		for i, cert := range certs {
			switch selfSigned := cert.CheckSignatureFrom(cert) == nil || string(cert.RawIssuer) == string(cert.RawSubject); {
			case a.Now().After(cert.NotAfter):
				u.Warn("--ca-file %s: certificate %d (%s) expired on %s", name, i+1, cert.Subject, cert.NotAfter.Format("2006-01-02"))
			case !cert.IsCA && !selfSigned:
				u.Warn("--ca-file %s: certificate %d (%s) is that of a server, and not of the authority that signed it", name, i+1, cert.Subject)
			}
		}
		c.Authorities = append(c.Authorities, certs...)
	}
	return nil
}

// readSecret reads the pull secret for the cluster.
func (f *installConfigFlags) readSecret() (string, error) {
	content, err := readMost(f.pullSecret)
	if err != nil {
		return "", fmt.Errorf("reading --pull-secret: %w", err)
	}
	secret, err := installconfig.ParsePullSecret(content)
	if err != nil {
		return "", &hinted{fmt.Errorf("--pull-secret %s: %w", f.pullSecret, err), hintOwnSecret}
	}
	return secret.JSON, nil
}

// mirrorRepositories are the mirrors, each once: those that are put into the
// file, else those that it has.
func mirrorRepositories(sources []installconfig.Source, content []byte) (out []ref.Ref) {
	var names []string
	for _, s := range sources {
		names = append(names, s.Mirrors...)
	}
	if rules, err := cluster.ParseMirrors("", content); err == nil && len(names) == 0 {
		there, _ := rules.InstallSources()
		for _, s := range there {
			names = append(names, s.Mirrors...)
		}
	}
	for _, name := range names {
		if at, err := ref.Parse(name); err == nil && !slices.Contains(out, at.Canonical()) {
			out = append(out, at.Canonical())
		}
	}
	return out
}

// checkSecret refuses a pull secret with an account that may push to a mirror.
// What cannot be told, because the mirror is not to be reached from here, is a
// warning.
func (a *App) checkSecret(ctx context.Context, u *ui.UI, f *installConfigFlags, mirrors []ref.Ref) error {
	if len(mirrors) == 0 {
		u.Warn("whether the account of %s may push could not be told, since no mirrors are given: if it may, all machines of the cluster can write to the mirror", f.pullSecret)
		return nil
	}
	store, err := auth.Load(auth.Options{File: f.pullSecret, Getenv: func(string) string { return "" }})
	if err != nil {
		return err
	}
	warnAll(u, store.Warnings())
	client, err := a.clientAs(store, f.registries(), u)
	if err != nil {
		return err
	}
	for _, at := range mirrors {
		_, key := store.Where(at.Host, at.Path)
		if key == "" {
			u.Warn("%s has no entry for the mirror %s: machines of the cluster could not log in there", f.pullSecret, at.Host)
			continue
		}
		if f.skipCheck || at.Path == "" {
			continue
		}
		cred, err := store.For(ctx, at.Host, at.Path)
		if err != nil {
			return err
		}
		reader := mirror.Reader{Registry: client.Registry(at.Host), Key: auth.Key{Host: at.Host, Path: at.Path}, Credential: cred}
		if err := a.checkMirror(ctx, u, f, reader); err != nil {
			return err
		}
	}
	if f.skipCheck {
		u.Warn("the account of %s is not checked: if it may push, all machines of the cluster can write to the mirror", f.pullSecret)
	}
	return nil
}

func (a *App) checkMirror(ctx context.Context, u *ui.UI, f *installConfigFlags, reader mirror.Reader) error {
	unknown, err := reader.Check(ctx, []string{reader.Key.Path})
	for _, text := range unknown {
		u.Warn("%s", text)
	}
	if _, pushes := errors.AsType[*mirror.MayPushError](err); pushes || ctx.Err() != nil {
		return &hinted{fmt.Errorf("--pull-secret %s: %w", f.pullSecret, err), hintOwnSecret}
	}
	if err != nil {
		u.Warn("whether the account of %s may only read could not be told: %v", f.pullSecret, strings.TrimSpace(err.Error()))
	}
	return nil
}
