package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

type clusterSecretFlags struct {
	secretFlags
	repositories []string
	keepOthers   string
	manifest     string
	skipCheck    bool
}

func (a *App) pullSecretCluster(g *globalFlags) *cobra.Command {
	f := &clusterSecretFlags{}
	cmd := &cobra.Command{
		Use:   "cluster --registry MIRROR --repository NAME --to NEWFILE",
		Short: "Make the pull secret for a cluster, with an account that may only pull",
		Long: `Write the pull secret that a cluster is installed with, or that replaces a
cluster's own. All machines of the cluster have what is in it, so that the
account must not be able to change the mirror: the registry is asked, by opening
an upload and cancelling it, and an account that may push is refused. It is also
checked that the account may pull.

The file has the mirror's entry alone, because a disconnected cluster reaches no
other registry; --keep-others keeps the other entries of a pull secret.
--as-manifest merges the entry into the Secret of a running cluster. Clusters
that mirror with an ImageContentSourcePolicy use this global one only.`,
		Example: `  airbridge pull-secret cluster --registry registry.example.com:8443 --repository ocp4/release \
    -u reader --password-file password.txt --to cluster-pull-secret.json

  # For a cluster that runs
  oc get secret/pull-secret -n openshift-config -o yaml > pull-secret.yaml
  airbridge pull-secret cluster --registry registry.example.com:8443 --repository ocp4/release \
    -u reader --password-file password.txt --as-manifest pull-secret.yaml --to new-pull-secret.yaml
  oc replace -f new-pull-secret.yaml`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			u := a.ui(g)
			if err := checkValues(cmd, u); err != nil {
				return err
			}
			if err := f.check(cmd); err != nil {
				return err
			}
			return a.runClusterSecret(cmd.Context(), u, f)
		},
	}
	quietValues(cmd)
	f.add(cmd.Flags())
	f.addNetwork(cmd.Flags())
	cmd.Flags().StringArrayVar(&f.repositories, "repository", nil, "repository of the mirror that the cluster pulls from, to check the account there; may be repeated")
	cmd.Flags().StringVar(&f.keepOthers, "keep-others", "", "pull secret whose other entries are kept, - for standard input")
	cmd.Flags().StringVar(&f.manifest, "as-manifest", "", "exported Secret to merge the entry into, in YAML or JSON, - for standard input")
	cmd.Flags().BoolVar(&f.skipCheck, "skip-check", false, "do not ask the registry what the account may do")
	return cmd
}

func (f *clusterSecretFlags) check(cmd *cobra.Command) error {
	switch {
	case f.registry == "":
		return usagef("name the mirror with --registry")
	case f.keepOthers != "" && f.manifest != "":
		return usagef("--as-manifest keeps the other entries of the Secret: leave --keep-others out")
	}
	key, err := f.key()
	if err != nil {
		return err
	}
	if len(f.repositories) == 0 && key.Path != "" {
		f.repositories = []string{key.Path}
	}
	if len(f.repositories) == 0 && !f.skipCheck {
		return usagef("name a repository that the cluster pulls from with --repository, as ocp4/release: the account is checked there")
	}
	for _, name := range f.repositories {
		if err := oci.CheckName(name); err != nil {
			return flagError("--repository", name, fmt.Errorf("--repository is the part after %s/, without a tag: %w", key.Host, err))
		}
		if key.Path != "" && name != key.Path && !strings.HasPrefix(name, key.Path+"/") {
			return usagef("--repository %s is not below %s: the account would not be used there", name, key)
		}
	}
	return f.secretFlags.check(cmd, f.keepOthers, f.manifest)
}

func (a *App) runClusterSecret(ctx context.Context, u *ui.UI, f *clusterSecretFlags) error {
	inputs := inputPaths(f.keepOthers, f.manifest)
	if err := auth.MayWrite(f.to, f.force, inputs...); err != nil {
		return err
	}
	key, err := f.key()
	if err != nil {
		return err
	}
	base, err := a.base(u, f)
	if err != nil {
		return err
	}
	c, err := f.account(ctx, a, key)
	if err != nil {
		return err
	}
	if err := a.checkReader(ctx, u, f, login{key: key, cred: c}); err != nil {
		return err
	}
	base.replaceMirror(u, login{key: key, cred: c}, f.email)
	data, err := base.encode()
	if err != nil {
		return err
	}
	if err := auth.WriteNew(f.to, data, f.force, inputs...); err != nil {
		return err
	}
	u.Result(fmt.Sprintf("%s: %s\n", f.to, strings.Join(base.document.Keys(), ", ")))
	u.Plain(base.next(f.to))
	return nil
}

// secretBase is what the mirror's entry is added to.
type secretBase struct {
	document *auth.Document
	manifest *cluster.PullSecret // nil for a plain file
}

func (a *App) base(u *ui.UI, f *clusterSecretFlags) (secretBase, error) {
	switch {
	case f.manifest != "":
		return a.manifestBase(u, f.manifest)
	case f.keepOthers != "":
		d, err := a.readPullSecret(u, f.keepOthers)
		return secretBase{document: d}, err
	}
	d, err := auth.ParseDocument(nil)
	return secretBase{document: d}, err
}

func (a *App) manifestBase(u *ui.UI, file string) (secretBase, error) {
	data, name, err := a.input(file)
	if err != nil {
		return secretBase{}, fmt.Errorf("reading the Secret: %w", err)
	}
	m, err := cluster.ParsePullSecret(data)
	if err != nil {
		return secretBase{}, &hinted{fmt.Errorf("reading the Secret from %s: %w", name, err), "export it with: oc get secret/pull-secret -n openshift-config -o yaml"}
	}
	if m.Name() != "openshift-config/pull-secret" {
		u.Warn("%s is the Secret %s: what all machines of a cluster use is openshift-config/pull-secret", name, m.Name())
	}
	warnAll(u, m.Document.Warnings(name))
	return secretBase{m.Document, m}, nil
}

// replaceMirror puts the account into the document, in place of all others for
// the same registry: an entry for a path of it would win, and may be one that
// may push.
func (b *secretBase) replaceMirror(u *ui.UI, l login, email string) {
	for _, name := range b.document.Keys() {
		if old, err := b.document.Credential(name); err == nil && old == l.cred {
			continue // said nothing: it is the same account
		}
		if at, err := auth.ParseKey(name); err == nil && strings.EqualFold(at.Host, l.key.Host) {
			u.Warn("the account that entry %q has for the mirror is left out", name)
		}
	}
	b.document.RemoveHost(l.key.Host)
	b.document.Set(l.key, l.cred, email)
}

func (b *secretBase) encode() ([]byte, error) {
	if b.manifest != nil {
		return b.manifest.Encode()
	}
	return b.document.Encode("  "), nil
}

// next says what the file is for.
func (b *secretBase) next(file string) string {
	if b.manifest != nil {
		return fmt.Sprintf("To use it in the cluster: oc replace -f %s\n", file)
	}
	return fmt.Sprintf(`To install a cluster, use it as pullSecret in install-config.yaml. For a cluster that runs:
  oc set data secret/pull-secret -n openshift-config --from-file=.dockerconfigjson=%s
`, file)
}

// checkReader refuses an account that may push, or may not pull.
func (a *App) checkReader(ctx context.Context, u *ui.UI, f *clusterSecretFlags, l login) error {
	if f.skipCheck {
		u.Warn("the account is not checked: if it may push, all machines of the cluster can write to the mirror")
		return nil
	}
	client, err := a.clientAs(auth.Only(l.key, l.cred), f.registryFlags(), u)
	if err != nil {
		return err
	}
	reader := mirror.Reader{Registry: client.Registry(l.key.Host), Key: l.key, Credential: l.cred}
	unknown, err := reader.Check(ctx, f.repositories)
	for _, text := range unknown {
		u.Warn("%s", text)
	}
	return readerError(err)
}

// readerError adds what helps where the account itself is refused.
func readerError(err error) error {
	e, ok := errors.AsType[*repo.Error](err)
	switch {
	case !ok || !errors.Is(err, oci.ErrUnauthorized) && !errors.Is(err, oci.ErrDenied):
		return err
	case e.Op == mirror.OpCheckPull:
		return &hinted{err, "give the account the right to pull there; where nothing is mirrored yet, some registries answer the same: mirror first"}
	}
	return &hinted{err, wrongAccount}
}
