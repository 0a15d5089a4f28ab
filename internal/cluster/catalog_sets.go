package cluster

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// MaxSetBytes is the largest mirror set that is made: what a cluster takes with
// room to spare for what it adds (oc.md 15.1).
const MaxSetBytes = 250_000

// TooLargeError says that one source alone does not fit into an object.
type TooLargeError struct {
	Kind   string
	Source string
	Bytes  int // the object with that source alone
	Limit  int
}

// Error implements error.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("an %s with the mirrors of %s alone has %d bytes, more than the %d that are allowed", e.Kind, e.Source, e.Bytes, e.Limit)
}

// setKind is a kind of mirror set with the images that are for it.
type setKind struct {
	names
	file   string
	rules  SetRules
	images []Mirrored
	apart  map[string]bool // repositories that need sources of their own (apartIn)
}

// content is the file: as many objects as it takes, each after a line of
// dashes, called NAME-0, NAME-1 and so on (oc.md 15.4). Without images it is empty.
func (k setKind) content(name string) ([]byte, error) {
	var out bytes.Buffer
	sources := k.mirrorsOf()
	for i := 0; len(sources) > 0; i++ {
		called := fmt.Sprintf("%s-%d", name, i)
		n, err := k.fit(called, sources)
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n")
		out.Write(k.object(called, sources[:n]))
		sources = sources[n:]
	}
	return out.Bytes(), nil
}

// fit returns how many sources one object has room for.
func (k setKind) fit(name string, sources []MirrorSource) (int, error) {
	limit := cmp.Or(k.rules.MaxBytes, MaxSetBytes)
	size := len(k.object(name, sources[:1]))
	if size > limit {
		return 0, &TooLargeError{Kind: k.kind, Source: sources[0].Source, Bytes: size, Limit: limit}
	}
	n := 1
	for n < len(sources) {
		if size += entryBytes(sources[n]); size > limit {
			break
		}
		n++
	}
	return n, nil
}

// entryBytes is what a source adds to an object: its lines, two deep.
func entryBytes(s MirrorSource) int {
	text, err := yaml.Marshal([]MirrorSource{s})
	if err != nil {
		panic(err) // text can always be printed
	}
	return len(text) + 2*bytes.Count(text, []byte("\n"))
}

func (k setKind) object(name string, sources []MirrorSource) []byte {
	return document(map[string]any{
		"apiVersion": k.apiVersion,
		"kind":       k.kind,
		"metadata":   map[string]any{"name": name, "labels": map[string]string{catalogLabel: "true"}},
		"spec":       map[string]any{k.field: sources},
	})
}

// mirrorsOf says where the set's sources are mirrored, in order.
func (k setKind) mirrorsOf() []MirrorSource {
	var lists [][]MirrorSource
	images := k.images
	if k.rules.Scope == ByRegistry {
		var whole []MirrorSource
		whole, images = byRegistry(images, k.apart)
		lists = append(lists, whole)
	}
	pairs := map[pair]bool{}
	for _, image := range images {
		pairs[pair{sourceOf(image), image.Mirror.Repository().String()}] = true
	}
	for _, p := range slices.SortedFunc(maps.Keys(pairs), comparePairs) {
		lists = append(lists, []MirrorSource{{Source: p.source, Mirrors: []string{p.mirror}}})
	}
	return Merge(lists...)
}

// pair is a repository and one that mirrors it.
type pair struct{ source, mirror string }

func comparePairs(a, b pair) int {
	return cmp.Or(strings.Compare(a.source, b.source), strings.Compare(a.mirror, b.mirror))
}

// byRegistry returns a source for each registry whose images, or some of them,
// keep their paths below one place of the mirror, and the images that are below
// a repository of which that is not true. Those need sources of their own. oc
// maps registry to registry, and drops all paths (oc.md W5 d).
func byRegistry(images []Mirrored, apart map[string]bool) (whole []MirrorSource, rest []Mirrored) {
	places := placesOf(images)
	registries := map[string]bool{}
	for _, image := range images {
		if below(sourceOf(image), apart) {
			rest = append(rest, image)
		} else {
			registries[image.Original.Canonical().Host] = true
		}
	}
	for _, host := range slices.Sorted(maps.Keys(registries)) {
		whole = append(whole, MirrorSource{Source: host, Mirrors: []string{places[host]}})
	}
	return whole, rest
}

// apartIn are the repositories that are not where the mirror has the rest of
// their registry, of lists of images that are redirected each by its own sets.
// A repository of one list is apart in all: a node takes the longest source that
// fits, of the sets for digests and for tags together, and none other besides,
// so that a source for the tags of a repository keeps that of its registry from
// being asked for its digests.
func apartIn(lists ...[]Mirrored) map[string]bool {
	apart := map[string]bool{}
	for _, images := range lists {
		places := placesOf(images)
		for _, image := range images {
			if p, ok := registryPair(image); !ok || places[p.source] != p.mirror {
				apart[sourceOf(image)] = true
			}
		}
	}
	return apart
}

// placesOf says of each registry below which place of the mirror most of its
// images keep their paths.
func placesOf(images []Mirrored) map[string]string {
	count := map[pair]int{}
	for _, image := range images {
		if p, ok := registryPair(image); ok {
			count[p]++
		}
	}
	best := map[string]string{}
	for _, p := range slices.SortedFunc(maps.Keys(count), comparePairs) {
		if had, ok := best[p.source]; !ok || count[p] > count[pair{p.source, had}] {
			best[p.source] = p.mirror
		}
	}
	return best
}

// below reports whether a repository is one of a set, or its name continues
// that of one: a source is for these as well.
func below(repository string, set map[string]bool) bool {
	for i, c := range repository + "/" {
		if c == '/' && set[repository[:i]] {
			return true
		}
	}
	return false
}

// sourceOf is the repository that clusters look for an image in.
func sourceOf(image Mirrored) string { return image.Original.Canonical().Repository().String() }

// registryPair returns the image's registry and the place of the mirror below
// which the image has the path that it has there.
func registryPair(image Mirrored) (pair, bool) {
	from := image.Original.Canonical()
	base, ok := strings.CutSuffix(image.Mirror.Repository().String(), "/"+from.Path)
	return pair{from.Host, base}, ok
}
