package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// catalogMirrorFlags are those of oc.md 15.1, and our own.
type catalogMirrorFlags struct {
	registryFlags
	dirs             dirFlags
	indexFilter      string
	path             string
	toManifests      string
	maxComponents    int
	scope            string
	maxSet           int
	dryRun           bool
	manifestsOnly    bool
	continueOnError  bool
	continueSet      bool // by the user
	skipMissing      bool
	noSignatures     bool
	skipMount, force bool
	indexRegistry    string
	selection        selectionFlags
	keepList         bool
	maxRegistry      int
}

// defaultIndexRegistry is where the index images of the document come from.
const defaultIndexRegistry = "registry.redhat.io"

func (a *App) catalogMirror(g *globalFlags) *cobra.Command {
	f := &catalogMirrorFlags{}
	cmd := &cobra.Command{
		Use:   "mirror INDEX_IMAGE DEST",
		Short: "Mirror an operator catalog with all images that it names",
		Long: `Mirror an operator catalog: its index image and all images that it names, to a
registry that this machine can reach, or to a directory (file://local/index)
that is carried to one. What clusters need to know is written as manifests,
before anything is copied.

To a registry over a gap: the first run writes the directory, the second pushes
from it and writes the manifests. A third with --manifests-only writes the same
ones again, from the index image in the registry.

What cannot be copied does not keep the rest from being copied
(--continue-on-error=false does). The exit code is 0 only if everything is
there; else missing/report.json in the directory of manifests says what is not
and why, and missing/mapping.txt is for another try with image mirror -f. What
the mirror refuses to take is known before the first blob, and ends the run
unless --continue-on-error is given.`,
		Example: strings.ReplaceAll(`  # To a registry
  PROGRAM adm catalog mirror -a pull-secret.json \
    registry.redhat.io/redhat/redhat-operator-index:v4.14 \
    registry.example.com:8443/olm-mirror

  # To a disk, and from there to a registry
  PROGRAM adm catalog mirror -a pull-secret.json --dir=/media/disk \
    registry.redhat.io/redhat/redhat-operator-index:v4.14 file:///local/index
  PROGRAM adm catalog mirror --from-dir=/media/disk \
    file://local/index/redhat/redhat-operator-index:v4.14 \
    registry.example.com:8443/olm-mirror

  # From a disk that is served as it is: nothing is pushed
  PROGRAM adm catalog mirror --manifests-only --from-dir=/media/disk \
    registry.example.com:5000/local/index/redhat/redhat-operator-index:v4.14 \
    registry.example.com:5000

  # Two operators alone: one channel from a version on, and the newest versions
  PROGRAM adm catalog mirror -a pull-secret.json --with-dependencies \
    --packages=serverless-operator:stable:1.30.0.. --packages=web-terminal \
    registry.redhat.io/redhat/redhat-operator-index:v4.14 \
    registry.example.com:8443/olm-mirror

  # Only the manifests, to see or change what would be mirrored
  PROGRAM adm catalog mirror --manifests-only \
    registry.redhat.io/redhat/redhat-operator-index:v4.14 \
    registry.example.com:8443/olm-mirror`, "PROGRAM", a.program()),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.continueSet = cmd.Flags().Changed("continue-on-error")
			u := a.ui(g)
			if err := checkValues(cmd, u); err != nil {
				return err
			}
			for _, d := range deprecatedCatalogFlags {
				if cmd.Flags().Changed(d.old) {
					u.Warn("--%s is deprecated, use --%s instead", d.old, d.now)
				}
			}
			if !f.keepList {
				u.Warn("--keep-manifest-list=false is ignored: lists stay as they are, because clusters ask for them by their digests")
			}
			return a.runCatalogMirror(cmd.Context(), g, f, args)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

// deprecatedCatalogFlags are flags that oc has given new names.
var deprecatedCatalogFlags = []struct{ old, now string }{
	{"filter-by-os", "index-filter-by-os"},
	{"icsp-scope", "idms-scope"},
	{"max-icsp-size", "max-idms-size"},
}

func (f *catalogMirrorFlags) add(flags *pflag.FlagSet) {
	f.registryFlags.add(flags)
	flags.StringVar(&f.indexFilter, "index-filter-by-os", "linux/amd64", "regular expression for the platform (os/arch[/variant]) of the index image to read the catalog from; all platforms of all images are mirrored")
	flags.StringVar(&f.indexFilter, "filter-by-os", "linux/amd64", "same as --index-filter-by-os")
	flags.StringVar(&f.path, "path", "", "IMAGE_PATH:LOCAL_DIR: where the catalog is in the index image, and a directory to extract it to, which is kept")
	f.selection.add(flags)
	flags.StringVar(&f.toManifests, "to-manifests", "", "directory for the manifests; without it manifests-NAME-NUMBER is made")
	flags.StringVar(&f.dirs.to, "dir", "", "directory of file:// destinations, and of sources unless --from-dir is given; with it DEST may be left out")
	flags.StringVar(&f.dirs.from, "from-dir", "", "directory of a file:// index image, or of the medium that an index image in the mirror was pushed from, or is served from")
	flags.IntVar(&f.maxComponents, "max-components", 2, "most path elements that the name of a repository in the mirror gets; further ones are joined with dashes; 0 is no limit")
	flags.StringVar(&f.scope, "idms-scope", "repository", "what mirror sets redirect: each repository, or whole registries where all of its images keep their paths")
	flags.StringVar(&f.scope, "icsp-scope", "repository", "same as --idms-scope")
	flags.IntVar(&f.maxSet, "max-idms-size", cluster.MaxSetBytes, "most bytes of one mirror set; further ones are made as needed")
	flags.IntVar(&f.maxSet, "max-icsp-size", cluster.MaxSetBytes, "same as --max-idms-size")
	flags.BoolVar(&f.dryRun, "dry-run", false, "write the manifests, print what would be copied, and stop")
	flags.BoolVar(&f.manifestsOnly, "manifests-only", false, "write the manifests and stop; the destination is not contacted")
	flags.BoolVar(&f.continueOnError, "continue-on-error", true, "go on with other images when one fails; named explicitly, also without what the mirror refuses to take and without the documents of the catalog that cannot be read; the exit code still tells")
	flags.BoolVar(&f.skipMissing, "skip-missing", false, "leave out, with a warning, what the source no longer has")
	flags.BoolVar(&f.noSignatures, "no-signatures", false, "leave out signatures, attestations and whatever else is attached to the images")
	flags.BoolVar(&f.skipMount, "skip-mount", false, "never ask a registry to link layers between its repositories")
	flags.BoolVar(&f.oneScope, "skip-multiple-scopes", false, "ask a token service for one repository at a time")
	flags.BoolVar(&f.force, "force", false, "send everything, also what the destination has")
	flags.StringVar(&f.indexRegistry, "index-registry", defaultIndexRegistry, "registry that an index image came from, where the medium that it is on does not say")
	flags.BoolVar(&f.keepList, "keep-manifest-list", true, "accepted, as in oc image mirror; lists are always kept whole")
	flags.IntVar(&f.maxRegistry, "max-registry", 4, "accepted, as in oc; registries are worked on as fast as each takes it")
	for _, d := range deprecatedCatalogFlags {
		_ = flags.MarkHidden(d.old) // fails for a flag that is not there
	}
}

// catalogRefs are the arguments and values, parsed.
type catalogRefs struct {
	index, dest         ref.Ref
	filter              oci.PlatformFilter
	imagePath, localDir string // of --path
	sets                cluster.SetRules
	wanted              []catalog.Wanted
}

// inPlace reports whether the index image is where it would be copied to.
func (r catalogRefs) inPlace() bool {
	return catalog.Naming{Index: r.index, Dest: r.dest}.InPlace()
}

func (f *catalogMirrorFlags) parse(args []string) (r catalogRefs, err error) {
	if len(args) == 1 && f.dirs.to != "" && !strings.HasPrefix(args[0], "file://") {
		args = append(args, "file://"+mirror.OCDestination)
	}
	switch {
	case len(args) < 2:
		return r, usagef("must specify source and dest: an index image, and a registry or file:// directory that it goes to")
	case len(args) > 2:
		return r, usagef("only a source and a dest are accepted, not also %q", args[2])
	case f.maxComponents < 0 || f.maxComponents == 1:
		return r, usagef("--max-components: %w, not %d", catalog.ErrMaxComponents, f.maxComponents)
	}
	if r.index, err = catalogIndex(args[0]); err != nil {
		return r, halfEmpty("argument 1", args[0], err)
	}
	if r.dest, err = catalogDest(args[1]); err != nil {
		return r, halfEmpty("argument 2", args[1], err)
	}
	if r.index.Scheme != ref.Registry && r.dest.Scheme != ref.Registry {
		return r, usagef("%s and %s are both in a directory: a directory is copied as it is", r.index, r.dest)
	}
	if r.filter, err = oci.ParsePlatformFilter(f.indexFilter); err != nil {
		return r, usagef("--index-filter-by-os: %w", err)
	}
	if err := f.parsePath(&r); err != nil {
		return r, err
	}
	if err := f.checkManifests(); err != nil {
		return r, err
	}
	if r.wanted, err = f.selection.parse(); err != nil {
		return r, err
	}
	return r, f.parseSets(&r)
}

// catalogIndex reads the name of an index image.
func catalogIndex(s string) (ref.Ref, error) {
	r, err := ref.Parse(s)
	if err == nil {
		err = r.RequireRepository()
	}
	if err == nil && r.Scheme == ref.S3 {
		err = fmt.Errorf("%s: an index image cannot be read from S3", s)
	}
	if err != nil {
		return r, &usageError{err}
	}
	return r, nil
}

// catalogDest reads the place that everything goes below.
func catalogDest(s string) (ref.Ref, error) {
	r, err := ref.Parse(s)
	if err != nil {
		return r, &usageError{err}
	}
	if host, is := r.MaybeHost(); is {
		r = ref.Ref{Host: host}
	}
	switch {
	case r.Scheme == ref.S3:
		return r, usagef("%s: S3 buckets cannot be written yet", s)
	case r.Tag != "" || !r.Digest.IsZero():
		return r, usagef("the destination must have no tag and no digest: %s", s)
	case r.Scheme == ref.Registry && r.Host == "":
		return r, usagef("the destination must begin with a registry, as registry.example.com:8443/%s, or with file://", s)
	}
	return r, nil
}

// parsePath reads --path; what is no directory is refused before anything is read.
func (f *catalogMirrorFlags) parsePath(r *catalogRefs) error {
	if f.path == "" {
		return nil
	}
	var found bool
	r.imagePath, r.localDir, found = strings.Cut(f.path, ":")
	if !found || r.imagePath == "" || r.localDir == "" {
		return usagef("--path is IMAGE_PATH:LOCAL_DIR, as /configs:./catalog, not %q", f.path)
	}
	r.localDir = filepath.Clean(r.localDir)
	if info, err := os.Stat(r.localDir); err == nil && !info.IsDir() {
		return usagef("--path: %s is no directory", r.localDir)
	}
	return nil
}

// parseSets reads how mirror sets of either kind are made.
func (f *catalogMirrorFlags) parseSets(r *catalogRefs) error {
	var err error
	if r.sets.Scope, err = cluster.ParseScope(f.scope); err != nil {
		return usagef("invalid idms-scope %q: it is repository or registry", f.scope)
	}
	if f.maxSet < 1 || f.maxSet > cluster.MaxSetBytes {
		return usagef("provided max-idms-size of %d must be greater than 0 and less than or equal to %d", f.maxSet, cluster.MaxSetBytes)
	}
	r.sets.MaxBytes = f.maxSet
	return nil
}
