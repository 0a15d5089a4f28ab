package mirror

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/airbridge-dev/airbridge/internal/catalog"
	"github.com/airbridge-dev/airbridge/internal/cluster"
	"github.com/airbridge-dev/airbridge/internal/ref"
)

// MappingFile is what the list of a catalog's images is called, among its
// manifests.
const MappingFile = "mapping.txt"

// manifestFiles are the names that a directory of manifests may have.
var manifestFiles = []string{
	MappingFile, cluster.CatalogSourceFile, cluster.ICSPFile, cluster.IDMSFile, cluster.ITMSFile, cluster.ClusterCatalogFile,
	MissingFile, RetryFile,
}

// maxNumbers is how many numbers are tried for a directory of manifests.
const maxNumbers = 1000

// MakeManifestsDir makes a directory for the manifests of a catalog, below the
// current one, called after its index image and a number (catalog.ManifestsDir).
// Where one of that name is, from a run in the same second, the number is the
// next. The result is the name as the user would write it.
func MakeManifestsDir(index ref.Ref, number int64) (string, error) {
	for n := number; n < number+maxNumbers; n++ {
		dir := catalog.ManifestsDir(index, n)
		if err := os.MkdirAll(filepath.Dir(filepath.FromSlash(dir)), 0o755); err != nil {
			return "", err
		}
		err := os.Mkdir(filepath.FromSlash(dir), 0o755)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("there are %d directories like %s already", maxNumbers, catalog.ManifestsDir(index, number))
}

// WriteManifests writes a catalog's files below a directory, which is made if
// need be. What an earlier run left there under a name that files of this kind
// have, and this run does not write, is removed: a user who applies the directory
// would apply it too. Replaced are the names of files that had another content,
// and of those removed, for a notice.
func WriteManifests(dir string, files []cluster.File) (replaced []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, f := range files {
		changed, err := replaceManifest(dir, f)
		if err != nil {
			return replaced, err
		}
		if changed {
			replaced = append(replaced, f.Name)
		}
	}
	for _, name := range manifestFiles {
		if slices.ContainsFunc(files, func(f cluster.File) bool { return f.Name == name }) {
			continue
		}
		err := os.Remove(filepath.Join(dir, filepath.FromSlash(name)))
		if err == nil {
			replaced = append(replaced, name)
			if at := path.Dir(name); at != "." {
				_ = os.Remove(filepath.Join(dir, filepath.FromSlash(at))) // unless something else is in it
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return replaced, err
		}
	}
	slices.Sort(replaced)
	return replaced, nil
}

// replaceManifest writes a file unless it is there already, and reports whether
// it had another content.
func replaceManifest(dir string, f cluster.File) (changed bool, err error) {
	at := filepath.Join(dir, filepath.FromSlash(path.Dir(f.Name)))
	if err := os.MkdirAll(at, 0o755); err != nil {
		return false, err
	}
	had, err := os.ReadFile(filepath.Join(at, path.Base(f.Name)))
	switch {
	case err == nil && string(had) == string(f.Content):
		return false, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	return err == nil, writeFile(at, path.Base(f.Name), f.Content)
}
