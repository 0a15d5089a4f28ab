package catalog

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// ErrMaxComponents is the error of a limit on path elements that leaves none
// for a repository (oc.md 18).
var ErrMaxComponents = errors.New("the number of path components must be 0 (no limit) or at least 2")

// HashTag is the tag of an image that has a digest alone: FNV-1a of 32 bits of
// its reference as the catalog writes it, in hexadecimal without leading
// zeros (oc.md 15.3).
func HashTag(original string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(original)) // a hash takes everything
	return strconv.FormatUint(uint64(h.Sum32()), 16)
}

// Mount returns where an image goes below a destination (oc.md 15.3): the
// destination's path, then the image's, without its registry; where that has
// more than limit elements (0: any number), the last ones are joined with
// dashes. The result has a tag and no digest: the image's own tag, HashTag for
// one with a digest alone, else "latest". The error says that limit is 1 or
// less than 0, or that the name that comes out is not a repository's.
func Mount(image, dest ref.Ref, limit int) (ref.Ref, error) {
	if limit < 0 || limit == 1 {
		return ref.Ref{}, fmt.Errorf("%w, not %d", ErrMaxComponents, limit)
	}
	path := hubPath(image)
	if dest.Path != "" {
		path = dest.Path + "/" + path
	}
	out := dest.WithPath(flatten(path, limit)).WithTag(mountTag(image))
	if err := oci.CheckName(out.Path); err != nil {
		return ref.Ref{}, fmt.Errorf("%s below %s: %w", image, dest, err)
	}
	return out, nil
}

// flatten joins with dashes what a path has beyond so many elements.
func flatten(path string, limit int) string {
	parts := strings.Split(path, "/")
	if limit == 0 || len(parts) <= limit {
		return path
	}
	last := strings.Join(parts[limit-1:], "-")
	return strings.Join(append(slices.Clone(parts[:limit-1]), last), "/")
}

func mountTag(image ref.Ref) string {
	if image.Tag == "" && !image.Digest.IsZero() {
		return HashTag(hashed(image))
	}
	return image.WithDefaultTag().Tag
}

// hashed is the text that oc hashes: the reference as it is written, but for
// "library/", which is added where Docker Hub is named and nothing else is.
func hashed(image ref.Ref) string {
	if image.Host != "" {
		image.Path = hubPath(image)
	}
	return image.Name()
}

// hubPath is the image's path with the "library/" that Docker Hub implies.
func hubPath(image ref.Ref) string {
	if image.Scheme == ref.Registry && image.Host == "registry-1.docker.io" {
		image.Host = ref.DefaultHost // the name that Docker Hub answers to
	}
	return image.Canonical().Path
}

// RepositoryName is what oc calls the name of a reference: its path without
// the first element where there are more, as that is the namespace (oc.md
// 4.2). Objects and directories are called after it.
func RepositoryName(r ref.Ref) string {
	if _, rest, ok := strings.Cut(r.Path, "/"); ok {
		return rest
	}
	return r.Path
}

// ManifestsDir is the directory of a run's manifests as the document has it:
// manifests-NAME-NUMBER, which has slashes in it where the name has
// (manifests-index/redhat/redhat-operator-index-NUMBER). The number is the
// time in seconds since 1970.
func ManifestsDir(index ref.Ref, number int64) string {
	return fmt.Sprintf("manifests-%s-%d", RepositoryName(index), number)
}
