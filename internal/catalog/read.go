package catalog

import "io/fs"

// ReadOptions says how a catalog is read. The zero value is right for catalogs
// of any size that are found in practice.
type ReadOptions struct {
	// Workers is how many files are decoded at once; 0 is one for each processor.
	Workers int
}

// Read reads a file-based catalog: every file below the root of fsys that no
// .indexignore excludes, whatever its name, is a stream of JSON or YAML
// documents. What cannot be read is told in problems, in the order of the
// files, and the rest is in the catalog; the caller decides whether that will
// do. The error is one of reading files, or says that a limit is exceeded.
func Read(fsys fs.FS, o ReadOptions) (c *Catalog, problems []Problem, err error) {
	return readAll(fsys, o)
}
