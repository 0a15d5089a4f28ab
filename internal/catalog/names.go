package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// Naming says how the images of a catalog are called where they go (oc.md 15.3).
type Naming struct {
	// Index is the index image as the user names it: in a registry, or in a
	// directory that an earlier run filled.
	Index ref.Ref
	// Original is the index image's name where it came from first, zero where
	// that is not known. For an Index in a registry it is left out: its own name
	// is taken, unless the image is in its destination already.
	Original ref.Ref
	// Changed says that another index image than the one that was read is
	// written: one with fewer packages. It does not take the place of that one.
	Changed bool
	// Dest is the registry or directory, with or without a repository, that
	// everything goes below.
	Dest ref.Ref
	// Max is how many elements a path in a registry may have, its first ones
	// included; 0 is no limit. In directories there is none.
	Max int
	// Memory is what the medium knows about its catalog, nil for media of oc. With
	// an Index that is where the run from that medium put it (the run with
	// --manifests-only) it makes the medium the source of everything, as it was in
	// the run before. For any other Index in a registry it is of no use.
	Memory *Memory

	served bool // see Stay
}

// Name is one image and where it goes.
type Name struct {
	Image Image // as the catalog names it; the zero value for the index image
	// Original is what clusters know the image by; zero for an index image of
	// unknown origin.
	Original ref.Ref
	// Source is where the image is read, with a tag or a digest.
	Source ref.Ref
	// Destination has a tag and no digest, but for an index image that stays
	// where it is (Names.InPlace), which is named as the user did.
	Destination ref.Ref
}

// Names are the images of a catalog with their names.
type Names struct {
	Index Name
	// Served is how catalog sources name the index image: where it went, by its
	// digest if the user named it so, as oc does.
	Served ref.Ref
	// InPlace says that the index image is at its destination already: the user
	// named it there.
	InPlace bool
	// Named is the reference that objects are called after, with RepositoryName:
	// the index image's own, or where it went to if it came from a medium, which
	// is what the run with --manifests-only sees.
	Named ref.Ref
	// Images are the related images, by their originals.
	Images []Name
	// Collisions are the images whose name is not the usual one.
	Collisions []Collision
	// Refused are those that have no name. They are in no other list.
	Refused []Refusal
}

// Collision is an image that gets another name than the usual one, because an
// image has that already. Of images known by a tag, a whole repository moves.
type Collision struct {
	Kept, Moved ref.Ref // the images, by their originals
	Usual, Name ref.Ref // what the moved one is usually called, and what it is called
}

// String says what happened, for a warning.
func (c Collision) String() string {
	return fmt.Sprintf("%s becomes %s and not %s, to be apart from %s", c.Moved, c.Name, c.Usual, c.Kept)
}

// Refusal is an image that cannot be named.
type Refusal struct {
	Image Image
	Err   error
}

// Names names a catalog's index image and the images that it names. The result
// does not depend on the order of the images. The error is one of the index
// image or of Max; images that cannot be named are in Refused.
func (n Naming) Names(images []Image) (Names, error) {
	if n.Dest.Scheme != ref.Registry {
		n.Max = 0 // the names are wanted again, whole, when the medium is read
	}
	out, err := n.index()
	if err != nil {
		return Names{}, err
	}
	out.Served = out.Index.Destination
	if !n.Index.Digest.IsZero() && !n.Changed {
		out.Served = out.Served.WithDigest(n.Index.Digest)
	}
	below := n.Dest
	if n.Dest.Scheme != ref.Registry {
		below = out.Index.Destination.Repository()
	}
	g := gathering{taken: map[ref.Ref]ref.Ref{out.Index.Destination.Canonical(): out.origin()}}
	for _, image := range images {
		g.parse(image)
	}
	g.mount(below, n.Max)
	for i := range g.names {
		g.names[i].Source = n.source(g.names[i])
	}
	out.Images, out.Collisions, out.Refused = g.names, g.collisions, g.refused
	return out, nil
}

// origin is the index image's oldest known name.
func (n *Names) origin() ref.Ref {
	if n.Index.Original.IsZero() {
		return n.Index.Source
	}
	return n.Index.Original
}

// index names the index image.
func (n Naming) index() (Names, error) {
	out := Names{Index: Name{Original: n.Original, Source: n.Index.WithDefaultTag()}, InPlace: n.InPlace()}
	if out.InPlace {
		out.Index.Destination = out.Index.Source
		out.Named = out.Index.Destination
		if medium := n.medium(); !medium.IsZero() {
			out.Index.Source, out.Index.Destination = medium, n.pushed(medium)
		}
		return out, nil
	}
	var err error
	if out.Index.Destination, err = Mount(n.Index, n.Dest, n.Max); err != nil {
		return out, fmt.Errorf("naming the index image: %w", err)
	}
	out.Named = out.Index.Destination
	if n.Index.Scheme == ref.Registry {
		out.Index.Original, out.Named = out.Index.Source.Canonical(), n.Index
	}
	return out, nil
}

// InPlace reports whether the index image is below the destination already. It
// stays there: oc names it a second time, and then its catalog source points
// at an image that nobody pushed (oc.md W5).
func (n Naming) InPlace() bool {
	at, dest := n.Index.Canonical(), n.Dest.Canonical()
	if n.Changed || at.Scheme != ref.Registry || dest.Scheme != ref.Registry || at.Host != dest.Host {
		return false
	}
	return dest.Path == "" || strings.HasPrefix(at.Path+"/", dest.Path+"/")
}

// medium is the place of the index image on the medium that images are read
// from: the user names it, or it remembers an index image that was pushed from
// there. Zero is for images that are read where they came from.
func (n Naming) medium() ref.Ref {
	switch {
	case n.Index.Scheme != ref.Registry:
		return n.Index
	case n.Memory == nil || !n.InPlace() || !n.IsAt(n.Memory.Index):
		return ref.Ref{}
	case n.Index.Tag == "" && !n.Index.Digest.IsZero():
		return n.Memory.Index.WithDigest(n.Index.Digest)
	}
	return n.Memory.Index
}

// IsAt reports whether the index image is in the repository that an image of that
// name, on a medium or in a registry, goes to.
func (n Naming) IsAt(name ref.Ref) bool {
	at, err := Mount(name, n.Dest, n.Max)
	return err == nil && at.Canonical().Repository() == n.Index.Canonical().Repository()
}

// pushed is what an index image in its place is called in the run that pushed it
// from the medium: by a tag, and if the user gives none, by the one of that run.
func (n Naming) pushed(medium ref.Ref) ref.Ref {
	tag := n.Index.WithDefaultTag().Tag
	if tag == "" {
		tag = mountTag(medium)
	}
	return n.Index.WithTag(tag)
}

// IsServed reports whether an index image in the destination is the one at a place
// of a medium, which is served as it is: no run would push it there.
func (n Naming) IsServed(on ref.Ref) bool {
	return on.Scheme == ref.File && n.InPlace() && n.Index.Path == on.Path && !n.IsAt(on)
}

// Stay returns the naming for a medium that is served: everything is called what it
// is on the medium, and nothing is copied.
func (n Naming) Stay() Naming {
	n.Dest, n.Max, n.served = n.Index.Repository(), 0, true
	return n
}

// source is where a related image is read: its original place, or the medium,
// there by digest where the original has one, as oc asks for it.
func (n Naming) source(name Name) ref.Ref {
	original, medium := name.Original, n.medium()
	switch {
	case n.served:
		return name.Destination
	case medium.IsZero():
		return original
	}
	at, ok := n.Memory.Find(original)
	if !ok {
		var err error
		if at, err = Mount(original, medium.Repository(), 0); err != nil {
			return original // no medium has it: a name that long cannot have been written
		}
	}
	at.Scheme, at.Label = medium.Scheme, medium.Label
	if !original.Digest.IsZero() {
		return at.WithDigest(original.Digest)
	}
	return at
}

// MappingText is a file for "image mirror -f": SRC=DST a line, the destination
// with a tag, because registries delete what has none, sorted. An index image
// that is at its destination already has no line.
func (n Names) MappingText() []byte {
	lines := make([]string, 0, len(n.Images)+1)
	for _, name := range n.All() {
		if name.Source != name.Destination {
			lines = append(lines, name.Source.String()+"="+name.Destination.String()+"\n")
		}
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, ""))
}

// All are the index image and the related images.
func (n Names) All() []Name { return append([]Name{n.Index}, n.Images...) }

// byOriginal is the order of images: of the catalog's words for one image, the
// first in the order of the alphabet.
func byOriginal(a, b Name) int {
	return cmp.Or(
		strings.Compare(a.Original.String(), b.Original.String()),
		strings.Compare(a.Original.Tag, b.Original.Tag),
		strings.Compare(a.Image.Ref, b.Image.Ref),
	)
}

// parse reads the name that a catalog has for an image.
func (g *gathering) parse(image Image) {
	r, err := ref.Parse(image.Ref)
	if err == nil {
		err = r.RequireRepository()
	}
	if err == nil && r.Scheme != ref.Registry {
		err = fmt.Errorf("%.300q is not in a registry", image.Ref)
	}
	if err != nil {
		g.refused = append(g.refused, Refusal{Image: image, Err: err})
		return
	}
	g.found = append(g.found, found{image: image, written: r})
}

// tagOnly reports whether the tag is all that says which image is meant.
func tagOnly(r ref.Ref) bool { return r.Digest.IsZero() }
