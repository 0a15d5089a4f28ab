package catalog

import (
	"errors"
	"io/fs"
)

func readAll(fs.FS, ReadOptions) (*Catalog, []Problem, error) { return nil, nil, errors.ErrUnsupported }
