package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/airbridge-dev/airbridge/internal/archive"
	"github.com/airbridge-dev/airbridge/internal/auth"
	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/graph"
	"github.com/airbridge-dev/airbridge/internal/installconfig"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/remote"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/signature"
	"github.com/airbridge-dev/airbridge/internal/store/kv"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

// The exit codes (ARCHITECTURE.md, Errors and exit codes). The commands that
// oc has too use 1 for failures of every kind, with 4, 5 and 130 besides.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitSome        = 3
	exitCorrupt     = 4
	exitLocked      = 5
	exitInterrupted = 130
)

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// hinted is an error that brings its own hint.
type hinted struct {
	error
	hint string
}

func (e *hinted) Hint() string  { return e.hint }
func (e *hinted) Unwrap() error { return e.error }

// unknownCommandError is a command that we do not have.
type unknownCommandError struct {
	name, suggestion, next string
	asOC                   bool // the program was started as oc
}

func (e *unknownCommandError) Error() string { return fmt.Sprintf("unknown command %q", e.name) }

func (e *unknownCommandError) Hint() string {
	switch {
	case e.next != "":
		return "this is airbridge under the name of oc; the next oc on the PATH is " + e.next
	case e.suggestion != "":
		return "did you mean " + e.suggestion + "?"
	case e.asOC:
		return "this is airbridge under the name of oc, which has some of its adm release and image commands (see --help); there is no other oc on the PATH"
	}
	return "see --help for the commands that there are"
}

// explain prints the error and its hint and returns the exit code.
func (a *App) explain(ctx context.Context, cmd *cobra.Command, err error) int {
	if isInterrupt(ctx, err) {
		if f, ok := a.terminal(); ok {
			fmt.Fprint(f, "\r\x1b[K") // the ^C that the terminal shows
		}
		err = &hinted{errors.New("interrupted"), "run the same command again to go on where it stopped"}
		a.tell(cmd, err)
		return exitInterrupted
	}
	a.tell(cmd, err)
	return code(cmd, err)
}

// tell prints the error and its hint, in the form that --json asks for.
func (a *App) tell(cmd *cobra.Command, err error) {
	a.running = cmd
	hint := a.hint(err)
	if f := cmd.Flag("json"); f != nil && f.Value.String() == "true" {
		ui.New(ui.Options{Err: a.Stderr, Format: ui.JSON, Now: a.Now}).Error(oneLine(err), hint)
		return
	}
	if _, told := errors.AsType[*mirror.ToldError](err); !told || isSummary(err) {
		fmt.Fprintf(a.Stderr, "error: %s\n", ui.Printable(oneLine(err)))
	}
	if hint != "" {
		fmt.Fprintf(a.Stderr, "hint: %s\n", ui.Printable(hint))
	}
	if _, usage := errors.AsType[*usageError](err); usage {
		fmt.Fprintf(a.Stderr, "See '%s --help' for usage.\n", cmd.CommandPath())
	}
}

func isSummary(err error) bool {
	return errors.Is(err, mirror.ErrUploading) || errors.Is(err, mirror.ErrSome) || errors.Is(err, mirror.ErrPlanning)
}

func isInterrupt(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.Canceled)
}

// oneLine keeps an error on one line: errors of others may have several.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(strings.TrimPrefix(err.Error(), "error: "), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// code chooses the exit code.
func code(cmd *cobra.Command, err error) int {
	switch {
	case isCorrupt(err):
		return exitCorrupt
	case isLocked(err):
		return exitLocked
	case ocCommand(cmd):
		return exitFailed
	case isUsage(err):
		return exitUsage
	case errors.Is(err, mirror.ErrSome), errors.Is(err, mirror.ErrUploading):
		return exitSome
	}
	return exitFailed
}

// ocCommand reports whether oc has the command too.
func ocCommand(cmd *cobra.Command) bool {
	for c := cmd; c != nil; c = c.Parent() {
		if c.HasParent() && !c.Parent().HasParent() {
			return c.Name() == "adm" || c.Name() == "image"
		}
	}
	return cmd != nil && cmd.Name() == "oc"
}

func isUsage(err error) bool {
	_, usage := errors.AsType[*usageError](err)
	_, unknown := errors.AsType[*unknownCommandError](err)
	return usage || unknown
}

func isCorrupt(err error) bool {
	_, content := errors.AsType[*repo.CorruptError](err)
	_, facts := errors.AsType[*kv.CorruptError](err)
	_, damaged := errors.AsType[*damagedError](err)
	_, file := errors.AsType[*corruptFile](err)
	return content || facts || damaged || file
}

func isLocked(err error) bool {
	_, locked := errors.AsType[*repo.LockedError](err)
	return locked
}

// hint says what helps: the error's own advice, else the first line of this
// table that fits.
func (a *App) hint(err error) string {
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok && h.Hint() != "" {
		return h.Hint()
	}
	for _, row := range hints {
		if text := ofCommand(row.text, a.running); text != "" && row.fits(err) {
			return placeholders(strings.ReplaceAll(text, "PROGRAM", a.program()), err)
		}
	}
	return ""
}

// hintRow is what helps against errors. The text has [parts] for commands alone that
// have the flags named there (ofCommand).
type hintRow struct {
	fits func(error) bool
	text string
}

func is(targets ...error) func(error) bool {
	return func(err error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
}

// says looks for words in an error and in those that it wraps: a sum of several
// failures does not quote them.
func says(words ...string) func(error) bool {
	var said func(err error) bool
	said = func(err error) bool {
		if err == nil {
			return false
		}
		text := err.Error()
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) }) {
			return true
		}
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			return slices.ContainsFunc(several.Unwrap(), said)
		}
		return said(errors.Unwrap(err))
	}
	return said
}

func on(side repo.Side, also func(error) bool) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*repo.Error](err)
		return ok && e.Side == side && also(err)
	}
}

// lockedByServer reports whether it is airbridge serve that holds a store.
func lockedByServer(err error) bool {
	locked, ok := errors.AsType[*repo.LockedError](err)
	return ok && strings.Contains(locked.Holder, " serve")
}

func as[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// releaseNotFound tells a release image that is not there from other images.
func releaseNotFound(err error) bool {
	e, ok := errors.AsType[*repo.Error](err)
	return ok && e.Op == mirror.OpReadRelease && oci.IsNotFound(err)
}

// lookedUp tells an image that was to be shown, or a catalog to be read, from an
// image that was to be copied, which can be left out.
func lookedUp(err error) bool {
	e, ok := errors.AsType[*repo.Error](err)
	return ok && (e.Op == mirror.OpReadImage || e.Op == mirror.OpReadCatalog) && oci.IsNotFound(err)
}

// lookedUpByDigest is lookedUp of one that has no tag.
func lookedUpByDigest(err error) bool {
	e, ok := errors.AsType[*repo.Error](err)
	return ok && lookedUp(err) && strings.Contains(e.Ref, "@")
}

// lookedUpOnDisk is lookedUp in a directory, whose repositories can be listed.
func lookedUpOnDisk(err error) bool {
	e, ok := errors.AsType[*repo.Error](err)
	return ok && lookedUp(err) && strings.HasPrefix(e.Ref, "file://")
}

// attachedFailed tells what is attached to an image from the image itself.
func attachedFailed(err error) bool {
	e, ok := errors.AsType[*repo.Error](err)
	return ok && e.Op == mirror.OpAttached || errors.Is(err, engine.ErrUnsigned)
}

// catalogDir reports a directory for a catalog that the user named.
func catalogDir(err error) bool {
	e, ok := errors.AsType[*mirror.CatalogDirError](err)
	return ok && e.Dir != ""
}

// proxied reports whether it was the proxy that could not be reached.
func proxied(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "proxyconnect"
}

// graphUnverified reports an update service whose certificate is not trusted.
func graphUnverified(err error) bool { return as[*graph.FetchError](err) && says("x509:", "tls:")(err) }

// storeUnverified reports a signature store whose certificate is not trusted.
func storeUnverified(err error) bool {
	return as[*signature.UnreachableError](err) && says("x509:", "tls:")(err)
}

var hints = []hintRow{
	{is(mirror.ErrNotKept), "mirror the release to the medium again where the signature stores can be reached: only its signature is written anew[; or go on with --verify=warn]"},
	{is(signature.ErrOtherRelease, signature.ErrAltered, signature.ErrKeyRevoked), "do not use this release: get it anew from where its maker publishes it[; --verify=warn copies it all the same]"},
	{is(signature.ErrFuture), "set the clock of this machine right"},
	{is(signature.ErrUnknownKey, mirror.ErrSelfSigned, mirror.ErrNoKeys), "[if you know whose key it is and trust it, give it with --key FILE, taken from its owner and not from the release][; --verify=warn goes on without]"},
	{storeUnverified, "[name the authority of the signature stores' certificate, or of the proxy that reads along, with --certificate-authority][; --verify=warn goes on without]"},
	{as[*signature.UnreachableError], "check the proxy settings[; without a network, put the signature-*.json of this release into the directory of --release-image-signature-to-dir][, or go on with --verify=warn and verify later: its signature is asked for again when it is pushed from a medium]"},
	{is(signature.ErrUnsigned, signature.ErrNoStore), "check that this is the release meant: nightly and own builds are not signed[; --verify=warn goes on without]"},
	{as[*mirror.UnverifiedError], "get the release or its signature anew[; --verify=warn goes on all the same]"},
	{is(mirror.ErrNoCatalog), "name an operator catalog's index image, as registry.redhat.io/redhat/redhat-operator-index:v4.14; where one has no labels, adm catalog mirror --path=IMAGE_PATH:LOCAL_DIR says where its catalog is"},
	{is(catalog.ErrDefaultChannel), "[name another with --default-channel PACKAGE=CHANNEL]"},
	{is(catalog.ErrDependency), "[--with-dependencies adds what is needed; --allow-missing-dependencies goes on without]"},
	{is(catalog.ErrUnmet), "[where another catalog of the cluster has it, --allow-missing-dependencies goes on without]"},
	{is(catalog.ErrNotInCatalog), "what there is, airbridge list operators --catalog INDEX_IMAGE shows"},
	{as[*graph.NotFoundError], "[--arch chooses the architecture; ]a release that is in no channel is named by its image: quay.io/openshift-release-dev/ocp-release:VERSION-ARCHITECTURE"},
	{graphUnverified, "[name the authority of the update service's certificate with --certificate-authority][, or give the graph with --graph-file]"},
	{as[*graph.FetchError], "check [--graph-url, ]UPDATE_URL_OVERRIDE and the proxy settings; or [give a saved graph with --graph-file, or ]name the release image: quay.io/openshift-release-dev/ocp-release:VERSION-ARCHITECTURE"},
	{is(graph.ErrNotGraph), "save one with curl -H Accept:application/json '" + graph.DefaultURL + "?channel=stable-4.14&arch=amd64'"},
	{as[*kv.CorruptError], "take the file from another copy of the store; without one, move airbridge/facts away and mirror into the store again: blobs that are there are used after a check"},
	{lockedByServer, "push to that server instead of into its directory, or start it as airbridge serve --read-only: it then follows what is written"},
	{as[*repo.LockedError], "stop the other process, or read the directory without writing: several readers may share a store"},
	{as[*repo.VersionError], "use a newer airbridge (PROGRAM version tells which this is): it may lie on the medium in airbridge-tool/, else ask who wrote it; nothing was changed"},
	{as[*repo.SpaceError], "make room, or choose another directory; what is there already is not copied again"},
	{because(remote.NestedName), "choose a destination of two parts, as {HOST}/{PROJECT}/NAME: adm catalog mirror makes such names with --max-components=2, for image mirror give each name in the file of -f; a Quay takes longer ones where FEATURE_EXTENDED_REPOSITORY_NAMES is on"},
	{because(remote.NestedOrNoRight), "check what the account may do on {REPOSITORY}; where names of more than two parts are refused, choose a destination as {HOST}/{PROJECT}/NAME, for adm catalog mirror with --max-components=2"},
	{because(remote.NoGitLabProject), "choose a destination below a project that exists, as {HOST}/group/project/name, with an account of the role Developer and a token with write_registry; adm catalog mirror keeps to the depth with --max-components: the parts of the project's path and two more, so 4 for group/project"},
	{because(remote.NoProject), "create the project first, in the registry's console or API: {PROJECTS}; or choose a destination in one that exists, as {HOST}/project/name"},
	{becauseECR, "create what is missing, and run the same command again: for r in {REPOSITORIES}; do {AWS} --repository-name $r; done. ECR also does so itself with a repository creation template for CREATE_ON_PUSH"},
	{because(remote.NoRepository), "create the repository in the registry first: {REPOSITORIES}; or use an account that may create it by a push"},
	{because(remote.NoRight), "use an account that may push to {REPOSITORY}: airbridge login {HOST}[, or its file with -a]; a robot account needs the right to push, and for a new repository to create it, in an organisation that exists"},
	{because(remote.FixedTag), "choose another tag or repository, or let the tag be overwritten there for the time of the run"},
	{because(remote.NoQuota), "raise the quota or make room there, and run the same command again: what it has is not sent again"},
	{because(remote.Frozen), "ask who runs the registry to end its read-only mode, and run the same command again"},
	{because(remote.Unnamed), "ECR takes no image whose manifest lacks its mediaType, and adding it would change the digest: have the image built anew with a current tool, or leave it out"},
	{is(syscall.ENOSPC), "the disk is full: make room and run the same command again; it goes on where it stopped"},
	{catalogDir, "[name another LOCAL_DIR with --path=IMAGE_PATH:LOCAL_DIR]"},
	{as[*mirror.CatalogDirError], "name a directory for temporary files that this user may write, with TMPDIR"},
	{is(syscall.EROFS, kv.ErrReadOnly), "the target is read-only: mount it for writing, or choose another directory"},
	{says(": not a directory"), "a file lies where a directory is needed: name another directory, or move the file away"},
	{as[*mirror.NoComponentsError], "[name the repository that the components were mirrored to with --components]"},
	{is(installconfig.ErrCannotEdit), "write that part of the file one field a line, without anchors and aliases, or put in by hand the sections that are printed"},
	{as[*mirror.InternalRegistryError], "use a registry that takes pushes by digest: Quay, Harbor, Artifactory, Nexus, or airbridge serve"},
	{on(repo.SideSource, as[*repo.CorruptError]), "the source sends content that is not what its digest says: check it with airbridge store verify, or copy it anew"},
	{is(mirror.ErrOwnName), "a file called airbridge lies there, perhaps the program: move it away, as into airbridge-tool/"},
	{is(mirror.ErrNoRelease), "the flag is for a wildcard that takes in a release with its components, as 'file://openshift/release:4.14.3-x86_64*'; a release image alone goes where its mapping says"},
	{is(mirror.ErrNoImages), "name the directory that itself holds v2/, a store, or an OCI layout[: here, or with --from-dir|--dir]"},
	{on(repo.SideSource, is(fs.ErrNotExist)), "check the directory[ that --from-dir|--to-dir|--dir names]; a shell variable in it may be unset"},
	{on(repo.SideDestination, is(oci.ErrManifestBlobUnknown)), "the registry refuses lists whose images are not all there: copy the whole list[ (no --filter-by-os|--index-filter-by-os, no --skip-missing)][, or push the one image of it with --keep-manifest-list=false]"},
	{as[*mirror.MayPushError], "make an account that may only pull from the mirror[, and name that one with -u]"},
	{is(auth.ErrExists), "[name another file with --to, or replace this one with --force]"},
	{is(auth.ErrSameFile), "[name another file with --to]"},
	{is(auth.ErrNotLoggedIn), "airbridge logout takes what airbridge login took: a registry, with a path where the account is for a path alone"},
	{is(errNotPullSecret), "a pull secret is the JSON file from Red Hat OpenShift Cluster Manager, or what airbridge login and podman login write; the Secret of a cluster goes to pull-secret cluster --as-manifest"},
	{says("the directory that XDG_RUNTIME_DIR names"), "make that directory, or unset XDG_RUNTIME_DIR[, or name a file with --authfile|--registry-config]"},
	{says("the credentials used are those of"), "the registry does not take that user and password: check them, or log in again with airbridge login"},
	{says("there are no credentials for"), "add the registry to that file with airbridge login --authfile FILE REGISTRY[, or name another with -a]"},
	{as[*mirror.NowhereError], "images of a release are read from the repository of its release image[, from the mirrors that --idms-file names], and from where the release says: mirror the release wholly into one repository[, or name the mirrors with --idms-file], or log in where it was refused"},
	{is(oci.ErrUnauthorized), "log in with airbridge login[, or name the credentials file with -a]"},
	{is(fs.ErrPermission), "this user may not read or write there: what a run writes belongs to who started it"},
	{says("unable to load --registry-config", "unable to load REGISTRY_AUTH_FILE"), "name a file that podman login or airbridge login --authfile FILE REGISTRY wrote, or a pull secret"},
	{as[auth.Warning], "correct or remove that entry, or log in again with airbridge login"},
	{says("507 Insufficient Storage"), "the registry's disk is full: make room there and run the same command again; what it has is not sent again"},
	{is(oci.ErrDenied), "the account may not do this there: check its rights on that repository"},
	{releaseNotFound, "check the name and the tag of the release image: VERSION-ARCHITECTURE, as 4.14.3-x86_64"},
	{on(repo.SideSource, is(oci.ErrBlobUnknown)), "the source has the image, but not all of its content: check it with airbridge store verify, or copy the image there anew"},
	{lookedUpOnDisk, "check the name and the tag; store ls shows which repositories the directory has, image info file://REPOSITORY which tags"},
	{lookedUpByDigest, "check the digest: registries delete images that no tag names any more; image info REPOSITORY shows which tags there are"},
	{lookedUp, "check the name and the tag; image info REPOSITORY shows what there is"},
	{on(repo.SideSource, oci.IsNotFound), "check the name and the tag[; --skip-missing goes on without images that no longer exist]"},
	{is(oci.ErrTooManyRequests), "the registry asks for fewer requests[: lower --max-per-registry and run again]"},
	{is(archive.ErrLocked), "run it at a terminal, which asks for the passphrase, or name a copy of the key without one"},
	{is(cluster.ErrNoMirrorRules), "name a file with an ImageContentSourcePolicy, ImageDigestMirrorSet or ImageTagMirrorSet, an install-config.yaml with mirrors, or what adm release mirror printed"},
	{says("does not speak TLS"), "the registry speaks plain http[: add --insecure]"},
	{says("doesn't contain any IP SANs", "relies on legacy Common Name"), "the certificate names no host: it needs a subject alternative name (SAN) with the host or address used here"},
	{says("tls: certificate required", "tls: bad certificate", "tls: unknown certificate"), "the registry wants a client certificate: put NAME.cert and NAME.key under certs.d"},
	{as[x509.HostnameError], "the certificate is for other names: use one of them, or have it made for this one too"},
	{says("certificate has expired or is not yet valid"), "renew the certificate, or set the clock of this machine right"},
	{says("x509:", "tls: failed to verify"), "[name the registry's authority with --certificate-authority, put it under certs.d, or add --insecure]"},
	{proxied, "the proxy does not answer: check HTTPS_PROXY and HTTP_PROXY, and name registries to be reached directly in NO_PROXY"},
	{is(syscall.ECONNREFUSED), "nothing listens there: check the host and the port"},
	{as[*net.DNSError], "the host name cannot be resolved from here: check it, and the proxy settings"},
	{attachedFailed, "[--no-signatures copies the images without what is attached to them]"},
	{is(syscall.EADDRINUSE), "another program listens there, perhaps an airbridge serve: stop it[, or choose another port with --addr; port 0 takes a free one]"},
	{is(fs.ErrNotExist), "check the name; a shell variable in it may be unset"},
}
