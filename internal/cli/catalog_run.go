package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/engine"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

// catalogRun is one run of adm catalog mirror.
type catalogRun struct {
	*session
	flags *catalogMirrorFlags
	refs  catalogRefs

	content *catalogContent
	run     mirror.CatalogRun
	dir     manifestsDir
	// spool has the layers that were read for the catalog, so that copying the index
	// image does not fetch them again; nil where it is not copied.
	spool *mirror.Spool

	remembered bool // by the medium, what its images are called outside
}

// catalogContent is what an index image holds.
type catalogContent struct {
	digest  oci.Digest // of the index image, the list where it is one
	madeOf  oci.Digest // of the one that it was made of, if it is a part of one
	form    mirror.CatalogForm
	catalog *catalog.Catalog
}

func (a *App) runCatalogMirror(ctx context.Context, g *globalFlags, f *catalogMirrorFlags, args []string) (err error) {
	refs, err := f.parse(args)
	if err != nil {
		return err
	}
	s, err := a.open(g, &f.registryFlags, f.dirs, f.dryRun || f.manifestsOnly)
	if err != nil {
		return err
	}
	defer s.close(ctx, &err)
	r := &catalogRun{session: s, flags: f, refs: refs}
	if !f.manifestsOnly {
		if err := s.regs.WillWrite(refs.dest); err != nil {
			return err
		}
	}
	if !f.manifestsOnly && !f.dryRun && !refs.inPlace() {
		r.spool = mirror.NewSpool("")
		defer r.spool.Drop()
	}
	if err := r.read(ctx); err != nil {
		return err
	}
	if err := r.name(); err != nil {
		return err
	}
	if err := r.writeManifests(); err != nil {
		return err
	}
	if f.manifestsOnly {
		return r.end(r.run.Unread(), nil)
	}
	return r.copyCatalog(ctx)
}

// read takes the catalog out of the index image and reads it (oc.md 15.2).
func (r *catalogRun) read(ctx context.Context) error {
	meter := r.ui.Meter("reading the catalog")
	index, err := mirror.FindIndex(ctx, r.regs, r.refs.index, mirror.IndexOptions{
		Filter: r.refs.filter, Path: r.refs.imagePath, Progress: meter.Set, Spool: r.spool,
	})
	if err != nil {
		return r.indexError(err)
	}
	r.tellLabel(index)
	extracted, err := index.Extract(ctx, r.refs.localDir)
	if err != nil {
		return r.pathError(index, err)
	}
	defer func() {
		dir, temporary := extracted.Dir, r.refs.localDir == ""
		if extracted.Close() == nil && temporary {
			r.ui.Result(fmt.Sprintf("deleted dir %s\n", dir))
		}
	}()
	r.tellExtracted(index, extracted)
	r.content = &catalogContent{digest: index.Digest(), madeOf: index.MadeOf(), form: extracted.Form}
	r.content.catalog, r.run.Problems, err = extracted.Catalog(ctx)
	if err != nil {
		return err
	}
	return r.choose(ctx, extracted)
}

// indexError lists the platforms where a list was to be chosen from, and names
// the argument where it looks half empty.
func (r *catalogRun) indexError(err error) error {
	if e, ok := errors.AsType[*mirror.IndexPlatformError](err); ok {
		r.ui.Plain(e.Table())
	}
	if refused(err) {
		err = halfEmpty("argument 1", r.refs.index.String(), err)
	}
	return err
}

// pathError says what helps where --path names what the image does not have.
func (r *catalogRun) pathError(x *mirror.Index, err error) error {
	switch {
	case r.flags.path == "" || !errors.Is(err, mirror.ErrNoCatalog):
		return err
	case x.Stated == "":
		return &hinted{err, "check IMAGE_PATH of --path=IMAGE_PATH:LOCAL_DIR; without --path the image is looked through for a database"}
	}
	return &hinted{err, "check IMAGE_PATH of --path=IMAGE_PATH:LOCAL_DIR: the image's label says that its catalog is in " + told(x.Stated) + ", where it is looked for without --path"}
}

// tellLabel says where the index image keeps its catalog, in oc's words.
func (r *catalogRun) tellLabel(x *mirror.Index) {
	switch {
	case r.flags.path != "" || x.Stated == "":
	case x.Form == mirror.CatalogFiles:
		r.ui.Result(fmt.Sprintf("src image has index label for declarative configs path: %s\n", told(x.Path)))
	default:
		r.ui.Result(fmt.Sprintf("src image has index label for database path: %s\n", told(x.Path)))
	}
}

// told is a name that somebody else gave in a line of ours.
func told(name string) string { return ui.Printable(strings.Join(strings.Fields(name), " ")) }

func (r *catalogRun) tellExtracted(x *mirror.Index, e *mirror.ExtractedCatalog) {
	if e.Form == mirror.CatalogFiles {
		r.ui.Result(fmt.Sprintf("using index path mapping: %s:%s\nwrote declarative configs to %[2]s\nusing declarative configs at: %[2]s\n", told(x.Path), e.Dir))
		return
	}
	r.ui.Result(fmt.Sprintf("using database path mapping: %s:%s\nwrote database to %[2]s\nusing database at: %s\n", told(x.Path), e.Dir, ui.Printable(e.Database)))
	r.ui.Warn("the catalog is an SQLite database, a form that OLM has given up: newer versions of this catalog have files")
}

// problems tells of the documents that cannot be read. With them the catalog is
// not the one that was asked for, and a cluster may not load it: only who says
// so goes on.
func (r *catalogRun) problems() error {
	found := r.run.Problems
	if len(found) == 0 {
		return nil
	}
	if !r.flags.continueSet || !r.flags.continueOnError {
		more := ""
		if len(found) > 1 {
			more = fmt.Sprintf(" (and %s more)", ui.Count(len(found)-1, "document"))
		}
		return &hinted{
			fmt.Errorf("%s %s: %w%s", mirror.OpReadCatalog, r.refs.index, found[0], more),
			"--continue-on-error mirrors what the other documents name",
		}
	}
	for _, p := range found {
		r.ui.Warn("a document of the catalog is left out: %v", p)
	}
	return nil
}

// copyCatalog copies everything and tells what came of it.
func (r *catalogRun) copyCatalog(ctx context.Context) error {
	f := r.flags
	wishes := r.run.Wishes()
	if len(wishes) == 0 {
		return r.end(r.run.Unread(), nil)
	}
	r.ui.Info("%s to mirror; the manifests are in %s", ui.Count(len(wishes), "image"), r.dir.name)
	if !f.dryRun {
		if err := r.run.Reach(ctx, r.regs); err != nil {
			return r.end(r.run.Copied(nil, err), err)
		}
	}
	result, err := r.copyAll(ctx, wishes, mirror.CopyOptions{
		Plan: mirror.PlanOptions{
			SkipMissing: f.skipMissing, Force: f.force, ContinueOnError: f.continueOnError, NoSignatures: f.noSignatures,
		},
		Engine: engine.Options{SkipMount: f.skipMount},
		Spool:  r.spool,
		DryRun: f.dryRun,
		// Most refusals have one cause, for which one step helps: it is told
		// before hours are spent on the rest.
		EndRefused: !f.continueSet,
	})
	if isInterrupt(ctx, err) {
		return err
	}
	if rerr := r.remember(result); err == nil {
		err = rerr
	} else if rerr != nil {
		r.ui.Warn("%v", rerr)
	}
	if f.dryRun && err == nil {
		return r.end(r.run.Unread(), nil)
	}
	return r.end(r.run.Copied(result, err), err)
}

// remember tells the medium what its catalog is called outside. It holds for
// whatever part of the images is there.
func (r *catalogRun) remember(result *mirror.Result) error {
	if r.refs.dest.Scheme != ref.File || result == nil || result.Report == nil {
		return nil
	}
	digest := r.content.digest
	if r.run.Rebuilt != nil {
		digest = r.run.Rebuilt.Digest
	}
	if err := r.regs.Remember(r.run.Names.Remember(digest)); err != nil {
		return fmt.Errorf("the images are on the medium, but not what they are called outside: %w", err)
	}
	r.remembered = true
	return nil
}
