package imagelist

import (
	"fmt"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// Expand makes one mapping of each tag that the source matches; tags are all
// those of its repository and are not looked at where the source has no
// wildcard. A destination without tag takes that of the source; from a source
// by digest it stays without. It is an *Error if nothing matches, or if
// several tags would go to a destination that has one.
func Expand(m Mapping, tags []string) ([]plan.Mapping, error) {
	if !m.Source.IsGlob() {
		return []plan.Mapping{{Source: m.Source.Ref, Destinations: named(m.Destinations, m.Source.Ref.Tag)}}, nil
	}
	matched := matching(m.Source, tags)
	if len(matched) == 0 {
		return nil, &Error{m.At, m.Source.String(), noMatch(m.Source, tags)}
	}
	if i := slices.IndexFunc(m.Destinations, hasTag); i >= 0 && len(matched) > 1 {
		return nil, &Error{m.At, m.Source.String(), fmt.Errorf(
			"%s matches %d tags, so the destination %s must be a repository without a tag", m.Source, len(matched), m.Destinations[i])}
	}
	out := make([]plan.Mapping, 0, len(matched))
	for _, tag := range matched {
		out = append(out, plan.Mapping{Source: m.Source.Ref.WithTag(tag), Destinations: named(m.Destinations, tag)})
	}
	return out, nil
}

func hasTag(r ref.Ref) bool { return r.Tag != "" }

// named gives the destinations without tag this one.
func named(destinations []ref.Ref, tag string) []ref.Ref {
	out := slices.Clone(destinations)
	for i := range out {
		if out[i].Tag == "" {
			out[i].Tag = tag
		}
	}
	return out
}

// matching returns the tags that match, once each and in order. What is not a
// tag at all, as a strange registry may list it, cannot be asked for.
func matching(p ref.Pattern, tags []string) []string {
	var out []string
	for _, tag := range tags {
		if p.Match(tag) && oci.CheckTag(tag) == nil {
			out = append(out, tag)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// noMatch says what there is instead: the releases where these are release
// media, else some tags.
func noMatch(p ref.Pattern, tags []string) error {
	if len(tags) == 0 {
		return fmt.Errorf("no tag matches %s: the repository has none", p)
	}
	there := Releases(tags)
	if len(there) == 0 {
		there = slices.Sorted(slices.Values(tags))
	}
	const show = 5
	more := ""
	if len(there) > show {
		more = fmt.Sprintf(" and %d more", len(there)-show)
		there = there[:show]
	}
	return fmt.Errorf("no tag matches %s: there are %.500s%s", p, strings.Join(there, ", "), more)
}

// target is a destination tag; for one pushed by digest alone, the digest.
type target struct {
	ref.Ref
	digest oci.Digest
}

// Check refuses expanded mappings that write one destination tag twice, or an
// image to where it is. sameDir says that file sources and file destinations
// lie below the same directory; otherwise they may have the same name.
func Check(mappings []plan.Mapping, sameDir bool) error {
	from := map[target]ref.Ref{}
	for _, m := range mappings {
		for _, d := range m.Destinations {
			t := target{Ref: d.Canonical()}
			if d.Tag == "" {
				t.digest = m.Source.Digest
			}
			if first, taken := from[t]; taken {
				return fmt.Errorf("each destination tag may only be specified once: %s is the destination of %s and of %s", d, first, m.Source)
			}
			from[t] = m.Source
			if isSame(m.Source, d) && (sameDir || d.Scheme != ref.File) {
				return fmt.Errorf("SRC and DST may not be the same: %s", m.Source)
			}
		}
	}
	return nil
}

func isSame(source, destination ref.Ref) bool {
	if source.Repository().Canonical() != destination.Repository().Canonical() {
		return false
	}
	return destination.Tag == source.Tag || destination.Tag == ""
}
