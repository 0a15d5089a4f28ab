package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/catalog/sqlite"
	img "github.com/airbridge-dev/airbridge/internal/image"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/rootfs"
)

// OpReadCatalog is the Op of the errors of reading an index image.
const OpReadCatalog = "reading catalog"

// ErrNoCatalog is the error of an image that holds no catalog.
var ErrNoCatalog = errors.New("it holds no operator catalog")

// CatalogForm says how an index image keeps its catalog.
type CatalogForm int

// The forms. An image without a label is looked through for a database.
const (
	CatalogFiles CatalogForm = iota
	CatalogDatabase
)

// IndexOptions says how an index image is read.
type IndexOptions struct {
	// Filter chooses from a list (--index-filter-by-os): exactly one image must
	// match. One that keeps everything takes linux/amd64, else the first.
	Filter oci.PlatformFilter
	// Path is where the catalog is in the image, "" for where its labels say.
	Path string
	// Quick reads the layers alone that have to do with the catalog by the image's
	// history or, where that does not tell, by the order of their entries. It is
	// for lists; without it all are read that may add to a catalog, which no image
	// is bound to tell.
	Quick bool
	// Spool, if set, keeps the layers that are read from a registry: the index image
	// is copied in the run. What is read here on a disk is not copied to another place.
	Spool *Spool
	// Progress, if set, is told how many bytes of the layers opened so far were
	// read, and how many they have.
	Progress func(done, total int64)
}

// IndexPlatformError says that a list matches with more or fewer images than one.
type IndexPlatformError struct{ Several *img.SeveralError }

// Error implements error.
func (e *IndexPlatformError) Error() string { return indexFlag(e.Several.Error()) }

// Hint says how to name one.
func (e *IndexPlatformError) Hint() string { return indexFlag(e.Several.Hint()) }

// Table lists the platforms with their digests.
func (e *IndexPlatformError) Table() string { return e.Several.Table() }

// indexFlag gives the flag the name that it has where index images are chosen.
func indexFlag(text string) string {
	return strings.ReplaceAll(text, "--filter-by-os", "--index-filter-by-os")
}

// Index is an index image, before its catalog is taken out.
type Index struct {
	At    ref.Ref     // as it was asked for
	Image *img.Image  // the one of its platform
	Form  CatalogForm // by its label
	// Path is where the catalog is in the image: a directory, ending in a
	// slash, or a database. Stated is where the image's label says that it is, also
	// where another path was asked for; "" without one.
	Path, Stated string

	source repo.Source
	o      IndexOptions
}

// Digest is that of what the reference names: the list where there is one.
func (x *Index) Digest() oci.Digest {
	if !x.Image.ListDigest.IsZero() {
		return x.Image.ListDigest
	}
	return x.Image.Digest
}

// MadeOf is the digest of the index image that this one was made of, as a part
// of its catalog (RebuiltIndex); zero for any other.
func (x *Index) MadeOf() oci.Digest {
	c := x.Image.Config
	if c == nil || c.Run == nil {
		return oci.Digest{}
	}
	d, err := oci.ParseDigest(c.Run.Labels[catalog.AnnotationOriginal])
	if err != nil {
		return oci.Digest{} // none, or nothing that we wrote
	}
	return d
}

// FindIndex looks an index image up and learns where its catalog is (oc.md
// 15.2). No layer is read. A filter that does not leave one image is an
// *IndexPlatformError.
func FindIndex(ctx context.Context, regs *Registries, at ref.Ref, o IndexOptions) (*Index, error) {
	at = at.WithDefaultTag()
	src, err := openSource(ctx, regs, at)
	if err != nil {
		return nil, indexError(at, err)
	}
	pick := img.Filter(o.Filter, false)
	if o.Filter.All() {
		pick = img.Prefer(readPlatform)
	}
	images, err := img.Read(ctx, src, repo.Target{Tag: at.Tag, Digest: at.Digest}, pick)
	if several, ok := errors.AsType[*img.SeveralError](err); ok {
		err = &IndexPlatformError{several}
	}
	if err != nil {
		return nil, indexError(at, err)
	}
	x := &Index{At: at, Image: images[0], source: src, o: o}
	x.locate()
	return x, nil
}

func indexError(at ref.Ref, err error) error {
	return &repo.Error{Op: OpReadCatalog, Side: repo.SideSource, Ref: at.String(), Err: err}
}

// locate reads the labels.
func (x *Index) locate() {
	labels := map[string]string{}
	if c := x.Image.Config; c != nil && c.Run != nil {
		labels = c.Run.Labels
	}
	switch configs, database := labels[catalog.LabelConfigs], labels[catalog.LabelDatabase]; {
	case configs != "":
		x.Form, x.Stated = CatalogFiles, strings.TrimSuffix(configs, "/")+"/"
	case database != "":
		x.Form, x.Stated = CatalogDatabase, database
	default:
		x.Form = CatalogDatabase
	}
	x.Path = cmp.Or(x.o.Path, x.Stated, "/")
}

// Extract takes the catalog out of the image, into a directory that is made if
// need be; what is there already is kept, or replaced by files of the same
// name. With "" it is a directory of its own, that Close removes. Nothing is
// there before all that was read has its digest.
func (x *Index) Extract(ctx context.Context, dir string) (*ExtractedCatalog, error) {
	out, err := x.extract(ctx, dir, x.spool())
	if errors.Is(err, syscall.ENOSPC) && x.spool() != nil { // what it takes may be what is lacking
		x.o.Spool.Drop()
		return x.extract(ctx, dir, nil)
	}
	return out, err
}

// spool is where layers are kept that are read, nil for nowhere.
func (x *Index) spool() *Spool {
	if x.At.Scheme != ref.Registry {
		return nil
	}
	return x.o.Spool
}

func (x *Index) extract(ctx context.Context, dir string, spool *Spool) (*ExtractedCatalog, error) {
	out, err := newExtracted(x, dir)
	if err != nil {
		return nil, err
	}
	if err = x.read(ctx, x.reader(spool), out.staging); err == nil {
		err = out.publish()
	}
	if err == nil {
		err = out.settle(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

// reader makes what reads the layers.
func (x *Index) reader(spool *Spool) *rootfs.Reader {
	r := &rootfs.Reader{
		Source: x.source, Name: x.At.String(), Layers: x.Image.Layers, Progress: x.o.Progress,
	}
	if spool != nil {
		r.Source, r.Spool = spool.over(x.source), spool.take
	}
	switch {
	case x.o.Quick:
		r.Skip, r.Glance = x.quick()
	case x.Form == CatalogFiles: // a database is one file: what lies below it is not read
		r.Writes = layerWrites(x.Image)
	}
	if x.Stated == "" && x.o.Path == "" {
		r.Keep = isDatabase
	}
	return r
}

func (x *Index) read(ctx context.Context, reader *rootfs.Reader, to *os.Root) error {
	err := reader.Extract(ctx, x.Path, to)
	if x.o.Quick && errors.Is(err, rootfs.ErrNotThere) {
		reader.Skip, reader.Glance = nil, nil // neither is to be relied on
		err = reader.Extract(ctx, x.Path, to)
	}
	if errors.Is(err, rootfs.ErrNotThere) {
		err = fmt.Errorf("%w: %w", ErrNoCatalog, err)
	}
	if err != nil {
		return indexError(x.At, err)
	}
	return nil
}

func isDatabase(head []byte) bool { return string(head) == sqlite.Magic }

// quick returns what a quick look leaves out. Layers are skipped of which no step
// puts anything at the name of the catalog's directory, and where no layer has
// such a step, those below the one that has the catalog. Layers of which the
// history does not say that they have it are given up as soon as the order of
// their entries shows that they do not.
func (x *Index) quick() (skip, glance func(layer int, found bool) bool) {
	steps := layerSteps(x.Image)
	name := path.Base(path.Clean("/" + x.Path))
	fills := func(layer []step) bool {
		return slices.ContainsFunc(layer, func(s step) bool { return strings.Contains(s.text, name) && !fillsNothing.MatchString(s.text) })
	}
	tells := func(layer []step) bool {
		return slices.ContainsFunc(layer, func(s step) bool { return s.text != "" })
	}
	some := slices.ContainsFunc(steps, fills)
	all := !slices.ContainsFunc(steps, func(layer []step) bool { return !tells(layer) })
	skip = func(layer int, found bool) bool {
		if !some {
			return found && all
		}
		return tells(steps[layer]) && !fills(steps[layer])
	}
	glance = func(layer int, found bool) bool {
		last := layer == 0 && !found // which has it, or none has
		return !last && !fills(steps[layer])
	}
	return skip, glance
}

// fillsNothing knows the steps that name the catalog's directory but put nothing there:
// settings of the image, and what opm makes of a catalog.
var fillsNothing = regexp.MustCompile(`--cache-only|^(/bin/sh -c #\(nop\) +)?(CMD|ENTRYPOINT|LABEL|ENV|WORKDIR|VOLUME|USER|EXPOSE)\b`)

// Catalog reads the catalog. Broken documents are problems; the caller decides.
func (e *ExtractedCatalog) Catalog(ctx context.Context) (*catalog.Catalog, []catalog.Problem, error) {
	if e.Form == CatalogDatabase {
		c, problems, err := sqlite.Read(ctx, e.Database)
		if err != nil {
			return nil, nil, indexError(e.index.At, err)
		}
		return c, problems, nil
	}
	root, err := os.OpenRoot(e.Dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	c, problems, err := catalog.Read(only{root.FS(), e.names}, catalog.ReadOptions{})
	if err != nil {
		return nil, nil, indexError(e.index.At, err)
	}
	return c, problems, nil
}
