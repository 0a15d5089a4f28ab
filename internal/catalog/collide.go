package catalog

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// gathering gives images their names, each to one image only. Which of two
// images moves, and where to, follows from their references alone.
type gathering struct {
	found      []found
	taken      map[ref.Ref]ref.Ref // the originals by their destinations
	names      []Name
	collisions []Collision
	refused    []Refusal
}

// found is an image of the catalog.
type found struct {
	image   Image
	written ref.Ref // parsed as it is, for its hash
}

func (f found) original() ref.Ref { return f.written.WithDefaultTag().Canonical() }

// mount names all images. Those that clusters know by a tag come first: they
// cannot get another tag, so all of a repository's get another repository.
// Those with a digest are found under any tag.
func (g *gathering) mount(below ref.Ref, limit int) {
	m := mounting{gathering: g, below: below, limit: limit}
	tagged := map[ref.Ref][]found{}
	var pinned []found
	for _, f := range g.found {
		if at := f.original(); tagOnly(at) {
			tagged[at.Repository()] = append(tagged[at.Repository()], f)
		} else {
			pinned = append(pinned, f)
		}
	}
	for _, repository := range slices.SortedFunc(maps.Keys(tagged), byText) {
		m.repository(repository, once(tagged[repository]))
	}
	for _, f := range once(pinned) {
		m.pinned(f)
	}
	slices.SortFunc(g.names, byOriginal)
	slices.SortFunc(g.refused, func(a, b Refusal) int { return strings.Compare(a.Image.Ref, b.Image.Ref) })
}

func byText(a, b ref.Ref) int { return strings.Compare(a.String(), b.String()) }

// once sorts images, and drops those that only their spelling tells apart.
func once(list []found) []found {
	slices.SortFunc(list, func(a, b found) int {
		return cmp.Or(byText(a.original(), b.original()), strings.Compare(a.original().Tag, b.original().Tag), strings.Compare(a.image.Ref, b.image.Ref))
	})
	return slices.CompactFunc(list, func(a, b found) bool { return a.original() == b.original() })
}

// mounting is the giving of names below one destination.
type mounting struct {
	*gathering
	below ref.Ref
	limit int
}

// maxTries bounds the search for a free name. Names are hashes, so that the
// second is free already.
const maxTries = 16

// repository names the images that are known by a tag of one repository. All
// stay together, as a mirror set speaks of repositories.
func (m *mounting) repository(repository ref.Ref, images []found) {
	var usual []ref.Ref
	var named []found
	for _, f := range images {
		at, err := Mount(f.original(), m.below, m.limit)
		if err != nil {
			m.refuse(f, err)
			continue
		}
		usual, named = append(usual, at), append(named, f)
	}
	kept := m.holder(usual)
	at, err := m.free(usual, func(at ref.Ref, salt string) ref.Ref {
		return at.WithPath(at.Path + "-" + fingerprint(repository.String()+salt))
	})
	for i, f := range named {
		if err != nil {
			m.refuse(f, err)
			continue
		}
		m.name(f, at[i])
		m.moved(f, usual[i], at[i], kept)
	}
}

// pinned names an image with a digest.
func (m *mounting) pinned(f found) {
	usual, err := Mount(f.written, m.below, m.limit)
	if err != nil {
		m.refuse(f, err)
		return
	}
	kept := m.holder([]ref.Ref{usual})
	at, err := m.free([]ref.Ref{usual}, func(at ref.Ref, salt string) ref.Ref {
		mark := "-" + fingerprint(f.original().String()+salt)
		return at.WithTag(at.Tag[:min(len(at.Tag), maxTag-len(mark))] + mark)
	})
	if err != nil {
		m.refuse(f, err)
		return
	}
	m.name(f, at[0])
	m.moved(f, usual, at[0], kept)
}

// maxTag is the longest tag.
const maxTag = 128

// free returns the names, or others instead if one of them is taken.
func (m *mounting) free(usual []ref.Ref, move func(at ref.Ref, salt string) ref.Ref) ([]ref.Ref, error) {
	at := slices.Clone(usual)
	for try := range maxTries {
		if !slices.ContainsFunc(at, m.has) {
			return at, checkNames(at)
		}
		for i := range at {
			at[i] = move(usual[i], strings.Repeat("+", try))
		}
	}
	return nil, fmt.Errorf("%s is the name of another image, and so are %d others", usual[0], maxTries-1)
}

func checkNames(at []ref.Ref) error {
	for _, r := range at {
		if err := oci.CheckName(r.Path); err != nil {
			return err
		}
	}
	return nil
}

func (m *mounting) has(at ref.Ref) bool {
	_, taken := m.taken[at.Canonical()]
	return taken
}

func (m *mounting) refuse(f found, err error) {
	m.refused = append(m.refused, Refusal{Image: f.image, Err: err})
}

// holder is the first image that has one of the names, zero if none has.
func (m *mounting) holder(names []ref.Ref) ref.Ref {
	for _, at := range names {
		if original, taken := m.taken[at.Canonical()]; taken {
			return original
		}
	}
	return ref.Ref{}
}

func (m *mounting) name(f found, at ref.Ref) {
	m.taken[at.Canonical()] = f.original()
	m.names = append(m.names, Name{Image: f.image, Original: f.original(), Destination: at})
}

func (m *mounting) moved(f found, usual, at, kept ref.Ref) {
	if at != usual {
		m.collisions = append(m.collisions, Collision{Kept: kept, Moved: f.original(), Usual: usual, Name: at})
	}
}

// fingerprint is short text that only this text has.
func fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}
