package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// globalFlags are those of every command.
type globalFlags struct {
	verbose int
	json    bool
	quiet   bool
}

// addGlobalFlags adds our own flags and, hidden, those that oc has on every
// command for talking to a cluster, which mirroring never does (oc.md 2).
func addGlobalFlags(root *cobra.Command) *globalFlags {
	g := &globalFlags{}
	f := root.PersistentFlags()
	f.IntVarP(&g.verbose, "v", "v", 0, "number for the log level verbosity: 2 has a line for each blob")
	f.IntVar(&g.verbose, "loglevel", 0, "same as --v")
	f.BoolVar(&g.json, "json", false, "events as JSON lines on standard error; results stay on standard output")
	f.BoolVarP(&g.quiet, "quiet", "q", false, "print results, warnings and errors only")
	for _, name := range []string{
		"kubeconfig", "context", "cluster", "user", "token", "as", "as-uid", "client-certificate",
		"client-key", "tls-server-name", "request-timeout", "cache-dir", "kuberc", "log-flush-frequency", "profile", "profile-output", "vmodule", "log-file",
	} {
		f.String(name, "", "accepted, as in oc; no cluster is contacted")
		_ = f.MarkHidden(name)
	}
	f.StringP("server", "s", "", "accepted, as in oc; no cluster is contacted")
	f.StringP("namespace", "n", "", "accepted, as in oc; no cluster is contacted")
	f.StringArray("as-group", nil, "accepted, as in oc; no cluster is contacted")
	f.StringArray("as-user-extra", nil, "accepted, as in oc; no cluster is contacted")
	f.Bool("disable-compression", false, "accepted, as in oc; no cluster is contacted")
	f.Bool("insecure-skip-tls-verify", false, "accepted, as in oc; no cluster is contacted")
	f.Bool("match-server-version", false, "accepted, as in oc; no cluster is contacted")
	f.Bool("warnings-as-errors", false, "accepted, as in oc; no cluster is contacted")
	for _, name := range []string{"server", "namespace", "as-group", "as-user-extra", "disable-compression", "insecure-skip-tls-verify", "match-server-version", "warnings-as-errors", "loglevel"} {
		_ = f.MarkHidden(name)
	}
	return g
}

// dashes lets flags be written with underscores, as oc does.
func dashes(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
}

// registryFlags are oc's security and parallel groups (oc.md 3).
type registryFlags struct {
	config           string
	insecure         bool
	skipVerification bool
	authority        string
	perRegistry      int
	oneScope         bool
}

func (r *registryFlags) add(f *pflag.FlagSet) {
	f.StringVarP(&r.config, "registry-config", "a", "", "file with credentials for registries; without it podman's and docker's are used")
	f.BoolVar(&r.insecure, "insecure", false, "let registries whose certificate cannot be verified pass, and those that speak plain http")
	f.BoolVar(&r.skipVerification, "skip-verification", false, "accepted, as in oc; content is always verified, which costs nothing extra")
	f.StringVar(&r.authority, "certificate-authority", "", "file with certificate authorities to trust besides the system's")
	f.IntVar(&r.perRegistry, "max-per-registry", 0, "most requests at once to one registry; 0 finds out, between 2 and 32")
}
