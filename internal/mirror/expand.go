package mirror

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/imagelist"
	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// ExpandOptions says what a source that is to be listed may lack.
type ExpandOptions struct {
	// SkipMissing passes over, with a warning, repositories that are gone.
	SkipMissing bool
	// ReleaseRepository, if set, is where release images go in place of the
	// repository of their components. They keep their tags.
	ReleaseRepository ref.Ref
}

// Expand turns mappings into wishes: sources with wildcards are listed and
// become one wish a tag. Where a wildcard takes in releases that its text does
// not name (4.14.1* and 4.14.10), they are told to the observer.
func Expand(ctx context.Context, regs *Registries, mappings []imagelist.Mapping, o ExpandOptions, obs Observer) ([]Wish, error) {
	var all []plan.Mapping
	if !o.ReleaseRepository.IsZero() {
		if err := regs.WillWrite(o.ReleaseRepository); err != nil {
			return nil, err
		}
	}
	for _, m := range mappings { // before any is opened to be read
		if err := regs.WillWrite(m.Destinations...); err != nil {
			return nil, err
		}
	}
	for _, m := range mappings {
		found, err := expandOne(ctx, regs, m, obs)
		if o.SkipMissing && isGone(err) {
			obs.Warn("Repository %s does not exist and will not be mirrored", m.Source)
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	lastReleases(all)
	if err := separate(all, o.ReleaseRepository); err != nil {
		return nil, err
	}
	if err := imagelist.Check(all, regs.SameDirectory()); err != nil {
		return nil, err
	}
	wishes := make([]Wish, len(all))
	for i, m := range all {
		wishes[i] = Wish{Mapping: m}
	}
	return wishes, nil
}

func expandOne(ctx context.Context, regs *Registries, m imagelist.Mapping, obs Observer) ([]plan.Mapping, error) {
	if !m.Source.IsGlob() {
		return imagelist.Expand(m, nil)
	}
	tags, err := sourceTags(ctx, regs, m)
	if err != nil {
		return nil, sourceError(m.Source.Ref, err)
	}
	found, err := imagelist.Expand(m, tags)
	if err != nil {
		return nil, err
	}
	matched := make([]string, len(found))
	for i := range found {
		matched[i] = found[i].Source.Tag
	}
	if m.Source.Glob == "*" { // which is also what an unset variable before a * leaves
		obs.Info("%s stands for all %d tags", m.Source, len(found))
	}
	if further := imagelist.Further(m.Source.Glob, matched); len(further) > 0 {
		obs.Info("%s also matches the releases %s", m.Source, strings.Join(further, ", "))
	}
	return found, nil
}

// lastReleases lets a release image wait for its components, which may come
// from another repository: VERSION for VERSION-cli and the others.
func lastReleases(all []plan.Mapping) {
	for i := range all {
		tag := tagOf(all[i])
		if !imagelist.IsRelease(tag) {
			continue
		}
		for j := range all {
			if strings.HasPrefix(tagOf(all[j]), tag+"-") {
				all[i].Last, all[i].Release, all[j].Release = true, tag, tag
			}
		}
	}
}

// tagOf is the tag that names a mapping's image: where the source has only a
// digest, as in what adm release mirror --to-mirror prints, that of the first
// destination.
func tagOf(m plan.Mapping) string {
	if m.Source.Tag == "" && len(m.Destinations) > 0 {
		return m.Destinations[0].Tag
	}
	return m.Source.Tag
}

func sourceTags(ctx context.Context, regs *Registries, m imagelist.Mapping) ([]string, error) {
	rp, err := openSource(ctx, regs, m.Source.Ref)
	if err != nil {
		return nil, err
	}
	var tags []string
	for tag, err := range rp.Tags(ctx, "") {
		if err != nil {
			return nil, err
		}
		tags = append(tags, tag)
	}
	regs.remember(m.Source.Ref, tags)
	if len(tags) == 0 {
		return nil, oci.ErrNameUnknown.With("the repository has no tags")
	}
	return tags, nil
}

// SameDirectory reports whether file:// means the same directory on both sides.
func (r *Registries) SameDirectory() bool {
	from, err1 := filepath.Abs(r.o.From)
	to, err2 := filepath.Abs(r.o.To)
	return err1 == nil && err2 == nil && from == to
}
