package ocdir

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"strings"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/store/fsys"
)

// scan is one walk.
type scan struct {
	fs    fsys.FS
	repos []string
	where map[oci.Digest]at
}

// dir walks a directory whose path below v2/ is name. A repository may itself
// be called blobs or manifests, so these are walked like any other.
func (s *scan) dir(ctx context.Context, name string, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := list(s.fs, join(top, name))
	if err != nil {
		return fmt.Errorf("looking for repositories: %w", err)
	}
	if err := s.files(name, entries); err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || depth >= maxDepth {
			continue
		}
		if err := s.dir(ctx, join(name, e.Name()), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// files takes note of the files of a repository's blobs/ or manifests/.
func (s *scan) files(dir string, entries []fs.DirEntry) error {
	repository, kind := split(dir)
	named := oci.CheckName(repository) == nil
	if !named || kind != blobsDir && kind != manifestsDir {
		return nil
	}
	found := false
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		found = true
		if d, sep, ok := parseName(e.Name()); ok && e.Type().IsRegular() {
			s.note(d, at{repo: repository, manifest: kind == manifestsDir, sep: sep})
		}
	}
	if !found {
		return nil
	}
	if len(s.repos) >= 2*maxRepositories {
		return fmt.Errorf("more than %d repositories", maxRepositories)
	}
	s.repos = append(s.repos, repository)
	return nil
}

// note prefers the place in blobs/.
func (s *scan) note(d oci.Digest, a at) {
	if had, known := s.where[d]; !known || had.manifest {
		s.where[d] = a
	}
}

// names are those of repositories in the two orders that keys have: a
// separator counts, "a-b" comes before "a" where an @ follows.
type names struct{ at, colon []string }

func newNames(list []string) names {
	return names{at: ordered(list, "@"), colon: ordered(list, ":")}
}

func ordered(list []string, sep string) []string {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b string) int { return byKey(a, b, sep) })
	return slices.Compact(list)
}

func byKey(a, b, sep string) int { return strings.Compare(a+sep, b+sep) }

// with returns the names and one more.
func (n names) with(name string) names {
	i, found := slices.BinarySearchFunc(n.at, name, func(a, b string) int { return byKey(a, b, "@") })
	if found {
		return n
	}
	j, _ := slices.BinarySearchFunc(n.colon, name, func(a, b string) int { return byKey(a, b, ":") })
	return names{
		at:    slices.Insert(slices.Clip(slices.Clone(n.at)), i, name),
		colon: slices.Insert(slices.Clip(slices.Clone(n.colon)), j, name),
	}
}

// from returns the names whose keys, with the separator, can come at or after
// a text.
func (n names) from(text, sep string) []string {
	list := n.at
	if sep == ":" {
		list = n.colon
	}
	i := sort.Search(len(list), func(i int) bool {
		base := list[i] + sep
		return base >= text || strings.HasPrefix(text, base)
	})
	return list[i:]
}

func join(dir, name string) string {
	if dir == "" || name == "" {
		return dir + name
	}
	return dir + "/" + name
}

// split cuts the last element off a path.
func split(path string) (dir, base string) {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[:i], path[i+1:]
		}
	}
	return "", path
}
