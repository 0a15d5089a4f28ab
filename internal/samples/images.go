package samples

import (
	"errors"
	"fmt"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/ref"
)

// Image is an image that image streams are filled from. Several tags may name
// the same; it is there once.
type Image struct {
	Name  string  // as the operator names it
	From  ref.Ref // where it is
	below string  // its name in a mirror, after the registry and a slash
	place ref.Ref // in a mirror that stands for any
}

// At returns the image's place below a mirror: a registry, a repository of one,
// or a directory on a medium. It has the tag or the digest that the image has.
func (i Image) At(mirror ref.Ref) (ref.Ref, error) {
	at, err := ref.Parse(mirror.String() + "/" + i.below)
	if err != nil {
		return at, err
	}
	if at.Digest.IsZero() {
		return at.WithDefaultTag(), nil
	}
	return at.WithDigest(at.Digest), nil // a pull by digest looks at nothing else
}

// newImage reads the name of an image.
func newImage(name string) (Image, error) {
	from, err := ref.Parse(name)
	if err == nil {
		err = from.RequireRepository()
	}
	if err == nil && from.Scheme != ref.Registry {
		err = errors.New("it is not in a registry")
	}
	if err != nil {
		return Image{}, err
	}
	if !from.Digest.IsZero() {
		from = from.WithDigest(from.Digest)
	}
	const mirror = "MIRROR"
	below, ok := strings.CutPrefix(moved(name, mirror), mirror+"/")
	i := Image{Name: name, From: from.WithDefaultTag(), below: below}
	if i.place, err = i.At(ref.Ref{Host: "mirror.example.com", Path: "x"}); err != nil || !ok {
		return i, fmt.Errorf("the operator would look for it as %.300s, which cannot be in a mirror", moved(name, mirror))
	}
	return i, nil
}

// known are the registries whose name the operator replaces wherever an image
// begins with it (cluster-samples-operator, pkg/stub/imagestreams.go).
var known = []string{"docker.io", "registry.redhat.io", "registry.access.redhat.com", "quay.io", "registry.svc.ci.openshift.org"}

// moved is the name that the operator looks for when its samplesRegistry is
// set. It takes what is before the first slash for a registry only in a name
// with exactly two; any other name goes whole behind samplesRegistry.
func moved(name, samplesRegistry string) string {
	if strings.Count(name, "/") != 2 {
		return samplesRegistry + "/" + name
	}
	for _, registry := range known {
		if rest, ok := strings.CutPrefix(name, registry); ok {
			return samplesRegistry + rest
		}
	}
	_, rest, _ := strings.Cut(name, "/")
	return samplesRegistry + "/" + rest
}

// Images returns the images of streams, each once and in the order of the
// streams. Those that no mirror can hold are told by name with the reason:
// names that are none, and images that would take another's place, since the
// operator leaves the registry out of it.
func Images(streams []Stream) (images []Image, bad map[string]error) {
	bad = map[string]error{}
	seen := map[string]bool{}
	takenBy := map[ref.Ref]Image{}
	for _, s := range streams {
		for _, t := range s.Tags {
			if seen[t.Image] {
				continue
			}
			seen[t.Image] = true
			i, err := newImage(t.Image)
			if err != nil {
				bad[t.Image] = err
				continue
			}
			if first, taken := takenBy[i.place]; taken && first.From.Canonical() != i.From.Canonical() {
				bad[t.Image] = fmt.Errorf("in a mirror it would have the name of %s", first.Name)
				continue
			}
			takenBy[i.place] = i
			images = append(images, i)
		}
	}
	return images, bad
}
