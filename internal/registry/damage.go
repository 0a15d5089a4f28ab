package registry

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// nameImages completes the damages by the images of each repository that need
// them, and puts them in order.
func (v *verification) nameImages(ctx context.Context, all []string) error {
	if len(v.damages) == 0 {
		return nil
	}
	for _, name := range all {
		g, err := (&repository{v.Registry, name}).graph(ctx)
		if err != nil {
			return err
		}
		for d, damage := range v.damages {
			damage.Images = append(damage.Images, g.images(d)...)
		}
	}
	for _, damage := range v.damages {
		v.report.Damages = append(v.report.Damages, *damage)
	}
	slices.SortFunc(v.report.Damages, func(a, b Damage) int {
		return strings.Compare(a.Digest.String(), b.Digest.String())
	})
	return nil
}

// graph is which manifests of a repository name what, and its tags, all by the
// digest that is named.
type graph struct {
	name    string
	own     map[oci.Digest]bool
	parents map[oci.Digest][]oci.Digest
	tags    map[oci.Digest][]string
}

func (p *repository) graph(ctx context.Context) (*graph, error) {
	g := &graph{name: p.name, own: map[oci.Digest]bool{}, parents: map[oci.Digest][]oci.Digest{}, tags: map[oci.Digest][]string{}}
	for m, err := range p.manifests(ctx, p.reads) {
		if err != nil {
			return nil, err
		}
		g.own[m.digest] = true
		read, body, err := p.read(ctx, m.digest, m.fact)
		if _, damaged := errors.AsType[*repo.CorruptError](err); damaged {
			continue // what it named is not to be known
		}
		if err != nil {
			return nil, err
		}
		for _, child := range append(named(read, body), read.Manifests...) {
			g.parents[child.Digest] = append(g.parents[child.Digest], m.digest)
		}
	}
	prefix := repo.TagKey(p.name, "")
	for e, err := range p.reads.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		tag, err := repo.DecodeFact[repo.TagFact](e.Key, e.Value)
		if err != nil {
			return nil, err
		}
		g.tags[tag.Digest] = append(g.tags[tag.Digest], strings.TrimPrefix(e.Key, prefix))
	}
	return g, nil
}

// images climbs from a digest to all the images that need it.
func (g *graph) images(d oci.Digest) []string {
	var out []string
	seen := map[oci.Digest]bool{d: true}
	for todo := []oci.Digest{d}; len(todo) > 0; todo = todo[1:] {
		at := todo[0]
		for _, tag := range g.tags[at] {
			out = append(out, g.name+":"+tag)
		}
		if g.own[at] && len(g.tags[at]) == 0 && len(g.parents[at]) == 0 {
			out = append(out, g.name+"@"+at.String())
		}
		for _, parent := range g.parents[at] {
			if !seen[parent] {
				seen[parent] = true
				todo = append(todo, parent)
			}
		}
	}
	slices.Sort(out)
	return out
}
