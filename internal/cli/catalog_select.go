package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/mirror"
	"github.com/airbridge-dev/airbridge/internal/ui"
)

// selectionFlags say which part of a catalog is wanted.
type selectionFlags struct {
	packages         []string
	withDependencies bool
	allowUnmet       bool
	defaultChannels  map[string]string
}

func (f *selectionFlags) add(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.packages, "packages", nil, "only these, as PACKAGE[:CHANNEL[:VERSIONS]], and an index image with nothing else; VERSIONS is 1.2.3, 1.2.0.., ..1.2.3, 1.2.0..2.0.0, or .. for all; without them the newest version, without CHANNEL of every channel; PACKAGE * is every one that is not named; may be repeated")
	flags.BoolVar(&f.withDependencies, "with-dependencies", false, "add the packages that those of --packages need")
	flags.BoolVar(&f.allowUnmet, "allow-missing-dependencies", false, "go on, with a note, where a package of --packages needs what is not wanted or not there: another catalog may have it")
	flags.StringToStringVar(&f.defaultChannels, "default-channel", nil, "PACKAGE=CHANNEL: the default channel of a package whose own is not wanted; may be repeated")
}

func (f *selectionFlags) parse() ([]catalog.Wanted, error) {
	var out []catalog.Wanted
	if f.packages != nil && len(f.packages) == 0 { // of an unset variable: the whole catalog is never meant
		return nil, usagef("--packages names no package; without it the whole catalog is mirrored")
	}
	for _, s := range f.packages {
		w, err := catalog.ParseWanted(s)
		if err != nil {
			return nil, usagef("--packages: %w", err)
		}
		out = append(out, w)
	}
	if len(out) == 0 && (f.withDependencies || f.allowUnmet || len(f.defaultChannels) > 0) {
		return nil, usagef("--with-dependencies, --allow-missing-dependencies and --default-channel are for what --packages names")
	}
	return out, nil
}

// choose reduces the catalog to what is wanted, and makes an index image of that.
func (r *catalogRun) choose(ctx context.Context, extracted *mirror.ExtractedCatalog) error {
	if len(r.refs.wanted) == 0 {
		return r.problems()
	}
	if r.refs.inPlace() && !r.flags.manifestsOnly {
		return usagef("%s is in the mirror already, where it would be replaced by a part of itself: select with --packages where it comes from", r.refs.index)
	}
	f := &r.flags.selection
	reduced, selection, err := catalog.Select(r.content.catalog, r.refs.wanted, catalog.SelectOptions{
		WithDependencies: f.withDependencies, AllowUnmet: f.allowUnmet, DefaultChannels: f.defaultChannels,
	})
	if err != nil {
		return fmt.Errorf("selecting from %s: %w", r.refs.index, err)
	}
	r.tellSelection(selection)
	r.content.catalog, r.run.Reduced = reduced, true
	if extracted.Form == mirror.CatalogDatabase {
		r.content.form = mirror.CatalogFiles
		r.ui.Warn("the new index image has files in place of the database: it needs a version of opm that serves them, from 2021 on, in the original")
	}
	r.leaveOthers(selection)
	if err := r.problems(); err != nil || r.flags.manifestsOnly {
		return err
	}
	return r.rebuild(ctx, extracted)
}

// leaveOthers leaves broken documents aside that seem to be of what was not selected. As
// what is broken may be of another package than it looks like, each is told.
func (r *catalogRun) leaveOthers(s catalog.Selection) {
	r.run.Problems = slices.DeleteFunc(r.run.Problems, func(p catalog.Problem) bool {
		if concerns(p, s) {
			return false
		}
		r.ui.Warn("a document of the catalog cannot be read, but seems to be of no package that is wanted: %v", p)
		return true
	})
}

// concerns reports whether a broken document may belong to what was selected.
func concerns(p catalog.Problem, s catalog.Selection) bool {
	return p.Package == "" || slices.ContainsFunc(s.Packages, func(kept catalog.Selected) bool { return kept.Package == p.Package })
}

func (r *catalogRun) tellSelection(s catalog.Selection) {
	for _, p := range s.Packages {
		var channels []string
		for _, c := range p.Channels {
			channels = append(channels, fmt.Sprintf("%s (%s, up to %s)", c.Name, ui.Count(len(c.Bundles), "bundle"), c.Head))
		}
		r.ui.Info("package %s: %s", p.Package, strings.Join(channels, ", "))
	}
	for _, note := range s.Notes {
		r.ui.Info("%s", note)
	}
}

// rebuild makes the index image with the reduced catalog.
func (r *catalogRun) rebuild(ctx context.Context, extracted *mirror.ExtractedCatalog) error {
	rebuilt, err := extracted.Rebuild(ctx, r.regs, r.content.catalog)
	if err != nil {
		return err
	}
	r.run.Rebuilt = rebuilt
	r.ui.Info("the index image is made anew with these packages alone: %s, of %s", rebuilt.Digest, rebuilt.Original)
	for _, left := range rebuilt.Left {
		r.ui.Warn("of the index image, %s does not go along: %s", left.Ref, left.Why)
	}
	return nil
}
