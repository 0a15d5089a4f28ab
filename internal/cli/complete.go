package cli

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Command is the tree of all commands, for those who describe it: man pages
// and completion files are made of it. Run is what executes one.
func (a *App) Command() *cobra.Command { return a.root() }

// What a shell offers for a value: directories, files, or these words alone.
const (
	offerDirs  = cobra.ShellCompDirectiveFilterDirs
	offerFiles = cobra.ShellCompDirectiveDefault
	offerWords = cobra.ShellCompDirectiveNoFileComp
)

// words are the values of flags that take one of a few.
var words = map[string][]string{
	"print-mirror-instructions": {"icsp", "idms", "none"},
	"verify":                    {"require", "warn", "off"},
	"arch":                      {"x86_64", "aarch64", "ppc64le", "s390x", "multi"},
	"command-os":                {"linux", "mac", "windows", "*"},
	"command":                   {"openshift-install", "oc", "ccoctl", "openshift-baremetal-install", "openshift-install-fips"},
	"cloud":                     {"alibabacloud", "aws", "azure", "gcp", "ibmcloud", "nutanix", "openstack", "ovirt", "powervs", "vsphere"},
	"file of release extract":   {"image-references", "release-metadata"},
	"trust-bundle-policy":       {"Always", "Proxyonly"},
	"output":                    {"json"},
	"output of release info":    {"json", "name", "digest", "pullspec"},
	"output of list operators":  {"wide", "json"},
	"output of list releases":   {"wide", "json"},
}

// addCompletion makes each flag and argument complete by what it is said to be
// in the help, so that a new one is right without a word about it here.
func addCompletion(c *cobra.Command) {
	c.CompletionOptions.SetDefaultShellCompDirective(offerWords)
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, have := c.GetFlagCompletionFunc(f.Name); have || f.NoOptDefVal != "" {
			return // NoOptDefVal: a switch
		}
		choice, directive := flagValues(c, f)
		_ = c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(choice, directive)) // fails for a flag that is not there
	})
	if directive := argumentKind(c.Use); directive != offerWords && c.ValidArgsFunction == nil {
		c.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, offerWords
			}
			return nil, directive
		}
	}
	for _, sub := range c.Commands() {
		addCompletion(sub)
	}
}

var (
	saysFile = regexp.MustCompile(`(?i)\b(files?|secret|config map|\S+\.yaml)\b([^:]|$)`) // file:// is none
	saysDir  = regexp.MustCompile(`\bDIR\b`)
	ofFlag   = regexp.MustCompile(`-[-a-z]+[ =][A-Z]+`) // "-f FILE"
	lastWord = regexp.MustCompile(`\S+ \S+$`)
)

// flagValues says what a shell offers for a flag's value.
func flagValues(c *cobra.Command, f *pflag.Flag) (choice []string, directive cobra.ShellCompDirective) {
	for _, name := range []string{f.Name + " of " + lastWord.FindString(c.CommandPath()), f.Name} {
		if choice, ok := words[name]; ok && (f.Name != "output" || strings.Contains(f.Usage, "json")) { // -o may be a file
			return choice, offerWords
		}
	}
	switch {
	case strings.HasSuffix(f.Name, "dir"), strings.HasPrefix(f.Usage, "directory"):
		return nil, offerDirs
	case strings.HasSuffix(f.Name, "file"), saysFile.MatchString(f.Usage):
		return nil, offerFiles
	}
	return nil, offerWords
}

// argumentKind says what a shell offers for the first argument of a command,
// by its usage line: "verify DIR".
func argumentKind(use string) cobra.ShellCompDirective {
	use = ofFlag.ReplaceAllString(use, "")
	switch {
	case saysDir.MatchString(use):
		return offerDirs
	case strings.Contains(use, "FILE"):
		return offerFiles
	}
	return offerWords
}
