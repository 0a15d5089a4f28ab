// Package rootfs takes a directory or a file out of an image, as a container
// made of it would see it: its layers applied, what upper layers remove left
// out. Nothing is unpacked but what is asked for.
package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
)

// ErrNotThere is the error of a path that the image does not have.
var ErrNotThere = errors.New("the image does not have it")

// limits bound what an image may make us read and write.
type limits struct {
	layer   int64 // bytes in one layer, unpacked
	entries int   // in one layer
	files   int   // written
	bytes   int64 // written
	links   int   // followed
}

// standard lets layers be large, because only what is wanted is kept of them. What
// is written is bounded as what is read of a catalog: more of it would fill a disk
// for nothing.
var standard = limits{layer: 64 << 30, entries: 1_000_000, files: 100_000, bytes: 2 << 30, links: 40}

// Reader takes files out of one image. Layers are read from the top, and not
// below the one that settles what is asked for: a file that is found, a
// directory that is replaced as a whole. A directory that layers add to is known
// only when all of them are read.
type Reader struct {
	Source repo.Source
	Name   string           // of the image, for errors on its content
	Layers []oci.Descriptor // the base first, as in the manifest
	// Skip, if set, says that a layer, by its place in Layers, is known not to
	// have anything at the path. found tells whether an upper one has.
	Skip func(layer int, found bool) bool
	// Writes, if set, are the paths that each layer, by its place in Layers, was
	// written to: it has entries at and below these alone, and where links lead
	// from there. It is nil for a layer of which that is not known. Layers are not
	// read that are proved by this to have nothing at the path.
	Writes [][]string
	// Glance, if set, says that a layer is believed to be in the order of its names,
	// as layers are that tools pack. It is given up, and not verified, where an entry
	// is past the path and nothing was taken from it.
	Glance func(layer int, found bool) bool
	// Keep, if set, says by its first 16 bytes whether a file is wanted.
	Keep func(head []byte) bool
	// Progress, if set, is told how many bytes of the layers opened so far were
	// read, and how many they have.
	Progress func(done, total int64)
	// Spool, if set, gives each layer that is read a writer that gets its bytes as
	// they are stored, and must not fail. done is told whether these are all, and
	// verified.
	Spool func(oci.Descriptor) (w io.Writer, done func(whole bool))

	limits      limits
	written     map[string]bool // the names of files
	done, total int64
	files       int
	bytes       int64
	links       int
}

// Extract writes what the image has at a path to a directory, which is empty, and
// is emptied again where layers had to be read that were skipped (Writes):
// what lies in a directory under its name there, a file under its base name.
// "." is the whole image. Links to files become files, as far as they lead
// to what is in the image; links to directories and devices are left out. All
// layers that were read are verified when it returns; after an error what was
// written must not be used. The error matches ErrNotThere where there is
// neither a directory nor a file.
func (r *Reader) Extract(ctx context.Context, name string, to *os.Root) error {
	if r.limits == (limits{}) {
		r.limits = standard
	}
	name, ok := EntryName(name)
	if !ok {
		return fmt.Errorf("%q is no path in an image", name)
	}
	t := &tree{r: r, ctx: ctx, path: name, root: to, top: len(r.Layers)}
	t.proof = newProof(name, r.Writes, len(r.Layers))
	err := t.read()
	if errors.Is(err, errUnproved) {
		r.links = 0
		if err = r.forget(to); err == nil {
			t = &tree{r: r, ctx: ctx, path: name, root: to, top: len(r.Layers)}
			err = t.read()
		}
	}
	if err != nil {
		return err
	}
	if !t.found {
		return fmt.Errorf("/%s: %w", strings.TrimPrefix(name, "."), ErrNotThere)
	}
	return nil
}

// forget removes what was written.
func (r *Reader) forget(to *os.Root) error {
	r.written, r.files, r.bytes = nil, 0, 0
	entries, err := fs.ReadDir(to.FS(), ".")
	for _, e := range entries {
		err = errors.Join(err, to.RemoveAll(e.Name()))
	}
	return err
}

// tree is what is taken out of an image: what lies at one path.
type tree struct {
	r     *Reader
	ctx   context.Context //nolint:containedctx // a tree lives for one call
	path  string          // "." is all
	root  *os.Root
	at    string // the name in root that a file at path gets, "" for its own
	top   int    // the number of layers that count, from the base
	only  bool   // wants a file: what lies in a directory does not count
	proof *proof // why layers may be skipped, for path alone

	detours []detour // that were taken to path, in their order

	found  bool
	seen   map[string]seen // what has been seen at paths
	links  map[string]link // by their names
	moved  string          // where a link at path, or above it, leads
	layer  int             // that is being read
	number int             // of the entry in that layer
	order  *order          // of that layer's entries, nil where it does not matter
	wipes  []Wipe          // of that layer
	gone   map[string]Wipe
}

// seen is the topmost entry of a path.
type seen struct {
	layer   int
	dir     bool
	implied bool // by what lies in it: no layer has an entry of the directory
	file    bool // that was written
}

// link is an entry that stands for a file elsewhere.
type link struct {
	name, target string
	layers       int // that the target is looked for in, from the base
}

// read goes through the layers from the top.
func (t *tree) read() error {
	for hop := 0; ; hop++ {
		t.found, t.moved, t.links = false, "", map[string]link{}
		t.seen, t.gone = map[string]seen{}, map[string]Wipe{}
		if err := t.pass(); err != nil {
			return err
		}
		if t.moved == "" {
			if t.proof.skipped() && !t.found || !t.proof.holds() {
				return errUnproved
			}
			return t.follow()
		}
		t.proof = nil
		if t.r.links++; t.r.links > t.r.limits.links {
			return fmt.Errorf("%w: /%s is behind too many links", ErrLimit, t.path)
		}
		if err := t.turn(); err != nil {
			return err
		}
	}
}

// turn begins again where a link leads. What layers have that lie above the link
// is written again, by the name that it has from there.
func (t *tree) turn() error {
	if !t.only {
		if err := t.r.forget(t.root); err != nil {
			return &writeError{err}
		}
		if t.at == "" {
			t.at = path.Base(t.path)
		}
	}
	t.path = t.moved
	return nil
}

func (t *tree) pass() error {
	for i := t.top - 1; i >= 0; i-- {
		desc := t.r.Layers[i]
		if desc.IsForeign() || t.r.Skip != nil && t.r.Skip(i, t.found) || t.proof.skip(i) {
			continue
		}
		t.layer, t.number, t.wipes, t.order = i, 0, nil, nil
		if t.r.Glance != nil && len(t.detours) == 0 && t.r.Glance(i, t.found) {
			t.order = &order{path: t.path}
		}
		if err := t.r.scan(t.ctx, desc, t.entry); err != nil {
			return err
		}
		if t.moved != "" {
			return nil
		}
		for _, w := range t.wipes {
			if old, ok := t.gone[w.path]; !ok || old.below {
				t.gone[w.path] = w
			}
		}
		if t.settled() {
			t.proof.cut(i)
			return nil
		}
	}
	return nil
}

// settled reports whether lower layers cannot add anything.
func (t *tree) settled() bool {
	if s, ok := t.seen[t.path]; ok && !s.dir {
		return true
	}
	if t.only && t.seen[t.path].dir {
		return true
	}
	return t.isGone(t.path) || t.path != "." && t.gone[t.path].path != "" || t.gone["."].below
}

// isGone reports whether upper layers hide a path.
func (t *tree) isGone(name string) bool {
	if w, ok := t.gone[name]; ok && !w.below {
		return true
	}
	for name != "." {
		name = path.Dir(name)
		if _, ok := t.gone[name]; ok {
			return true
		}
	}
	return false
}

// entry takes one entry of the layer that is being read.
func (t *tree) entry(h header, content io.Reader) error {
	if t.moved != "" {
		return nil
	}
	if t.order.past(h.name) {
		return errPast
	}
	t.proof.see(h)
	t.number++
	h.name = t.placed(h.name)
	t.again(h)
	if w, ok := Whiteout(h.name); ok {
		t.wipes = append(t.wipes, w)
		return nil
	}
	within, above := Covers(t.path, h.name), Covers(h.name, t.path)
	if !within && !above || t.isGone(h.name) {
		return nil
	}
	old, ok := t.seen[h.name]
	if ok && old.layer != t.layer && (!old.implied || h.link != symbolic || !above) {
		t.hide(h, old)
		return nil
	}
	if ok && old.dir != h.dir() && (!old.dir || h.link != symbolic) {
		return fmt.Errorf("/%s is in one layer as a directory and as something else", h.name)
	}
	t.seen[h.name] = seen{layer: t.layer, dir: h.dir()}
	t.above(h.name)
	if !h.dir() {
		t.wipes = append(t.wipes, Wipe{path: h.name})
	}
	if above && h.link == symbolic {
		t.takeDetour(h)
		return nil
	}
	if !within {
		return nil
	}
	return t.take(h, content)
}

// hide takes an entry that an upper directory, or file, replaced or is one with.
func (t *tree) hide(h header, upper seen) {
	if !h.dir() {
		t.wipes = append(t.wipes, Wipe{path: h.name})
		return
	}
	upper.implied = false
	t.seen[h.name] = upper
}

// above notes the directories that an entry lies in, which layers need not have
// as entries of their own.
func (t *tree) above(name string) {
	for name != "." {
		name = path.Dir(name)
		if _, ok := t.seen[name]; ok {
			return
		}
		t.seen[name] = seen{layer: t.layer, dir: true, implied: true}
	}
}

// take takes an entry at or below the path.
func (t *tree) take(h header, content io.Reader) error {
	if t.only && h.name != t.path {
		return nil
	}
	t.found = t.found || !t.only && (h.dir() || h.name != t.path)
	switch {
	case h.dir():
		return nil
	case h.link != noLink:
		return t.addLink(h)
	case !h.regular:
		return nil
	}
	t.found = true
	delete(t.links, h.name) // of the same layer
	kept, err := t.write(h, content)
	t.seen[h.name] = seen{layer: t.layer, file: kept}
	return err
}

func (t *tree) addLink(h header) error {
	l := link{name: h.name, layers: t.top}
	if h.link == symbolic {
		l.target = Resolve(h.name, h.target)
	} else {
		target, ok := EntryName(h.target)
		if !ok {
			return nil
		}
		l.target, l.layers = t.placed(target), t.layer+1
	}
	t.links[h.name] = l
	if len(t.links) > t.r.limits.files {
		return fmt.Errorf("%w: the image has more than %d links at /%s", ErrLimit, t.r.limits.files, t.path)
	}
	return nil
}

// follow makes files of links.
func (t *tree) follow() error {
	if t.r.Keep != nil {
		return nil // all files are looked at; one by another name is no other
	}
	for _, name := range slices.Sorted(maps.Keys(t.links)) {
		l, ends := t.chase(t.links[name])
		if !ends {
			continue
		}
		s, ok := t.seen[l.target]
		if ok && s.file && s.layer < l.layers {
			if err := t.copy(l); err != nil {
				return err
			}
			continue
		}
		if ok && s.dir && l.layers == t.top {
			continue // a link to a directory
		}
		if t.r.links++; t.r.links > t.r.limits.links {
			return fmt.Errorf("%w: more than %d links lead out of /%s", ErrLimit, t.r.limits.links, t.path)
		}
		sub := &tree{r: t.r, ctx: t.ctx, path: l.target, root: t.root, at: t.place(l.name), top: l.layers, only: true, detours: slices.Clone(t.detours)}
		if err := sub.read(); err != nil {
			return err
		}
		t.found = t.found || sub.found && l.name == t.path
	}
	return nil
}

// chase follows a link over other links of the tree. It returns false where they
// go in a circle.
func (t *tree) chase(l link) (link, bool) {
	for range t.r.limits.links {
		next, ok := t.links[l.target]
		if !ok {
			return l, true
		}
		l.target, l.layers = next.target, min(l.layers, next.layers)
	}
	return l, false
}

// place returns the name in root of a path in the image.
func (t *tree) place(name string) string {
	if name == t.path {
		if t.at != "" {
			return t.at
		}
		return path.Base(name)
	}
	if t.path == "." {
		return name
	}
	return strings.TrimPrefix(name, t.path+"/")
}
