package mirror

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/ref"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// attachedTags are the endings of the tags under which cosign keeps what it
// attaches to an image: sha256-<hex>.sig. The bare tag is the specification's
// list of referrers, for registries that keep none themselves.
var attachedTags = []string{".sig", ".att", ".sbom"}

// mostPages is how long a list of tags is followed for signatures: pages come
// one after the other, and some registries hold a hundred tags in each.
const mostPages = 5

// maxAttached is how far attachments of attachments are followed: the signature
// of a bill of materials of an image is the second.
const maxAttached = 3

// maxReferrers is how many referrers of one image are taken along; a registry
// that is out of order, or an enemy, would have planning go on for ever.
const maxReferrers = 10_000

// OpAttached is the Op of the errors of looking for what is attached to images.
const OpAttached = "looking for signatures of"

// attachments finds what is attached to the images of one repository.
type attachments struct {
	src repo.Source
	// pages is how many requests a list of the tags may take, so that it is
	// not dearer than asking for three tags an image.
	pages   int
	listing sync.Once
	tags    map[string]bool // all of the repository, nil where they are not known

	once sync.Once
	api  bool // it lists referrers itself
	err  error

	mu    sync.Mutex
	found map[oci.Digest]*foundAttachments
}

// foundAttachments are those of one manifest, looked for once in a run.
type foundAttachments struct {
	once sync.Once
	all  []attachment
	err  error
}

// attachment is one thing attached to an image: under a tag, or by digest alone.
type attachment struct {
	tag    string
	digest oci.Digest // zero for a tag that was listed, and not asked for yet
}

// attached plans what is attached to an image, and to the images of its list:
// signatures, attestations, bills of materials, and whatever else names one of
// them as its subject. An image that every target holds and that was named by
// its digest is not asked for at its source again, not for these either; but a
// release image is, as clusters verify it: a version is looked up to a digest,
// and a release may be signed after it was mirrored.
func (p *planner) attached(ctx context.Context, image *plan.Item) ([]*plan.Item, error) {
	if p.o.NoSignatures || !image.Todo() && image.Ref.Tag == "" && !image.Last {
		return nil, nil
	}
	var out []*plan.Item
	seen := map[oci.Digest]bool{}
	subjects := append([]oci.Digest{image.Root}, childrenOf(image)...)
	for depth := 0; depth < maxAttached && len(subjects) > 0; depth++ {
		found, err := p.attachedTo(ctx, image, subjects, seen)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
		subjects = rootsOf(found)
	}
	return out, nil
}

func childrenOf(item *plan.Item) []oci.Digest {
	var out []oci.Digest
	for _, m := range item.Manifests {
		if m.Digest != item.Root {
			out = append(out, m.Digest)
		}
	}
	return out
}

func rootsOf(items []*plan.Item) []oci.Digest {
	out := make([]oci.Digest, len(items))
	for i, item := range items {
		out[i] = item.Root
	}
	return out
}

// attachedTo plans what is attached to the subjects, each thing once.
func (p *planner) attachedTo(ctx context.Context, image *plan.Item, subjects []oci.Digest, seen map[oci.Digest]bool) ([]*plan.Item, error) {
	src := p.attachments(image.Source)
	var out []*plan.Item
	for _, subject := range subjects {
		if seen[subject] {
			continue
		}
		seen[subject] = true
		found, err := src.of(ctx, subject)
		if err != nil {
			return nil, attachedError(image, err)
		}
		for _, a := range found {
			item, err := p.attachment(ctx, image, subject, a)
			if oci.IsNotFound(err) { // gone since it was found
				continue
			}
			if err != nil {
				return nil, err
			}
			out = append(out, item)
		}
	}
	return out, nil
}

// attachedError names the image whose attachments could not be looked for.
func attachedError(image *plan.Item, err error) error {
	return &repo.Error{Op: OpAttached, Side: repo.SideSource, Ref: image.Ref.String(), Err: err}
}

// attachment plans one attachment: it goes where its image goes.
func (p *planner) attachment(ctx context.Context, image *plan.Item, subject oci.Digest, a attachment) (*plan.Item, error) {
	item := &plan.Item{Source: image.Source, Subject: subject, Release: image.Release}
	for _, t := range image.Targets {
		to := plan.Target{Place: t.Place}
		if a.tag != "" {
			to.Tags = []string{a.tag}
		}
		item.Targets = append(item.Targets, to)
	}
	item.Ref = image.Ref.Repository()
	if a.tag != "" {
		item.Ref = item.Ref.WithTag(a.tag)
	}
	item.Ref.Digest = a.digest
	return item, p.fill(ctx, p.attachments(image.Source).src, item)
}

// imagesAt counts the wishes that may be read at each place.
func imagesAt(regs *Registries, wishes []Wish) map[plan.Place]int {
	out := map[plan.Place]int{}
	for _, w := range wishes {
		for _, at := range []ref.Ref{w.Source, w.Beside} {
			if at.IsZero() {
				continue
			}
			if place, err := regs.Place(at, Reading); err == nil {
				out[place]++
			}
		}
	}
	return out
}

// attachments returns what is known of a repository that is open.
func (p *planner) attachments(at plan.Place) *attachments {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.attaching[at]
	if a == nil {
		a = &attachments{src: p.opened[at], pages: min(1+p.images[at]/4, mostPages), tags: p.regs.Listed(at), found: map[oci.Digest]*foundAttachments{}}
		p.attaching[at] = a
	}
	return a
}

// of finds what is attached to a manifest that the repository has.
func (a *attachments) of(ctx context.Context, subject oci.Digest) ([]attachment, error) {
	a.mu.Lock()
	f := a.found[subject]
	if f == nil {
		f = &foundAttachments{}
		a.found[subject] = f
	}
	a.mu.Unlock()
	f.once.Do(func() { f.all, f.err = a.find(ctx, subject) })
	return f.all, f.err
}

// find asks for everything at once: each answer mostly is that there is nothing.
func (a *attachments) find(ctx context.Context, subject oci.Digest) ([]attachment, error) {
	a.listing.Do(func() { a.list(ctx) })
	bare := subject.Algorithm() + "-" + subject.Hex()
	found := make([][]attachment, len(attachedTags)+1)
	var g errgroup.Group // a context of its own would let one image's failure be another's
	for i, ending := range attachedTags {
		g.Go(func() (err error) {
			found[i], err = a.under(ctx, bare+ending)
			return err
		})
	}
	g.Go(func() (err error) {
		found[len(attachedTags)], err = a.referrers(ctx, subject, bare)
		return err
	})
	err := g.Wait()
	return slices.Concat(found...), err
}

// list finds out which tags there are, if the run has not and it takes few
// requests. Where it fails, the tags are asked for one by one.
func (a *attachments) list(ctx context.Context) {
	lister, ok := a.src.(repo.TagLister)
	if !ok || a.tags != nil {
		return
	}
	tags, whole, err := lister.TagsWithin(ctx, a.pages)
	if err != nil || !whole {
		return
	}
	a.tags = make(map[string]bool, len(tags))
	for _, tag := range tags {
		a.tags[tag] = true
	}
}

// under returns what a tag names, if it exists.
func (a *attachments) under(ctx context.Context, tag string) ([]attachment, error) {
	if a.tags != nil {
		if !a.tags[tag] {
			return nil, nil
		}
		return []attachment{{tag: tag}}, nil
	}
	d, err := a.src.Resolve(ctx, repo.ByTag(tag))
	if oci.IsNotFound(err) {
		return nil, nil
	}
	return []attachment{{tag, d.Digest}}, err
}

func (a *attachments) referrers(ctx context.Context, subject oci.Digest, bare string) ([]attachment, error) {
	api, err := a.lists(ctx, subject)
	if err != nil || !api && a.tags != nil && !a.tags[bare] {
		return nil, err
	}
	var out []attachment
	for d, err := range a.src.Referrers(ctx, subject) {
		if err != nil {
			return nil, err
		}
		if len(out) == maxReferrers {
			return nil, fmt.Errorf("%s has more than %d referrers", subject, maxReferrers)
		}
		out = append(out, attachment{digest: d.Digest})
	}
	return out, nil
}

// lists finds out once whether the repository lists referrers by itself.
func (a *attachments) lists(ctx context.Context, subject oci.Digest) (bool, error) {
	a.once.Do(func() {
		a.api = true
		if prober, ok := a.src.(repo.ReferrersProber); ok {
			a.api, a.err = prober.ListsReferrers(ctx, subject)
		}
	})
	return a.api, a.err
}

// goals are the places and names that a plan brings manifests to.
type goals map[goal]bool

type goal struct {
	place plan.Place
	name  string // a tag, or a digest where it gets none
}

// newGoals returns those of the images that the user asked for: what he named
// himself, a signature among them, is not attached a second time.
func newGoals(items []*plan.Item) goals {
	g := goals{}
	for _, item := range items {
		if item != nil {
			g.reach(item)
		}
	}
	return g
}

// reach notes the goals of an item and returns its targets that are new.
func (g goals) reach(item *plan.Item) []plan.Target {
	var fresh []plan.Target
	for _, t := range item.Targets {
		at := goal{t.Place, item.Root.String()}
		if len(t.Tags) > 0 {
			at.name = t.Tags[0]
		}
		if !g[at] {
			fresh = append(fresh, t)
		}
		g[at] = true
	}
	return fresh
}

// further returns the attachments that are not in the plan yet.
func (g goals) further(attached []*plan.Item) []plan.Item {
	var out []plan.Item
	for _, item := range attached {
		if item.Targets = g.reach(item); len(item.Targets) > 0 {
			out = append(out, *item)
		}
	}
	return out
}
