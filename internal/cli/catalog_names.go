package cli

import (
	"fmt"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// name gives all images their names.
func (r *catalogRun) name() error {
	naming := catalog.Naming{Index: r.refs.index, Dest: r.refs.dest, Max: r.flags.maxComponents}
	naming.Changed = r.run.Reduced && !naming.InPlace()
	if err := r.recall(&naming); err != nil {
		return err
	}
	names, err := naming.Names(r.content.catalog.Images())
	if err != nil {
		return err
	}
	r.run.Names = names
	for _, c := range names.Collisions {
		r.ui.Warn("%s", c)
	}
	for _, refusal := range names.Refused {
		r.ui.Warn("the catalog names an image that cannot be mirrored: %q (bundle %s): %v", refusal.Image.Ref, refusal.Image.Bundle, refusal.Err)
	}
	if len(names.Images) == 0 {
		r.ui.Warn("the catalog names no images")
	}
	return nil
}

// recall adds to the naming what the medium remembers of its catalog, where the
// index image is on one or was pushed from one, whole or in part.
func (r *catalogRun) recall(n *catalog.Naming) error {
	if r.refs.index.Scheme == ref.Registry && !n.InPlace() {
		return nil
	}
	if err := r.checkMedium(); err != nil {
		return err
	}
	known, err := r.look(n, r.content.digest)
	if err == nil && n.Memory == nil && r.refs.index.Scheme == ref.Registry && !r.content.madeOf.IsZero() {
		// The medium has the whole one: mapped, it would take the place of the part.
		known, err = r.look(n, r.content.madeOf)
		r.run.Reduced = r.run.Reduced || n.Memory != nil
	}
	if err != nil || n.Memory != nil {
		return err
	}
	return r.assume(n, known)
}

// look gives the naming what the medium remembers of the index image with a
// digest, if it does. It returns all names that the medium knows it by.
func (r *catalogRun) look(n *catalog.Naming, digest oci.Digest) (known []ref.Ref, err error) {
	memories, problems, err := r.regs.CatalogMemories(digest)
	if err != nil {
		return nil, err
	}
	if n.Memory = n.Recall(memories); n.Memory != nil {
		n.Original = n.Memory.Original
		r.place(n, n.Memory.Index, n.Original)
		return nil, nil
	}
	for _, p := range problems {
		r.ui.Warn("what the medium knows of its catalogs cannot be read: %v", p)
	}
	for _, m := range memories {
		known = append(known, m.Index, m.Original)
	}
	return known, nil
}

// checkMedium refuses a medium that is not there: the user names one although
// nothing is read from it but what it remembers.
func (r *catalogRun) checkMedium() error {
	from := r.flags.dirs.from
	if from == "" {
		return nil
	}
	if _, err := mirror.FormOf(from); err != nil {
		return flagError("--from-dir", from, fmt.Errorf("--from-dir: %w", err))
	}
	return nil
}

// place lets everything stay where it is, where the mirror is the medium itself, on
// which the index image has one of these names. Of an index image that another run put
// there than this one looks like it warns: the related images are not where this one
// would put them.
func (r *catalogRun) place(n *catalog.Naming, names ...ref.Ref) {
	if slices.ContainsFunc(names, n.IsServed) {
		r.ui.Info("%s is where a medium has it that is served as it is: so are the images that it names", r.refs.index)
		*n = n.Stay()
		return
	}
	if r.refs.index.Scheme == ref.Registry && !slices.ContainsFunc(names, n.IsAt) {
		r.ui.Warn("%s is not where this destination and --max-components=%d put it: with others than those of the run that pushed it, the manifests name images that are not there", r.refs.index, n.Max)
	}
}

// assume takes the index image to be from a registry, which is told: a medium of
// oc does not say, and neither does a registry. Known are the names that the medium
// has for the same image.
func (r *catalogRun) assume(n *catalog.Naming, known []ref.Ref) (err error) {
	if n.Original, err = mirror.AssumedOriginal(r.refs.index, r.refs.dest, r.flags.indexRegistry); err != nil {
		return flagError("--index-registry", r.flags.indexRegistry, err)
	}
	others := "--index-registry names another registry"
	if r.refs.index.Scheme == ref.Registry {
		others += ", --from-dir the medium that it was pushed from"
	}
	if len(known) == 0 {
		known = []ref.Ref{n.Original, {Scheme: ref.File, Path: mirror.OCDestination + "/" + n.Original.Path}}
	}
	r.place(n, known...)
	r.ui.Info("where the index image came from is not recorded here: it is taken to be %s (%s)", n.Original, others)
	return nil
}
