package mirror

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/plan"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// walker reads the manifests of one image from its root down and lists them in
// its item, children before parents.
type walker struct {
	p     *planner
	src   repo.Source
	place plan.Place
	item  *plan.Item
	seen  map[oci.Digest]bool
}

// root walks from the root manifest.
func (w *walker) root(ctx context.Context, d oci.Digest) error {
	w.seen = map[oci.Digest]bool{}
	desc, body, m, err := w.read(ctx, d)
	if err != nil {
		return sourceError(w.item.Ref, err)
	}
	if !m.IsIndex() {
		w.add(desc, body, m)
		return nil
	}
	kept := w.p.filter(m.Manifests)
	if w.p.o.Single && !w.p.o.Filter.All() && len(kept) == 1 {
		w.item.Root = kept[0].Digest
		return w.root(ctx, kept[0].Digest)
	}
	err = w.index(ctx, desc, body, m, 1)
	if !errors.Is(err, errNothingLeft) {
		return err
	}
	if len(w.item.Skipped) > 0 {
		return sourceError(w.item.Ref, oci.ErrManifestUnknown.With("the source has none of the images of the list"))
	}
	return fmt.Errorf("%s: no image in the list matches the platform filter; it has %s", w.item.Ref, platforms(m.Manifests))
}

// errNothingLeft says that no child of an index goes along.
var errNothingLeft = errors.New("no image of the list is left")

// index walks the children of an index, then adds it.
func (w *walker) index(ctx context.Context, desc oci.Descriptor, body []byte, m *oci.Manifest, depth int) error {
	if depth > oci.MaxDepth {
		return sourceError(w.item.Ref, fmt.Errorf("indexes are nested more than %d deep", oci.MaxDepth))
	}
	left := 0
	for _, child := range w.p.filter(m.Manifests) {
		if err := w.child(ctx, child, depth); err != nil {
			return err
		}
		if w.seen[child.Digest] {
			left++
		}
	}
	if left == 0 && len(m.Manifests) > 0 {
		return errNothingLeft
	}
	w.add(desc, body, m)
	return nil
}

func (w *walker) child(ctx context.Context, child oci.Descriptor, depth int) error {
	if w.seen[child.Digest] {
		return nil
	}
	desc, body, m, err := w.read(ctx, child.Digest)
	if oci.IsNotFound(err) && w.p.o.SkipMissing {
		w.skip(child, "the source does not have it")
		return nil
	}
	if err != nil {
		return sourceError(w.item.Ref, fmt.Errorf("manifest %s of the list: %w", child.Digest, err))
	}
	if !m.IsIndex() {
		w.add(desc, body, m)
		return nil
	}
	err = w.index(ctx, desc, body, m, depth+1)
	if errors.Is(err, errNothingLeft) {
		return nil
	}
	return err
}

// filter returns the children that go along; one without a platform always does.
func (p *planner) filter(children []oci.Descriptor) []oci.Descriptor {
	if p.o.Filter.All() {
		return children
	}
	var out []oci.Descriptor
	for _, c := range children {
		if c.Platform == nil || p.o.Filter.Match(*c.Platform) {
			out = append(out, c)
		}
	}
	return out
}

func (w *walker) skip(child oci.Descriptor, why string) {
	w.item.Skipped = append(w.item.Skipped, plan.Skipped{Ref: w.item.Ref.String(), Digest: child.Digest, Why: why})
}

func (w *walker) add(desc oci.Descriptor, body []byte, m *oci.Manifest) {
	if w.seen[desc.Digest] {
		return
	}
	w.seen[desc.Digest] = true
	out := plan.Manifest{Descriptor: desc.Bare(), Body: body}
	for _, b := range m.Blobs() {
		if !b.IsForeign() {
			out.Blobs = append(out.Blobs, b.Bare())
		}
	}
	w.item.Manifests = append(w.item.Manifests, out)
}

// read gets a manifest once in a run, however many images share it.
func (w *walker) read(ctx context.Context, d oci.Digest) (oci.Descriptor, []byte, *oci.Manifest, error) {
	desc, body, err := w.fetch(ctx, d)
	if err != nil {
		return desc, nil, nil, err
	}
	m, err := oci.ParseManifest(desc.MediaType, body)
	if err != nil {
		return desc, nil, nil, err
	}
	if oci.IsSchema1(m.MediaType) {
		return desc, nil, nil, errSchema1(d)
	}
	desc.MediaType, desc.Size = m.MediaType, int64(len(body))
	return desc, body, m, nil
}

func (w *walker) fetch(ctx context.Context, d oci.Digest) (oci.Descriptor, []byte, error) {
	f := w.cached(d)
	f.once.Do(func() {
		f.desc, f.body, f.err = w.src.Manifest(ctx, repo.ByDigest(d))
		f.desc = f.desc.Bare()
		f.desc.Digest = d
	})
	return f.desc, f.body, f.err
}

// readTag gets what a tag names, so that reading it by its digest costs nothing more.
func (w *walker) readTag(ctx context.Context, tag string) (oci.Digest, error) {
	desc, body, err := w.src.Manifest(ctx, repo.ByTag(tag))
	if err != nil {
		return oci.Digest{}, err
	}
	f := w.cached(desc.Digest)
	f.once.Do(func() { f.desc, f.body = desc.Bare(), body })
	return desc.Digest, nil
}

func (w *walker) cached(d oci.Digest) *fetched {
	key := cacheKey{w.place, d}
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	f := w.p.cache[key]
	if f == nil {
		f = &fetched{}
		w.p.cache[key] = f
	}
	return f
}

func platforms(children []oci.Descriptor) string {
	var names []string
	for _, c := range children {
		if c.Platform != nil {
			names = append(names, c.Platform.String())
		}
	}
	if len(names) == 0 {
		return "no platforms"
	}
	return strings.Join(names, ", ")
}
