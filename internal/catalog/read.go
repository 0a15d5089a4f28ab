package catalog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// ReadOptions says how a catalog is read. The zero value is right for catalogs
// of any size that are found in practice.
type ReadOptions struct {
	// Workers is how many files are decoded at once; 0 is one for each processor.
	Workers int
}

// limits bound what a catalog may make us read.
type limits struct {
	file      int // bytes in one file
	output    int // bytes of JSON that one file may come to
	total     int64
	files     int // also directories
	documents int
	depth     int // of YAML; json.Valid has a limit of its own
	signs     int // in one document of YAML, see there
}

// standard are the limits of ARCHITECTURE.md, On the wire. The largest catalogs
// have some 300 packages and 200 MB.
var standard = limits{file: 64 << 20, output: 96 << 20, total: 2 << 30, files: 100_000, documents: 1_000_000, depth: 500, signs: 500_000}

// errLimit is what a catalog gets that is made to exhaust us.
var errLimit = errors.New("limit exceeded")

// Read reads a file-based catalog: every file below the root of fsys that no
// .indexignore excludes, whatever its name, is a stream of JSON or YAML
// documents. What cannot be read is told in problems, in the order of the
// files, and the rest is in the catalog; the caller decides whether that will
// do. The error is one of reading files, or says that a limit is exceeded.
func Read(fsys fs.FS, o ReadOptions) (c *Catalog, problems []Problem, err error) {
	return standard.read(fsys, o)
}

// parsed is what one file holds.
type parsed struct {
	documents []document
	problems  []Problem
}

func (l limits) read(fsys fs.FS, o ReadOptions) (*Catalog, []Problem, error) {
	names, err := l.documentFiles(fsys)
	if err != nil {
		return nil, nil, err
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	files := make([]parsed, len(names))
	var group errgroup.Group
	group.SetLimit(o.Workers)
	for i, name := range names {
		group.Go(func() error {
			content, err := l.content(fsys, name)
			switch {
			case err == nil:
				files[i] = l.parseFile(name, content)
			case errors.Is(err, errLimit):
				files[i].problems = []Problem{{File: name, Line: 1, Err: err}}
			default:
				return err
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	return l.gather(files)
}

// gather puts the documents of all files into one catalog.
func (l limits) gather(files []parsed) (*Catalog, []Problem, error) {
	c := &Catalog{}
	var problems []Problem
	for i := range files {
		for _, d := range files[i].documents {
			c.last++
			if c.last > l.documents {
				return nil, nil, fmt.Errorf("%w: the catalog has more than %d documents", errLimit, l.documents)
			}
			d.order = c.last
			if err := c.add(d); err != nil {
				problems = append(problems, Problem{File: d.File, Line: d.Line, Package: d.Package, Err: err})
			}
		}
		problems = append(problems, files[i].problems...)
		files[i] = parsed{}
	}
	return c, problems, nil
}

// documentFiles returns the files that hold documents, in lexical order.
func (l limits) documentFiles(fsys fs.FS) ([]string, error) {
	var names []string
	var rules ignoreRules
	var total int64
	seen := 0
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > l.files {
			return fmt.Errorf("%w: the catalog has more than %d files", errLimit, l.files)
		}
		if d.IsDir() {
			rules, err = l.enter(fsys, name, rules)
			return err
		}
		if d.Name() == ignoreFile || rules.ignores(name) {
			return nil
		}
		info, err := fs.Stat(fsys, name) // through a link
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		if total += info.Size(); total > l.total {
			return fmt.Errorf("%w: the catalog has more than %d bytes", errLimit, l.total)
		}
		names = append(names, name)
		return nil
	})
	return names, err
}

// enter adds the rules of a directory.
func (l limits) enter(fsys fs.FS, dir string, rules ignoreRules) (ignoreRules, error) {
	name := path.Join(dir, ignoreFile)
	content, err := l.content(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return rules, nil
	}
	if err != nil {
		return nil, err
	}
	if dir == "." {
		dir = ""
	}
	rules = append(rules, parseIgnore(dir, content)...)
	if len(rules) > maxIgnoreRules {
		return nil, fmt.Errorf("%w: %s brings the patterns to more than %d", errLimit, name, maxIgnoreRules)
	}
	return rules, nil
}

// content reads a file. One byte more than may be there tells that it is too long.
func (l limits) content(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > int64(l.file) {
		return nil, l.tooLong(name)
	}
	content := make([]byte, info.Size()+1)
	n, err := io.ReadFull(f, content)
	switch {
	case err == nil:
		return nil, l.tooLong(name)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, err
	}
	return content[:n], nil
}

func (l limits) tooLong(name string) error {
	return fmt.Errorf("%w: %s has more than %d bytes, or grows while it is read", errLimit, name, l.file)
}
